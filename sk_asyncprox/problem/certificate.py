"""Certificates of iterates: the duality gap, and lower bounds by dual points."""

from typing import NamedTuple

import numpy as np

from .._precision import TINY


def duality_gap(objective, bound):
    """Gap of an objective to a lower bound on the optimum; what cannot be computed is NaN, never small."""
    gap = objective - bound
    return 0.0 if gap < 0.0 else gap


class Certificate(NamedTuple):
    """Proof of how good an iterate is.

    See Also
    --------
    sk_asyncprox.problem.Problem : Its method ``certify`` makes them.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_asyncprox.losses import SquaredLoss
    >>> from sk_asyncprox.penalties import ElasticNetPenalty
    >>> from sk_asyncprox.problem import Problem
    >>> X, y = np.array([[1.0], [-1.0]]), np.array([1.0, -1.0])
    >>> problem = Problem(X, y, SquaredLoss(), ElasticNetPenalty(l1=0.5))
    >>> for w in (0.0, 0.5):
    ...     found = problem.certify(np.array([w]), 0.0)
    ...     print(found.objective, found.gap)
    0.5 0.125
    0.375 0.0
    """

    w: np.ndarray
    b: float
    """The iterate; ``b`` is the best intercept for ``w``, of the centred design: one per output where
    there are several."""

    objective: float
    dual: float
    """Value of a feasible dual point, a lower bound on the optimum; -inf without a penalty."""

    correlations: np.ndarray
    """``X' (weights * theta)`` of the unscaled dual point: ``-gradient`` of the smooth part."""

    @property
    def gap(self):
        """Duality gap, an upper bound on ``objective - optimum``."""
        return duality_gap(self.objective, self.dual)


def factors(penalty, best):
    """Factors of a dual point worth trying: the ``best`` one into the penalty's dual set, which without an l1
    part is zero, and where the l2 part allows it none."""
    if penalty.l2 > 0.0 and not penalty.has_zeros:
        return 0.0, 1.0
    return (best, 1.0) if penalty.l2 > 0.0 and best != 1.0 else (best,)


def lower_bound(penalty, c, factors, duals):
    """Lower bound on the optimum by a dual point with the correlations ``c``, of which the loss's part of the
    dual objective is known at factors; at zero nothing is lost, and nothing is known but that."""
    if penalty.is_zero:
        return -np.inf
    pairs = zip(factors, duals, strict=True)
    return float(max(dual - penalty.conjugate(t * c) if t else 0.0 for t, dual in pairs))


def quadratic_bound(penalty, c, cross, square):
    """The same for the squared loss, whose part is ``t cross - t^2 square / 2`` at the factor ``t``."""
    best = min(penalty.dual_limit(c), max(0.0, cross / square)) if square > 0.0 else 1.0
    tried = factors(penalty, best)
    return lower_bound(penalty, c, tried, [t * cross - 0.5 * t * t * square for t in tried])


def quadratic_bounds(W, index, seen, penalties):
    """Objectives of coefficients of the columns ``index``, a row each, and bounds as :func:`quadratic_bound`
    makes them, all rows at once; ``seen`` holds the residuals' squares, their products with the target, and
    the correlations. Of weights those of the first penalty count, none of them zero."""
    squares, products, C, *_ = seen
    l1 = np.array([penalty.l1 for penalty in penalties])
    l2 = np.array([penalty.l2 for penalty in penalties])
    own = W * penalties[0].on(index).weights
    objectives = 0.5 * squares + l1 * np.abs(own).sum(axis=1) + 0.5 * l2 * np.einsum("ij,ij->i", own, W)
    pulls = penalties[0].pull(C)
    largest = np.maximum(pulls.max(axis=1), TINY)
    best = np.divide(products, squares, out=np.ones_like(squares), where=squares > 0.0)
    scale = np.minimum(l1 / largest, np.maximum(best, 0.0))
    duals = scale * products - 0.5 * scale**2 * squares
    ridge = l2 > 0.0
    if ridge.any():
        divisor = np.where(ridge, 2.0 * l2, np.inf)

        def excess(s):
            above = np.maximum(s[:, None] * pulls - l1[:, None], 0.0)
            return (penalties[0].weights * above**2).sum(axis=1) / divisor

        one = np.ones_like(scale)
        unscaled = np.where(ridge, products - 0.5 * squares - excess(one), -np.inf)
        duals = np.maximum(duals - excess(scale), unscaled)
    return objectives, duals


def tidy(problem, certificate, limit):
    """Set to zero what shortened steps have left of coefficients on their way to zero, if the
    certificate of the result is still good enough."""
    w = certificate.w
    crumbs = problem.penalty.crumbs(w, certificate.correlations)
    if not crumbs.any():
        return certificate
    w = np.where(crumbs, 0.0, w)
    tidied = problem.certify_on_moments(w) if problem.is_on_moments else problem.certify(w, certificate.b)
    return certificate if tidied.gap > max(certificate.gap, limit) else tidied
