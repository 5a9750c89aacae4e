"""One run of a solver: what is reported of it, and what it returns."""

import threading
from collections import deque
from time import perf_counter
from typing import NamedTuple

import numpy as np

from .history import History
from .problem.certificate import Certificate, tidy
from .problem.scaling import held
from .run_warnings import advice, warn_of_steps
from .solvers.base import Certified, Shared
from .stopping import ROUNDING, StopRule


class Solution(NamedTuple):
    """What a run has found."""

    certificate: Certificate
    """Of the returned iterate, computed from scratch."""

    gap: float
    """Its gap against the best lower bound of the run."""

    passes: float
    n_updates: int = 1
    status: str = "converged"
    """``"converged"``, ``"stalled"``, ``"max_iter"``, ``"max_time"``, ``"diverged"``, ``"exhausted"``
    or ``"watch"``."""

    message: str = ""
    """What to tell the user when the tolerance was not met, unless that was asked for; else empty."""

    history: History | None = None
    solver: object = None
    """What ran, if any did; one that ``resumes`` goes on with another penalty."""

    @property
    def n_iter(self):
        """Passes over the data, rounded up; one at least."""
        return max(1, int(np.ceil(self.passes)))


class Run:
    """Takes what an executor reports: ``(events, now)`` to whether the run is to end.

    Reports may come from any worker, one at a time. The watcher hears of certificates in the thread that has
    made the run: at once when the report comes from there, else when that thread calls ``heed``, which
    executors with threads of their own do while they wait. A certificate holds copies, so what the watcher
    sees is one iterate, however late.
    """

    def __init__(self, problem, solver, options, watch, begin):
        self.problem, self.solver, self._options = problem, solver, options
        self.rule, self.history = StopRule(problem, options, solver.step_size.exact), History(options.record)
        self._watch, self._begin = watch, begin
        self._home, self._unheard = threading.get_ident(), deque()
        self.is_watched, self.now = watch is not None, 0.0

    @property
    def passes(self):
        """Passes over the data so far."""
        return self.solver.touched / self.problem.pass_size

    def __call__(self, events, now):
        rule, history, solver, self.now = self.rule, self.history, self.solver, now
        if self._options.stop is not None:
            self._options.stop.check()
        passes = self.passes
        for event in events:
            if isinstance(event, Certified):
                rule.certified(event)
                if rule.status == "out of range":
                    break
                event = self.problem.units.certified(event)
                history.add_certificate(event, now, passes)
                if self._options.verbose:
                    print(history.line(event, now, passes))
                if self.is_watched:
                    self._unheard.append((event, passes))
            elif isinstance(event, Shared):
                history.add_share(event, now)
            else:
                history.add_update(event, now)
                rule.walked(np.inf if solver.step_size.exact else event.step / solver.step_unit)
                history.add_iterate(event.index, now, passes, solver.snapshot)
        rule.spent(passes, perf_counter() - self._begin)
        if threading.get_ident() == self._home:
            self.heed()
        return rule.status is not None

    def heed(self):
        """Tell the watcher of the certificates it has not heard of."""
        while self._unheard:
            if self._watch(*self._unheard.popleft()):
                self.rule.status = self.rule.status or "watch"

    def end(self, unfinished):
        """What was found; None where the features call for other units. ``unfinished`` are the tasks that no
        worker has brought back."""
        problem, rule, history = self.problem, self.rule, self.history
        if rule.status is None:
            rule.exhausted()
        if rule.status == "out of range":
            return None
        self.heed()
        for arrival in self.solver.pending:
            history.add_share(Shared("pending", arrival), self.now)
        history.close(problem, unfinished)
        certificate, status = self._returned(), rule.status or "exhausted"
        if status not in ("converged", "watch") and rule.meets(certificate, rule.gap(certificate)):
            status = "converged"  # which the run did not know: what is returned was certified afresh
        # Of rows elsewhere it would take a pass, and their models have been tidied.
        if status == "converged" and problem.shards is None:
            certificate = tidy(problem, certificate, rule.limit(certificate))
        certificate = held(problem, certificate, rule.target)
        gap, given = rule.gap(certificate), problem.units.certificate(certificate)
        warn_of_steps(self.solver, history)
        return self._solution(given, gap, status, advice(self, status, certificate, gap))

    def lost(self):
        """What is known when the workers cannot be asked any more; None before the first certificate."""
        last = self.rule.last
        if last is None:
            self.history.stopped = "workers lost"
            return None
        return self._solution(self.problem.units.certificate(last.certificate), last.gap, "workers lost", "")

    def _solution(self, certificate, gap, status, message):
        solver, history, gap = self.solver, self.history, self.problem.units.value(gap)
        history.stopped, history.n_over_bound = status, solver.over_bound
        return Solution(certificate, gap, self.passes, solver.n_updates, status, message, history, solver)

    def _returned(self):
        """Certificate of what is returned, computed from the coefficients alone: of the last iterate, or of
        the lowest that was certified where that is better; of the zero model where neither is finite."""
        problem, solver, rule = self.problem, self.solver, self.rule
        if rule.best is not None:
            return rule.best if solver.certifies_afresh else problem.recertify(rule.best)
        last = solver.snapshot()
        certificate, lowest = problem.certify(last.w, last.b), rule.lowest
        if lowest is not None and not certificate.objective <= lowest.objective * (1.0 + ROUNDING):
            certificate = problem.certify(lowest.w, lowest.b)
        return certificate if np.isfinite(certificate.objective) else problem.certify(*problem.start())
