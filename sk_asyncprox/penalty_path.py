"""Solutions for many penalties on the same data, each found from the one before."""

from functools import partial

import numpy as np

from ._compat import one_blas_thread
from .executors import Threads
from .history import History
from .kernels.logistic_path import WIDEST, NewtonWalk
from .kernels.path_columns import Kept, Known
from .kernels.squared_path import Walk
from .problem.units import are_in_range
from .solve import SOLVERS, Solution, resolve_executor, solve
from .solvers.base import Certified, Snapshot
from .solvers.registry import resolve_step_size
from .stopping import StopRule, gap_wanted, tidy

COLUMNS_PER_PENALTY = 6
"""Columns per penalty up to which second moments cost less than the looks at the data that they save."""

FINEST = 1e-10
"""Tolerance below which gaps are made from the data alone."""


def solutions_along(problem, penalties, options, start=None):
    """Solve the problem for one penalty after the other, the strongest first, as solutions then grow; a
    generator of a Solution each, of which what it holds of the solver is good until the next one is asked
    for.

    The data are prepared once. Every run begins where the one before has ended: in rounds with its iterate
    and certificate, its working set with the columns it has cut, and its Gram matrix; other solvers begin
    with its iterate. The problem's own penalty does not count.
    """
    penalties, done, solution = list(penalties), 0, None
    way = walk if problem.loss.quadratic else newton_walk
    for walked in way(problem, penalties, options, start):
        yield walked
        done, start = done + 1, Snapshot(walked.certificate.w, walked.certificate.b)
    for penalty in penalties[done:]:
        solution = solve(problem.with_penalty(penalty), options, start, solution)
        yield solution


def _walks(problem, options, penalty):
    """Whether nothing asks for rounds of their own where the data are full."""
    executor = resolve_executor(options.executor)
    plan, policy = executor.plan(options.n_jobs), resolve_step_size(options.step_size)
    free = isinstance(executor, Threads) and SOLVERS[options.solver].in_rounds(penalty, options, plan, policy)
    free &= options.record is None and options.max_time is None and not options.verbose
    free &= options.tol >= FINEST
    return free and problem.is_dense


def moments_pay(problem, penalty, options, n_penalties):
    """Whether the second moments of the rows cost less than so many penalties as this one without them."""
    n, p = problem.shape
    return (
        problem.loss.quadratic
        and penalty.free is None
        and p <= min(n, COLUMNS_PER_PENALTY * n_penalties)
        and _walks(problem, options, penalty)
    )


def _squares_are_safe(problem, known):
    """Whether no square of the data is far from one; ``known``: whether second moments tell it."""
    with np.errstate(over="ignore", invalid="ignore"):
        if problem.in_range() is not problem:
            return False
        if not known:
            return problem.in_range(features=True) is problem
        squares = problem.quadratic.Q.diagonal()
        return are_in_range(problem.moments.squares) and are_in_range(squares[squares != 0.0])


def walk(problem, penalties, options, start=None):
    """Solutions along penalties that need no rounds of their own; a generator that ends where they do.

    Gram matrices of full data serve many penalties of a squared loss.
    """
    if penalties[0].free is not None or not _walks(problem, options, penalties[0]):
        return
    known = problem.knows_moments or moments_pay(problem, penalties[0], options, len(penalties))
    if not _squares_are_safe(problem, known):
        return
    columns = (Known if known else Kept)(problem)
    if columns.square == 0.0:
        return
    pass_size, history = 2 * max(1, problem.shape[0] * problem.shape[1]), History(None)
    steps = Walk(problem, columns, partial(gap_wanted, options.tol, problem.scale), start)
    for stage in steps.stages(penalties):
        if options.stop is not None:
            options.stop.check()
        limit = one_blas_thread()
        with limit, limit, np.errstate(over="ignore", invalid="ignore"):
            found = steps.stage(stage)
        for certificate, gap, touched in found:
            passes = touched / pass_size
            if passes > options.max_iter:
                return
            yield Solution(certificate, gap, passes, 1, "converged", "", history, None)
        if len(found) < len(stage):
            return


def newton_walk(problem, penalties, options, start=None):
    """As :func:`walk`, for the logistic losses: Newton's method on Gram matrices of few coefficients."""
    if any(penalty.is_zero for penalty in penalties) or not _walks(problem, options, penalties[0]):
        return
    if problem.shape[1] * problem.loss.n_outputs > WIDEST or not _squares_are_safe(problem, known=False):
        return
    steps, history = NewtonWalk(problem, start), History(None)
    for penalty in penalties:
        if options.stop is not None:
            options.stop.check()
        posed = problem.with_penalty(penalty)
        rule, limit = StopRule(posed, options), one_blas_thread()
        with limit, limit, np.errstate(over="ignore", invalid="ignore"):
            certificate = _arrive(steps, posed, rule)
            if rule.status != "converged":
                return
            certificate = tidy(posed, certificate, rule.limit(certificate))
        gap, passes = rule.gap(certificate), steps.touched / posed.pass_size
        yield Solution(certificate, gap, passes, steps.n_steps, "converged", "", history, None)


def _arrive(steps, problem, rule):
    """Go on until the rule of the end is met, or steps lead nowhere; the last certificate."""
    for seen in steps.places(problem):
        certificate = seen.certificate
        best = certificate.dual if rule.last is None else max(certificate.dual, rule.last.dual)
        rule.certified(Certified(certificate, best, steps.n_steps, 0, 0, 0))
        rule.spent(steps.touched / problem.pass_size, 0.0)
        if rule.status is not None:
            break
    return certificate
