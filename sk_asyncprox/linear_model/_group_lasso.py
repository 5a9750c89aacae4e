"""GroupLasso."""

from numbers import Integral

import numpy as np

from ..penalties import ElasticNetPenalty, GroupPenalty
from ._checks import check_numbers
from ._declared import documented
from ._parameters import OfGroupLasso
from ._regression import Lasso

FORMS = (
    "groups must be the size of all groups, a list of their sizes, a list with a list of column numbers "
    "for each, or one label per feature"
)


@documented
class GroupLasso(OfGroupLasso, Lasso):
    """Linear regression with the group lasso's penalty, trained asynchronously.

    Minimises, with ``S`` the sum of the sample weights,
    ``sum_i s_i (y_i - x_i.w - b)^2 / (2 S) + alpha sum_g weight_g |w_g|_2``: the coefficients of a group are
    zero together, or none is.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {linear}
    {fitted}

    See Also
    --------
    Lasso : Every feature is a group of its own.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_asyncprox import GroupLasso
    >>> X = np.random.default_rng(0).standard_normal((50, 6))
    >>> model = GroupLasso(alpha=0.1, groups=3).fit(X, X[:, :3] @ [1.0, 2.0, 3.0])
    >>> (model.coef_ != 0).tolist()
    [True, True, True, False, False, False]
    """

    def _penalty(self, *_):
        n_features = self.n_features_in_
        labels = labels_of(self.groups, n_features)
        sizes = np.bincount(labels)
        weights = weights_of(self.group_weights, sizes)
        if self.alpha == 0.0 or len(sizes) == n_features:
            lasso = ElasticNetPenalty(self.alpha)
            return lasso if np.all(weights == 1.0) else lasso.weighted(weights[labels])
        return GroupPenalty(self.alpha, labels, weights)


def weights_of(group_weights, sizes):
    """Weights of groups of such sizes."""
    if group_weights is None:
        return np.sqrt(sizes)
    weights = check_numbers(group_weights, "group_weights", boundaries="neither")
    if len(weights) != len(sizes):
        raise ValueError(f"group_weights has {len(weights)} numbers, and there are {len(sizes)} groups.")
    return weights


def labels_of(groups, n_features):
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
    raise ValueError(f"{FORMS}; got {said}, and X has {n_features} features.")


def _labels_of_lists(groups, n_features):
    members = [np.asarray(group) for group in groups]
    for number, group in enumerate(members):
        if group.ndim != 1 or group.dtype.kind not in "iu":
            raise ValueError(
                f"groups[{number}] must be a list of column numbers, not empty; got {groups[number]!r}."
            )
    index = np.concatenate(members)
    if not np.array_equal(np.sort(index), np.arange(n_features)):
        wrong = [j for j in range(n_features) if np.count_nonzero(index == j) != 1][:5]
        odd = wrong or index[(index < 0) | (index >= n_features)][:5].tolist()
        raise ValueError(
            f"groups must have each of the {n_features} columns of X in exactly one group; columns {odd} "
            "are not."
        )
    labels = np.empty(n_features, int)
    labels[index] = np.repeat(np.arange(len(members)), [len(group) for group in members])
    return labels
