"""The group lasso's penalty."""

import numpy as np

from .._precision import TINY
from ..kernels.quadratic_minimiser_group import MOST_CALLS, SHARE_OF_GAP, solve_groups_on_gram
from .elastic_net import ElasticNetPenalty


class GroupPenalty(ElasticNetPenalty):
    """``l1 sum_g weight_g |w_g|_2``, which makes the coefficients of whole groups zero. ``labels`` are the
    groups of the coefficients, from 0 on, no number left out; their weights are positive."""

    widest = 6000

    def __init__(self, l1, labels, group_weights):
        super().__init__(l1)
        self.labels, self.group_weights, self.alike = labels, group_weights, False
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

    def groups_of(self, index):
        """Numbers of the groups of coefficients, among those of which there are any."""
        return np.unique(self.labels[index], return_inverse=True)[1]

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
        change = self.sums((new - w) * (new + w)) / np.maximum(before + after, TINY)
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

    def solve_on_gram(self, Q, q, w, square, goal, share=0.0, most_calls=MOST_CALLS, enough=None):
        return solve_groups_on_gram(Q, q, w, self, square, goal, share, most_calls)

    def step_on_gram(self, Q, q, w, square, sweeps):
        w, _, touched = self.solve_on_gram(Q, q, w, square, 0.0, share=SHARE_OF_GAP)
        return w, touched
