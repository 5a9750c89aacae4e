"""Where a path of solutions goes: a first iterate for the next penalty.

Solutions are piecewise linear in the weight of the l1 term (squared loss), and nearly so between two
neighbouring penalties otherwise; so the last two of them point to the next one.
"""

import numpy as np

FARTHEST = 1.0
"""Length of an extrapolation, in distances between the last two penalties."""


class Trail:
    """The last two solutions of a path."""

    def __init__(self):
        self._points = []

    def add(self, penalty, w):
        """Take a solution into account."""
        self._points = [*self._points[-1:], (strength(penalty), w.copy())]

    def widen(self, size):
        """Take further coefficients into account, which were zero."""
        self._points = [(strength, np.pad(w, (0, size - len(w)))) for strength, w in self._points]

    def expected(self, penalty):
        """The expected solution; None where it is not known. Beyond the last two, coefficients of zero stay,
        and none changes its sign."""
        if len(self._points) < 2:
            return None
        at, ((before, w_before), (last, w)) = strength(penalty), self._points
        if abs(before - at) < abs(last - at):
            before, w_before, last, w = last, w, before, w_before
        length = (at - last) / (last - before) if last != before else 0.0
        if not (-1.0 < length < 0.0 or 0.0 < length <= FARTHEST):
            return None
        new = w + length * (w - w_before)
        if length > 0.0:
            new[new * w <= 0.0] = 0.0
        return new


def strength(penalty):
    """What solutions are nearly linear in."""
    return penalty.l1 if penalty.l1 > 0.0 else penalty.l2
