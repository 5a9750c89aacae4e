"""Steps where the penalty makes no zeros: the best point of a small subspace.

Once the images ``X d`` of some moves ``d`` are known, the objective on all their combinations costs no
product. So a direction is joined with the last moves and with the coefficients themselves, and the objective
is minimised over all of them by Newton's method. With the scaled gradient for the direction these are
conjugate gradients (on a quadratic exactly), which have a certificate at every iteration and need not begin
anew as the curvature changes.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg.blas import daxpy
from scipy.linalg.lapack import dposv, dpotrs

from .._precision import TINY
from ..data.two_parts import TwoParts
from .bcd_iterate import Point
from .block_steps import direction_to
from .newton_cg import newton_step

STEPS, ENOUGH = 4, 0.01
"""Newton steps in the subspace, at most, and the share of the first one's fall below which none follows."""

TRIALS, TOO_FAR = 4, 0.5
"""Lengths of such a step, at most, and the rise at its end, relative to the fall at its beginning, beyond
which it is shortened."""

NEAR = 0.1
"""Slope at the end of a step, relative to the one at its beginning, where it has landed."""

NEARLY_ALIKE = 1e-8
"""Added to the diagonal of the subspace's matrix, relative to it: moves may point the same way."""

CANCELLED = 100.0
"""Sizes of the terms, relative to their sum's, beyond which a combination is not trusted: its image would be
rounding, and the margins no longer those of the coefficients."""

IN_MEMORY = 1_000_000
"""Stored entries of sparse columns from which on every product reads them from memory: half the bytes save a
quarter of its time."""

IN_DOUBLE = 4
"""Products of a step in single precision that are made in double, where its columns have no filled part:
copying them does not pay for fewer."""

FEW = 4.0
"""Stored entries, for one in the support, from which on the support's alone are squared."""

LITTLE = 0.3
"""Share of a Newton step in a combination below which its model has trusted in too little curvature."""


class Beside(NamedTuple):
    """Moves of all coefficients that a direction is joined with."""

    moves: tuple = ()
    """Arrays of shape (p,), the newest first."""

    images: tuple = ()
    """Products of the design with them, shape (n,)."""

    dots: np.ndarray = np.empty((0, 0))
    """Their products with one another."""

    def led_by(self, move, image):
        """The same with another move before them."""
        k = len(self.moves)
        dots = np.empty((k + 1, k + 1))
        dots[1:, 1:] = self.dots
        dots[0, 0] = move @ move
        dots[0, 1:] = dots[1:, 0] = [move @ old for old in self.moves]
        return Beside((move, *self.moves), (image, *self.images), dots)

    def newest(self, most):
        """The newest of them."""
        return Beside(self.moves[:most], self.images[:most], self.dots[:most, :most])


def joint_step(part, read, pull, model):
    """A Newton step, where nothing makes zeros joined with what is beside it; a generator of products as in
    :func:`~sk_asyncprox.kernels.newton_cg.newton_step`.

    ``read.effort`` is the most products of the Newton step; with 0 (then of all columns, with correlations)
    there is the scaled gradient in its place. Returned are the move, the margins' change without the
    intercept's, that of the intercept (None where it is to follow), and the margins' change by the Newton
    step that this step is taken instead of, or None.
    """
    if read.effort:
        design, squares = part.problem.design, None
        sparse = design.is_sparse and part.problem.loss.n_outputs == 1
        size = design.column_sizes()[read.index].sum() if sparse else 0
        filled = isinstance(part.kept(read.key), TwoParts)
        if part.problem.loss.quadratic and (filled or size * FEW > design.size):
            # They are the same in every step, and kept of all columns.
            squares = design.column_squares(model.diagonal)[read.index]
        in_double = 0 if filled else IN_DOUBLE if size >= IN_MEMORY else read.effort
        known = read.correlations, read.enough, squares, in_double
        move, v = yield from newton_step(read.w, pull, model, read.penalty, part.follows, read.effort, *known)
        if read.beside is None or lands(part, read, move, v, pull, model):
            return move, v, None, None
    else:
        move = scaled_gradient(part.problem, read, model)
        v = yield "mul", move
    return join(part, read, move, v, model)


def direction_of(part, read, step, model, touched):
    """The step's :class:`.line_search.Direction`. Its move is the one whose image is known:
    what rounding leaves of a small one between the coefficients before and after is another."""
    move, v, shift, instead = step
    direction = direction_to(part, read, read.w + move, v, model, touched, shift)
    return direction._replace(move=move, instead=instead)


def followed(part, v, model):
    """The margins' change after the intercept has followed, if there is one."""
    return part.problem.shifted(v, model.shift(v)) if part.follows else v


def lands(part, read, move, v, pull, model):
    """Whether a step ends near the lowest point of its line: then nothing is to be gained beside it."""
    problem, l2, v = part.problem, read.penalty.l2s, followed(part, v, model)
    fall = pull @ v - (l2 * read.w) @ move
    gradient = problem.loss.gradient(problem.y, read.point.z + v)
    left = -(problem.weights * gradient) @ v - (l2 * (read.w + move)) @ move
    return abs(left) <= NEAR * fall


def scaled_gradient(problem, read, model):
    """Minus the gradient, every entry divided by its curvature, the losses' being taken as all alike; of
    one output."""
    slope = read.correlations - read.penalty.l2s * read.w
    squares = problem.design.column_squares(problem.weights)
    return slope / (model.diagonal.sum() * squares + read.penalty.l2s)


def join(part, read, move, v, model):
    """The best combination of a move and what is beside it, the first of which are the coefficients, as from
    :func:`joint_step`; the move itself where the combination would be rounding."""
    basis = read.beside.led_by(move, v)
    a, shift = Subspace(part, basis, read.penalty.l2s).minimise(read.point, model)
    joined, image = a[0] * move, a[0] * v
    for size, old, its_image in zip(a[1:], read.beside.moves, read.beside.images, strict=True):
        daxpy(old, joined, a=size)
        daxpy(its_image, image, a=size)
    terms = np.abs(a) @ np.sqrt(basis.dots.diagonal())
    if not terms <= CANCELLED * np.sqrt(joined @ joined):
        return move, v, None, None
    if read.effort == 0 or a[0] >= LITTLE:
        return joined, image, shift, None
    return joined, image, shift, followed(part, v, model)


class Subspace:
    """The objective at ``w + a_1 d_1 + ... + a_k d_k``, as a function of ``a``; the moves ``d_i`` are the
    basis, of which the second one is ``w``."""

    def __init__(self, part, basis, l2):
        self._part, self._images = part, np.array(basis.images)
        if isinstance(l2, float):
            self._ridge = l2 * basis.dots
        else:
            moves = np.array(basis.moves)
            self._ridge = (moves * l2) @ moves.T
        self._pull = self._ridge[1]

    def minimise(self, point, model):
        """Newton's method from ``a = 0``, where the margins are at ``point``: ``a``, and the intercept's
        change."""
        part, first = self._part, None
        a, shift = np.zeros(len(self._images)), 0.0
        left = self._left(a, point.gradient)
        for _ in range(STEPS):
            solve = self._solver(model)
            step = solve(left)
            first = left @ step if first is None else first
            a, along, point, left = self._walk(a, step, left @ step, point, model)
            shift = shift + along
            if part.problem.loss.quadratic or left @ solve(left) <= ENOUGH * first:
                break
            model = part.model(point)
        return a, shift

    def _left(self, a, gradient):
        """Minus the slope of the objective in ``a``."""
        return -(self._images @ (self._part.problem.weights * gradient)) - self._pull - self._ridge @ a

    def _solver(self, model):
        """What solves systems with the matrix of the second derivatives."""
        times = model.centred_times if self._part.follows else model.times
        H = self._images @ np.array([times(image) for image in self._images]).T + self._ridge
        size = np.sqrt(np.maximum(H.diagonal(), TINY))
        H /= np.outer(size, size)
        H.flat[:: len(size) + 1] = 1.0 + NEARLY_ALIKE
        factor, _, failed = dposv(H, size)
        return lambda left: 0.0 * left if failed else dpotrs(factor, left / size)[0] / size

    def _walk(self, a, step, fall, point, model):
        """Take the step, shortened where the objective has risen steeply at its end: the new ``a``, the
        intercept's change, the new point and what is left of the slope there."""
        part, problem = self._part, self._part.problem
        for trial in range(TRIALS):
            v = step @ self._images
            shift = model.shift(v) if part.follows else 0.0
            z = problem.shifted(point.z + v, shift)
            gradient = problem.loss.gradient(problem.y, z)
            left = self._left(a + step, gradient)
            rise = -(left @ step)
            if rise <= TOO_FAR * fall or trial == TRIALS - 1:
                break
            step, fall = step * (fall / (fall + rise)), fall * (fall / (fall + rise))
        return a + step, shift, Point(z, gradient, point.least), left
