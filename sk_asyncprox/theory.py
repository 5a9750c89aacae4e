"""What is proved of delay-adaptive steps, as functions of arrays.

Steps and windows are in any unit, the same as that of ``largest_step = gamma' = h / L``. The measure
that all bounds depend on is the *step-size integral*, the sum of the steps taken so far. Proofs are on the
documentation's page of theory; what is not proved there is not here. The bounds are worst cases: they
hold for every problem of their class, so that a run is usually far below them. An array of integrals
gives an array of bounds.

Throughout, ``excess`` is ``P(x_0) - P*``, ``distance`` is ``|x_0 - x*|`` in the metric of the solver,
``h`` is the safety factor in (0, 1) and the steps keep the principle (:func:`satisfies_principle`).
"""

import numpy as np
from numpy.typing import ArrayLike


def step_size_integral(steps: ArrayLike) -> np.ndarray:
    """Running sum of the steps.

    Parameters
    ----------
    steps : array-like of shape (n_updates,)
        Step lengths, in any unit.

    Returns
    -------
    ndarray of shape (n_updates,)
        In the same unit.
    """
    return np.cumsum(np.asarray(steps, dtype=float))


def _clipped(delays):
    """Delay of every update (of several reads the oldest), never beyond the first update."""
    delays = np.asarray(delays)
    if delays.size and (delays.min() < 0 or not np.array_equal(delays, delays.astype(np.int64))):
        raise ValueError("Delays must be integers >= 0.")
    delays = delays.astype(np.int64)
    delays = delays.max(axis=1) if delays.ndim == 2 else delays
    return np.minimum(delays, np.arange(len(delays)))


def window_sums(delays: ArrayLike, steps: ArrayLike) -> np.ndarray:
    """Sum of the steps that were taken between the read and the write of every update.

    Parameters
    ----------
    delays : array-like of int, shape (n_updates,) or (n_updates, n_workers)
        Writes between read and write; of several columns the largest counts. Update ``k`` cannot have
        a delay above ``k``: larger ones are clipped.
    steps : array-like of shape (n_updates,)

    Returns
    -------
    ndarray of shape (n_updates,)
        ``sum(steps[k - delays[k]:k])`` for every ``k``.

    Examples
    --------
    >>> from sk_asyncprox.theory import window_sums
    >>> window_sums(delays=[0, 1, 2, 1], steps=[0.5, 0.25, 0.25, 0.5])
    array([0.  , 0.5 , 0.75, 0.25])
    """
    delays, steps = _clipped(delays), np.asarray(steps, dtype=float)
    if steps.shape != delays.shape:
        raise ValueError(f"There are {len(delays)} delays and {len(steps)} steps.")
    before = np.concatenate([[0.0], np.cumsum(steps)])
    k = np.arange(len(delays))
    return before[k] - before[k - delays]


def satisfies_principle(
    delays: ArrayLike, steps: ArrayLike, largest_step: float = 1.0, slack: float = 1e-12
) -> np.ndarray:
    """Whether every update keeps the step-size principle.

    It asks for ``0 <= step <= max(0, largest_step - window)``.

    Parameters
    ----------
    delays, steps : as in :func:`window_sums`
    largest_step : float, default=1.0
        ``gamma'``, in the unit of the steps.
    slack : float, default=1e-12
        Share of ``largest_step`` by which the bound may be passed. What the rounding of running sums
        can amount to, ``(delay + 2) eps`` times the sum so far, is allowed besides.

    Returns
    -------
    ndarray of bool, shape (n_updates,)
        False where the principle is broken; ``np.argmin`` of it finds the first one.

    Examples
    --------
    >>> from sk_asyncprox.theory import satisfies_principle
    >>> satisfies_principle(delays=[0, 1, 2, 1], steps=[0.5, 0.25, 0.5, 0.5])
    array([ True,  True, False,  True])
    """
    windows, steps = window_sums(delays, steps), np.asarray(steps, dtype=float)
    rounding = (_clipped(delays) + 2) * np.finfo(float).eps * np.maximum(largest_step, np.cumsum(steps))
    fits = windows + steps <= largest_step + slack * largest_step + rounding
    return (steps == 0.0) | ((steps > 0.0) & fits)


def adaptive1_integral_bound(n_updates, max_delay, largest_step=1.0, alpha=0.9):
    """Least step-size integral of Adaptive 1 when no delay is above ``max_delay``.

    Parameters
    ----------
    n_updates, max_delay : int
    largest_step, alpha : float

    Returns
    -------
    float
        ``alpha gamma' ceil(n_updates / (max_delay + 1))``.
    """
    return alpha * largest_step * np.ceil(n_updates / (max_delay + 1))


def adaptive2_integral_bound(n_updates, max_delay, largest_step=1.0):
    """Least step-size integral of Adaptive 2 when no delay is above ``max_delay``.

    Parameters
    ----------
    n_updates, max_delay : int
    largest_step : float

    Returns
    -------
    float
        ``n_updates gamma' max_delay / (max_delay + 1)^2``, without delays ``n_updates gamma'``.
    """
    rate = max_delay / (max_delay + 1) ** 2 if max_delay > 0 else 1.0
    return rate * largest_step * n_updates


def adaptive1_integral_from_delays(delays, largest_step=1.0, alpha=0.9):
    """Least step-size integral of Adaptive 1, from the delays that happened.

    A window and the step at its end sum to ``alpha gamma'`` at least, so the integral is at least that
    times the largest number of windows that do not overlap. No bound on the delays is needed.

    Parameters
    ----------
    delays : as in :func:`window_sums`
    largest_step, alpha : float

    Returns
    -------
    ndarray of shape (n_updates,)
        Bound after every update.
    """
    bound = [0.0]
    for k, delay in enumerate(_clipped(delays).tolist()):
        bound.append(max(bound[k], bound[k - delay] + alpha * largest_step))
    return np.array(bound[1:])


def adaptive2_integral_from_delays(delays, largest_step=1.0):
    """Least step-size integral of Adaptive 2, from the delays that happened.

    A step is ``gamma' / (delay + 1)``, or it is zero and the window before it sums to more than
    ``gamma' delay / (delay + 1)``; the worse of the two is taken.

    Parameters
    ----------
    delays : as in :func:`window_sums`
    largest_step : float

    Returns
    -------
    ndarray of shape (n_updates,)
        Bound after every update.
    """
    bound = [0.0]
    for k, delay in enumerate(_clipped(delays).tolist()):
        taken = bound[k] + largest_step / (delay + 1)
        refused = bound[k - delay] + largest_step * delay / (delay + 1) if delay else np.inf
        bound.append(max(bound[k], min(taken, refused)))
    return np.array(bound[1:])


def moves_bound(excess, h):
    """Bound ``excess / (1 - h)`` on ``sum_k |x_{k+1} - x_k|^2 / gamma_k``, zero steps left out.

    For PIAG, and for Async-BCD in either metric with any order of blocks; ``f`` need not be convex.

    Parameters
    ----------
    excess : float
        Objective at the start, less its optimum.
    h : float
        Safety factor of the policy, below 1.

    Returns
    -------
    float
        In the unit of the objective.
    """
    return excess / (1.0 - h)


def residual_bound(integral, excess, h, n_blocks=1):
    """Bound on the least squared residual ``|x - prox(x - gamma' grad f(x))|^2 / gamma'^2`` of a run.

    Parameters
    ----------
    integral, excess, h : float
    n_blocks : int, default=1
        1 for PIAG, and for the residual of the block that is written in Async-BCD (any order of
        blocks). The number of blocks for the expected residual of all blocks, when blocks are drawn
        uniformly and independently (see :func:`bcd_convex_bound`). In the Gram metric the residual is
        in that metric, and the block steps must be exact.

    Returns
    -------
    float or ndarray
        ``n_blocks (1 + h)^2 excess / ((1 - h) integral)``; infinite where the integral is 0.
    """
    with np.errstate(divide="ignore"):
        return np.divide(n_blocks * (1.0 + h) ** 2 * excess / (1.0 - h), integral)


def piag_convex_bound(integral, excess, distance, largest_step, h):
    """Bound on ``P(x_k) - P*`` of PIAG when every shard's loss is convex.

    Parameters
    ----------
    integral, excess, distance, largest_step, h : float

    Returns
    -------
    float or ndarray
        ``(distance^2 / 2 + a excess) / (a + integral)`` with ``a = 3 h gamma' / (4 (1 - h))``.
    """
    a = 0.75 * h * largest_step / (1.0 - h)
    return (0.5 * distance**2 + a * excess) / (a + np.asarray(integral))


def bcd_convex_bound(integral, excess, distance, largest_step, h, n_blocks):
    """Bound on the expectation of ``P(x_k) - P*`` of Async-BCD for convex ``f``.

    Blocks are drawn uniformly, independently of one another and of the delays, and the prox step is
    taken at the write (``metric="lipschitz"`` with random blocks and a simulated trace).

    Parameters
    ----------
    integral, excess, distance, largest_step, h, n_blocks : float

    Returns
    -------
    float or ndarray
        ``(n_blocks distance^2 / 2 + a excess) / (a + integral)`` with
        ``a = n_blocks gamma' (2 + (h + 2 h / n_blocks + max(0, 2 h - 1)) / (1 - h)) / 2``.
    """
    share = (h + 2.0 * h / n_blocks + max(0.0, 2.0 * h - 1.0)) / (1.0 - h)
    a = 0.5 * n_blocks * largest_step * (2.0 + share)
    return (0.5 * n_blocks * distance**2 + a * excess) / (a + np.asarray(integral))


def proximal_pl_constant(smooth_modulus, penalty_modulus, largest_step):
    """Constant of the proximal Polyak-Lojasiewicz inequality.

    Parameters
    ----------
    smooth_modulus, penalty_modulus : float
        Moduli of strong convexity of the smooth part and of the penalty.
    largest_step : float
        ``gamma'``.

    Returns
    -------
    float
        ``(smooth_modulus + penalty_modulus) / (1 + largest_step penalty_modulus)``.
    """
    return (smooth_modulus + penalty_modulus) / (1.0 + largest_step * penalty_modulus)


def linear_bound(integral, excess, pl_constant, h, n_blocks=1):
    """Bound on ``P(x_k) - P*`` under the proximal Polyak-Lojasiewicz inequality.

    For PIAG (``n_blocks=1``), and in expectation for Async-BCD with blocks drawn as in
    :func:`bcd_convex_bound`.

    Parameters
    ----------
    integral, excess, pl_constant, h, n_blocks : float
        The constant of strongly convex problems is :func:`proximal_pl_constant`.

    Returns
    -------
    float or ndarray
        ``excess exp(-(1 - h) pl_constant integral / (2 n_blocks))``.
    """
    return excess * np.exp(-0.5 * (1.0 - h) * pl_constant * np.asarray(integral) / n_blocks)
