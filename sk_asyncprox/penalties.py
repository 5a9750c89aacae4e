"""Penalties on the coefficients: value, proximal map and the dual quantities of a certificate."""

import numpy as np

CRUMB = 1e-3
"""Size, relative to the largest coefficient, below which one may be what a shortened step has left."""


class Penalty:
    """What may be asked of every penalty, as it is without an l1 part and where all coefficients are alike.

    Attributes
    ----------
    l1, l2 : float
        Weights of the part that makes zeros, and of ridge's.
    positive : bool
        Whether coefficients are constrained to be non-negative.
    is_zero : bool
        Whether nothing is penalised; then no finite duality gap exists.
    has_zeros : bool
        Whether minimisers tend to have coefficients that are exactly zero.
    weights : ndarray of shape (p,) or None
        What multiplies the penalties of the coefficients.
    free : ndarray of int or None
        Coefficients that are not penalised where others are.
    labels : ndarray of int of shape (p,) or None
        Groups of coefficients that terms join.
    """

    l1 = l2 = 0.0
    positive = is_zero = has_zeros = False
    weights = free = labels = None

    def on(self, index):
        """The penalty of the coefficients ``index`` alone."""
        return self

    def whole(self, index):
        """All coefficients that are joined with any of ``index``, which is sorted."""
        return index

    def crumbs(self, w, c):
        """Mask of small coefficients that the correlations ``c`` hold back: a step on their way to zero was
        too short."""
        crumbs = (w != 0.0) & (np.abs(w) <= CRUMB * np.abs(w).max(initial=0.0)) & (self.pull(c) < self.l1)
        if self.free is not None:
            crumbs[self.free] = False
        return crumbs


class ElasticNetPenalty(Penalty):
    """``l1 |w|_1 + (l2/2) |w|_2^2``, optionally with ``w >= 0``.

    ``l2=0`` is the lasso's penalty, ``l1=0`` ridge's.

    Parameters
    ----------
    l1, l2 : float
        Weights of the two terms, non-negative.
    positive : bool
        Whether the coefficients are constrained to be non-negative.

    Attributes
    ----------
    l1s, l2s : float or ndarray of shape (p,)
        Weights of the two terms for every coefficient; one number where they are all alike.

    See Also
    --------
    sk_asyncprox.problem.Problem : What it is a part of.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_asyncprox.penalties import ElasticNetPenalty
    >>> penalty = ElasticNetPenalty(l1=1.0, l2=2.0)
    >>> w = np.array([3.0, -0.5])
    >>> print(penalty.value(w), penalty.prox(w, step=0.5) + 0.0)
    12.75 [1.25 0.  ]
    """

    def __init__(self, l1=0.0, l2=0.0, positive=False):
        self.l1, self.l2, self.positive = float(l1), float(l2), bool(positive)
        self.l1s, self.l2s = self.l1, self.l2

    @property
    def is_zero(self):
        """Whether nothing is penalised; then no finite duality gap exists."""
        return self.l1 == 0.0 and self.l2 == 0.0

    def value(self, w):
        """Penalty of the coefficients ``w`` (the constraint is not checked)."""
        return (self.l1 * np.abs(w).sum() if self.l1 else 0.0) + 0.5 * self.l2 * (w @ w)

    def with_l1(self, l1, l2=None):
        """The same penalty with another weight of its l1 term, or of both."""
        return type(self)(l1, self.l2 if l2 is None else l2, self.positive)

    def weighted(self, weights):
        """The same penalty with weights of the coefficients; None for none."""
        return self if weights is None else WeightedPenalty(self.l1, self.l2, self.positive, weights)

    @property
    def has_zeros(self):
        """Whether minimisers tend to have coefficients that are exactly zero."""
        return self.l1 > 0.0 or self.positive

    def difference(self, w, new):
        """Change from ``w`` to ``new``: the part linear in the length of the step, and ``l2 |new - w|^2``;
        of several ``new``, one a row, both are arrays.

        Entry by entry: the difference of the two norms would lose small steps to rounding.
        """
        move = new - w
        linear = self.l2 * (move @ w)
        if self.l1:
            linear = linear + self.l1 * (np.abs(new) - np.abs(w)).sum(axis=-1)
        return linear, self.l2 * np.einsum("...i,...i", move, move)

    def prox(self, x, step):
        """``argmin_w  step * penalty(w) + |w - x|^2 / 2``, coordinate by coordinate."""
        if self.positive:
            shrunk = np.maximum(x - step * self.l1s, 0.0)
        else:
            shrunk = x - np.clip(x, -step * self.l1s, step * self.l1s)
        return shrunk / (1.0 + step * self.l2s)

    def pull(self, c):
        """Size of the correlations ``c`` against the penalty, ``|c|`` or ``max(c, 0)``: the l1 part up to
        which they let their coefficients out of zero."""
        return np.maximum(c, 0.0) if self.positive else np.abs(c)

    def dual_limit(self, c):
        """Largest factor by which a dual point with correlations ``c`` may be scaled.

        Beyond it the conjugate is infinite (``l2 = 0``); with ``l2 > 0`` it is finite everywhere
        and this factor is only a good choice.
        """
        largest = float(self.pull(c).max(initial=0.0))
        return self.l1 / largest if largest > 0 else np.inf

    def conjugate(self, c):
        """Conjugate at ``c``; with ``l2 = 0`` the caller has made ``c`` feasible."""
        if self.l2 == 0.0:
            return 0.0
        excess = np.maximum(self.pull(c) - self.l1, 0.0) if self.has_zeros else c
        return (excess @ excess) / (2.0 * self.l2)

    def violation(self, w, c):
        """Distance of the correlations ``c`` from the subdifferential at ``w``."""
        c = c - self.l2s * w
        inside = np.maximum((np.maximum(c, 0.0) if self.positive else np.abs(c)) - self.l1s, 0.0)
        return np.where(w != 0, np.abs(c - self.l1s * np.sign(w)), inside)


class WeightedPenalty(ElasticNetPenalty):
    """``sum_j weights_j (l1 |w_j| + (l2/2) w_j^2)``, optionally with ``w >= 0``.

    Parameters
    ----------
    l1, l2 : float
        Weights of the two terms, non-negative.
    positive : bool
        Whether the coefficients are constrained to be non-negative.
    weights : ndarray of shape (p,)
        Non-negative; coefficients of weight 0 are free.

    See Also
    --------
    ElasticNetPenalty : The same with one weight for all.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_asyncprox.penalties import ElasticNetPenalty
    >>> penalty = ElasticNetPenalty(l1=1.0).weighted(np.array([0.0, 1.0, 2.0]))
    >>> print(penalty.prox(np.array([3.0, 3.0, 3.0]), step=0.5))
    [3.  2.5 2. ]
    """

    def __init__(self, l1, l2, positive, weights):
        super().__init__(l1, l2, positive)
        self.weights, free = weights, weights == 0.0
        self.l1s, self.l2s = self._each(l1), self._each(l2)
        self.free = np.flatnonzero(free) if free.any() else None

    def _each(self, part):
        # An l1 part that lets nothing out of zero is infinite, and free is free of it.
        with np.errstate(over="ignore"):
            parts = np.multiply(part, self.weights, where=self.weights > 0.0, out=0.0 * self.weights)
        return parts if np.isinf(part) else np.minimum(parts, np.finfo(float).max)

    @property
    def has_zeros(self):
        return super().has_zeros and (self.positive or bool(self.weights.any()))

    def value(self, w):
        return (self.l1s * np.abs(w)).sum() + 0.5 * ((self.l2s * w) @ w)

    def with_l1(self, l1, l2=None):
        return type(self)(l1, self.l2 if l2 is None else l2, self.positive, self.weights)

    def on(self, index):
        return type(self)(self.l1, self.l2, self.positive, self.weights[index])

    def difference(self, w, new):
        move = new - w
        linear = (self.l2s * move) @ w + (self.l1s * (np.abs(new) - np.abs(w))).sum(axis=-1)
        return linear, np.einsum("...i,...i", self.l2s * move, move)

    def pull(self, c):
        return np.divide(super().pull(c), self.weights, where=self.weights > 0.0, out=0.0 * c)

    def conjugate(self, c):
        """Conjugate at ``c``, which the caller has made zero where coefficients are free."""
        if self.l2 == 0.0:
            return 0.0
        excess = np.maximum(self.pull(c) - self.l1, 0.0) if self.has_zeros else self.pull(c)
        return ((self.weights * excess) @ excess) / (2.0 * self.l2)


class GroupPenalty(ElasticNetPenalty):
    """``l1 sum_g weight_g |w_g|_2``, which makes the coefficients of whole groups zero. ``labels`` are the
    groups of the coefficients, from 0 on, no number left out; their weights are positive."""

    def __init__(self, l1, labels, group_weights):
        super().__init__(l1)
        self.labels, self.group_weights = labels, group_weights
        together = bool(np.all(labels[1:] >= labels[:-1]))
        self.order = slice(None) if together else np.argsort(labels, kind="stable")
        """Coefficients in the order of their groups."""
        self.starts = np.searchsorted(labels[self.order], np.arange(len(group_weights)))
        """Where a group begins in that order."""

    def with_l1(self, l1, l2=None):
        """The same penalty with another weight; there is no second term to be weighted."""
        return type(self)(l1, self.labels, self.group_weights)

    def on(self, index):
        """The penalty of some of the coefficients, whole groups of them."""
        present, labels = np.unique(self.labels[index], return_inverse=True)
        return type(self)(self.l1, labels, self.group_weights[present])

    def whole(self, index):
        """Coefficients of all groups of which ``index`` has any, sorted."""
        wanted = np.zeros(len(self.group_weights), bool)
        wanted[self.labels[index]] = True
        return np.flatnonzero(wanted[self.labels])

    def sums(self, x):
        """Sums of the entries of every group; of several ``x``, one a row, rows."""
        return np.add.reduceat(x[..., self.order], self.starts, axis=-1)

    def norms(self, x):
        """Norms of the groups."""
        return np.sqrt(self.sums(x * x))

    def value(self, w):
        """Penalty of the coefficients ``w``; of several, one a row, an array."""
        return self.l1 * (self.norms(w) @ self.group_weights)

    def difference(self, w, new):
        """Change from ``w`` to ``new``, of which shares of the step have at most theirs, and 0 for what is
        quadratic in their length; of several ``new``, one a row, the first is an array."""
        before, after = self.norms(w), self.norms(new)
        # The difference of the norms would lose small steps to rounding.
        change = self.sums((new - w) * (new + w)) / np.maximum(before + after, np.finfo(float).tiny)
        return self.l1 * (change @ self.group_weights), 0.0

    def prox(self, x, step):
        """``argmin_w  step * penalty(w) + |w - x|^2 / 2``, group by group."""
        norms, limits = self.norms(x), step * self.l1 * self.group_weights
        left = 1.0 - np.divide(limits, norms, out=np.ones_like(norms), where=norms > limits)
        return x * left[self.labels]

    def pull(self, c):
        """Size of the correlations ``c`` against the penalty: norm of the group, over its weight."""
        return (self.norms(c) / self.group_weights)[self.labels]

    def violation(self, w, c):
        """Distance of the correlations ``c`` from the subdifferential at ``w``: that of the group."""
        norms, limits = self.norms(w), self.l1 * self.group_weights
        pull = np.divide(limits, norms, out=np.zeros_like(norms), where=norms > 0.0)[self.labels] * w
        distance = self.norms(c - pull)
        return np.where(norms > 0.0, distance, np.maximum(distance - limits, 0.0))[self.labels]


PENALTIES = {"elasticnet": ElasticNetPenalty}
