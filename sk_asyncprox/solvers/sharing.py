"""How the workers share a product, decided from the seconds that products have taken.

A product with many columns is cut into *pieces*, more than there are workers; a *share* is a run of
pieces that one worker multiplies in one task. Three ways:

``alone``
    One share. Nobody waits for anybody.
``split``
    One share per worker, in proportion to the speeds measured so far: fewest hand-overs.
``dynamic``
    Every piece is a share; who is free takes the next one. A worker that is held up holds up one piece.

The rule: the way with the least measured seconds per entry. The others are tried again after 8, 16, 32, ...
products, since machines change while a fit runs.
"""

from itertools import pairwise

import numpy as np

PIECES = 2
"""Pieces per worker."""

FIRST_TRIAL, LATEST_TRIAL = 8, 256
HAND_OVER = 1.05
"""What sharing costs beyond the products themselves: it has to be faster by that much."""

MEMORY = 0.3
"""Weight of the newest measurement."""

SLOW = 0.6
"""Speed, relative to the fastest, below which a worker gets no work that others wait for."""

WAYS = ("split", "dynamic", "alone")


class Sharing:
    """Speeds of the workers, and the way to share that has been fastest, of those allowed."""

    def __init__(self, n_workers, ways=WAYS):
        self.n_workers, self.ways = n_workers, ways if n_workers > 1 else ("alone",)
        self._seconds = np.full(n_workers, np.nan)
        self._cost = dict.fromkeys(self.ways, 0.0)
        self._tried = dict.fromkeys(self.ways, 0)
        self._wait = dict.fromkeys(self.ways, FIRST_TRIAL)
        self._products = 0

    def choose(self):
        """The way of the next product."""
        self._products += 1
        best = self.best()
        for way in self.ways:
            if way != best and self._products - self._tried[way] >= self._wait[way]:
                # A way that lost again is tried half as often.
                self._wait[way] = min(LATEST_TRIAL, 2 * self._wait[way])
                best = way
                break
        return best

    def best(self):
        """The way with the least seconds per entry; one that was never tried comes first."""
        return min(self.ways, key=lambda way: self._cost[way] * (1.0 if way == "alone" else HAND_OVER))

    def prefers_alone(self):
        """Whether all ways have been tried, and one worker alone was fastest."""
        return self.best() == "alone" and (self.n_workers == 1 or all(self._cost.values()))

    def shared(self, way, seconds, entries):
        """A product of so many entries has taken so long."""
        if seconds > 0.0:
            old, new = self._cost[way], seconds / entries
            self._cost[way] = old + MEMORY * (new - old) if old else new
            if way == self.best():
                self._wait[way] = FIRST_TRIAL
        self._tried[way] = self._products

    def worked(self, worker, seconds, entries):
        """A worker has needed so long for a share."""
        if seconds > 0.0:
            old, new = self._seconds[worker], seconds / entries
            self._seconds[worker] = old + MEMORY * (new - old) if old > 0 else new

    def speeds(self):
        """Speeds relative to the fastest; 1 where nothing is known."""
        if np.isnan(self._seconds).all():
            return np.ones(self.n_workers)
        return np.nan_to_num(np.nanmin(self._seconds) / self._seconds, nan=1.0)

    def is_slow(self, worker):
        """Whether others would wait for the worker."""
        return self.n_workers > 1 and self.speeds()[worker] < SLOW

    def group(self, way, n_pieces):
        """Runs of pieces of equal size: begin and end, one run per share."""
        if way == "alone":
            return [(0, n_pieces)]
        if way == "dynamic":
            return [(i, i + 1) for i in range(n_pieces)]
        speeds = self.speeds()
        cuts = np.rint(n_pieces * np.cumsum(speeds) / speeds.sum()).astype(int)
        return list(pairwise([0, *cuts]))
