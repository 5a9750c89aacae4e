"""Joins solver, executor, history and stop rule; names become classes here."""

import contextlib
import warnings
from time import perf_counter
from typing import NamedTuple

import numpy as np

from ._compat import one_blas_thread
from .executors import EXECUTORS
from .history import History
from .problem import Certificate
from .solvers import SOLVERS, RoundsBCD
from .solvers.base import Certified, Shared, Snapshot
from .step_sizes import STEP_SIZES
from .stopping import StopRule

CRUMB = 1e-3
"""Size, relative to the largest coefficient, below which one may be what a shortened step has left."""


class Options(NamedTuple):
    """How a problem is to be solved; the estimators' parameters of the same names."""

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


class Solution(NamedTuple):
    """What a run has found."""

    certificate: Certificate
    """Of the returned iterate, computed from scratch."""

    gap: float
    """Its gap against the best lower bound of the run."""

    passes: float
    n_updates: int
    status: str
    """``"converged"``, ``"stalled"``, ``"max_iter"``, ``"max_time"``, ``"diverged"`` or
    ``"exhausted"``."""

    message: str
    """What to tell the user when the tolerance was not met; else empty."""

    history: History

    solver: object
    """What ran; a solver with a method ``resume`` goes on with another penalty."""

    @property
    def n_iter(self):
        """Passes over the data, rounded up; one at least."""
        return max(1, int(np.ceil(self.passes)))


def resolve_step_size(step_size, solver):
    """Policy object for the parameter ``step_size``."""
    if step_size == "auto":
        step_size = "exact" if solver == "bcd" else "adaptive1"
    return STEP_SIZES[step_size]() if isinstance(step_size, str) else step_size


def resolve_executor(executor):
    """Executor object for the parameter ``executor``."""
    return (
        EXECUTORS["threads" if executor == "auto" else executor]() if isinstance(executor, str) else executor
    )


def solve(problem, options, start=None, before=None):
    """Solve the problem.

    Parameters
    ----------
    problem : Problem
    options : Options
    start : Snapshot or None
        First iterate, in the centred design.
    before : Solution or None
        Of the same data with another penalty; the run goes on from there.

    Returns
    -------
    Solution

    Raises
    ------
    ValueError
        If the parts do not fit one another: said before the first task.
    """
    begin = perf_counter()
    executor = resolve_executor(options.executor)
    plan = executor.plan(options.n_jobs)
    rule = StopRule(problem, options)
    solver = _build(problem, options, plan, start, before)
    history = _describe(options, executor, plan, solver)

    def on_events(events, now):
        passes = solver.touched / problem.pass_size
        for event in events:
            if isinstance(event, Certified):
                history.add_certificate(event, now, passes)
                rule.certified(event)
                if options.verbose:
                    _report(event, passes, now)
                continue
            if isinstance(event, Shared):
                history.add_share(event, now)
                continue
            history.add_update(event, now)
            rule.walked(np.inf if solver.step_size.exact else event.step / solver.step_unit)
            if history.wants_iterate(event.index):
                history.add_iterate(event.index, now, passes, solver.snapshot())
        rule.spent(passes, perf_counter() - begin)
        return rule.status is not None

    alone = solver.n_workers == 1 and problem.design.is_sparse
    with (
        contextlib.nullcontext() if alone else one_blas_thread(),
        np.errstate(over="ignore", invalid="ignore"),
    ):
        unfinished = executor.run(solver, on_events)
        history.close(problem, unfinished)
        return _finish(problem, solver, rule, history)


def _build(problem, options, plan, start, before):
    policy = resolve_step_size(options.step_size, options.solver)
    if plan.solver not in (None, options.solver):
        raise ValueError(
            f"The trace is a schedule for solver {plan.solver!r} and does not fit solver {options.solver!r}."
        )
    rounds = _in_rounds(problem, options, plan, policy)
    if before is not None:
        if rounds and hasattr(before.solver, "resume"):
            before.solver.resume(problem)
            return before.solver
        start = Snapshot(before.certificate.w, before.certificate.b)
    if rounds:
        return RoundsBCD(problem, policy, n_workers=plan.n_workers, start=start)
    settings = {
        "n_workers": plan.n_workers,
        "n_blocks": options.n_blocks,
        "start": start,
        "inline": plan.inline,
        "max_delay": plan.max_delay,
    }
    if options.solver == "bcd":
        auto = plan.working_set
        if auto is None:
            auto = (options.metric == "gram" or policy.exact) and problem.penalty.l1 > 0
        settings |= {
            "metric": options.metric,
            "working_set": auto if options.working_set == "auto" else options.working_set,
            "cyclic": options.cyclic,
            "random_state": options.random_state,
        }
    return SOLVERS[options.solver](problem, policy, **settings)


def _in_rounds(problem, options, plan, policy):
    """Whether the run goes in rounds with Newton steps: where nothing asks for plain block steps."""
    free = options.solver == "bcd" and policy.exact and options.metric == "gram"
    free &= options.n_blocks == "auto" and not plan.inline and not problem.penalty.is_zero
    if options.working_set == "auto":
        return free and plan.working_set is not False
    return free and options.working_set


def _describe(options, executor, plan, solver):
    history = History(options.record)
    history.solver, history.step_size = options.solver, repr(solver.step_size)
    history.executor = type(executor).__name__
    history.n_workers, history.n_blocks = solver.n_workers, solver.n_blocks
    history.largest_step = solver.step_unit
    history.working_set = getattr(solver, "working_set", False)
    history.inline = plan.inline
    return history


def _report(event, passes, now):
    c = event.certificate
    print(
        f"passes {passes:8.1f}  time {now:8.3f}  objective {c.objective:.8e}  gap {event.gap:.2e}  "
        f"non-zero {np.count_nonzero(c.w)}"
    )


def _finish(problem, solver, rule, history):
    if rule.best is not None and getattr(solver, "certifies_afresh", False):
        certificate = rule.best
    else:
        last = solver.snapshot() if rule.best is None else Snapshot(rule.best.w, rule.best.b)
        certificate = problem.certify(last.w, last.b)
    gap = max(0.0, certificate.objective - max(certificate.dual, solver.lower_bound))
    if rule.status == "converged":
        certificate, gap = _tidy(problem, certificate, gap, solver.lower_bound, rule.limit(certificate))
    status = rule.status or "exhausted"
    history.stopped, history.n_over_bound = status, solver.over_bound
    if solver.over_bound:
        warnings.warn(
            f"{solver.over_bound} of {solver.n_updates} updates had a delay above max_delay of "
            f"{solver.step_size}: its step is not proved safe for them.",
            RuntimeWarning,
            stacklevel=2,
        )
    passes = solver.touched / problem.pass_size
    message = "" if status == "converged" else _advice(solver, rule, status, certificate, gap, passes)
    return Solution(certificate, gap, passes, solver.n_updates, status, message, history, solver)


def _tidy(problem, certificate, gap, lower_bound, limit):
    """Set to zero what shortened steps have left of coefficients on their way to zero, if the
    certificate of the result is still good enough."""
    w, penalty = certificate.w, problem.penalty
    crumbs = (w != 0) & (np.abs(w) <= CRUMB * np.abs(w).max(initial=0.0))
    crumbs &= penalty.pull(certificate.correlations) < penalty.l1
    if not crumbs.any():
        return certificate, gap
    tidied = problem.certify(np.where(crumbs, 0.0, w), certificate.b)
    if tidied.gap > max(certificate.gap, limit):
        return certificate, gap
    return tidied, max(0.0, tidied.objective - max(tidied.dual, lower_bound))


def _advice(solver, rule, status, certificate, gap, passes):
    name = type(solver).__name__
    if status == "diverged":
        return (
            f"{name} with {solver.step_size} diverged: the objective is {certificate.objective:.3g} after "
            f"{solver.n_updates} updates; this step size is not safe for the delays that happened, "
            f"use Adaptive1 or Adaptive2 (or ExactStep for solver 'bcd')."
        )
    what = "duality gap" if rule.penalised else "largest gradient"
    why = {
        "max_iter": "max_iter was reached",
        "max_time": "max_time was reached",
        "stalled": "rounding allows no more",
        "exhausted": "the trace ended",
    }[status]
    return (
        f"{name} did not converge: {what} {rule.measure(certificate, gap):.3e}, tolerance "
        f"{rule.limit(certificate):.3e}, after {passes:.1f} passes ({why}). Raise max_iter or tol, scale "
        f"the features, or regularise more."
    )
