"""What a run has done: tables of numpy columns, thinned iterates, nothing of the data."""

import json
import os
from collections import defaultdict, deque
from typing import Any, Self

import numpy as np


def columns(text):
    """Type of a table's rows, of ``name:type`` for every column."""
    return np.dtype([tuple(column.split(":")) for column in text.split()])


TABLES = {
    "arrivals": columns("update:i8 worker:i4 block:i4 stamp:i8 asked:i8 told:i8"),
    "updates": columns("update:i8 time:f8 delay:i8 step:f8 phase:U12 error:f8"),
    "certificates": columns("update:i8 time:f8 passes:f8 objective:f8 gap:f8 worker:i4 asked:i8 told:i8"),
    "shares": columns("kind:U12 time:f8 worker:i4 block:i4 asked:i8 told:i8"),
    "iterates": columns("update:i8 time:f8 passes:f8 objective:f8"),
    "unfinished": columns("worker:i8 block:i8 asked:i8"),
}

MOST_ITERATES = 256
"""Copies of the iterate that are kept; of more, every other one goes."""


def _table(name):
    return property(lambda history: np.array(history._rows[name], dtype=TABLES[name]))


class History:
    """Record of one run.

    Parameters
    ----------
    record : {None, "updates", "iterates"}
        How much is kept: nothing but certificates, every arrival and update, or thinned copies of the
        iterate as well.

    Attributes
    ----------
    arrivals : ndarray
        Structured columns ``update, worker, block, stamp, asked, told``: which result went into which
        update, and at which write its point was read. PIAG may have several arrivals per update.
    updates : ndarray
        Structured columns ``update, time, delay, step, phase, error``. Times are seconds since the start
        of the run, or the trace's virtual time. Steps are step lengths ``gamma``; for the exact step,
        the share ``theta`` of the full step. Errors are those of PIAG's models of second order: by how much
        the curvature of the oldest model that the arrivals replaced can be wrong where they were read, as a
        share of it from 0 to 1; 0 for the squared loss, and where there are no models.
    certificates : ndarray
        Structured columns ``update, time, passes, objective, gap, worker, asked, told``.
    shares : ndarray
        Structured columns ``kind, time, worker, block, asked, told``: tasks that were parts of a larger
        piece of work, as the shares of a product.
    iterates : ndarray
        Structured columns ``update, time, passes, objective`` of the thinned iterates
        (``record="iterates"``).
    n_workers, n_blocks : int
        Workers that ran, and blocks or shards at the start.
    n_granted : int
        Workers that ``n_jobs`` asked for (or the trace has) and the executor could give. Where the problem is
        too small for them, or has fewer blocks, ``n_workers`` are fewer; ``repr`` and ``verbose`` say so.
    largest_step : float
        ``gamma' = h / L``, the bound of the step-size principle; 1 for the exact step.
    solver, executor, step_size : str
        What ran.
    working_set : bool
        Whether working sets were grown.
    n_over_bound : int
        Updates whose delay was above the bound of a fixed step.
    stopped : str
        Why the run ended.

    See Also
    --------
    sk_asyncprox.executors.Trace.from_history : To replay the run.
    sk_asyncprox.inspection.TimelineDisplay : To draw it.

    Notes
    -----
    ``asked`` and ``told`` are positions in the one order of asks and tells; they are what a replay
    needs. Neighbours among the results, with no position between them, were told together.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sk_asyncprox import Lasso
    >>> X, y = load_diabetes(return_X_y=True)
    >>> history = Lasso(alpha=0.1, step_size="adaptive1").fit(X, y).history_
    >>> history.updates.dtype.names
    ('update', 'time', 'delay', 'step', 'phase', 'error')
    >>> history.stopped
    'converged'
    """

    arrivals, updates, certificates, shares, iterates, unfinished = map(_table, TABLES)

    def __init__(self, record="updates"):
        self.record = record
        self.n_workers = self.n_granted = self.n_blocks = 0
        self.largest_step, self.n_over_bound = 1.0, 0
        self.solver = self.executor = self.step_size = self.stopped = ""
        self.working_set = self.inline = False
        self.most_workers = None
        self._rows = {name: [] for name in TABLES}
        self._copies, self._stride = [], 1

    # -- recording (called under the executor's exclusion; must be cheap) -----------------------------

    def add_update(self, update, now):
        if self.record is None:
            return
        row = (update.index, now, update.delay, update.step, update.phase, update.error)
        self._rows["updates"].append(row)
        self._rows["arrivals"] += [(update.index, *arrival) for arrival in update.arrivals]

    def add_certificate(self, certified, now, passes):
        c = certified
        row = (c.update, now, passes, c.certificate.objective, c.gap, c.worker, c.asked, c.told)
        self._rows["certificates"].append(row)

    def line(self, certified, now, passes):
        c = certified.certificate
        return (
            f"passes {passes:8.1f}  time {now:8.3f}  objective {c.objective:.8e}  gap {certified.gap:.2e}  "
            f"non-zero {np.count_nonzero(c.w)}"
        )

    def add_share(self, shared, now):
        if self.record is not None:
            a = shared.arrival
            self._rows["shares"].append((shared.kind, now, a.worker, a.block, a.asked, a.told))

    def add_iterate(self, index, now, passes, read):
        """Keep a copy of the iterate after an update (its non-zeros), of every so many one."""
        if self.record != "iterates" or index % self._stride:
            return
        snapshot = read()
        support = np.flatnonzero(snapshot.w)
        self._copies.append((index, now, passes, support, snapshot.w[support], snapshot.b))
        if len(self._copies) > MOST_ITERATES:
            self._stride *= 2
            self._copies = [copy for copy in self._copies if copy[0] % self._stride == 0]

    def close(self, problem, unfinished):
        """Compute the objective of the kept iterates, once the run is over, and let them go."""
        self._rows["unfinished"] = [(task.worker, task.block, task.asked) for task in unfinished]
        for *place, support, values, b in self._copies:
            w = np.zeros(problem.design.shape[1])
            w[support] = values
            self._rows["iterates"].append((*place, problem.units.value(problem.objective(w, b))))
        self._copies = []

    # -- reading ----------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike) -> None:
        """Write the history to one ``.npz`` file, which :meth:`load` reads anywhere.

        Parameters
        ----------
        path : str or path-like
            File to write; ``.npz`` is appended when missing.
        """
        facts = {name: value for name, value in vars(self).items() if name[0] != "_"}
        tables = {name: getattr(self, name) for name in TABLES}
        np.savez_compressed(path, facts=json.dumps(facts), **tables)

    @classmethod
    def load(cls, path: str | os.PathLike) -> Self:
        """Read a history written by :meth:`save`.

        Parameters
        ----------
        path : str or path-like
            File to read.

        Returns
        -------
        History
        """
        rows = {}
        with np.load(path, allow_pickle=False) as file:
            for name, dtype in TABLES.items():
                table = np.zeros(len(file[name]), dtype)
                for column in set(dtype.names) & set(file[name].dtype.names):  # older files have fewer
                    table[column] = file[name][column]
                rows[name] = table.tolist()
            rows["unfinished"] = file["unfinished"].tolist()
            history = cls()
            history.__setstate__(json.loads(str(file["facts"])) | {"_rows": rows})
        return history

    def __setstate__(self, state):
        # Older histories do not say of which block a task in flight was.
        unfinished = [(w, *(block or [-1]), asked) for w, *block, asked in state["_rows"]["unfinished"]]
        rows = {"_rows": state["_rows"] | {"unfinished": unfinished}}
        vars(self).update({"most_workers": None} | state | rows)

    def to_frame(self) -> Any:
        """The updates as a pandas frame, one row per update, with the worker and block of its first
        arrival and the number of its arrivals.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        import pandas as pd

        frame = pd.DataFrame(self.updates)
        arrivals = pd.DataFrame(self.arrivals).groupby("update")
        first = arrivals[["worker", "block", "stamp"]].first()
        return frame.join(first, on="update").join(arrivals.size().rename("n_arrivals"), on="update")

    def visits(self):
        """Which blocks or shards were taken.

        Returns
        -------
        dict of int to list of int
            Of every worker, its blocks or shards in turn.
        """
        visits = defaultdict(list)
        for _, _, worker, block, _ in self._tasks():
            if block >= 0:
                visits[worker].append(block)
        return dict(sorted(visits.items()))

    def places(self):
        """Which tasks the results were of: a cluster's need not come in the order they were asked for.

        Returns
        -------
        dict of int to deque of int
            Of every worker, the places of its results, in turn, among its tasks in flight, the oldest first.
        """
        flights, places = defaultdict(list), defaultdict(deque)
        for _, time, worker, asked in self.events():
            flight = flights[worker]
            if time is None:
                flight.append(asked)
            else:
                places[worker].append(flight.index(asked))
                flight.remove(asked)
        return dict(places)

    def events(self):
        """Asks and tells, in their order.

        Returns
        -------
        list of tuple
            Tuples ``(position, time, worker, asked)``; asks have no time.
        """
        tasks = self._tasks()
        events = [(told, time, worker, asked) for asked, told, worker, _, time in tasks if told >= 0]
        return sorted(events + [(asked, None, worker, asked) for asked, _, worker, *_ in tasks])

    def _tasks(self):
        """Every task, in the order of the asks, as tuples ``(asked, told, worker, block, time)``: of what was
        dropped, told is -1; a result that waited for others to make an update with it has its time."""
        when = dict(self.updates[["update", "time"]].tolist())
        tasks = [(a, t, worker, -1, time) for _, time, *_, worker, a, t in self.certificates.tolist()]
        tasks += [(a, t, worker, block, when[k]) for k, worker, block, _, a, t in self.arrivals.tolist()]
        tasks += [(a, t, worker, block, time) for _, time, worker, block, a, t in self.shares.tolist()]
        tasks += [(a, -1, worker, block, None) for worker, block, a in self.unfinished.tolist()]
        # A result may have led to a certificate and to a write.
        return sorted({task[0]: task for task in tasks if task[2] >= 0}.values())

    def who(self):
        if self.n_workers < self.n_granted:
            few = f"{self.n_workers} of {self.n_granted} workers"
            return f"{few} (the problem or n_blocks is too small for more)"
        return f"{self.n_workers} worker(s)"

    def __repr__(self):
        return (
            f"<History of {self.solver} with {self.step_size} on {self.executor}: "
            f"{self.who()}, {len(self._rows['updates'])} updates, "
            f"{len(self._rows['certificates'])} certificates>"
        )
