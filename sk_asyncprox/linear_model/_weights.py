"""Weights of samples, classes and penalties: checked, and of any scale."""

import math
import sys
from numbers import Real

import numpy as np
from sklearn.utils import check_array, compute_class_weight

from .._compat import check_sample_weight
from ._parameters import NON_NEGATIVE
from ._validation import check_number

LEAST_WEIGHT, MOST_WEIGHT = 1e-10, 1e10
"""Penalty weights that are not zero: features that differ by more can be no part of one model."""


def checked_weights(sample_weight, X):
    """Sample weights, one per row, non-negative and finite, also of one number; None for none."""
    if sample_weight is None:
        return None
    if isinstance(sample_weight, Real):
        check_number(sample_weight, "sample_weight", NON_NEGATIVE)
    return check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)


def checked_penalty_weights(weights, n_features, n_outputs=1):
    """Penalty weights of every output's features, finite, non-negative and not all zero; None for ones."""
    if weights is None:
        return None
    try:
        weights = check_array(weights, dtype=np.float64, ensure_2d=False, input_name="penalty_weights")
    except TypeError as error:
        raise ValueError(f"penalty_weights must be one number per feature. Got {weights!r}.") from error
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
        check_number(factor, f"class_weight[{label!r}]", NON_NEGATIVE)
    return compute_class_weight(class_weight, classes=classes, y=classes)


def class_weighted(sample_weight, class_weight, classes, codes):
    """Sample weights times those of the classes, as from :func:`scaled`."""
    weights, exponent = scaled(sample_weight)
    if class_weight is None:
        return weights, exponent
    weights = np.ones(len(codes)) if weights is None else weights
    factors = class_factors(class_weight, classes, np.bincount(codes, weights))
    weights, more = scaled(weights * factors[codes])
    return weights, exponent + more


def strength_of(C, total, exponent=0):
    """Weight of the penalty, ``1 / (C total 2^exponent)``, the largest number where that is beyond it."""
    (c, i), (t, j) = math.frexp(C), math.frexp(total)
    mantissa, own = math.frexp(1.0 / (c * t))
    own -= exponent + i + j
    return math.ldexp(mantissa, own) if own <= 1024 else sys.float_info.max
