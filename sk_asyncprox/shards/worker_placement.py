"""Which worker serves which shard.

Every shard has a home, the worker that serves it in turn with its other shards. Where shards may move, a
worker that asks takes one over from a worker that is so slow (or gone) that the shard's gradient will be much
younger in its new home. A gradient is at its oldest just before the next one comes, a whole cycle of its
home and the time of one task after its read; so a very slow worker gives up its last shard, too. It is
then tried out now and then. Time is counted in asks and in the work that has been done, of which all workers
together do about equally much in equal times; that of a task is taken in proportion to its own work.
"""

from collections import deque

import numpy as np

KNOWN = 5
"""Tasks after which a worker's usual time is known; the median of so many, the newest."""

GAIN = 0.6
"""A shard moves when its age becomes less by this factor, so that equals do not trade shards."""

QUIET = 4
"""Times its usual time for a task after which a worker counts as slower than it was."""

HUNG = 8
"""Ages after which a task in flight counts as lost, and its shard is given to another worker as well."""

TRIAL = 3
"""A worker without shards is tried out after so many times of its tasks, to see whether it is still slow."""


class Placement:
    """Shards in turn, by home; they may move where they are ``movable``, or go along the ``visits`` that
    every worker has made in a run that is replayed. It is ``complete`` once all have been seen."""

    def __init__(self, homes, movable=False, visits=None):
        self.homes, self._movable, n = homes.copy(), movable, len(homes)
        self._seen, self._asked = np.zeros(n, dtype=bool), np.full(n, -1.0)
        self._clock, self.flights, self._times = 0, {}, {}
        self._last, self._told, self.complete = {}, {}, False
        self._most = 1.0
        self._visits = {worker: deque(shards) for worker, shards in (visits or {}).items()}

    def afresh(self):
        """No shard counts as seen."""
        self._seen[:] = self.complete = False

    def take(self, worker, useful=True):
        """Shard that the worker serves next, or None. Until every shard has been seen, none is visited
        twice; after that, only those that are ``useful``."""
        self._clock += 1
        if self._visits.get(worker):
            return self._hand_out(worker, self._visits[worker].popleft())
        wanted = self._seen & useful if self.complete else ~self._seen
        idle = wanted.copy()
        for home, shard in self.flights:
            idle[shard] &= home != self.homes[shard]
        shard = self._late(worker, idle, wanted) if self._movable else None
        if shard is None:
            shard = self._keep(worker, (idle & (self.homes == worker)).nonzero()[0])
        if shard is None and self._movable and self.complete:
            return self._trial(worker, idle)
        return None if shard is None else self._hand_out(worker, shard)

    def _hand_out(self, worker, shard):
        self.homes[shard] = worker
        self._asked[shard] = self.flights[worker, shard] = self._last[worker] = self._clock
        return shard

    def _next(self, shards):
        """Of the shards, the one that was asked for first; None where there is none."""
        return int(shards[self._asked[shards].argmin()]) if len(shards) else None

    def _trial(self, worker, idle):
        """A shard that its home goes on serving, for a worker that has none."""
        rested = self._clock - self._last.get(worker, 0) >= TRIAL * self._time(worker, np.inf)
        busy = np.any(self.homes == worker) or any(other == worker for other, _ in self.flights)
        shard = self._next(np.flatnonzero(idle)) if rested and not busy else None
        if shard is not None:
            self.flights[worker, shard] = self._last[worker] = self._clock
        return shard

    def _keep(self, worker, own):
        """The next of the worker's own shards, unless it had better be left to another worker."""
        shard = self._next(own)
        # Only those who have something in flight will surely ask again.
        others = {home for home, _ in self.flights} - {worker}
        known = [home for home in {worker, *others} if len(self._times.get(home, ())) == KNOWN]
        if shard is None or not self._movable or worker not in known or len(known) == 1:
            return shard
        ages = {home: self._age(home, 1) for home in known if home != worker}
        best = min(ages, key=ages.get)
        if ages[best] >= GAIN * self._age(worker, 0, summary=min):
            return shard
        self.homes[shard] = best
        return self._keep(worker, own[own != shard])

    def _age(self, home, more, usual=np.inf, summary=np.median):
        """Largest age of a gradient at that home if it had so many shards more. A home that is to lose one to
        another is judged by the least of its times: noise is not worth that a shard is brought elsewhere. One
        that has long been quiet is taken to be as slow as that."""
        quiet = self._clock - self._last.get(home, 0)
        time = quiet if quiet > QUIET * self._time(home, usual) else self._time(home, usual, summary)
        return (1 + more + np.count_nonzero(self.homes == home)) * time

    def _late(self, worker, idle, wanted):
        """A shard that the worker had better take over, if any."""
        if not self.flights and not np.any(idle & (self.homes == worker)):
            return self._next(np.flatnonzero(idle))
        times = list(self._times.values())
        known = [t for t in times if len(t) == KNOWN] or times
        if not known:
            return None
        usual = self._most * float(np.median(np.concatenate(known)))
        n_own, others = np.count_nonzero(self.homes == worker), set(self.homes[idle].tolist()) - {worker}
        mine = (2 + n_own) * self._time(worker, usual)
        # Who has none is given one as soon as it is likely to help.
        ages = {home: self._age(home, 0, usual, min if n_own else np.median) for home in others}
        slowest = max(ages, key=ages.get, default=None)
        if ages and mine < GAIN * ages[slowest]:
            return self._next(np.flatnonzero(idle & (self.homes == slowest)))
        hung = [
            shard
            for (other, shard), asked in self.flights.items()
            if wanted[shard] and self._clock - asked > HUNG * mine
            if (worker, shard) not in self.flights and other == self.homes[shard]
        ]
        return self._next(np.array(hung, dtype=int))

    def _time(self, worker, usual, summary=np.median):
        """A worker's time for a task of most work, or the usual one as long as it is not known."""
        times = self._times.get(worker, ())
        return self._most * float(summary(times)) if len(times) == KNOWN else usual

    def told(self, worker, shard, work=1.0, late=False):
        """A result has come, of so much work; of one that is ``late`` no use is made."""
        self._clock += work
        if not (late or self.complete):
            self._seen[shard] = True
            self.complete = bool(self._seen.all())
        # A task that was queued behind another has taken as long as its worker had it to itself.
        begin = max(self.flights.pop((worker, shard), self._clock), self._told.get(worker, 0))
        took, self._told[worker] = self._clock - begin, self._clock
        self._times.setdefault(worker, deque(maxlen=KNOWN)).append(took / work)
        self._last[worker], self._most = self._clock, max(self._most, work)

    def dropped(self, worker, shard):
        self.flights.pop((worker, shard), None)
