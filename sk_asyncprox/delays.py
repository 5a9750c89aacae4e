"""Delays are arithmetic on stamps.

A task carries the :class:`Stamp` of its read: how many writes had been applied, and how much
step length they had used. When its result is written, the delay and the step length of the window
between are two subtractions: no buffer of past steps and no bound on the delay [1]_.

References
----------
.. [1] X. Wu, S. Magnússon, H. R. Feyzmahdavian, M. Johansson. Delay-adaptive step-sizes for
   asynchronous learning. ICML 2022.
"""

from typing import NamedTuple


class Stamp(NamedTuple):
    """What a read remembers of the writes before it.

    See Also
    --------
    DelayTracker : Makes stamps, and measures by them.

    Examples
    --------
    >>> from sk_asyncprox.delays import DelayTracker
    >>> tracker = DelayTracker()
    >>> read = tracker.stamp()
    >>> tracker.advance(0.5)
    >>> tracker.stamp()
    Stamp(update=1, total=0.5)
    """

    update: int
    """Number of writes applied when the read was made."""

    total: float
    """Sum of their steps, in units of the policy's largest step."""


class DelayTracker:
    """Counts the writes and the step length they used (in units of the largest step).

    See Also
    --------
    Stamp : What a task carries.
    sk_asyncprox.theory.window_sums : The same of recorded delays and steps.

    Examples
    --------
    >>> from sk_asyncprox.delays import DelayTracker
    >>> tracker = DelayTracker()
    >>> read = tracker.stamp()
    >>> tracker.advance(0.5)
    >>> tracker.advance(0.25)
    >>> tracker.measure(read)
    (2, 0.75)
    """

    def __init__(self):
        self.update, self.total = 0, 0.0

    def stamp(self):
        """Return the stamp of a read made now."""
        return Stamp(self.update, self.total)

    def measure(self, *stamps):
        """Delay and window sum of a write that rests on the reads ``stamps``.

        Returns
        -------
        delay : int
            Writes since the oldest of the reads.
        window : float
            Sum of the steps of those writes.
        """
        oldest = min(stamps)
        return self.update - oldest.update, self.total - oldest.total

    def advance(self, step):
        """Count one write with the given step (zero steps count as writes)."""
        self.update += 1
        self.total += step
