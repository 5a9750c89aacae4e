"""Shards of rows: what a parameter server's worker holds, and a certificate made of their shares.

Only vectors as long as the coefficients and a few numbers leave a shard. A certificate needs the loss of
every shard at one point, the correlations ``X' theta`` of its dual point, and the dual objective along
the factors by which that point may still be scaled once the correlations of all shards are known.
"""

import itertools
from typing import NamedTuple

import numpy as np

from .certificate import Certificate
from .losses import LogisticLoss, SquaredLoss

FACTORS = np.concatenate([[0.0, 0.02, 0.1, 0.3, 0.55], 1.0 - 0.25 ** np.arange(1, 11), [1.0]])
"""Factors at which a shard computes its dual objective. It is concave, so chords bound it from below; they
are the closer, the closer the factor is to one, as it is near the optimum."""


class Facts(NamedTuple):
    """What the master knows of a shard."""

    share: float
    """Its part of the sample weights."""

    effort: float
    """Its part of the rows."""

    smoothness: float
    """Largest eigenvalue of ``X' diag(weights) X``, weights summing to one within the shard."""

    drift: float
    """Norm of its column means, those of all rows taken out."""


class ShardGradient(NamedTuple):
    """Gradient of one shard's mean loss in the coefficients and the intercept."""

    w: np.ndarray
    b: float


class Look(NamedTuple):
    """A shard's share of a certificate at one point."""

    gradient: ShardGradient
    value: float
    """Mean loss."""

    correlations: np.ndarray
    """``X' (weights * theta)`` of every group of rows, shape (groups, p)."""

    mass: np.ndarray
    """``sum(weights * |theta|)`` of every group; for the squared loss, with signs."""

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
    """

    def __init__(self, design, y, weights, loss, fit_intercept):
        self.design, self.y, self.weights = design, y, weights
        self.loss, self.fit_intercept = loss, fit_intercept

    def constants(self):
        """Smoothness and drift of :class:`Facts`."""
        return constants_of(self.design, self.weights)

    def value(self, w, b):
        """Mean loss at ``(w, b)``."""
        return float(self.weights @ self.loss.value(self.y, self.design.mul(w) + b))

    def gradient(self, w, b):
        """Gradient of the mean loss at ``(w, b)``."""
        n = len(self.weights)
        z = (self.design.mul(w).reshape(-1, n) + np.reshape(b, (-1, 1))).ravel()
        slope = self.loss.gradient(self.y, z).reshape(-1, n)
        slope *= self.weights
        sums = slope.sum(axis=1)
        return ShardGradient(self.design.tmul(slope.ravel()), sums if np.ndim(b) else float(sums[0]))

    def look(self, w, b):
        """Share of a certificate at ``(w, b)``."""
        z, y, weights = self.design.mul(w) + b, self.y, self.weights
        theta = -self.loss.gradient(y, z)
        pull, value = weights * theta, float(weights @ self.loss.value(y, z))
        if self.loss.quadratic:
            groups, mass = [slice(None)], np.array([pull.sum()])
            correlations = self.design.tmul(pull)[None]
            dual = np.array([weights @ y, pull @ y, pull @ theta])
        else:
            groups = [y > 0, y <= 0] if self.fit_intercept else [np.ones(len(y), dtype=bool)]
            correlations = np.array([self.design.tmul(np.where(rows, pull, 0.0)) for rows in groups])
            mass = np.array([np.abs(pull[rows]).sum() for rows in groups])
            curve = [weights * self.loss.dual_value(y, factor * theta) for factor in FACTORS]
            dual = np.array([[at[rows].sum() for at in curve] for rows in groups])
        gradient = ShardGradient(-correlations.sum(axis=0), -float(pull.sum()))
        return Look(gradient, value, correlations, mass, dual)


def constants_of(design, weights):
    """Smoothness and drift of :class:`Facts`."""
    return design.smoothness(weights), float(np.linalg.norm(design.tmul(weights)))


def divisible(loss):
    """Whether certificates of the loss can be made of shares."""
    return type(loss) in (SquaredLoss, LogisticLoss)


def cut_rows(problem, n_shards):
    """Shards of a problem in memory, which share its entries, and what is known of them."""
    n = problem.features.shape[0]
    shards, facts = [], []
    for a, b in itertools.pairwise(np.linspace(0, n, n_shards + 1).astype(int)):
        weights = problem.sample_weights[a:b]
        share = float(weights.sum())
        rows = problem.design.rows(a, b), problem.y[a:b], weights / share
        shards.append(RowShard(*rows, problem.loss, problem.fit_intercept))
        constants = constants_of(problem.features.rows(a, b), rows[2])
        facts.append(Facts(share, (b - a) / n, *constants))
    return shards, facts


def conclude(problem, w, b, looks, facts):
    """Certificate of ``(w, b)`` from the looks of all shards.

    Parameters
    ----------
    problem : object with ``loss``, ``penalty`` and ``fit_intercept``
    w, b : ndarray of shape (p,), float
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
    penalty, balance = problem.penalty, np.ones(len(mass))
    if len(mass) == 2 and mass.max() > 0:
        balance = np.where(mass > mass.min(), mass.min() / np.maximum(mass, np.finfo(float).tiny), 1.0)
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
