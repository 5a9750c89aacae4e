"""Groups of features, given in any of four ways, and their weights."""

from numbers import Integral

import numpy as np

from ._parameters import POSITIVE
from ._validation import check_numbers


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
    weights = check_numbers(group_weights, "group_weights", POSITIVE)
    if len(weights) != len(sizes):
        raise ValueError(f"group_weights has {len(weights)} numbers, and there are {len(sizes)} groups.")
    return weights
