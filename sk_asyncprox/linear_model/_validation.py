"""Validation of data, numbers and the range of results, where scikit-learn's own has gaps."""

import numpy as np
import scipy.sparse as sp
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from .._joblib import granted_workers
from ..data.array_operations import in_runs
from ..data.preprocessing import LARGE, SQUARED_LARGE, moments_are_cheap
from ..solvers.base import Snapshot

FORMATS, FLOATS = ["csc", "csr"], [np.float64, np.float32]


def checked_data(estimator, X, y, y_numeric=False, later=None, **checks):
    """Data for a fit, ``X`` in float64 or float32; ``later`` tells whether the fit reads an array before it
    looks at the entries, which :meth:`check_entries` is then asked to check."""
    if _is_ready(estimator, X, y, later):
        vars(estimator).pop("feature_names_in_", None)
        estimator.n_features_in_ = X.shape[1]
    else:
        if sp.issparse(y):
            raise TypeError(
                "Sparse data was passed for y, but dense data is required. Use '.toarray()' to convert to a "
                "dense numpy array."
            )
        checks = {"accept_sparse": FORMATS, "dtype": FLOATS, "y_numeric": y_numeric} | checks
        # scikit-learn sums the entries to see whether all are finite, and minds infinity less infinity.
        with np.errstate(invalid="ignore"):
            X, y = validate_data(estimator, X, y, **checks)
        X = in_floats(X)
        if y_numeric:  # of objects, None becomes a number that is none
            assert_all_finite(y, input_name="y")
    return X, y.astype(np.float64, copy=False) if y_numeric else y


def is_large(X):
    """Whether reading the data takes longer than starting threads."""
    return isinstance(X, np.ndarray) and X.size > LARGE


def is_read_first(X, loss=None):
    """Whether the data are read before the first task: large ones, and those that a squared loss sweeps."""
    swept = loss is not None and loss.quadratic and isinstance(X, np.ndarray) and X.size > SQUARED_LARGE
    return is_large(X) or (swept and not moments_are_cheap(*X.shape))


def threads_for(estimator, X):
    """Threads that read or copy the data before the first task: one unless these are large."""
    return granted_workers(estimator.n_jobs) if is_large(X) else 1


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
    if later := later is not None and later(X) and getattr(estimator, "copy_X", True):
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


def check_number(value, name, interval):
    """Check a number; NaN is in no interval."""
    if not interval.is_satisfied_by(value):
        raise ValueError(f"{name} must be {interval}, got {value!r}.")


def check_numbers(values, name, interval):
    """Numbers of a list, not empty, each in the interval; an array of shape (n,)."""
    if not np.iterable(values) or isinstance(values, str | dict | set):
        raise ValueError(f"{name} must be a list of numbers, got {values!r}.")
    values = list(values)
    if not values:
        raise ValueError(f"{name} is empty; give at least one.")
    for index, value in enumerate(values):
        check_number(value, f"{name}[{index}]", interval)
    return np.array(values, dtype=np.float64)


def beyond(dtype, largest):
    """Whether a type cannot hold coefficients, the largest of them being of that size."""
    most, least = float(np.finfo(dtype).max), float(np.finfo(dtype).tiny)
    return ~(largest <= most) | ((largest > 0.0) & (largest < least))


def check_range(dtype, tol, problem, w, b, intercept=0.0):
    """Refuse coefficients, and an intercept, that their type, that of the data, cannot hold, unless they may
    as well be zero; ``b`` is the intercept of the centred design."""
    largest = np.array([np.abs(w).max(initial=0.0), np.abs(intercept).max(initial=0.0)])
    lost, small = beyond(dtype, largest), not largest.max() >= 1.0
    if not lost.any() or (small and not _matters(problem, tol, w, b, intercept, lost)):
        return
    raise ValueError(
        f"The coefficients are too {'small' if small else 'large'} for {dtype!r}, that of X: scale X or y, "
        "or give X in float64."
    )


def _matters(problem, tol, w, b, intercept, lost):
    """Whether the model without what is lost, coefficients or intercept, is worse than the tolerance."""
    with np.errstate(over="ignore"):
        problem = problem.in_range()
    less = intercept * lost[1] + (b - intercept if problem.fit_intercept else 0.0) * lost[0]
    models = Snapshot(w, b), Snapshot(w * (not lost[0]), b - less)
    found, rest = (problem.objective(*problem.units.point(model)) for model in models)
    return rest - found > tol * problem.scale
