"""Joins solver, executor and run; names become classes here."""

from functools import partial
from time import perf_counter
from typing import NamedTuple

import numpy as np

from ._blas_limit import one_blas_thread
from ._joblib import joblib_dask_client
from .executors import EXECUTORS, Dask, Threads
from .executors.base import WorkersLost
from .penalties import ElasticNetPenalty
from .run_monitor import Run
from .solvers import SOLVERS
from .solvers.base import Snapshot


class Options(NamedTuple):
    """How a problem is to be solved; the estimators' parameters of the same names, and what ends several runs
    together, a :class:`~sk_asyncprox._interrupts.Stop`."""

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
    solver = _build(problem, options, plan, problem.units.point(start), before)
    if not 0.0 < solver.step_unit < np.inf:
        if problem.in_range(features=True) is not problem:
            return None
        raise ValueError("The squares of X are too large or too small for a step: scale the features.")
    run = Run(problem, solver, options, watch, begin)
    history = run.history
    history.solver, history.executor = options.solver, type(executor).__name__
    history.step_size, history.largest_step = repr(solver.step_size), solver.step_unit
    history.inline, history.n_granted, history.most_workers = plan.inline, plan.n_workers, plan.most_workers
    for fact in ("n_workers", "n_blocks", "working_set"):
        setattr(history, fact, getattr(solver, fact))
    if options.verbose and solver.n_workers < plan.n_workers and before is None:
        print(history.who())
    try:
        try:
            unfinished = executor.run(solver, run)
        finally:
            solver.rest()
        return run.end(unfinished)
    except WorkersLost as lost:
        lost.solution = run.lost()
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
    exact, penalty, loss, message = policy.exact, problem.penalty, problem.loss, ""
    if not isinstance(penalty, ElasticNetPenalty) and (exact or options.metric not in form.plain):
        message = (
            f"The penalty {type(penalty).__name__} cannot be served by {{}}, which are made for the elastic "
            "net: use metric='lipschitz' and a policy of delays, as Adaptive1."
        )
    elif loss.curvature == np.inf and (form.needs_bound or not exact or options.metric != "gram"):
        message = (
            f"The curvature of {type(loss).__name__} has no bound, of which the steps of {{}} are made: use "
            "solver='bcd', metric='gram' and step_size='exact'."
        )
    if message:
        steps = f"solver {options.solver!r} with metric={options.metric!r} and step_size {policy!r}"
        raise ValueError(message.format(steps))
