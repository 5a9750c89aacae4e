"""Shards of rows: what a parameter server's worker holds.

Only vectors as long as the coefficients, or as the shard's own columns, and a few numbers leave a shard. With
a free intercept the rows of each class of a classifier, or on each side of a target, form a group
(``shards/sharded_certificate.py``).
"""

import itertools
from copy import copy
from typing import NamedTuple

import numpy as np

from ..data.block_diagonal import BlockDiagonal, Copies
from ..data.design_matrix import Design
from .sharded_certificate import FACTORS, Facts, Look, ShardGradient, Thin

ROWS_AT_ONCE = 900
"""Rows, by outputs, that are looked at together: what is made of them is small enough for the memory
that Dask's workers, which return all that they can, keep."""


class Constants(NamedTuple):
    """What first-order steps need to know of a shard: the largest eigenvalue of ``X' diag(weights) X``, and
    the norm of its column means, those of all rows taken out."""

    smoothness: float
    drift: float


def joint_smoothness(known, facts, free):
    """``sum_i share_i L_i`` of the shards' :class:`Constants`, and the scale of the intercept's column.

    A ``free`` intercept is a column of constants ``c``; ``c^2`` is chosen as the features' constant, so that
    neither slows the other. A shard's constant with that column is at most the largest eigenvalue of
    ``[[L_i, c |m_i|], [c |m_i|, c^2]]``, ``m_i`` the shard's column means.
    """
    shares, constants = (np.array(c) for c in ([f.share for f in facts], [k.smoothness for k in known]))
    if not np.isfinite(constants).all():
        return np.inf, 1.0
    square = float(shares @ constants) or 1.0
    if free:
        for i, shard in enumerate(known):
            cross = np.sqrt(square) * shard.drift
            constants[i] = np.linalg.norm([[constants[i], cross], [cross, square]], 2)
    return float(shares @ constants), square


class RowShard:
    """Rows of a problem, with weights that sum to one, and the column means of all rows taken out.

    Where the design has the columns with entries alone, as they lie, nothing taken out, ``columns`` are their
    numbers, of ``n_features`` in all: coefficients then come as :class:`Thin`, and gradients are about these
    columns. ``known`` is a point ``(w, b, z)`` whose margins are remembered, to save their product; answers
    do not depend on it.
    """

    def __init__(self, design, y, weights, loss, fit_intercept, columns=None, n_features=None):
        self.features, self.y, self.weights = design, y, weights
        self.design = Copies(design, loss.n_outputs) if loss.n_outputs > 1 else design
        self.loss, self.fit_intercept = loss, fit_intercept
        self.free_intercept = fit_intercept and not (loss.quadratic and columns is None)
        self._columns, self._n_features = columns, n_features
        self.known, self._narrow, self._by_columns = None, None, None

    def __getstate__(self):
        # What is found again in no time is not sent along.
        return {**vars(self), "_narrow": None, "_by_columns": None}

    def sample(self, stride):
        """One of so many rows, in the place of all."""
        design, weights = self.features, self.weights[::stride]
        X = design.X[::stride]
        if not design.is_sparse:
            # What lies together is multiplied faster.
            X = np.array(X) if design.centre is None else X - design.centre
        features = Design(X, design.centre if design.is_sparse else None)
        return RowShard(features, self.y[::stride], weights / weights.sum(), self.loss, self.fit_intercept)

    def on(self, index):
        """The same rows of the coefficients ``index`` (sorted) alone; the last is remembered."""
        narrow = self._narrow
        if narrow is None or not np.array_equal(narrow[0], index):
            other = copy(self)
            other.design, other.known = self._narrowed(index), None
            other._narrow = other._by_columns = None
            narrow = self._narrow = index, other
        return narrow[1]

    def _narrowed(self, index):
        if not self.features.is_sparse:
            return self.design.columns(index)
        if self._by_columns is None:
            self._by_columns = self.features.by_columns()
        pieces = [self._by_columns.some(part) for part in self._places(index)]
        return BlockDiagonal(pieces) if len(pieces) > 1 else pieces[0]

    def _places(self, index):
        """Where coefficients are among the columns, for every output; after all of them, where they are not
        there."""
        if self._columns is None:
            return self.design.places(index) if self.loss.n_outputs > 1 else [index]
        own, cuts = self._columns, self._n_features * np.arange(1, self.loss.n_outputs)
        parts = np.split(index, np.searchsorted(index, cuts))
        found = []
        for part, start in zip(parts, [0, *cuts], strict=True):
            at = np.searchsorted(own, part - start)
            there = own[np.minimum(at, len(own) - 1)] == part - start if len(own) else np.zeros(len(at), bool)
            found.append(np.where(there, at, len(own)))
        return found

    def _own(self, w):
        if not isinstance(w, Thin):
            return w
        own = np.zeros((self.loss.n_outputs, self.features.shape[1] + 1))
        places = self._places(w.index)
        outputs = np.repeat(np.arange(len(places)), [len(part) for part in places])
        own[outputs, np.concatenate(places)] = w.values
        return own[:, :-1].ravel()

    def constants(self):
        """What takes a dozen products or two to find out."""
        design, weights = self.features, self.weights
        return Constants(design.smoothness(weights), float(np.linalg.norm(design.tmul(weights))))

    def _by_output(self, u):
        return u.reshape(self.loss.n_outputs, -1)

    def margins(self, w, b):
        return (self._by_output(self.design.mul(self._own(w))) + np.reshape(b, (-1, 1))).ravel()

    def value(self, w, b, z=None):
        """Mean loss at ``(w, b)``, where the margins ``z`` may be known."""
        z = self.margins(w, b) if z is None else z
        return float((self._by_output(self.loss.value(self.y, z)) @ self.weights).sum())

    def gradient(self, w, b, z=None, found=None):
        """Gradient of the mean loss at ``(w, b)``; margins ``z``, and what was :meth:`read`, may be known."""
        z = self.margins(w, b) if z is None else z
        slope = self._by_output(self.loss.gradient(self.y, z))
        slope *= self.weights
        sums = slope.sum(axis=1)
        g = self.design.tmul(slope.ravel()) if found is None else -found[0]
        return ShardGradient(g, sums if np.ndim(b) else float(sums[0]))

    def read(self, w, b, by_group=False):
        """Margins at ``(w, b)``; and ``X' (weights * theta)``, in all or by group of rows, where one read of
        the entries is enough for both, else None."""
        if not getattr(self.design, "is_by_rows", False):
            return self.margins(w, b), None

        def pulls(rows, z):
            pull = -self.weights[rows] * self.loss.gradient(self.y[rows], z)
            if not by_group:
                return pull[None]
            codes, n_groups = self._groups(self.y[rows], pull)
            return np.where(codes == np.arange(n_groups)[:, None], pull, 0.0)

        return self.design.there_and_back(w, b, pulls)[:2]

    def _groups(self, y, theta):
        """The group of every row, and how many there are: one where there is nothing to balance."""
        if self.fit_intercept and not self.loss.quadratic:
            return self.loss.groups(y, theta)
        return np.zeros(len(y), dtype=int), 1

    def look(self, w, b, z=None, found=None):
        """Share of a certificate at ``(w, b)``; margins ``z``, and what was :meth:`read`, may be known."""
        z, y, weights = self.margins(w, b) if z is None else z, self.y, self.weights
        theta = -self.loss.gradient(y, z)
        pull = weights * self._by_output(theta)
        codes, n_groups = self._groups(y, theta)
        groups = [codes == k for k in range(n_groups)]
        correlations = self._correlations(pull, groups) if found is None else found
        if self.loss.quadratic:
            mass, dual = np.array([pull.sum()]), np.array([weights @ y, pull[0] @ y, pull[0] @ theta])
        else:
            mass = _given(np.array([pull[:, rows].sum(axis=1) for rows in groups]))
            dual = self._dual(self._by_output(theta), groups)
        sums = pull.sum(axis=1)
        gradient = ShardGradient(-correlations.sum(axis=0), -sums if np.ndim(b) else -float(sums[0]))
        return Look(gradient, self.value(w, b, z), correlations, mass, dual)

    def _dual(self, theta, groups):
        """Dual objective of every group at :data:`FACTORS`, by runs of rows that stay in the cache."""
        dual, step = np.zeros((len(groups), len(FACTORS))), max(1, ROWS_AT_ONCE // len(theta))
        for total, group in zip(dual, map(np.flatnonzero, groups), strict=True):
            for rows in (group[a : a + step] for a in range(0, len(group), step)):
                pull = theta[:, rows].ravel()
                total += self.loss.dual_along(self.y[rows], pull, self.weights[rows], FACTORS)
        return dual

    def _correlations(self, pull, groups):
        """``X' pull`` of the rows of every group."""
        if len(groups) == 1:
            return self.design.tmul(pull.ravel())[None]
        if len(pull) == 1:
            # All at once read the entries once.
            by_group = np.where(groups, pull, 0.0)
            return Copies(self.features, len(groups)).tmul(by_group.ravel()).reshape(len(groups), -1)
        # Each row is in one of many groups: all their products together read it once.
        X, centre, outputs = self.features.X, self.features.centre, len(pull)
        products = (Copies(Design(X[rows], centre), outputs).tmul(pull[:, rows].ravel()) for rows in groups)
        return np.array(list(products))


def _given(sums):
    """``mass`` of a :class:`Look` from the sums of ``weights * theta``, shape (groups, outputs)."""
    if len(sums) == sums.shape[1]:
        return np.maximum(-sums, 0.0)
    # One output stands for two classes, and one group gives to nobody.
    return np.abs(sums[:, :1]) * (1.0 - np.eye(len(sums)))


def divisible(problem):
    """Whether certificates of the problem can be made of shares: not where features are unpenalised. With a
    free intercept the dual points are balanced by a factor per class, which would be zero beside a class
    without weight."""
    loss = problem.loss
    if problem.penalty.free is not None:
        return False
    if not (loss.labelled and problem.fit_intercept):
        return True
    return len(np.unique(problem.y[problem.sample_weights > 0])) == max(2, loss.n_outputs)


def cut_rows(problem, n_shards):
    """Shards of a problem in memory, which share its entries, and what is known of them."""
    n = problem.design.shape[0] // problem.loss.n_outputs
    shards, facts = [], []
    for a, b in itertools.pairwise(np.linspace(0, n, n_shards + 1).astype(int)):
        weights = problem.sample_weights[a:b]
        share = float(weights.sum())
        rows = problem.features.rows(a, b), problem.y[a:b], weights / share
        shards.append(RowShard(*rows, problem.loss, problem.fit_intercept))
        facts.append(Facts(share, (b - a) / n))
    return shards, facts
