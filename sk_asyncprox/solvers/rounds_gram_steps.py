"""Steps to the solution of the model on the Gram matrix of the working set."""

import numpy as np

from .._precision import TINY
from ..kernels.bcd_iterate import Read
from ..kernels.block_steps import direction_to
from ..kernels.gram_cost import WIDEST_GRAM, GramRule
from ..kernels.quadratic_minimiser import SHARE_OF_GAP
from .rounds_gram_cache import GramMatrix
from .rounds_newton_cg import RISE_OF_NEWTON
from .rounds_script import Phase

WIDEST_GRAM_ONCE = 128
"""Columns of a Gram matrix that serves one step, at most: beyond, it costs more than the step's products."""

LARGE_ONCE = 500_000
"""Stored entries from which on a matrix that serves one round, as the curvature changes, is left out: it has
cost more than the rounds that it spared."""

RIGHT = 0.9
"""Share of the gap wanted that a model of a squared loss is solved to."""

STUCK, FILLED = 0.9, 100_000_000
"""Gap after a round, relative to that before, beyond which a model is solved as well as rounding allows, and
beside free coefficients from the columns; and products that this may cost."""


class GramSteps:
    """Steps of all active columns at once, from the model on their Gram ``matrix``, where the ``rule`` says
    that one pays."""

    def __init__(self, problem, columns, n_workers):
        self.matrix, self.rule = GramMatrix(columns, n_workers), GramRule(problem.size)

    def _form(self, run):
        """Form of the Gram matrix that the next model is solved on; None where it is solved on none."""
        problem, index = run.problem, run.active
        k, full = len(index), problem.design.is_full(index)
        # A matrix of all columns that serves for one Newton step costs more than the step's products.
        widest = WIDEST_GRAM_ONCE if self._once(run) else WIDEST_GRAM
        if run.penalty.widest is not None:
            return "filled" if k <= run.penalty.widest else None
        if full:
            return "filled" if k <= min(widest, max(256, 2 * problem.design.shape[0])) else None
        lasting = problem.loss.quadratic
        if (self._once(run) and k > widest) or not (lasting or problem.design.size < LARGE_ONCE):
            return None
        wanted = self.matrix.missing(index) if lasting else k
        bands = problem.loss.n_outputs == 1 and run.penalty.alike
        return self.rule.choose(run.products.sizes[index], len(problem.sample_weights), wanted, bands)

    def _once(self, run):
        """Whether a Gram matrix serves for one step only: no zeros are made, and the curvature changes."""
        return not (run.penalty.has_zeros or run.problem.loss.quadratic)

    def solve(self, run, certificate):
        """A step to the solution of the model on a Gram matrix, if one pays; return whether it does."""
        if self._loses_digits(run):
            return (yield from self._solve_beside_free(run))
        form = self._form(run)
        if form is None:
            return False
        stamp, index, point = run.ledger.stamp(), run.active, run.at.point()
        key = "blocks" if len(run.blocks) == 1 else "gram", run.generation, 0
        fresh = not np.array_equal(index, self.matrix.index)
        Q, model = yield from self._matrix_of(run, form, key, index, run.columns.model(point))
        if Q is None:
            return False
        beside = run.ridge.beside(run, certificate.w) if self._once(run) else None
        read = Read(key, index, run.at.w[index], point, run.penalty.on(index), True, beside=beside)
        # Nothing but the next start depends on the solution of a penalty that will be lowered; nor on columns
        # of full data that are new, as others are missing then. Of a squared loss the model is the problem.
        lowered, quadratic = run.penalty.l1 > run.problem.penalty.l1, run.problem.loss.quadratic
        some = len(index) < run.problem.n_coefs
        roughly = lowered or (quadratic and fresh and some and run.problem.is_dense)
        # Where the gap wanted was reached and the run goes on, little is to be gained on the zero model.
        enough = RIGHT * run.goal if certificate.gap > run.goal else SHARE_OF_GAP * certificate.gap
        # The gap of a model is another one than the certificate's, which may be larger.
        enough = enough if quadratic and not lowered and run.fall <= STUCK else 0.0
        last = quadratic and run.looks.streamed and not lowered
        ridge = self.matrix.ridge if last else None
        payload = read, Q, model, certificate.correlations[index], roughly, enough, ridge
        if run.looks.streamed and beside is None:
            direction = yield from self._ahead_of(run, stamp, payload)
        else:
            [direction] = yield Phase("model", 1, lambda _: payload)
        if direction is not None:
            run.write(stamp, "newton", index, direction, RISE_OF_NEWTON)
        if beside is not None:
            run.ridge.remember(run, direction)
        return True

    def _loses_digits(self, run):
        """Whether steps are slow beside free coefficients, and those that lose no digits not too dear."""
        problem, n, k = run.problem, len(run.at.z), len(run.active)
        if problem.penalty.free is None or problem.loss.n_outputs > 1 or n * k * min(n, k) > FILLED:
            return False
        return run.fall > STUCK and run.penalty.l1 == problem.penalty.l1

    def _solve_beside_free(self, run):
        stamp, index = run.ledger.stamp(), run.active
        key = "blocks" if len(run.blocks) == 1 else "gram", run.generation, 0
        read = Read(key, index, run.at.w[index], run.at.point(), run.penalty.on(index), True)
        payload = read, RIGHT * run.goal
        [direction] = yield Phase("beside free", 1, lambda _: payload)
        run.write(stamp, "newton", index, direction, RISE_OF_NEWTON)
        return True

    def _ahead_of(self, run, stamp, payload):
        """The step to where the model is solved; None where what is seen there tells that it is good, and it
        has been taken."""
        [(new, calls)] = yield Phase("minimum", 1, lambda _: payload)
        read, Q, model, *_ = payload
        w, shift = run.at.w.copy(), self.matrix.shift(new - read.w)
        w[read.index] = new
        sight = yield from run.looks.see(run, w, run.at.b + shift)
        change, ridge = read.penalty.difference(read.w, new)
        slope, rise = -sight.facts[0] - change, sight.facts[1] + change + ridge
        good = rise <= (RISE_OF_NEWTON * slope if run.problem.loss.quadratic else 0.0)
        if good and slope > 0.0 and run.at.least is None:
            run.go_to(stamp, w.copy(), sight.b, calls * Q.size, z=sight.z, gradient=sight.gradient)
            return None
        shift = sight.b - run.at.b
        v = sight.z - read.point.z - shift
        return direction_to(run.columns, read, new, v, model, calls * Q.size, shift)

    def _matrix_of(self, run, form, key, index, model):
        """The Gram matrix of the columns in that form, and the model that it was computed in."""
        matrix = self.matrix
        if form == "banded":
            [(Q, touched)] = yield Phase("bands", 1, lambda _: (key, index, model))
            run.touched += touched
            if Q is not None:
                return Q, model
            self.rule.bands = False
            form = self._form(run)
        if form is None:
            return None, None
        # As good as the model is: by a Newton step the gap falls with the square of what it fell by before.
        wanted = RIGHT * run.goal / max(TINY, run.gap * run.problem.scale)
        yield from matrix.renew(key, index, model, max(run.fall**2, wanted))
        run.touched, matrix.touched = run.touched + matrix.touched, 0
        return matrix.Q, matrix.model
