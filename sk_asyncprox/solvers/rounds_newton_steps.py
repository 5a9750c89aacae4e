"""Newton steps on the support, and steps of all coefficients where nothing makes zeros."""

import numpy as np

from ..kernels.iterate import Read
from ..kernels.quasi_newton import Memory
from ..kernels.smooth_descent import STEPS, arrived, descend
from .rounds_phases import Phase

MOVES = 6
"""Last moves that a direction is joined with."""

LARGE = 1_000_000
"""Entries of full data from which on the gradient is joined: beyond, products are dearer than joining it."""

TENTH, HALF = 0.1, 0.5
"""What the gap has to fall to in a descent; and where there is but one way more."""

RISE_OF_NEWTON = 0.9
"""Slope at the full step, relative to the first, up to which it is written instead of the exact one."""

PRODUCTS = 40
"""Products of a Newton step, at most."""

NEARLY_ALL = 0.9
"""Share of the active columns' entries from which on a Newton step on the support uses all of them: products
with the others cost less than copying the support."""

LANDED, CLOSE = 1.0, 3.0
"""Share of the gap wanted that Newton steps of the problem itself may leave; and up to which gap it is
RIGHT."""

TINY = np.finfo(float).tiny

EVERYTHING = slice(None)

CHEAP, MATRIX = 3_000_000, 0.25
"""Products of a matrix of second derivatives so cheap that every step of a descent has its own; and stored
entries read meanwhile, per product of one."""

RIGHT, ARRIVED = 0.5, 0.7
"""Shares of the gap wanted that Newton steps and a descent end at."""

LEAST_SINGLE, WELL, FINEST = 200_000, 2.0, 1e-9
"""Stored entries from which on a descent makes its products in single precision; what the gap may be, beside
the one it has promised, for the next one to do so; and the fall of the gap that is asked of one, at most."""

MANY = 0.6
"""Share of an elastic net's coefficients that are not zero, or not to be, from which on it descends: beyond,
working sets cost more."""

FEW_SAMPLES = 20
"""Columns per sample up to which full data descend; beyond, joined steps, solved exactly in the space of a
few directions, take less than half as many."""


class NewtonSteps:
    """Newton steps on the support: which it was the last time, and how often it has been another."""

    def __init__(self):
        self._support, self._version = np.empty(0, int), 0

    def step(self, run):
        """A Newton step, no better than to end the run where the model is the problem itself."""
        stamp, (key, support), at = run.stamp(), self._columns(run), run.at
        enough = 0.0
        if run.is_itself():
            # Slope, in every coefficient, that leaves about the gap wanted.
            share = LANDED if run.gap * run.problem.scale > CLOSE * run.goal else RIGHT
            enough = share * run.goal / max(np.abs(at.w).sum(), TINY)
        penalty = run.penalty.on(support)
        read = Read(key, support, at.w[support], at.point(), penalty, True, PRODUCTS, enough=enough)
        direction = yield from run.products.newton(read, support)
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


class RidgeSteps:
    """Steps of all coefficients at once, for a penalty that makes no zeros, and the last ``moves``, which
    others are joined with."""

    def __init__(self, problem, moves):
        n, p = len(problem.weights), problem.n_coefs
        self.moves = moves
        self._descends = problem.is_dense and p <= FEW_SAMPLES * n
        smooth, bounded = (
            not problem.penalty.has_zeros,
            problem.penalty.l2 > 0.0 and problem.penalty.free is None,
        )
        self._descends = self._descends and not problem.loss.quadratic and (smooth or bounded)
        cheap = smooth and len(problem.y) * p**2 <= CHEAP
        self._memory, self._every, self._before = Memory(), 1 if cheap else 0, np.inf
        self._promised = np.inf if self._descends and problem.size >= LEAST_SINGLE else 0.0

    def descend(self, run, certificate):
        """Steps of all coefficients on full data; return whether they are quick."""
        if not self._is_quick(run, certificate):
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
        z, b, gradient = seen[0], at.b + shift if problem.fit_intercept else at.b, seen[1]
        run.go_to(stamp, w, b, touched, z=z, gradient=gradient)
        return True

    def _is_quick(self, run, certificate):
        """Whether descents will do: where the last one was slow, the next have more of the second
        derivatives, once all steps have cost as much; where these are more than the data, others go on."""
        penalty, p, size = run.problem.penalty, len(run.at.w), run.problem.design.size
        begins = penalty.has_zeros and self._memory.is_empty
        if begins and not (certificate and _calls_for_many(penalty, certificate)):
            return False
        wide = p * p > size
        slow = run.gap > (HALF if wide and not penalty.has_zeros else TENTH) * self._before
        wide |= penalty.has_zeros
        if self._descends and slow and (wide or run.touched >= MATRIX * p * size):
            self._descends = not wide and self._every != 1
            self._every = 1 if self._every else STEPS
        self._before = run.gap
        return self._descends

    def join(self, run, certificate):
        """A step of all coefficients, joined with those before it."""
        stamp = run.stamp()
        design, beside = run.problem.design, self.beside(run, certificate.w)
        # The gradient is joined where that is cheaper than a Newton step; of several outputs nothing is.
        joined = beside is not None and (design.is_sparse or design.size >= LARGE)
        read = Read(
            ("support", -1, 0), run.active, certificate.w, run.at.point(), run.penalty,
            True, 0 if joined else PRODUCTS, certificate.correlations, beside,
        )  # fmt: skip
        direction = yield from run.products.newton(read, EVERYTHING)
        run.write(stamp, "newton", EVERYTHING, direction, RISE_OF_NEWTON)
        if beside is not None:
            self.remember(run, direction)

    def beside(self, run, w):
        """What a step is joined with: the coefficients themselves, and the last moves. Not so for several
        outputs, whose moves are large to keep and help little."""
        if run.problem.loss.n_outputs > 1:
            return None
        return self.moves.led_by(w, run.problem.shifted(run.at.z, -run.at.b))

    def remember(self, run, direction):
        """Join the next steps with this one."""
        image = run.problem.shifted(direction.v, -direction.shift)
        self.moves = self.moves.newest(MOVES - 1).led_by(direction.move, image)


def _calls_for_many(penalty, certificate):
    """Whether so many coefficients of an elastic net are not zero, or not to be, that all had better move."""
    called = penalty.support(certificate.w) | (penalty.pull(certificate.correlations) > penalty.l1)
    return np.count_nonzero(called) > MANY * len(called)
