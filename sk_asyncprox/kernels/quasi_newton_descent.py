"""Descent on full data where the penalty makes no zeros, or few: Newton and quasi-Newton steps.

All coefficients and the intercept move at once, so there are no working sets. A step costs one product with
the design and one with its transpose. What the last steps have told of the second derivatives shortens
the next ones (L-BFGS); where the matrix of second derivatives is cheap, or the steps are slow without, it is
what they begin with: of all coefficients, or one for every output, as if all samples had the same curvature.
Of an elastic net a step stays where no sign changes, so that the objective is smooth along it.
"""

from math import log
from typing import NamedTuple

import numpy as np

from .._precision import TINY
from ..losses.base import MARGINS_AT_ONCE
from ..losses.curvature import learnt
from .hessian_solvers import gram_solver, newton_solver
from .lbfgs import Face, Memory

STEPS, STEPS_OF_SEVERAL, MORE, TENTH = 10, 20, 20, 0.1
"""Steps between two certificates, of one output and of several, whose certificates cost more; and so many
more, at most, where the gap has fallen to a tenth after these."""

NEAR, LANDED, TRIALS = 0.25, 0.5, 6
"""Slopes at the end of a step, relative to that at its beginning, where it has landed: as a rule, and of
several outputs, where another length costs as much as a step does; and lengths, at most."""

LONGER = 4.0
"""Most that a length grows by at a time."""

ROUNDING = 1e-20
"""Fall that a step promises, relative to the scale, up to which it is rounding."""

PACE, ANEW, MANY = 4, 4.0, 2.0
"""After every so many steps it is asked how many are left; and how many these must be for a Gram matrix: so
many, as the pairs begin anew, and so many times its cost in steps."""

OF_STEP = 18
"""Columns whose Gram matrix costs as much as a step."""


class DescentPoint(NamedTuple):
    """Where a descent is."""

    x: np.ndarray
    """Coefficients, followed by the change of the intercept, of all outputs, where there is one."""

    z: np.ndarray
    pull: np.ndarray
    """Minus the weighted loss gradient."""

    slope: np.ndarray
    """Minus the slope in ``x`` of the objective without its l1 part."""

    def gap(self, penalty, p):
        """Duality gap with ``p`` coefficients, were the intercept the best one; of no penalty, which has
        none, the largest slope."""
        if penalty.is_zero:
            return float(np.abs(self.slope[:p]).max(initial=0.0))
        if not penalty.has_zeros:
            return penalty.conjugate(self.slope[:p])
        w = self.x[:p]
        c = self.slope[:p] + penalty.l2s * w
        return float(penalty.value(w) + penalty.conjugate(c) - c @ w)


def descend(part, read, memory, every, goal, finest=0.0, allowed=np.inf):
    """Steps of all columns until the duality gap is about ``goal`` and at most a tenth of the first, or down
    to the share ``finest`` of that, and no more than are ``allowed``; a generator of products as in
    :func:`~sk_asyncprox.kernels.newton_cg.newton_step`, which returns the last :class:`DescentPoint` and the
    memory. The matrix of second derivatives is made anew after ``every`` so many steps, 0 for never.
    """
    problem, l2, p, point = part.problem, read.penalty.l2s, len(read.w), read.point
    smooth, least = not read.penalty.has_zeros, point.least
    x = np.append(read.w, np.zeros(problem.loss.n_outputs if problem.fit_intercept else 0))
    pull = (-problem.weights * point.gradient).astype(point.z.dtype, copy=False)
    few = STEPS if problem.loss.n_outputs == 1 else STEPS_OF_SEVERAL
    correlations, most = read.correlations, few + MORE
    if correlations is None:
        correlations = yield "tmul", pull
        most = 0 if problem.looks_stray(correlations) else most
    place = _place(problem, l2, x, point.z, pull, correlations)
    # Of little l2 part the gap at zero says nothing.
    first = min(place.gap(read.penalty, p), np.inf if smooth else problem.scale)
    goal = max(min(goal, TENTH * first), finest * first)
    for number in range(int(min(most, allowed))):
        gap = place.gap(read.penalty, p)
        if number and (gap <= goal or (number == few and gap > TENTH * first)):
            break
        anew = every and number % every == 0
        if anew:
            memory = Memory(solve=newton_solver(part, place, least, l2))
        elif smooth and memory.solve is None and _gram_pays(problem, number, first, gap, goal):
            memory = Memory(solve=gram_solver(problem, place, l2))
        face = Face(place.x, place.slope, read.penalty, p)
        x = face.step(memory)
        if not x @ face.slope > 0.0:
            memory, x = Memory(), face.slope
        if not x @ face.slope > ROUNDING * problem.scale:
            break
        v = yield "mul", x[:p]
        if problem.fit_intercept:
            v.reshape(problem.loss.n_outputs, -1)[:] += x[p:, None]
        gradient = place.pull / -problem.weights if anew else None
        length = _length(problem, l2, place, x, v, memory, face)
        least = learnt(least, problem, place.z, gradient, v, min(1.0, length)) if anew else least
        correlations = yield "tmul", pull
        v *= length
        # What was read at the start is not to be written to.
        z = np.add(place.z, v, out=place.z if number else None)
        new = _place(problem, l2, place.x + length * x, z, pull, correlations)
        memory, place = memory.after(length * x, place.slope - new.slope), new
    return place, memory


def arrived(problem, read, place, afresh):
    """Margins and loss gradient where a descent has ended; ``afresh``: from all of its way at once."""
    if not afresh:
        return place.z, place.pull / -problem.weights
    p = len(read.w)
    z = problem.design.mul(place.x[:p] - read.w)
    z += read.point.z
    if problem.fit_intercept:
        z.reshape(problem.loss.n_outputs, -1)[:] += place.x[p:, None]
    return z, problem.loss.gradient(problem.y, z)


def _place(problem, l2, x, z, pull, correlations):
    slope = correlations - l2 * x[: len(correlations)]
    if problem.fit_intercept:
        slope = np.concatenate([slope, pull.reshape(problem.loss.n_outputs, -1).sum(axis=1)])
    return DescentPoint(x, z, pull, slope)


def _length(problem, l2, place, x, v, memory, face):
    """Length of a step along ``x``, found by what is remembered, which changes the margins by ``v``; what
    pulls after it is left in the place's array.

    Of the first step nothing but the direction is known: it ends where the curvature at its beginning would
    have it end. Where classes are separable a longer one would lead to where curvatures differ much.
    """
    loss, p = problem.loss, problem.design.shape[1]
    fall, w, move, longest = face.slope @ x, place.x[:p], x[:p], face.longest(x)
    own, own_bend = (l2 * w) @ move + (place.slope - face.slope) @ x, (l2 * move) @ move
    length, near, before, rise_before = min(1.0, longest), NEAR, 0.0, -fall
    if loss.n_outputs > 1 and memory.solve is None:
        near = LANDED
    if memory.is_empty and fall > 0.0:
        length, near = min(longest, float(fall / (_bend(problem, place, v) + own_bend))), 1.0
    for trial in range(TRIALS):
        rise = own + length * own_bend - _ahead(problem, place, v, length)
        if abs(rise) <= near * fall or trial == TRIALS - 1 or (rise < 0.0 and length == longest):
            break
        bend = rise - rise_before
        wanted = length - rise * (length - before) / bend if bend > 0.0 else np.inf
        if rise < 0.0:
            before, rise_before = length, rise
        length = float(min(wanted, LONGER * length, longest))
    return length


def _runs(problem, place, v):
    """Runs of rows, which cost less than pages for whole arrays do: targets and weights there, what pulls,
    margins and their change, of all outputs."""
    outputs = problem.loss.n_outputs
    pull, Z, V = (vector.reshape(outputs, -1) for vector in (place.pull, place.z, v))
    run, weights = MARGINS_AT_ONCE // outputs, problem.sample_weights.astype(Z.dtype, copy=False)
    for a in range(0, Z.shape[1], max(1, run)):
        rows = slice(a, a + max(1, run))
        yield problem.y[rows], weights[rows], pull[:, rows], Z[:, rows], V[:, rows]


def _bend(problem, place, v):
    """Second derivative of the loss along ``v`` at the place."""
    bend = 0.0
    for y, weights, pull, _, V in _runs(problem, place, v):
        bends = problem.loss.bend(y, (pull / -weights).ravel(), V.ravel())
        bend += float((bends.reshape(V.shape) @ weights).sum())
    return bend


def _ahead(problem, place, v, length):
    """Leave in the place's array what pulls at the margins ``z + length v``, and return its product with
    ``v``."""
    along = 0.0
    for y, weights, pull, Z, V in _runs(problem, place, v):
        ahead = length * V
        ahead += Z
        gradient = problem.loss.gradient(y, ahead.ravel())
        np.multiply(gradient.reshape(V.shape), -weights, out=pull)
        along += float(np.vdot(pull, V))
    return along


def _gram_pays(problem, number, first, gap, goal):
    """Whether the Gram matrix saves more than it costs after ``number`` steps, from the ``first`` gap to this
    one: where columns are unlike each other and of one scale it saves little."""
    n, p = problem.features.shape
    cost = p * (1.0 + p / n) / OF_STEP
    if p > n or not number or number % PACE:
        return False
    first, gap, goal = (log(max(size, TINY)) for size in (first, gap, goal))
    return number * (gap - goal) > (ANEW + MANY * cost) * max(0.0, first - gap)
