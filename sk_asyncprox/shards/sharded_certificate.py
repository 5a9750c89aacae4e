"""A certificate made of the shares of shards.

It needs the loss of every shard at one point, the correlations ``X' theta`` of its dual point, and the dual
objective along the factors by which that point may still be scaled once the correlations of all shards are
known.

With a free intercept the dual point is to have ``sum(weights * theta) = 0`` for every output. So the rows of
each class form a group (for a loss of numbers, those with residuals of one sign), which is given a factor of
its own. ``-theta`` is what the probabilities of a sample exceed its label by: all that it gives to other
classes, it takes from its own. So a class gives as much as it receives exactly when the factors are a
stationary distribution of the Markov chain that moves between classes at the rates of what is given; there
always is one.
"""

from typing import NamedTuple

import numpy as np

from ..problem.certificate import Certificate, factors, lower_bound, quadratic_bound

FACTORS = np.concatenate([[0.0, 0.02, 0.1, 0.3, 0.55], 1.0 - 0.25 ** np.arange(1, 11), [1.0]])
"""Factors at which a shard computes its dual objective. It is concave, so chords bound it from below; they
are the closer, the closer the factor is to one, as it is near the optimum."""

TINY = 1e-290


class Facts(NamedTuple):
    """What the master knows of a shard: its ``share`` of the sample weights, its part of the rows, and the
    coefficients that its answers are about, all or those of columns with entries."""

    share: float
    effort: float
    columns: slice | np.ndarray = slice(None)


class ShardGradient(NamedTuple):
    """Gradient of one shard's mean loss in the coefficients, and in the intercept of every output."""

    w: np.ndarray
    b: float

    reads, work, change = 2, 1.0, 0.0
    """How often the entries were read; time of the visit, as the unit of others'; and what a model says."""


class Thin(NamedTuple):
    """Coefficients of which few are not zero."""

    index: np.ndarray
    values: np.ndarray


def thin(w):
    index = np.flatnonzero(w)
    return Thin(index.astype(np.int32), w[index])


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


def add_up(size, facts, vectors):
    """Sum over shards, by their shares, of vectors about their columns, or of matrices of such rows."""
    out = np.zeros((*vectors[0].shape[:-1], size))
    for fact, vector in zip(facts, vectors, strict=True):
        out[..., fact.columns] += fact.share * vector
    return out


def conclude(problem, w, b, looks, facts):
    """Certificate of ``(w, b)`` from the looks of all shards; for the squared loss with the best intercept in
    place of ``b``."""
    penalty, shares = problem.penalty, np.array([fact.share for fact in facts])
    value, mass, dual = (
        np.tensordot(shares, np.array([getattr(look, name) for look in looks]), 1)
        for name in ("value", "mass", "dual")
    )
    balance = np.ones(1) if problem.loss.quadratic else balance_of(mass)
    correlations = add_up(len(w), facts, [balance @ look.correlations for look in looks])
    if problem.loss.quadratic:
        shift = float(mass[0]) if problem.fit_intercept else 0.0
        if shift and problem.as_it_lies:
            correlations -= shift * problem.means
        y, cross, square = dual
        bound = quadratic_bound(penalty, correlations, cross - shift * y, square - shift * shift)
    else:
        shift, tried = 0.0, factors(penalty, min(1.0, penalty.dual_limit(correlations)))
        pairs = list(zip(balance, dual, strict=True))
        duals = [sum(np.interp(t * f, FACTORS, curve) for f, curve in pairs) for t in tried]
        bound = lower_bound(penalty, correlations, tried, duals)
    # The squared loss alone moves its intercept, by the mean residual.
    objective = float(value - 0.5 * shift * shift + penalty.value(w))
    return Certificate(w, b + shift, objective, bound, correlations)


def balance_of(given):
    """Factors, the largest one, with which every class gives as much as it receives; ``given`` is what the
    samples of class ``k`` give to class ``j``, in all at most 1, the diagonal without meaning.

    By the elimination of Grassmann, Taksar and Heyman (Operations Research 33, 1985), which subtracts
    nothing, so that small factors are exact too.
    """
    rates, size = given.copy(), len(given)
    for k in range(size - 1, 0, -1):
        # A class that gives nothing away keeps all: beside its factor the others are zero.
        rates[:k, k] /= max(rates[k, :k].sum(), TINY)
        rates[:k, :k] += np.outer(rates[:k, k], rates[k, :k])
    factors = np.ones(size)
    for k in range(1, size):
        factors[k] = factors[:k] @ rates[:k, k]
        factors[: k + 1] /= factors[: k + 1].max()
    return factors
