"""Bounds on how far a run may be from its optimum, by the step-size integral."""

import numpy as np

from .._docstring_templates import entries, filled

__all__ = [
    "bcd_convex_bound",
    "linear_bound",
    "moves_bound",
    "piag_convex_bound",
    "proximal_pl_constant",
    "residual_bound",
]

WORDS = entries("""
integral : float or array-like
    Step-size integral, in the unit of ``gamma'``.
excess : float
    Objective at the start, less its optimum.
distance : float
    Distance of the start from a solution.
largest_step : float
    ``gamma'``.
h : float
    Safety factor of the policy, below 1.
n_blocks : int
    Number of blocks.
""")


@filled(WORDS)
def moves_bound(excess, h):
    """Bound ``excess / (1 - h)`` on ``sum_k |x_{k+1} - x_k|^2 / gamma_k``, zero steps left out.

    For PIAG, and for Async-BCD in either metric with any order of blocks; ``f`` need not be convex.

    {parameters}

    Returns
    -------
    float
        In the unit of the objective.

    See Also
    --------
    residual_bound : What follows for the residual.

    Examples
    --------
    >>> from sk_asyncprox.theory import moves_bound
    >>> moves_bound(excess=1.0, h=0.5)
    2.0
    """
    return excess / (1.0 - h)


@filled(WORDS)
def residual_bound(integral, excess, h, n_blocks=1):
    """Bound on the least squared residual ``|x - prox(x - gamma' grad f(x))|^2 / gamma'^2`` of a run.

    {parameters}
    n_blocks : int
        1 for PIAG, and for the residual of the block that is written in Async-BCD (any order of
        blocks). The number of blocks for the expected residual of all blocks, when blocks are drawn
        uniformly and independently (see :func:`bcd_convex_bound`). In the Gram metric the residual is
        in that metric, and the block steps must be exact.

    Returns
    -------
    float or ndarray
        ``n_blocks (1 + h)^2 excess / ((1 - h) integral)``; infinite where the integral is 0.

    See Also
    --------
    moves_bound : The sum that it comes from.
    sk_asyncprox.theory.step_size_integral : The integral of a run.

    Examples
    --------
    It falls as the integral grows, so that steps of zero cost updates and nothing else:

    >>> from sk_asyncprox.theory import residual_bound, step_size_integral
    >>> integral = step_size_integral([1.0, 0.0, 1.0, 2.0])
    >>> residual_bound(integral, excess=1.0, h=0.5)
    array([4.5  , 4.5  , 2.25 , 1.125])
    """
    with np.errstate(divide="ignore"):
        return np.divide(n_blocks * (1.0 + h) ** 2 * excess / (1.0 - h), integral)


@filled(WORDS)
def piag_convex_bound(integral, excess, distance, largest_step, h):
    """Bound on ``P(x_k) - P*`` of PIAG when every shard's loss is convex.

    {parameters}

    Returns
    -------
    float or ndarray
        ``(distance^2 / 2 + a excess) / (a + integral)`` with ``a = 3 h gamma' / (4 (1 - h))``.

    See Also
    --------
    bcd_convex_bound : The same for Async-BCD.
    linear_bound : A faster rate, under a stronger assumption.

    Examples
    --------
    >>> from sk_asyncprox.theory import piag_convex_bound
    >>> bound = piag_convex_bound([0.0, 10.0, 100.0], excess=1.0, distance=2.0, largest_step=1.0, h=0.5)
    >>> bound.round(3)
    array([3.667, 0.256, 0.027])
    """
    a = 0.75 * h * largest_step / (1.0 - h)
    return (0.5 * distance**2 + a * excess) / (a + np.asarray(integral))


@filled(WORDS)
def bcd_convex_bound(integral, excess, distance, largest_step, h, n_blocks):
    """Bound on the expectation of ``P(x_k) - P*`` of Async-BCD for convex ``f``.

    Blocks are drawn uniformly, independently of one another and of the delays, and the prox step is
    taken at the write (``metric="lipschitz"`` with random blocks and a simulated trace).

    {parameters}

    Returns
    -------
    float or ndarray
        ``(n_blocks distance^2 / 2 + a excess) / (a + integral)`` with
        ``a = n_blocks gamma' (2 + (h + 2 h / n_blocks + max(0, 2 h - 1)) / (1 - h)) / 2``.

    See Also
    --------
    piag_convex_bound : The same for PIAG.
    linear_bound : A faster rate, under a stronger assumption.

    Examples
    --------
    >>> from sk_asyncprox.theory import bcd_convex_bound
    >>> bound = bcd_convex_bound([0.0, 100.0], excess=1.0, distance=2.0, largest_step=1.0, h=0.5, n_blocks=4)
    >>> bound.round(3)
    array([2.143, 0.14 ])
    """
    share = (h + 2.0 * h / n_blocks + max(0.0, 2.0 * h - 1.0)) / (1.0 - h)
    a = 0.5 * n_blocks * largest_step * (2.0 + share)
    return (0.5 * n_blocks * distance**2 + a * excess) / (a + np.asarray(integral))


@filled(WORDS)
def proximal_pl_constant(smooth_modulus, penalty_modulus, largest_step):
    """Constant of the proximal Polyak-Lojasiewicz inequality.

    {parameters}
    smooth_modulus : float
        Modulus of strong convexity of the smooth part.
    penalty_modulus : float
        That of the penalty.

    Returns
    -------
    float
        ``(smooth_modulus + penalty_modulus) / (1 + largest_step penalty_modulus)``.

    See Also
    --------
    linear_bound : What it is for.

    Examples
    --------
    >>> from sk_asyncprox.theory import proximal_pl_constant
    >>> proximal_pl_constant(smooth_modulus=0.5, penalty_modulus=1.0, largest_step=0.5)
    1.0
    """
    return (smooth_modulus + penalty_modulus) / (1.0 + largest_step * penalty_modulus)


@filled(WORDS)
def linear_bound(integral, excess, pl_constant, h, n_blocks=1):
    """Bound on ``P(x_k) - P*`` under the proximal Polyak-Lojasiewicz inequality.

    For PIAG (``n_blocks=1``), and in expectation for Async-BCD with blocks drawn as in
    :func:`bcd_convex_bound`.

    {parameters}
    pl_constant : float
        That of strongly convex problems is :func:`proximal_pl_constant`.

    Returns
    -------
    float or ndarray
        ``excess exp(-(1 - h) pl_constant integral / (2 n_blocks))``.

    See Also
    --------
    proximal_pl_constant : The constant of strongly convex problems.
    residual_bound, piag_convex_bound, bcd_convex_bound : Without the inequality.

    Examples
    --------
    >>> from sk_asyncprox.theory import linear_bound
    >>> bound = linear_bound([0.0, 10.0, 20.0], excess=1.0, pl_constant=0.5, h=0.5)
    >>> bound.round(3)
    array([1.   , 0.287, 0.082])
    """
    return excess * np.exp(-0.5 * (1.0 - h) * pl_constant * np.asarray(integral) / n_blocks)
