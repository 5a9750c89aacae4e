"""Shards of rows: what a parameter server's worker holds, and a certificate made of their shares.

Only vectors as long as the coefficients and a few numbers leave a shard. A certificate needs the loss of
every shard at one point, the correlations ``X' theta`` of its dual point, and the dual objective along
the factors by which that point may still be scaled once the correlations of all shards are known.

With a free intercept the dual point of a classifier is to have ``sum(weights * theta) = 0`` for every output.
So the rows of each class form a group, which is given a factor of its own (``balance.py``).
"""

import itertools
from typing import NamedTuple

import numpy as np

from .balance import balance_of
from .block_diagonal import Copies
from .certificate import Certificate
from .design import Design
from .losses import LogisticLoss, MultinomialLoss, SquaredLoss

FACTORS = np.concatenate([[0.0, 0.02, 0.1, 0.3, 0.55], 1.0 - 0.25 ** np.arange(1, 11), [1.0]])
"""Factors at which a shard computes its dual objective. It is concave, so chords bound it from below; they
are the closer, the closer the factor is to one, as it is near the optimum."""

ENTRIES_AT_ONCE = 8192
"""Entries of a dual point that are looked at together."""


class Facts(NamedTuple):
    """What the master knows of a shard."""

    share: float
    """Its part of the sample weights."""

    effort: float
    """Its part of the rows."""


class Constants(NamedTuple):
    """What first-order steps need to know of a shard."""

    smoothness: float
    """Largest eigenvalue of ``X' diag(weights) X``, weights summing to one within the shard."""

    drift: float
    """Norm of its column means, those of all rows taken out."""


class ShardGradient(NamedTuple):
    """Gradient of one shard's mean loss in the coefficients and the intercept."""

    w: np.ndarray
    b: float
    """One per output where there are several."""


class Look(NamedTuple):
    """A shard's share of a certificate at one point."""

    gradient: ShardGradient
    value: float
    """Mean loss."""

    correlations: np.ndarray
    """``X' (weights * theta)`` of every group of rows, shape (groups, p), or (groups, K p) with K outputs."""

    mass: np.ndarray
    """Squared loss: ``sum(weights * theta)``. Else the probability that the rows of every group give to every
    group, shape (groups, groups), the diagonal without meaning."""

    dual: np.ndarray
    """Squared loss: weighted means of ``y``, ``y theta`` and ``theta^2``. Else the dual objective of every
    group at :data:`FACTORS`, shape (groups, factors)."""


class RowShard:
    """Rows of a problem.

    Parameters
    ----------
    design : Design
        The rows, with the column means of all rows taken out.
    y : ndarray of shape (n,)
    weights : ndarray of shape (n,)
        Summing to one.
    loss : object of :mod:`sk_asyncprox.losses`
    fit_intercept : bool

    Attributes
    ----------
    known : tuple (w, b, z) or None
        Point whose margins are remembered, to save their product; answers do not depend on it.
    """

    def __init__(self, design, y, weights, loss, fit_intercept):
        self.features, self.y, self.weights = design, y, weights
        self.design = Copies(design, loss.n_outputs) if loss.n_outputs > 1 else design
        self.loss, self.fit_intercept = loss, fit_intercept
        self.known = None

    def constants(self):
        """What takes a dozen products or two to find out."""
        design, weights = self.features, self.weights
        return Constants(design.smoothness(weights), float(np.linalg.norm(design.tmul(weights))))

    def _by_output(self, u):
        return u.reshape(self.loss.n_outputs, -1)

    def margins(self, w, b):
        """Margins at ``(w, b)``."""
        return (self._by_output(self.design.mul(w)) + np.reshape(b, (-1, 1))).ravel()

    def _value(self, z):
        return float((self._by_output(self.loss.value(self.y, z)) @ self.weights).sum())

    def value(self, w, b, z=None):
        """Mean loss at ``(w, b)``, where the margins ``z`` may be known."""
        return self._value(self.margins(w, b) if z is None else z)

    def gradient(self, w, b, z=None):
        """Gradient of the mean loss at ``(w, b)``, where the margins ``z`` may be known."""
        z = self.margins(w, b) if z is None else z
        slope = self._by_output(self.loss.gradient(self.y, z))
        slope *= self.weights
        sums = slope.sum(axis=1)
        return ShardGradient(self.design.tmul(slope.ravel()), sums if np.ndim(b) else float(sums[0]))

    def look(self, w, b, z=None):
        """Share of a certificate at ``(w, b)``, where the margins ``z`` may be known."""
        z, y, weights = self.margins(w, b) if z is None else z, self.y, self.weights
        theta = -self.loss.gradient(y, z)
        pull = weights * self._by_output(theta)
        if self.loss.quadratic:
            mass, correlations = np.array([pull.sum()]), self.design.tmul(pull.ravel())[None]
            dual = np.array([weights @ y, pull[0] @ y, pull[0] @ theta])
        else:
            codes, n_groups = self._groups()
            groups = [codes == k for k in range(n_groups)]
            correlations = np.array([self._correlations(pull, rows) for rows in groups])
            mass = _given(np.array([pull[:, rows].sum(axis=1) for rows in groups]))
            dual = self._dual(self._by_output(theta), codes, n_groups)
        sums = pull.sum(axis=1)
        gradient = ShardGradient(-correlations.sum(axis=0), -sums if np.ndim(b) else -float(sums[0]))
        return Look(gradient, self._value(z), correlations, mass, dual)

    def _groups(self):
        """Numbers of the groups of a classifier's rows that are scaled alike, and how many there are."""
        if not self.fit_intercept:
            return np.zeros(len(self.y), dtype=int), 1
        if self.loss.n_outputs == 1:
            return (self.y <= 0).astype(int), 2
        return self.y, self.loss.n_outputs

    def _dual(self, theta, codes, n_groups):
        """Dual objective of every group at :data:`FACTORS`, by runs of rows that stay in the cache."""
        dual, step = np.zeros((n_groups, len(FACTORS))), max(1, ENTRIES_AT_ONCE // len(theta))
        for a in range(0, len(codes), step):
            rows = slice(a, a + step)
            some, y, weights = theta[:, rows].ravel(), self.y[rows], self.weights[rows]
            for k, factor in enumerate(FACTORS):
                values = self._by_output(self.loss.dual_value(y, factor * some)).sum(axis=0)
                dual[:, k] += np.bincount(codes[rows], weights * values, n_groups)
        return dual

    def _correlations(self, pull, rows):
        """``X' pull`` of some rows."""
        if len(pull) == 1 or rows.all():
            return self.design.tmul(np.where(rows, pull, 0.0).ravel())
        # Each row is in one of many groups: all their products together read it once.
        some = Design(self.features.X[rows], self.features.centre)
        return Copies(some, len(pull)).tmul(pull[:, rows].ravel())


def _given(sums):
    """``mass`` of a :class:`Look` from the sums of ``weights * theta``, shape (groups, outputs)."""
    if len(sums) == sums.shape[1]:
        return np.maximum(-sums, 0.0)
    # One output stands for two classes, and one group gives to nobody.
    return np.abs(sums[:, :1]) * (1.0 - np.eye(len(sums)))


def divisible(problem):
    """Whether certificates of the problem can be made of shares. With a free intercept the dual points are
    balanced by a factor per class, which would be zero beside a class without weight."""
    loss = problem.loss
    if type(loss) not in (SquaredLoss, LogisticLoss, MultinomialLoss):
        return False
    if loss.quadratic or not problem.fit_intercept:
        return True
    return len(np.unique(problem.y[problem.sample_weights > 0])) == max(2, loss.n_outputs)


def cut_rows(problem, n_shards):
    """Shards of a problem in memory, which share its entries, and what is known of them."""
    n = problem.features.shape[0]
    shards, facts = [], []
    for a, b in itertools.pairwise(np.linspace(0, n, n_shards + 1).astype(int)):
        weights = problem.sample_weights[a:b]
        share = float(weights.sum())
        rows = problem.features.rows(a, b), problem.y[a:b], weights / share
        shards.append(RowShard(*rows, problem.loss, problem.fit_intercept))
        facts.append(Facts(share, (b - a) / n))
    return shards, facts


def conclude(problem, w, b, looks, facts):
    """Certificate of ``(w, b)`` from the looks of all shards.

    Parameters
    ----------
    problem : object with ``loss``, ``penalty`` and ``fit_intercept``
    w, b : ndarray of shape (p,), float
        With K outputs, shapes (K p,) and (K,).
    looks : list of Look
    facts : list of Facts

    Returns
    -------
    Certificate
        For the squared loss with the best intercept in place of ``b``.
    """
    shares = np.array([fact.share for fact in facts])
    value, mass, dual = (
        np.tensordot(shares, np.array([getattr(look, name) for look in looks]), 1)
        for name in ("value", "mass", "dual")
    )
    groups = sum(share * look.correlations for share, look in zip(shares, looks, strict=True))
    bound = _quadratic_bound if problem.loss.quadratic else _bound
    shift, correlations, lower = bound(problem, groups, mass, dual)
    # The squared loss alone moves its intercept, by the mean residual.
    objective = float(value - 0.5 * shift**2 + problem.penalty.value(w))
    return Certificate(w, b + shift, objective, lower, correlations)


def _quadratic_bound(problem, groups, mass, dual):
    y, cross, square = dual
    shift = float(mass[0]) if problem.fit_intercept else 0.0
    cross, square = cross - shift * y, square - shift**2
    c, penalty = groups[0], problem.penalty
    if penalty.is_zero:
        return shift, c, -np.inf
    limit = penalty.dual_limit(c)
    best = min(limit, max(0.0, cross / square)) if square > 0 else 1.0
    factors = (best, 1.0) if penalty.l2 > 0 else (best,)
    return shift, c, max(float(t * cross - 0.5 * t * t * square - penalty.conjugate(t * c)) for t in factors)


def _bound(problem, groups, mass, dual):
    penalty, balance = problem.penalty, balance_of(mass)
    c = balance @ groups
    if penalty.is_zero:
        return 0.0, c, -np.inf
    limit = min(1.0, penalty.dual_limit(c))
    values = [
        sum(np.interp(t * f, FACTORS, curve) for f, curve in zip(balance, dual, strict=True))
        - penalty.conjugate(t * c)
        for t in ((limit, 1.0) if penalty.l2 > 0 else (limit,))
    ]
    return 0.0, c, float(max(values))
