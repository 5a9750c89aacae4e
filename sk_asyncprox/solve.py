"""Joins solver, executor, history and stop rule; names become classes here."""

import threading
from collections import deque
from functools import partial
from time import perf_counter
from typing import NamedTuple

import numpy as np

from ._blas_limit import one_blas_thread
from ._joblib import joblib_dask_client
from .executors import EXECUTORS, Dask, Threads
from .executors.base import WorkersLost
from .history import History
from .penalties import ElasticNetPenalty
from .problem.certificate import Certificate
from .solvers import SOLVERS
from .solvers.base import Certified, Shared, Snapshot
from .stopping import StopRule, advice, held, returned, tidy, warn_of_steps


class Options(NamedTuple):
    """How a problem is to be solved; the estimators' parameters of the same names, and what ends several runs
    together, a :class:`~sk_asyncprox.executors.threads.Stop`."""

    solver: str = "bcd"
    step_size: object = "auto"
    executor: object = "auto"
    n_jobs: int | None = None
    n_blocks: int | str = "auto"
    metric: str = "gram"
    working_set: bool | str = "auto"
    cyclic: bool = True
    random_state: int = 0
    tol: float = 1e-4
    max_iter: int = 1000
    max_time: float | None = None
    record: str | None = "updates"
    verbose: int = 0
    stop: object = None


class Solution(NamedTuple):
    """What a run has found."""

    certificate: Certificate
    """Of the returned iterate, computed from scratch."""

    gap: float
    """Its gap against the best lower bound of the run."""

    passes: float
    n_updates: int
    status: str
    """``"converged"``, ``"stalled"``, ``"max_iter"``, ``"max_time"``, ``"diverged"``, ``"exhausted"``
    or ``"watch"``."""

    message: str
    """What to tell the user when the tolerance was not met, unless that was asked for; else empty."""

    history: History

    solver: object
    """What ran; one that ``resumes`` goes on with another penalty."""

    @property
    def n_iter(self):
        """Passes over the data, rounded up; one at least."""
        return max(1, int(np.ceil(self.passes)))


def resolve_executor(executor):
    if executor == "auto":
        client = joblib_dask_client()
        return Threads() if client is None else Dask(client)
    return EXECUTORS[executor]() if isinstance(executor, str) else executor


def solve(problem, options, start=None, before=None, watch=None, begin=None):
    """Solve the problem, from a ``start`` in the centred design, or from where the solution ``before`` of the
    same data has ended; parts that do not fit one another are refused before the first task.

    ``watch``, of ``(certified, passes)``, is called in this thread after every certificate, and ends the run
    by what is true. The clock of ``max_time`` began at ``begin``, if the data had to be prepared before.
    """
    begin = perf_counter() if begin is None else begin
    executor = resolve_executor(options.executor)
    attempt = partial(_attempt, executor, executor.plan(options.n_jobs), options, watch, begin)
    limit = one_blas_thread()
    with limit, limit, np.errstate(over="ignore", invalid="ignore"):
        if before is None:
            scaled = problem.in_range()
        else:
            start, scaled = Snapshot(*before.certificate[:2]), before.solver.problem.like(problem)
        solution = attempt(scaled, start, before)
        if solution is None:
            solution = attempt(scaled.in_range(features=True), start, None)
    return solution


def _attempt(executor, plan, options, watch, begin, problem, start, before):
    """Solve the problem in the units it is in; None if its features call for others."""
    rule = StopRule(problem, options)
    solver = _build(problem, options, plan, problem.units.point(start), before)
    if not 0.0 < solver.step_unit < np.inf:
        if problem.in_range(features=True) is not problem:
            return None
        raise ValueError("The squares of X are too large or too small for a step: scale the features.")
    rule.guarded = solver.step_size.exact
    history = History(options.record)
    history.solver, history.executor = options.solver, type(executor).__name__
    history.step_size, history.largest_step = repr(solver.step_size), solver.step_unit
    history.inline, history.n_granted = plan.inline, plan.n_workers
    history.most_workers = plan.most_workers
    for fact in ("n_workers", "n_blocks", "working_set"):
        setattr(history, fact, getattr(solver, fact))
    if options.verbose and solver.n_workers < plan.n_workers and before is None:
        print(history.who())
    listener = Listener(problem, solver, rule, history, options, watch, begin)
    try:
        try:
            unfinished = executor.run(solver, listener)
        finally:
            solver.rest()
        if rule.status is None:
            rule.exhausted()
        if rule.status == "out of range":
            return None
        listener.heed()
        for arrival in solver.pending:
            history.add_share(Shared("pending", arrival), listener.now)
        history.close(problem, unfinished)
        return _finish(problem, solver, rule, history)
    except WorkersLost as lost:
        lost.solution = _last_certified(problem, solver, rule, history)
        raise


def _build(problem, options, plan, start, before):
    family = SOLVERS[options.solver]
    policy = family.policy(options.step_size, problem)
    if plan.solver not in (None, options.solver):
        raise ValueError(
            f"The trace is a schedule for solver {plan.solver!r} and does not fit solver {options.solver!r}."
        )
    form, settings = family.serve(problem, policy, options, plan)
    _check_fit(problem, policy, form, options)
    if before is not None and form.resumes and type(before.solver) is form:
        before.solver.resume(problem)
        return before.solver
    return form(problem, policy, n_workers=plan.n_workers, start=start, **settings)


def _check_fit(problem, policy, form, options):
    steps = f"solver {options.solver!r} with metric={options.metric!r} and step_size {policy!r}"
    exact, penalty, loss = policy.exact, problem.penalty, problem.loss
    if not isinstance(penalty, ElasticNetPenalty) and (exact or options.metric not in form.plain):
        raise ValueError(
            f"The penalty {type(penalty).__name__} cannot be served by {steps}, which are made for the "
            "elastic net: use metric='lipschitz' and a policy of delays, as Adaptive1."
        )
    if loss.curvature == np.inf and (form.needs_bound or not exact or options.metric != "gram"):
        raise ValueError(
            f"The curvature of {type(loss).__name__} has no bound, of which the steps of {steps} are made: "
            "use solver='bcd', metric='gram' and step_size='exact'."
        )


def _last_certified(problem, solver, rule, history):
    """What is known when the workers cannot be asked any more; None before the first certificate."""
    history.stopped, history.n_over_bound = "workers lost", solver.over_bound
    if rule.last is None:
        return None
    passes, last = solver.touched / problem.pass_size, problem.units.certified(rule.last)
    return Solution(
        last.certificate, last.gap, passes, solver.n_updates, history.stopped, "", history, solver
    )


class Listener:
    """Takes what an executor reports: ``(events, now)`` to whether the run is to end.

    Reports may come from any worker, one at a time. The watcher hears of certificates in the thread that has
    made the listener: at once when the report comes from there, else when that thread calls ``heed``, which
    executors with threads of their own do while they wait. A certificate holds copies, so what the watcher
    sees is one iterate, however late.
    """

    def __init__(self, problem, solver, rule, history, options, watch, begin):
        self._problem, self._solver, self._rule, self._history = problem, solver, rule, history
        self._verbose, self._watch, self._begin = options.verbose, watch, begin
        self._stop = options.stop
        self._home, self._unheard = threading.get_ident(), deque()
        self.is_watched, self.now = watch is not None, 0.0

    def __call__(self, events, now):
        rule, history, solver, self.now = self._rule, self._history, self._solver, now
        if self._stop is not None:
            self._stop.check()
        passes = solver.touched / self._problem.pass_size
        for event in events:
            if isinstance(event, Certified):
                rule.certified(event)
                if rule.status == "out of range":
                    break
                event = self._problem.units.certified(event)
                history.add_certificate(event, now, passes)
                if self._verbose:
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
                self._rule.status = self._rule.status or "watch"


def _finish(problem, solver, rule, history):
    certificate = returned(problem, solver, rule)
    status = rule.status or "exhausted"
    if status not in ("converged", "watch") and rule.meets(certificate, rule.gap(certificate)):
        status = "converged"  # which the run did not know: what is returned was certified afresh
    # Of rows elsewhere it would take a pass, and their models have been tidied.
    if status == "converged" and problem.shards is None:
        certificate = tidy(problem, certificate, rule.limit(certificate))
    certificate = held(problem, certificate, rule.target)
    gap = rule.gap(certificate)
    history.stopped, history.n_over_bound = status, solver.over_bound
    warn_of_steps(solver, history)
    passes = solver.touched / problem.pass_size
    message = advice(problem, solver, rule, status, certificate, gap, passes)
    given, gap = problem.units.certificate(certificate), problem.units.value(gap)
    return Solution(given, gap, passes, solver.n_updates, status, message, history, solver)
