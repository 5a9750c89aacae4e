"""What a run has done: tables of numpy columns, thinned iterates, nothing of the data."""

import json
import os
from typing import Any, Self

import numpy as np


def columns(text):
    """Type of a table's rows, of ``name:type`` for every column."""
    return np.dtype([tuple(column.split(":")) for column in text.split()])


ARRIVALS = columns("update:i8 worker:i4 block:i4 stamp:i8 asked:i8 told:i8")
UPDATES = columns("update:i8 time:f8 delay:i8 step:f8 phase:U12 error:f8")
CERTIFICATES = columns("update:i8 time:f8 passes:f8 objective:f8 gap:f8 worker:i4 asked:i8 told:i8")
SHARES = columns("kind:U12 time:f8 worker:i4 block:i4 asked:i8 told:i8")
ITERATES = columns("update:i8 time:f8 passes:f8 objective:f8")
TABLES = ("arrivals", "updates", "certificates", "shares", "unfinished")

MOST_ITERATES = 256

FACTS = (
    "record", "n_workers", "n_granted", "n_blocks", "largest_step", "n_over_bound", "solver", "executor",
    "step_size", "stopped", "working_set", "inline",
)  # fmt: skip
"""Scalars of a history, as they are saved."""


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

    def __init__(self, record="updates"):
        self.record = record
        self.n_workers = self.n_granted = self.n_blocks = 0
        self.largest_step, self.n_over_bound = 1.0, 0
        self.solver = self.executor = self.step_size = self.stopped = ""
        self.working_set = self.inline = False
        self._arrivals, self._updates, self._certificates = [], [], []
        self._shares = []
        self._iterates, self._stride, self._objectives = [], 1, None
        self._unfinished = []

    # -- recording (called under the executor's exclusion; must be cheap) -----------------------------

    def add_update(self, update, now):
        """Record a write."""
        if self.record is None:
            return
        self._updates.append((update.index, now, update.delay, update.step, update.phase, update.error))
        for a in update.arrivals:
            self._arrivals.append((update.index, a.worker, a.block, a.stamp, a.asked, a.told))

    def add_certificate(self, certified, now, passes):
        """Record a certificate."""
        c = certified
        row = (c.update, now, passes, c.certificate.objective, c.gap, c.worker, c.asked, c.told)
        self._certificates.append(row)

    def line(self, certified, now, passes):
        """A line about a certificate."""
        c = certified.certificate
        return (
            f"passes {passes:8.1f}  time {now:8.3f}  objective {c.objective:.8e}  gap {certified.gap:.2e}  "
            f"non-zero {np.count_nonzero(c.w)}"
        )

    def add_share(self, shared, now):
        """Record a share of work."""
        if self.record is not None:
            a = shared.arrival
            self._shares.append((shared.kind, now, a.worker, a.block, a.asked, a.told))

    def wants_iterate(self, index):
        """Whether the iterate after update ``index`` is to be kept."""
        return self.record == "iterates" and index % self._stride == 0

    def add_iterate(self, index, now, passes, snapshot):
        """Keep a copy of the iterate (its non-zeros); every other one goes when there are too many."""
        support = np.flatnonzero(snapshot.w)
        self._iterates.append((index, now, passes, support, snapshot.w[support], snapshot.b))
        if len(self._iterates) > MOST_ITERATES:
            self._stride *= 2
            self._iterates = [it for it in self._iterates if it[0] % self._stride == 0]

    def close(self, problem, unfinished):
        """Compute the objective of the kept iterates, once the run is over."""
        self._unfinished = [(task.worker, task.asked) for task in unfinished]
        objectives = []
        for _, _, _, support, values, b in self._iterates:
            w = np.zeros(problem.design.shape[1])
            w[support] = values
            objectives.append(problem.units.value(problem.objective(w, b)))
        self._objectives = objectives

    # -- reading ----------------------------------------------------------------------------------------

    @property
    def arrivals(self) -> np.ndarray:
        return np.array(self._arrivals, dtype=ARRIVALS)

    @property
    def updates(self) -> np.ndarray:
        return np.array(self._updates, dtype=UPDATES)

    @property
    def certificates(self) -> np.ndarray:
        return np.array(self._certificates, dtype=CERTIFICATES)

    @property
    def shares(self) -> np.ndarray:
        return np.array(self._shares, dtype=SHARES)

    @property
    def iterates(self) -> np.ndarray:
        rows = [
            (*it[:3], objective)
            for it, objective in zip(self._iterates, self._objectives or [], strict=False)
        ]
        return np.array(rows, dtype=ITERATES)

    @property
    def unfinished(self):
        """Asks never told, as rows ``(worker, asked)``."""
        return np.array(self._unfinished, dtype=np.int64).reshape(-1, 2)

    def save(self, path: str | os.PathLike) -> None:
        """Write the history to one ``.npz`` file, which :meth:`load` reads anywhere.

        Parameters
        ----------
        path : str or path-like
            File to write; ``.npz`` is appended when missing.
        """
        facts = {name: getattr(self, name) for name in FACTS}
        rows = self._iterates
        joined = {
            "sizes": np.array([len(row[3]) for row in rows], dtype=np.int64),
            "support": np.concatenate([row[3] for row in rows]) if rows else np.empty(0, np.int64),
            "values": np.concatenate([row[4] for row in rows]) if rows else np.empty(0),
            "intercepts": np.array([row[5] for row in rows], dtype=float),
        }
        tables = {name: getattr(self, name) for name in (*TABLES, "iterates")}
        np.savez_compressed(path, facts=json.dumps(facts), **tables, **joined)

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
        with np.load(path, allow_pickle=False) as file:
            facts = json.loads(str(file["facts"]))
            history = cls(facts.pop("record"))
            vars(history).update(facts)
            for name in TABLES:
                setattr(history, f"_{name}", [tuple(row) for row in file[name].tolist()])
            if "error" not in (file["updates"].dtype.names or ()):
                history._updates = [(*row, 0.0) for row in history._updates]
            cuts = np.cumsum(file["sizes"])[:-1]
            columns = (
                *(file["iterates"][name].tolist() for name in ("update", "time", "passes")),
                np.split(file["support"], cuts),
                np.split(file["values"], cuts),
                file["intercepts"].tolist(),
            )
            history._iterates = list(zip(*columns, strict=False))
            history._objectives = file["iterates"]["objective"].tolist()
        return history

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

    def who(self):
        """Who has worked, in words."""
        if self.n_workers < self.n_granted:
            few = f"{self.n_workers} of {self.n_granted} workers"
            return f"{few} (the problem or n_blocks is too small for more)"
        return f"{self.n_workers} worker(s)"

    def __repr__(self):
        return (
            f"<History of {self.solver} with {self.step_size} on {self.executor}: "
            f"{self.who()}, {len(self._updates)} updates, "
            f"{len(self._certificates)} certificates>"
        )
