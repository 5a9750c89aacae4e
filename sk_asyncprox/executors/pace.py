"""How many tasks a worker should have at a time."""

import numpy as np

WORTH = 0.15
"""Idle time between two tasks, relative to the work of one, above which a worker has its next task queued
already. A queued task's iterate is older by the time of a task, so that it does not pay for long ones."""


class Pace:
    """How long a worker's tasks take, and how long it waits between two when none is queued."""

    def __init__(self):
        self._waits, self._work = [], np.inf

    def took(self, turn, work, alone):
        """Take a task into account: the time from submission to arrival, and that of its work."""
        self._work = work
        if alone:
            # The first task of a worker also loads what it needs; so the least of two counts at first.
            self._waits = [*self._waits[-4:], turn - work]

    @property
    def depth(self):
        """Tasks that the worker should have, the running one included."""
        return 2 if len(self._waits) > 1 and min(self._waits) > WORTH * self._work else 1
