"""Newton steps on the support, and steps of all coefficients where nothing makes zeros."""

import numpy as np

from ..kernels.block_iterate import Read
from ..kernels.smooth_descent import STEPS, Memory, arrived, descend
from .task_queue import Phase

MOVES = 6
"""Last moves that a direction is joined with."""

CALLS, PER_SAMPLE, PER_COEFFICIENT, DENSE = 200_000, 60, 5, 0.3
"""What joining costs, in stored entries of a sparse matrix that a product reads meanwhile; and how many of
these a dense one's are worth."""

LAST, TENTH, HALF = 10, 0.1, 0.5
"""Steps over which the gap has to fall to a tenth; at least to a half, where there is but one way more."""

RISE_OF_NEWTON = 0.9
"""Slope at the full step, relative to the first, up to which it is written instead of the exact one."""

FEWEST_PRODUCTS, MOST_PRODUCTS = 40, 1000
SETTLED = 1e-3
"""Products of a Newton step: at most the first number, and twice as many after every round that has not
halved a relative gap below SETTLED: the support is found, and the system too ill-conditioned."""

NEARLY_ALL = 0.9
"""Share of the active columns' entries from which on a Newton step on the support uses all of them: products
with the others cost less than copying the support."""

LANDED, CLOSE = 1.0, 3.0
"""Share of the gap wanted that Newton steps near a solution may leave; and up to which gap it is RIGHT."""

TINY = np.finfo(float).tiny

EVERYTHING = slice(None)

CHEAP, NARROW, WIDEST = 3_000_000, 512, 2000
"""Products of a matrix of second derivatives so cheap that every step of a descent has its own; coefficients
that have one where steps are slow; and those that do once the steps without have cost as much."""

MATRIX = 0.25
"""Stored entries read meanwhile, per product of such a matrix."""

RIGHT, ARRIVED = 0.5, 0.7
"""Shares of the gap wanted that Newton steps and a descent end at."""

LEAST_SINGLE, WELL, FINEST = 200_000, 2.0, 1e-9
"""Stored entries from which on a descent makes its products in single precision; what the gap may be, beside
the one it has promised, for the next one to do so; and the fall of the gap that is asked of one, at most."""

FEW_SAMPLES = 20
"""Columns per sample up to which full data descend; beyond, joined steps, solved exactly in the space of a
few directions, take less than half as many."""


class NewtonSteps:
    """Newton steps on the support: which it was the last time, how often it has been another, and how many
    products a step may take."""

    def __init__(self):
        self._support, self._version, self.effort = np.empty(0, int), 0, FEWEST_PRODUCTS

    def heed(self, gap, slow):
        """Take a relative gap into account, and whether it has been halved or was ``slow``."""
        more = slow and gap < SETTLED
        self.effort = min(MOST_PRODUCTS, 2 * self.effort) if more else FEWEST_PRODUCTS

    def step(self, run):
        """A Newton step, which ends the run where a solution is near."""
        stamp, (key, support), at = run.stamp(), self._columns(run), run.at
        enough = 0.0
        if run.is_near():
            # Slope, in every coefficient, that leaves about the gap wanted.
            share = LANDED if run.gap * run.problem.scale > CLOSE * run.goal else RIGHT
            enough = share * run.goal / max(np.abs(at.w).sum(), TINY)
        penalty = run.penalty.on(support)
        read = Read(key, support, at.w[support], at.point(), penalty, True, self.effort, enough=enough)
        if run.products.pay(support):
            direction = yield from run.products.newton(read)
        else:
            [direction] = yield Phase("newton", 1, lambda _: read)
        run.write(stamp, "newton", support, direction, RISE_OF_NEWTON)

    def _columns(self, run):
        """The support, or all active columns where they have few entries more: they are there already."""
        active, sizes = run.active, run.products.sizes
        support = active[run.at.w[active] != 0]
        if len(run.blocks) == 1 and sizes[support].sum() >= NEARLY_ALL * sizes[active].sum():
            return ("blocks", run.generation, 0), active
        if not np.array_equal(support, self._support):
            self._support, self._version = support, self._version + 1
        return ("support", self._version, 0), support


def joining_pays(problem):
    """Whether joining the gradient costs less than the products that a Newton step takes more."""
    design = problem.design
    n, p = design.shape
    entries = design.size if design.is_sparse else DENSE * design.size
    return problem.loss.n_outputs == 1 and entries >= CALLS + PER_SAMPLE * n + PER_COEFFICIENT * p


class Pace:
    """Whether joined gradients are quick: where a system is ill-conditioned, they forget too soon what
    conjugate gradients on one model would know."""

    def __init__(self):
        self._gaps, self.is_quick = [], True

    def add(self, gap):
        """Take the gap before a step into account."""
        self._gaps.append(gap)
        slow = len(self._gaps) > LAST and gap > TENTH * self._gaps[-1 - LAST]
        self.is_quick = self.is_quick and not slow


class RidgeSteps:
    """Steps of all coefficients at once, for a penalty that makes no zeros: whether these are quick, and the
    last ``moves``, which others are joined with."""

    def __init__(self, problem, moves):
        design, loss = problem.design, problem.loss
        self.moves, self._pace = moves, Pace()
        p = design.shape[1]
        few = p > FEW_SAMPLES * design.shape[0]
        self._descends = not (few or design.is_sparse or loss.quadratic or problem.penalty.has_zeros)
        self._narrow, self._turn = p <= NARROW, np.inf
        cheap = len(problem.y) * p**2 <= CHEAP and self._narrow
        self._memory, self._every, self._before = Memory(), 1 if cheap else 0, np.inf
        self._promised = np.inf if self._descends and design.size >= LEAST_SINGLE else 0.0

    def descend(self, run, certificate):
        """Steps of all coefficients on full data; return whether they are quick."""
        if not self._is_quick(run):
            return False
        problem, at, n_coefs = run.problem, run.at, len(run.at.w)
        stamp, point, shared = run.stamp(), at.point(), run.products.pay(EVERYTHING)
        read = Read(
            ("support", -1, 0), np.arange(n_coefs), at.w.copy(), point, problem.penalty, True,
            correlations=None if certificate is None else certificate.correlations,
        )  # fmt: skip
        roughly = not shared and run.gap * problem.scale <= WELL * max(self._promised, run.goal)
        payload = read, self._memory, self._every, ARRIVED * run.goal, FINEST if roughly else 0.0
        if shared:
            found = yield from run.products.by_rows(
                descend(run.columns, *payload), read, run.columns.model(point)
            )
            (place, self._memory), touched = found
            seen = arrived(problem, read, place, False)
        else:
            found = yield Phase("descent", 1, lambda _: (roughly, run.looks.streamed, *payload))
            [(place, seen, self._memory, touched)] = found
        self._promised = place.gap(problem.penalty, n_coefs) if roughly else 0.0
        if not touched:
            # Rounding hides what there is to be gained; whether nothing is, the other steps will tell.
            self._descends = False
            return False
        w, shift = place.x[:n_coefs], place.x[n_coefs:]
        if problem.fit_intercept:
            shift = shift if problem.loss.n_outputs > 1 else float(shift[0])
        run.from_zero = roughly and not read.w.any()
        run.go_to(stamp, w, at.b + shift if problem.fit_intercept else at.b, *seen, touched)
        return True

    def _is_quick(self, run):
        """Whether descents will do: where the last one was slow, the next have more of the second
        derivatives; where these are many, when other steps have cost as much."""
        if self._descends and run.gap > (TENTH if self._narrow else HALF) * self._before:
            self._descends = self._narrow and self._every != 1
            self._every = 1 if self._every else STEPS
            # What is too hard for remembered steps is so for joined ones.
            self._pace.is_quick = self._descends
            if not self._narrow and len(run.at.w) <= WIDEST:
                self._turn = run.touched + MATRIX * len(run.at.w) * run.problem.design.size
        elif not self._descends and run.touched >= self._turn:
            self._descends, self._narrow, self._turn = True, True, np.inf
        self._before = run.gap
        return self._descends

    def join(self, run, certificate):
        """A step of all coefficients, joined with those before it."""
        stamp = run.stamp()
        self._pace.add(run.gap)
        products = 0 if self._pace.is_quick and joining_pays(run.problem) else run.newton.effort
        read = Read(
            ("support", -1, 0), run.active, certificate.w, run.at.point(), run.penalty,
            True, products, certificate.correlations, self.beside(run, certificate.w),
        )  # fmt: skip
        if run.products.pay(EVERYTHING):
            direction = yield from run.products.newton(read)
        else:
            [direction] = yield Phase("newton", 1, lambda _: read)
        run.write(stamp, "newton", EVERYTHING, direction, RISE_OF_NEWTON)
        if read.beside is not None:
            self.remember(run, direction)

    def beside(self, run, w):
        """What a step is joined with: the coefficients themselves, and the last moves. Not so for several
        outputs, whose moves are large to keep and help little."""
        if run.problem.loss.n_outputs > 1:
            return None
        return self.moves.led_by(w, run.problem.shifted(run.at.z, -run.at.b))

    def remember(self, run, direction):
        image = run.problem.shifted(direction.v, -direction.shift)
        self.moves = self.moves.newest(MOVES - 1).led_by(direction.move, image)
