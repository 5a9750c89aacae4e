"""Validation of data, weights and groups, where scikit-learn's own has gaps; and weights of any scale."""

import math
import sys
from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array, check_scalar, compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from .._compat import _check_sample_weight, granted_workers
from ..data.dataset import LARGE
from ..data.matrices import in_runs

FORMATS, FLOATS = ["csc", "csr"], [np.float64, np.float32]

LEAST_WEIGHT, MOST_WEIGHT = 1e-10, 1e10
"""Penalty weights that are not zero: features that differ by more can be no part of one model."""


def checked_data(estimator, X, y, y_numeric=False, later=False, **checks):
    """Data for a fit, ``X`` in float64 or float32; ``later``: whether the fit reads a large array before it
    looks at its entries, which :meth:`check_entries` is then asked to check."""
    if _is_ready(estimator, X, y, later):
        vars(estimator).pop("feature_names_in_", None)
        estimator.n_features_in_ = X.shape[1]
        return X, y.astype(np.float64, copy=False) if y_numeric else y
    if sp.issparse(y):
        raise TypeError(
            "Sparse data was passed for y, but dense data is required. Use '.toarray()' to convert to a "
            "dense numpy array."
        )
    checks = {"accept_sparse": FORMATS, "dtype": FLOATS, "y_numeric": y_numeric} | checks
    # scikit-learn sums the entries to see whether all are finite, and minds infinity less infinity.
    with np.errstate(invalid="ignore"):
        X, y = validate_data(estimator, X, y, **checks)
    return in_floats(X), y.astype(np.float64, copy=False) if y_numeric else y


def is_large(X):
    """Whether reading the data takes longer than starting threads."""
    return isinstance(X, np.ndarray) and X.size > LARGE


def threads_for(estimator, X):
    """Threads that read or copy the data before the first task: one unless these are large."""
    return granted_workers(estimator.n_jobs or None) if is_large(X) else 1


def check_entries(estimator, X, is_finite):
    """Refuse data that were read unchecked, unless their entries are known to be finite."""
    if vars(estimator).pop("_unchecked", False) and not (is_finite or _are_finite(estimator, X)):
        validate_data(estimator, X, reset=False, dtype=FLOATS)


def _is_ready(estimator, X, y, later):
    """Whether the data are arrays that scikit-learn's checks, as long as small fits themselves, would hand
    back as they are; what is to be refused is left to these."""
    if not (type(X) is type(y) is np.ndarray and X.ndim == 2 and y.ndim == 1 and len(X) == len(y)):
        return False
    if not (X.dtype in FLOATS and y.dtype.kind in "biuf" and X.size > 0):
        return False
    if later := later and is_large(X) and getattr(estimator, "copy_X", True):
        estimator._unchecked = True
    with np.errstate(over="ignore", invalid="ignore"):
        return bool((later or _are_finite(estimator, X)) and np.isfinite(y.sum()))


def _are_finite(estimator, X):
    """Whether the entries are finite, by their sum: one where there is one thread, as small fits would wait
    for those of runs."""
    n_threads = threads_for(estimator, X)
    with np.errstate(over="ignore", invalid="ignore"):
        total = X.sum() if n_threads == 1 else sum(in_runs(lambda rows: X[rows].sum(), len(X), n_threads))
        return bool(np.isfinite(total))


def classes_of(y):
    """Classes, and for every label the number of its own."""
    if y.dtype.kind not in "biu":
        check_classification_targets(y)
    elif len(y):
        least, largest = y.min(), y.max()
        second = y == largest
        if least < largest and np.count_nonzero(second) + np.count_nonzero(y == least) == len(y):
            return np.array([least, largest]), second.astype(np.intp)
    classes = np.unique(y)
    return classes, np.searchsorted(classes, y)  # which sorts no labels, as their inverse does


def in_floats(X):
    """The same matrix in float64, if it is not in float32 (sparse frames are left in types of their own)."""
    return X if X.dtype in FLOATS else X.astype(np.float64)


def check_number(value, name, *, low=0.0, high=None, boundaries="left", finite=True):
    """Check a number, which is not NaN, nor infinite where it is to be ``finite``; errors name it. Boundaries
    are "left", "both" or "neither", and ``high=None`` is no limit."""
    check_scalar(value, name, Real, min_val=low, max_val=high, include_boundaries=boundaries)
    if math.isnan(value) or (finite and math.isinf(value)):
        raise ValueError(f"{name} == {value}, must be {'a number' if math.isnan(value) else 'finite'}.")


def check_numbers(values, name, **limits):
    """Numbers of a list, not empty, each as :func:`check_number` has it; an array of shape (n,)."""
    if not np.iterable(values) or isinstance(values, str | dict | set):
        raise ValueError(f"{name} must be a list of numbers, got {values!r}.")
    values = list(values)
    if not values:
        raise ValueError(f"{name} is empty; give at least one.")
    for index, value in enumerate(values):
        check_number(value, f"{name}[{index}]", **limits)
    return np.array(values, dtype=np.float64)


def checked_weights(sample_weight, X):
    """Sample weights, one per row, non-negative and finite, also of one number; None for none."""
    if sample_weight is None:
        return None
    if isinstance(sample_weight, Real):
        check_number(sample_weight, "sample_weight")
    return _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)


def checked_penalty_weights(weights, n_features, n_outputs=1):
    """Penalty weights of every output's features, finite, non-negative and not all zero; None for ones."""
    if weights is None:
        return None
    weights = check_array(weights, dtype=np.float64, ensure_2d=False, input_name="penalty_weights")
    if weights.shape != (n_features,):
        raise ValueError(f"penalty_weights has shape {weights.shape}, but X has {n_features} features.")
    if weights.min() < 0.0 or not weights.any():
        raise ValueError("penalty_weights must be non-negative, and not all zero.")
    positive = weights[weights > 0.0]
    if positive.min() < LEAST_WEIGHT or positive.max() > MOST_WEIGHT:
        raise ValueError(
            f"penalty_weights must be 0, or between {LEAST_WEIGHT:g} and {MOST_WEIGHT:g}: scale them, or "
            "leave features out."
        )
    return None if (weights == 1.0).all() else np.tile(weights, n_outputs)


def checked_groups(groups, n_features):
    """Number of the group of every feature."""
    if isinstance(groups, Integral):
        if n_features % groups:
            raise ValueError(f"groups={groups} does not divide the {n_features} features of X.")
        return np.arange(n_features) // groups
    groups = list(groups)
    if any(np.iterable(group) and not isinstance(group, str) for group in groups):
        return _labels_of_lists(groups, n_features)
    flat = np.asarray(groups)
    numbers = flat.dtype.kind in "iu"
    sizes = numbers and flat.min() > 0 and flat.sum() == n_features
    labels = len(flat) == n_features and (numbers or flat.dtype.kind == "U")
    if sizes and labels and n_features > 1:
        raise ValueError(
            "groups may be sizes as well as labels: give a list of column numbers for each group."
        )
    if sizes:
        return np.repeat(np.arange(len(flat)), flat)
    if labels:
        return np.unique(flat, return_inverse=True)[1]
    said = f"{len(flat)} numbers whose sum is {flat.sum()}" if numbers else repr(groups)
    raise ValueError(
        "groups must be the size of all groups, a list of their sizes, a list with a list of column numbers "
        f"for each, or one label per feature; got {said}, and X has {n_features} features."
    )


def _labels_of_lists(groups, n_features):
    members = [np.asarray(group) for group in groups]
    for number, group in enumerate(members):
        if group.ndim != 1 or group.dtype.kind not in "iu":
            raise ValueError(
                f"groups[{number}] must be a list of column numbers, not empty; got {groups[number]!r}."
            )
    index = np.concatenate(members)
    present, counts = np.unique(index, return_counts=True)
    if odd := sorted({*range(n_features)} ^ {*present.tolist()} | {*present[counts > 1].tolist()}):
        raise ValueError(
            f"groups must have each of the {n_features} columns of X in exactly one group; columns {odd[:5]} "
            "are not."
        )
    labels = np.empty(n_features, int)
    labels[index] = np.repeat(np.arange(len(members)), [len(group) for group in members])
    return labels


def checked_group_weights(group_weights, sizes):
    """Weights of groups of such sizes."""
    if group_weights is None:
        return np.sqrt(sizes)
    weights = check_numbers(group_weights, "group_weights", boundaries="neither")
    if len(weights) != len(sizes):
        raise ValueError(f"group_weights has {len(weights)} numbers, and there are {len(sizes)} groups.")
    return weights


def scaled(weights):
    """Weights over a power of two, so that the largest is from 1/2 to 1, and its exponent: as they are given
    their sum may be no finite number. None, for weights that are all one, stays."""
    if weights is None:
        return None, 0
    largest = weights.max(initial=0.0)
    if largest == 0.0:
        raise ValueError("All sample weights are zero; at least one must be positive.")
    exponent = math.frexp(largest)[1]
    return np.ldexp(weights, -exponent), exponent


def class_factors(class_weight, classes, mass):
    """Factors of the classes' weights; ``mass`` are the sums of the sample weights of each."""
    if class_weight == "balanced":  # older scikit-learns count samples without their weights
        return np.divide(mass.sum(), len(classes) * mass, out=np.zeros(len(classes)), where=mass > 0)
    for label, factor in (class_weight or {}).items():
        check_number(factor, f"class_weight[{label!r}]")
    return compute_class_weight(class_weight, classes=classes, y=classes)


def strength_of(C, total, exponent=0):
    """Weight of the penalty, ``1 / (C total 2^exponent)``, the largest number where that is beyond it."""
    (c, i), (t, j) = math.frexp(C), math.frexp(total)
    mantissa, own = math.frexp(1.0 / (c * t))
    own -= exponent + i + j
    return math.ldexp(mantissa, own) if own <= 1024 else sys.float_info.max
