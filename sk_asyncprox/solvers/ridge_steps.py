"""Steps of all coefficients where nothing makes zeros: descents, and steps joined with those before."""

import numpy as np

from ..kernels.blocks import ColumnPart
from ..kernels.descent import STEPS, Memory, arrived, descend
from ..kernels.secant import Caution
from ..kernels.step_input import Read
from ..kernels.subspace import Beside
from .shared_products import Products
from .task_queue import Phase, PhasedSolver

MOVES = 6
"""Last moves that a direction is joined with."""

CALLS, PER_SAMPLE, PER_COEFFICIENT, DENSE = 200_000, 60, 5, 0.3
"""What joining costs, in stored entries of a sparse matrix that a product reads meanwhile; and how many of
these a dense one's are worth."""

LAST, TENTH, HALF = 10, 0.1, 0.5
"""Steps over which the gap has to fall to a tenth; at least to a half, where there is but one way more."""

RISE_OF_NEWTON = 0.9
"""Slope at the full step, relative to the first, up to which it is written instead of the exact one."""

EVERYTHING = slice(None)

CHEAP, NARROW, WIDEST = 3_000_000, 512, 2000
"""Products of a matrix of second derivatives so cheap that every step of a descent has its own; coefficients
that have one where steps are slow; and those that do once the steps without have cost as much."""

MATRIX = 0.25
"""Stored entries read meanwhile, per product of such a matrix."""

RIGHT = 0.5
"""Share of the gap wanted that a descent ends at."""

LEAST_SINGLE, WELL, FINEST = 200_000, 2.0, 1e-9
"""Stored entries from which on a descent makes its products in single precision; what the gap may be, beside
the one it has promised, for the next one to do so; and the fall of the gap that is asked of one, at most."""

FEW_SAMPLES = 20
"""Columns per sample up to which full data descend; beyond, joined steps, solved exactly in the space of a
few directions, take less than half as many."""


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


class JoiningSolver(PhasedSolver):
    """Steps of all coefficients at once, for a penalty that makes no zeros.

    Subclasses set the attributes ``_active``, ``_penalty``, ``_effort``, ``_goal`` and ``_gap``.
    """

    def __init__(self, problem, start, n_workers):
        self.n_workers, self._moves = n_workers, Beside()
        self._part = ColumnPart(problem, 1.0, True, None)
        self._products = Products(self._part, n_workers)
        super().__init__(problem, start, self._products.speeds)

    def _join_afresh(self):
        design, loss = self.problem.design, self.problem.loss
        self._caution, self._pace = None if loss.quadratic else Caution(), Pace()
        self._least, self._from_zero = None, False
        few = design.shape[1] > FEW_SAMPLES * design.shape[0]
        self._descends = not (few or design.is_sparse or loss.quadratic or self.problem.penalty.has_zeros)
        p = design.shape[1]
        self._narrow, self._turn = p <= NARROW, np.inf
        cheap = len(self.problem.y) * p**2 <= CHEAP and self._narrow
        self._memory, self._every, self._before = Memory(), 1 if cheap else 0, np.inf
        self._promised = np.inf if self._descends and design.size >= LEAST_SINGLE else 0.0

    def _descend(self, certificate):
        """Steps of all coefficients on full data; return whether they are quick."""
        if not self._is_quick():
            return False
        stamp, point, shared = self._tracker.stamp(), self.point(), self._products.pay(EVERYTHING)
        read = Read(
            ("support", -1, 0), np.arange(len(self.w)), self.w.copy(), point, self.problem.penalty, True,
            correlations=None if certificate is None else certificate.correlations,
        )  # fmt: skip
        roughly = not shared and self._gap * self.problem.scale <= WELL * max(self._promised, self._goal)
        payload = read, self._memory, self._every, RIGHT * self._goal, FINEST if roughly else 0.0
        if shared:
            found = yield from self._products.by_rows(
                descend(self._part, *payload), read, self._part.model(point)
            )
            (place, self._memory), touched = found
            seen = arrived(self.problem, read, place, False)
        else:
            found = yield Phase("descent", 1, lambda _: (roughly, *payload))
            [(place, seen, self._memory, touched)] = found
        self._promised = place.gap(self.problem.penalty, len(self.w)) if roughly else 0.0
        if not touched:
            # Rounding hides what there is to be gained; whether nothing is, the other steps will tell.
            self._descends = False
            return False
        w, shift = place.x[: len(self.w)], place.x[len(self.w) :]
        if self.problem.fit_intercept:
            shift = shift if self.problem.loss.n_outputs > 1 else float(shift[0])
        self._from_zero = roughly and not read.w.any()
        self._go_to(stamp, w, self.b + shift if self.problem.fit_intercept else self.b, *seen, touched)
        return True

    def _go_to(self, stamp, w, b, z, gradient, touched):
        """Write coefficients, intercept, and the margins and gradient that they have."""
        delay, _ = self._tracker.measure(stamp)
        self.w, self.b, self.z, self.gradient = w, b, z, gradient
        self._count(delay, 1.0, "newton", touched)

    def _is_quick(self):
        """Whether descents will do: where the last one was slow, the next have more of the second
        derivatives; where these are many, when other steps have cost as much."""
        if self._descends and self._gap > (TENTH if self._narrow else HALF) * self._before:
            self._descends = self._narrow and self._every != 1
            self._every = 1 if self._every else STEPS
            # What is too hard for remembered steps is so for joined ones.
            self._pace.is_quick = self._descends
            if not self._narrow and len(self.w) <= WIDEST:
                self._turn = self.touched + MATRIX * len(self.w) * self.problem.design.size
        elif not self._descends and self.touched >= self._turn:
            self._descends, self._narrow, self._turn = True, True, np.inf
        self._before = self._gap
        return self._descends

    def _join(self, certificate):
        """A step of all coefficients, joined with those before it."""
        stamp = self._tracker.stamp()
        self._pace.add(self._gap)
        products = 0 if self._pace.is_quick and joining_pays(self.problem) else self._effort
        read = Read(
            ("support", -1, 0), self._active, certificate.w, self.point(), self._penalty,
            True, products, certificate.correlations, self._beside(certificate.w),
        )  # fmt: skip
        if self._products.pay(EVERYTHING):
            direction = yield from self._products.newton(read)
        else:
            [direction] = yield Phase("newton", 1, lambda _: read)
        self._write(stamp, "newton", EVERYTHING, direction, RISE_OF_NEWTON)
        if read.beside is not None:
            self._remember(direction)

    def _beside(self, w):
        """What a step is joined with: the coefficients themselves, and the last moves. Not so for several
        outputs, whose moves are large to keep and help little."""
        if self.problem.loss.n_outputs > 1:
            return None
        return self._moves.led_by(w, self.problem.shifted(self.z, -self.b))

    def _remember(self, direction):
        image = self.problem.shifted(direction.v, -direction.shift)
        self._moves = self._moves.newest(MOVES - 1).led_by(direction.move, image)
