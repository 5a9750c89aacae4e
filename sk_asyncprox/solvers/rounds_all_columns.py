"""Steps of all coefficients at once, which need no working set: of small problems, and where few are zero."""

import numpy as np

from .._precision import TINY
from ..kernels.bcd_iterate import Read
from ..kernels.column_sweeps import FIRST_SWEEPS
from ..kernels.hessian_solvers import suits_samples
from ..kernels.lbfgs import Memory
from ..kernels.proximal_newton import NewtonPoint
from ..kernels.quasi_newton_descent import STEPS, TENTH, arrived, descend
from .rounds_gram_steps import RIGHT
from .rounds_newton_cg import PRODUCTS, RISE_OF_NEWTON, newton_direction
from .rounds_script import Phase

CHEAP_STEPS, OF_SEVERAL, DEAR_STEPS = 6_000_000, 20_000_000, 100_000_000
"""Products of a Gram matrix of all coefficients so cheap that one Newton step after the other is made on it,
without working sets: of one output and of several, whose descents take more steps, and where most
coefficients are called for and no descents serve."""

FINEST = 1e-10
"""Gap, relative to the scale, from which on a squared loss is solved on a Gram matrix exactly enough."""

LARGEST_SWEPT, CALLED, MOST, WIDE, WIDER = 10_000_000, 0.2, 0.9, 5, 25
"""Entries of full data up to which sweeps over all columns are tried first, and the share of these that the
first certificate has to call for: of few a working set is quicker. Of most of so many times more columns than
rows sweeps without an l2 part are slow, and of so many times more always."""

MOVES = 6
"""Last moves that a direction is joined with."""

LARGE = 1_000_000
"""Entries of full data from which on the gradient is joined: beyond, products are dearer than joining it."""

MOST_SWEEPS, AFFORDED = 300, 0.5
"""Sweeps over the columns, at most; and their share of the passes over the data that a fit is allowed."""

SLOW, ARRIVED = 0.5, 0.7
"""Gap after a round, relative to that before, beyond which it has done little; and the share of the one
wanted that a descent ends at. Where there are other ways it has to bring the gap to a tenth."""

CHEAP, MATRIX, OF_SAMPLES = 3_000_000, 0.25, 0.5
"""Products of a matrix of second derivatives so cheap that every step of a descent has its own; and stored
entries read meanwhile, per product of one, and of one of the samples, which do not serve what is nearly
done."""

LEAST_SINGLE, WELL, SPAN = 200_000, 2.0, 1e-9
"""Stored entries from which on a descent makes its products in single precision; what the gap may be, beside
the one it has promised, for the next one to do so; and the fall of the gap that is asked of one, at most, and
the gap from which on slow Newton steps are so by rounding."""

MANY, MANY_AFTER = 0.6, 0.2
"""Share of an elastic net's coefficients that are not zero, or not to be, from which on it descends: beyond,
working sets cost more; and the share after one step along the correlations."""

FEW_SAMPLES = 20
"""Columns per sample up to which full data descend, where a system of as many equations as samples will not
do; beyond, joined steps, solved exactly in the space of a few directions, take less than half as many."""

EVERYTHING = slice(None)


class AllColumnSteps:
    """Steps that solve the whole problem, or all but, where the data are full and such steps are quick."""

    def __init__(self, problem):
        n, p = len(problem.y), problem.n_coefs
        curved = problem.is_dense and not problem.loss.quadratic and problem.penalty.widest is None
        self._cheap = CHEAP_STEPS if problem.loss.n_outputs == 1 else OF_SEVERAL
        self._price = n * p * p if curved and p <= n else np.inf

    has_swept = False
    """Whether sweeps over all columns have come near a solution."""

    is_hard = False
    """Whether steps of all columns have been slow."""

    def _may_be_solved(self, run):
        """Whether the problem is a model itself, of full data, and not to be solved more exactly than one."""
        problem = run.problem
        full = problem.loss.quadratic and problem.is_dense
        return full and run.goal > FINEST * problem.scale and not run.generation

    def solve(self, run, doubted):
        """Solve the whole problem with no look before, where the start is not ``doubted`` or does not count;
        its certificate, or None."""
        found = yield from self._solve_on_moments(run)
        return found or (None if doubted else (yield from self._step_all(run, None)))

    def _solve_on_moments(self, run):
        if not (self._may_be_solved(run) and run.problem.suits_moments):
            return None
        stamp, start = run.ledger.stamp(), (run.at.w.copy(), RIGHT * run.goal)
        [found] = yield Phase("moments", 1, lambda _: start)
        if found is None:
            self.is_hard = run.problem.moments_are_safe
            return None
        certificate, touched = found
        run.certifies_afresh = True
        run.go_to(stamp, certificate.w.copy(), certificate.b, touched)
        return certificate

    def sweep(self, run, certificate):
        """Solve the whole problem by sweeps over the columns, if these may do; return whether they have."""
        problem, (n, p), penalty = run.problem, run.problem.shape, run.problem.penalty
        swept = self._may_be_solved(run) and problem.uniform and penalty.alike and n * p <= LARGEST_SWEPT
        most_sweeps = min(MOST_SWEEPS, AFFORDED * run.most_passes)
        if self.is_hard or not (swept and penalty.l1 > 0.0 and most_sweeps >= FIRST_SWEEPS):
            return False
        wanted = np.count_nonzero(penalty.pull(certificate.correlations) > penalty.l1)
        most = p if penalty.l2 or p <= WIDE * n else MOST * p if p <= WIDER * n else 0
        if certificate.gap <= run.goal or not CALLED * p < wanted <= most:
            return False
        stamp, index = run.ledger.stamp(), np.arange(p)
        read = Read(None, index, run.at.w.copy(), run.at.point(), penalty, True)
        payload = read, RIGHT * run.goal, certificate.gap, most_sweeps
        [direction] = yield Phase("columns", 1, lambda _: payload)
        run.from_zero = not read.w.any()
        run.write(stamp, "newton", index, direction, RISE_OF_NEWTON)
        self.has_swept = bool(direction.move.any())
        self.is_hard = not self.has_swept
        return True

    def advance(self, run, certificate):
        """Steps of all coefficients; return whether they go well, and the certificate where they end, where
        it is known."""
        found = yield from self._step_all(run, certificate)
        if found or (yield from run.ridge.descend(run, certificate)):
            return True, found
        if run.ridge.serves:  # but few coefficients are called for
            return False, None
        found = yield from self._step_all(run, certificate, dear=True)
        return found is not None, found

    def _step_all(self, run, certificate, dear=False):
        """Newton steps of all coefficients of full data that are few, or of more where they may be ``dear``;
        the certificate where they end, None where they do not go well. The iterate may have none yet."""
        penalty, problem, at, place = run.problem.penalty, run.problem, run.at, None
        if not (penalty.has_zeros and self._price <= (DEAR_STEPS if dear else self._cheap)):
            return None
        if dear and not _calls_for_many(run, penalty, certificate):
            return None
        if certificate is not None:
            w, b, objective, _, correlations = certificate
            place = NewtonPoint(w, b, at.z, at.gradient, correlations, objective)
        stamp, most = run.ledger.stamp(), run.most_passes * problem.pass_size - run.touched
        payload = at.w.copy(), at.b, place, RIGHT * run.goal, most
        [(found, touched)] = yield Phase("steps", 1, lambda _: payload)
        before = (np.inf, np.inf) if certificate is None else (certificate.gap, certificate.objective)
        if found is None or found.gap > max(run.goal, TENTH * before[0]):
            self._price = np.inf
        if found is None or not found.objective < before[1]:
            run.touched += touched
            return None
        run.certifies_afresh = True
        run.go_to(stamp, found.w.copy(), found.b, touched)
        return found


class RidgeSteps:
    """Steps of all coefficients at once, for a penalty that makes no zeros, and the last ``moves``, which
    others are joined with; ``serves``: whether descents do, or may where many coefficients are called for."""

    def __init__(self, problem, moves):
        n, p = len(problem.y), problem.n_coefs
        self.moves, self._by_samples = moves, may_descend(problem) and suits_samples(problem)
        self.serves = may_descend(problem)
        products = p * n**2 if self._by_samples else n * p**2
        cheap = not problem.penalty.has_zeros and products <= CHEAP
        self._memory, self._every, self._before = Memory(), 1 if cheap else 0, np.inf
        self._promised = np.inf if self.serves and problem.size >= LEAST_SINGLE else 0.0

    def descend(self, run, certificate):
        """Steps of all coefficients on full data; return whether they are quick."""
        if not self._is_quick(run, certificate):
            return False
        problem, at, n_coefs = run.problem, run.at, len(run.at.w)
        stamp, point, shared = run.ledger.stamp(), at.point(), run.products.pay(EVERYTHING)
        read = Read(
            ("support", -1, 0), np.arange(n_coefs), at.w.copy(), point, problem.penalty, True,
            correlations=None if certificate is None else certificate.correlations,
        )  # fmt: skip
        roughly = not shared and run.gap * problem.scale <= WELL * max(self._promised, run.goal)
        # Beside the steps there is half a pass before them, and half a one for the next look.
        allowed = max(1.0, run.most_passes - run.touched / problem.pass_size - 1.0)
        payload = read, self._memory, self._every, ARRIVED * run.goal, SPAN if roughly else 0.0, allowed
        if shared:
            steps, model = descend(run.columns, *payload), run.columns.model(point)
            (place, self._memory), touched = yield from run.products.by_rows(steps, read, model)
            seen = arrived(problem, read, place, False)
        else:
            found = yield Phase("descent", 1, lambda _: (roughly, run.looks.streamed, *payload))
            [(place, seen, self._memory, touched)] = found
        self._promised = place.gap(problem.penalty, n_coefs) if roughly else 0.0
        if problem.penalty.is_zero and touched:
            # Nothing bounds steps along what the columns repeat: rounding may be all that has led there.
            seen = arrived(problem, read, place, True)
            before, after = (problem.weights @ problem.loss.value(problem.y, z) for z in (point.z, seen[0]))
            if not after <= before:
                run.touched, touched = run.touched + touched, 0
        if not touched:
            # Rounding hides what there is to be gained; whether nothing is, the other steps will tell.
            self.serves = False
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
        derivatives, once all steps have cost as much; where these are more than the data, others go on, but
        without any penalty, of which descents know all there is."""
        penalty, p, size = run.problem.penalty, len(run.at.w), run.problem.design.size
        begins = penalty.has_zeros and self._memory.is_empty
        if not self.serves or (begins and not (certificate and _calls_for_many(run, penalty, certificate))):
            return False
        n, price = (len(run.problem.y), OF_SAMPLES) if self._by_samples else (p, MATRIX)
        wide, gap = n * n > size, run.gap
        if penalty.is_zero and certificate is not None:
            gap = float(np.abs(certificate.correlations).max(initial=0.0))
        slow = gap > (SLOW if (wide and not penalty.has_zeros) or penalty.is_zero else TENTH) * self._before
        wide |= penalty.has_zeros
        if slow and (wide or run.touched >= price * n * size):
            lost = self._every == 1 and (self._memory.solve is None or run.gap <= SPAN)
            lost |= penalty.free is not None  # whose steps are made from the columns
            self.serves = penalty.is_zero or not (wide or lost)
            self._every = self._every if wide else 1 if self._every else STEPS
        self._before = gap
        return self.serves

    def join(self, run, certificate):
        """A step of all coefficients, joined with those before it."""
        stamp = run.ledger.stamp()
        design, beside = run.problem.design, self.beside(run, certificate.w)
        # The gradient is joined where that is cheaper than a Newton step; of several outputs nothing is.
        joined = beside is not None and (design.is_sparse or design.size >= LARGE)
        read = Read(
            ("support", -1, 0), run.active, certificate.w, run.at.point(), run.penalty,
            True, 0 if joined else PRODUCTS, certificate.correlations, beside,
        )  # fmt: skip
        direction = yield from newton_direction(run, read, EVERYTHING)
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


def may_descend(problem):
    """Whether descents of all coefficients serve: of a smooth objective, or of one that an l2 part bounds."""
    penalty, n, p = problem.penalty, len(problem.weights), problem.n_coefs
    few = suits_samples(problem) or p <= (1 if penalty.is_zero else FEW_SAMPLES) * n
    smooth = not penalty.has_zeros or (penalty.l2 > 0.0 and penalty.free is None)
    return problem.is_dense and few and smooth and not problem.loss.quadratic


def _calls_for_many(run, penalty, certificate):
    """Whether so many coefficients of an elastic net are not zero, or not to be, that all had better move,
    and not only until a step has been made along what all columns have in common."""
    c, support = certificate.correlations, penalty.support(certificate.w)
    if np.count_nonzero(support | (penalty.pull(c) > penalty.l1)) <= MANY * len(c):
        return False
    design, model = run.problem.design, run.columns.model(run.at.point())
    v = design.mul(c)
    image = design.tmul(model.centred_times(v) if run.columns.follows else model.times(v))
    run.touched += 2 * design.size
    left = c - (c @ c) / max(c @ image, TINY) * image
    return np.count_nonzero(support | (penalty.pull(left) > penalty.l1)) > MANY_AFTER * len(c)
