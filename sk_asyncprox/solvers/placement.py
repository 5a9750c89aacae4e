"""Which worker serves which shard.

Every shard has a home, the worker that serves it in turn with its other shards. Where shards may move, a
worker that asks takes one over from a worker that is so slow (or gone) that the shard will come round
sooner with its new home. Time is counted in asks and tells, of which all workers together make about
equally many in equal times.
"""

import numpy as np

GAIN = 0.75
"""A shard moves when its cycle becomes shorter by this factor, so that equals do not trade shards."""

HUNG = 8
"""Cycles after which a task in flight counts as lost, and its shard is given to another worker as well."""


class Placement:
    """Shards in turn, by home.

    Parameters
    ----------
    homes : array-like of int, shape (n_shards,)
        First homes.
    movable : bool
        Whether shards may move.
    """

    def __init__(self, homes, movable=False):
        self.homes, self._movable = np.array(homes, dtype=int), movable
        n = len(self.homes)
        self.seen = np.zeros(n, dtype=bool)
        self._asked, self._flights = np.full(n, -1), {}
        self._pace, self._last = {}, {}

    def take(self, worker, clock):
        """Shard that the worker serves next, or None. Until every shard has been seen, none is visited
        twice."""
        wanted = ~self.seen if not self.seen.all() else np.ones_like(self.seen)
        idle = wanted & ~np.isin(np.arange(len(wanted)), list(self._in_flight()))
        shard = None
        if self._movable:
            shard = self._late(worker, clock, idle, wanted)
        own = np.flatnonzero(idle & (self.homes == worker))
        if shard is None and len(own):
            shard = int(own[np.argmin(self._asked[own])])
        if shard is None:
            return None
        self.homes[shard], self._asked[shard] = worker, clock
        self._flights[worker, shard] = clock
        self._last[worker] = clock
        return shard

    def _in_flight(self):
        return {shard for _, shard in self._flights}

    def _late(self, worker, clock, idle, wanted):
        """A shard that the worker had better take over."""
        pace = self._pace.get(worker) or (np.median(list(self._pace.values())) if self._pace else None)
        if pace is None:
            return None if self._flights or not idle.any() else int(np.flatnonzero(idle)[0])
        mine = (1 + np.count_nonzero(self.homes == worker)) * pace
        gains = {}
        for home in set(self.homes.tolist()) - {worker}:
            waiting = np.flatnonzero(idle & (self.homes == home))
            if len(waiting):
                quiet = clock - self._last.get(home, 0)
                cycle = np.count_nonzero(self.homes == home) * max(self._pace.get(home, 0.0), quiet)
                gains[cycle] = int(waiting[np.argmin(self._asked[waiting])])
        if gains and (mine < GAIN * max(gains) or not self._flights):
            return gains[max(gains)]
        hung = [s for (w, s), asked in self._flights.items() if w != worker and clock - asked > HUNG * mine]
        hung = [s for s in hung if wanted[s] and (worker, s) not in self._flights]
        return min(hung, key=self._asked.__getitem__) if hung else None

    def told(self, worker, shard, clock):
        """A result has come."""
        self.seen[shard] = True
        asked = self._flights.pop((worker, shard), clock)
        before = self._pace.get(worker, clock - asked)
        self._pace[worker] = 0.5 * (before + clock - asked)
        self._last[worker] = clock

    def dropped(self, worker, shard):
        """A result will never come."""
        self._flights.pop((worker, shard), None)
