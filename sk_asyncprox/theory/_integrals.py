"""Windows, the principle, and how fast steps that keep it add up."""

import numpy as np
from numpy.typing import ArrayLike

from .._docstring_templates import entries, filled
from .._precision import EPS

__all__ = [
    "adaptive1_integral_bound",
    "adaptive1_integral_from_delays",
    "adaptive2_integral_bound",
    "adaptive2_integral_from_delays",
    "satisfies_principle",
    "step_size_integral",
    "window_sums",
]

WORDS = entries("""
delays : array-like of int, shape (n_updates,) or (n_updates, n_workers)
    Writes between read and write; of several columns the largest counts. Update ``k`` cannot have a delay
    above ``k``: larger ones are clipped.
steps : array-like of shape (n_updates,)
    Step lengths, in any unit.
n_updates : int
    Number of updates.
max_delay : int
    The largest of their delays.
largest_step : float
    ``gamma'``, in the unit of the steps.
alpha : float
    Share that is taken.
""")


@filled(WORDS)
def step_size_integral(steps: ArrayLike) -> np.ndarray:
    """Running sum of the steps.

    {parameters}

    Returns
    -------
    ndarray of shape (n_updates,)
        In the same unit.

    See Also
    --------
    window_sums : Sums between read and write only.
    adaptive1_integral_bound, adaptive2_integral_bound : What is proved of it.

    Examples
    --------
    >>> from sk_asyncprox.theory import step_size_integral
    >>> step_size_integral([0.5, 0.25, 0.0, 0.25])
    array([0.5 , 0.75, 0.75, 1.  ])
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


@filled(WORDS)
def window_sums(delays: ArrayLike, steps: ArrayLike) -> np.ndarray:
    """Sum of the steps that were taken between the read and the write of every update.

    {parameters}

    Returns
    -------
    ndarray of shape (n_updates,)
        ``sum(steps[k - delays[k]:k])`` for every ``k``.

    See Also
    --------
    satisfies_principle : Whether these sums leave room for the steps.

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


@filled(WORDS)
def satisfies_principle(
    delays: ArrayLike, steps: ArrayLike, largest_step: float = 1.0, slack: float = 1e-12
) -> np.ndarray:
    """Whether every update keeps the step-size principle.

    It asks for ``0 <= step <= max(0, largest_step - window)``.

    {parameters}
    slack : float
        Share of ``largest_step`` by which the bound may be passed. What the rounding of running sums
        can amount to, ``(delay + 2) eps`` times the sum so far, is allowed besides.

    Returns
    -------
    ndarray of bool, shape (n_updates,)
        False where the principle is broken; ``np.argmin`` of it finds the first one.

    See Also
    --------
    window_sums : The sums that it asks for.
    sk_asyncprox.comparison.compare_policies : Shares of updates that break it, policy by policy.

    Examples
    --------
    >>> from sk_asyncprox.theory import satisfies_principle
    >>> satisfies_principle(delays=[0, 1, 2, 1], steps=[0.5, 0.25, 0.5, 0.5])
    array([ True,  True, False,  True])
    """
    windows, steps = window_sums(delays, steps), np.asarray(steps, dtype=float)
    rounding = (_clipped(delays) + 2) * EPS * np.maximum(largest_step, np.cumsum(steps))
    fits = windows + steps <= largest_step + slack * largest_step + rounding
    return (steps == 0.0) | ((steps > 0.0) & fits)


@filled(WORDS)
def adaptive1_integral_bound(n_updates, max_delay, largest_step=1.0, alpha=0.9):
    """Least step-size integral of Adaptive 1 when no delay is above ``max_delay``.

    {parameters}

    Returns
    -------
    float
        ``alpha gamma' ceil(n_updates / (max_delay + 1))``.

    See Also
    --------
    adaptive1_integral_from_delays : The bound of the delays that happened.
    residual_bound, piag_convex_bound, bcd_convex_bound, linear_bound : What an integral is good for.

    Examples
    --------
    A thousand updates with delays of at most nine, and steps up to one:

    >>> from sk_asyncprox.theory import adaptive1_integral_bound
    >>> float(adaptive1_integral_bound(1000, max_delay=9))
    90.0
    """
    return alpha * largest_step * np.ceil(n_updates / (max_delay + 1))


@filled(WORDS)
def adaptive2_integral_bound(n_updates, max_delay, largest_step=1.0):
    """Least step-size integral of Adaptive 2 when no delay is above ``max_delay``.

    {parameters}

    Returns
    -------
    float
        ``n_updates gamma' max_delay / (max_delay + 1)^2``, without delays ``n_updates gamma'``.

    See Also
    --------
    adaptive2_integral_from_delays : The bound of the delays that happened.
    adaptive1_integral_bound : That of the other policy, of much the same size.

    Examples
    --------
    >>> from sk_asyncprox.theory import adaptive2_integral_bound
    >>> round(adaptive2_integral_bound(1000, max_delay=9), 6)
    90.0
    """
    rate = max_delay / (max_delay + 1) ** 2 if max_delay > 0 else 1.0
    return rate * largest_step * n_updates


@filled(WORDS)
def adaptive1_integral_from_delays(delays, largest_step=1.0, alpha=0.9):
    """Least step-size integral of Adaptive 1, from the delays that happened.

    A window and the step at its end sum to ``alpha gamma'`` at least, so the integral is at least that
    times the largest number of windows that do not overlap. No bound on the delays is needed.

    {parameters}

    Returns
    -------
    ndarray of shape (n_updates,)
        Bound after every update.

    See Also
    --------
    adaptive1_integral_bound : The same from the largest delay alone.

    Examples
    --------
    One old read among fresh ones costs little, whatever its age:

    >>> from sk_asyncprox.theory import adaptive1_integral_bound, adaptive1_integral_from_delays
    >>> delays = [0, 0, 0, 0, 4, 0]
    >>> print(adaptive1_integral_from_delays(delays).round(2))
    [0.9 1.8 2.7 3.6 3.6 4.5]
    >>> print(adaptive1_integral_bound(6, max_delay=4))
    1.8
    """
    bound = [0.0]
    for k, delay in enumerate(_clipped(delays).tolist()):
        bound.append(max(bound[k], bound[k - delay] + alpha * largest_step))
    return np.array(bound[1:])


@filled(WORDS)
def adaptive2_integral_from_delays(delays, largest_step=1.0):
    """Least step-size integral of Adaptive 2, from the delays that happened.

    A step is ``gamma' / (delay + 1)``, or it is zero and the window before it sums to more than
    ``gamma' delay / (delay + 1)``; the worse of the two is taken.

    {parameters}

    Returns
    -------
    ndarray of shape (n_updates,)
        Bound after every update.

    See Also
    --------
    adaptive2_integral_bound : The same from the largest delay alone.

    Examples
    --------
    >>> from sk_asyncprox.theory import adaptive2_integral_from_delays
    >>> print(adaptive2_integral_from_delays([0, 1, 1, 1]))
    [1.  1.  1.5 1.5]
    """
    bound = [0.0]
    for k, delay in enumerate(_clipped(delays).tolist()):
        taken = bound[k] + largest_step / (delay + 1)
        refused = bound[k - delay] + largest_step * delay / (delay + 1) if delay else np.inf
        bound.append(max(bound[k], min(taken, refused)))
    return np.array(bound[1:])
