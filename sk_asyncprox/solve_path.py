"""Solutions for many penalties on the same data, each found from the one before."""

from functools import partial

import numpy as np

from ._blas_limit import one_blas_thread
from ._interrupts import cached_property
from .executors import Threads
from .kernels.path_extrapolation import strength
from .kernels.path_gram_cache import Kept, Known
from .kernels.path_squared_loss import LOOSE, MISSES, Walk
from .kernels.proximal_newton import WIDEST, ProximalNewton
from .problem.certificate import tidy
from .run_monitor import Solution
from .solve import SOLVERS, resolve_executor, solve
from .solvers.base import Certified, Snapshot
from .solvers.registry import resolve_step_size
from .solvers.rounds_all_columns import FINEST
from .stopping import StopRule, gap_wanted

COLUMNS_PER_PENALTY = 6
"""Columns per penalty up to which second moments cost less than the looks at the data that they save."""

LONGEST, SPARE = 3, 0.9
"""Penalties that a run goes ahead, at most; and the share of the gap wanted up to which, as expected,
solutions are mixed where it goes one further."""


def solutions_along(problem, penalties, options, start=None, mixes=True):
    """Solve the problem for one penalty after the other, the strongest first, as solutions then grow; a
    generator of a Solution each, of which what it holds of the solver is good until the next one is asked
    for.

    The data are prepared once. Every run begins where the one before has ended: in rounds with its iterate
    and certificate, its working set with the columns it has cut, and its Gram matrix; other solvers begin
    with its iterate. The problem's own penalty does not count. ``mixes`` says whether solutions of full data
    may be made of the two beside them.
    """
    penalties, done = list(penalties), 0
    if _walks(problem, options, penalties[0]):
        ways = partial(walk, mixes=mixes) if problem.loss.quadratic else newton_walk
        for walked in ways(problem, penalties, options, start):
            yield walked
            done, start = done + 1, Snapshot(walked.certificate.w, walked.certificate.b)
    yield from Rounds(problem, options, start).along(penalties[done:])


class Place:
    """Where a path has been: the problem there, its solution, the share of the gap wanted that this has left,
    and whether it is so near the zero model that less is wanted: there nothing mixed is good enough."""

    def __init__(self, problem, options, solution):
        self.problem, self.strength, self.solution = problem, strength(problem.penalty), solution
        wanted = gap_wanted(options.tol, problem.scale, problem.null - solution.certificate.dual)
        self.left = solution.gap / float(wanted) if wanted > 0.0 else np.inf
        self.is_near_null = bool(wanted < options.tol * problem.scale)

    @cached_property
    def image(self):
        """Product of the design with the coefficients."""
        return self.problem.design.mul(self.solution.certificate.w)

    def mixed(self, other, problem):
        """The solution of a problem between two places, of a squared loss. Residuals and correlations mix as
        solutions do: its certificate takes no product."""
        t = (strength(problem.penalty) - self.strength) / (other.strength - self.strength)
        pairs = zip(self.solution.certificate, other.solution.certificate, strict=True)
        w, b, _, _, correlations = ((1.0 - t) * mine + t * theirs for mine, theirs in pairs)
        image = (1.0 - t) * self.image + t * other.image
        z, b, _, theta = problem.dual_point(w, b, problem.shifted(image, b))
        with np.errstate(over="ignore", invalid="ignore"):  # runs have units of their own, mixing has not
            certificate = problem.conclude(w, b, z, theta, correlations)
        return Solution(certificate, certificate.gap, 0.0)


class Rounds:
    """Solutions by runs, each of which goes on where the one before has ended; with a squared loss they go
    ahead on the path, and solutions between are mixed where that is good enough."""

    def __init__(self, problem, options, start):
        self._problem, self._options, self._start, self._before = problem, options, start, None
        self._worst, self._misses = 0.0, 0

    def along(self, penalties):
        """The solutions, one after the other."""
        last, length = None, 2 if self._mixes(penalties) else 1
        problems = [self._problem.with_penalty(penalty) for penalty in penalties]
        while problems:
            n = 1 if last is None or last.is_near_null else length
            between, end = problems[:n][:-1], self._solved(problems[:n][-1])
            self._worst = 0.0
            yield from self._between(last, between, end)
            yield end.solution
            if between:
                length = self._next_length(length, max(last.left, end.left))
            problems, last = problems[n:], end

    def _mixes(self, penalties):
        """Whether solutions between two others may be made of them."""
        problem, tol = self._problem, self._options.tol
        if not (penalties and problem.loss.quadratic and tol >= LOOSE):
            return False
        at = np.array([strength(penalty) for penalty in penalties])
        falls = at[-1] > 0.0 and bool((np.diff(at) < 0.0).all())
        with np.errstate(over="ignore", invalid="ignore"):
            return falls and _is_free(problem, self._options, penalties[0]) and problem.in_range() is problem

    def _solved(self, problem):
        self._before = solve(problem, self._options, self._start, self._before)
        return Place(problem, self._options, self._before)

    def _between(self, first, problems, end):
        """Solutions between two places; from where mixing will not do the middle one has a run of its own."""
        while problems:
            mixed = Place(problems[0], self._options, first.mixed(end, problems[0]))
            self._worst = max(self._worst, mixed.left)
            if not mixed.left <= 1.0:
                k = len(problems) // 2
                middle = self._solved(problems[k])
                yield from self._between(first, problems[:k], middle)
                first, problems = middle, problems[k + 1 :]
                yield middle.solution
            else:
                yield mixed.solution
                problems = problems[1:]

    def _next_length(self, length, ends):
        """Length of the next run, after one at whose ends such a share of the gap wanted was left."""
        good = self._worst <= 1.0
        self._misses = max(0, self._misses + 1 - 2 * good)
        if not good:
            return max(2, length - 1) if self._misses < MISSES else 1
        # What mixing adds to the gap grows as the square of the length.
        expected = ends + max(0.0, self._worst - ends) * ((length + 1) / length) ** 2
        return min(length + (expected <= SPARE), LONGEST)


def _is_free(problem, options, penalty):
    """Whether nothing asks for rounds of their own."""
    executor = resolve_executor(options.executor)
    if not isinstance(executor, Threads) or options.record is not None or options.max_time is not None:
        return False
    plan, policy = executor.plan(options.n_jobs), resolve_step_size(options.step_size)
    free = SOLVERS[options.solver].in_rounds(problem.with_penalty(penalty), options, plan, policy)
    return free and not options.verbose and options.tol >= FINEST


def _walks(problem, options, penalty):
    """The same, where the data are full."""
    return problem.is_dense and _is_free(problem, options, penalty)


def moments_pay(problem, penalty, options, n_penalties):
    """Whether the second moments of the rows cost less than so many penalties as this one without them."""
    (n, p), squared = problem.shape, problem.loss.quadratic and penalty.free is None
    return squared and p <= min(n, COLUMNS_PER_PENALTY * n_penalties) and _walks(problem, options, penalty)


def _squares_are_safe(problem, known):
    """Whether no square of the data is far from one; ``known``: whether second moments tell it."""
    with np.errstate(over="ignore", invalid="ignore"):
        if problem.in_range() is not problem:
            return False
        return problem.moments_are_safe if known else problem.in_range(features=True) is problem


def walk(problem, penalties, options, start, mixes):
    """Solutions along penalties that need no rounds of their own; a generator that ends where they do.

    Gram matrices of full data serve many penalties of a squared loss.
    """
    if penalties[0].free is not None:
        return
    known = problem.knows_moments or moments_pay(problem, penalties[0], options, len(penalties))
    if not _squares_are_safe(problem, known):
        return
    columns = (Known if known else Kept)(problem)
    if columns.square == 0.0:
        return
    steps = Walk(problem, columns, partial(gap_wanted, options.tol, problem.scale), start, mixes)
    pass_size = problem.pass_size
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
            yield Solution(certificate, gap, passes)
        if len(found) < len(stage):
            return


def newton_walk(problem, penalties, options, start):
    """As :func:`walk`, for the logistic losses: Newton's method on Gram matrices of few coefficients."""
    narrow = problem.n_coefs <= WIDEST and not any(penalty.is_zero for penalty in penalties)
    if not (narrow and _squares_are_safe(problem, known=False)):
        return
    steps = ProximalNewton(problem, start)
    for penalty in penalties:
        if options.stop is not None:
            options.stop.check()
        posed = problem.with_penalty(penalty)
        rule, limit = StopRule(posed, options), one_blas_thread()
        with limit, limit, np.errstate(over="ignore", invalid="ignore"):
            certificate = _arrive(steps, posed, rule, options.max_iter * posed.pass_size)
            if rule.status != "converged":
                return
            certificate = tidy(posed, certificate, rule.limit(certificate))
        yield Solution(certificate, rule.gap(certificate), steps.touched / posed.pass_size, steps.n_steps)


def _arrive(steps, problem, rule, most):
    """Go on until the rule of the end is met, steps lead nowhere, or so many entries have been touched; the
    last certificate."""
    for certificate in steps.certificates(problem, rule.target, most=most):
        best = certificate.dual if rule.last is None else max(certificate.dual, rule.last.dual)
        rule.certified(Certified(certificate, best, steps.n_steps, 0, 0, 0))
        rule.spent(steps.touched / problem.pass_size, 0.0)
        if rule.status is not None:
            break
    return certificate
