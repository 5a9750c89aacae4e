"""Newton steps on the support of the working set, by conjugate gradients."""

import numpy as np

from .._precision import TINY
from ..kernels.bcd_iterate import Read
from ..kernels.subspace_steps import direction_of, joint_step
from .rounds_script import Phase

RISE_OF_NEWTON = 0.9
"""Slope at the full step, relative to the first, up to which it is written instead of the exact one."""

PRODUCTS = 40
"""Products of a Newton step, at most."""

NEARLY_ALL = 0.9
"""Share of the active columns' entries from which on a Newton step on the support uses all of them: products
with the others cost less than copying the support."""

LANDED, CLOSE, RIGHT = 1.0, 3.0, 0.5
"""Share of the gap wanted that Newton steps of the problem itself may leave; and up to which gap it is the
last."""


class NewtonSteps:
    """Newton steps on the support: which it was the last time, and how often it has been another."""

    def __init__(self):
        self._support, self._version = np.empty(0, int), 0

    def step(self, run):
        """A Newton step, no better than to end the run where the model is the problem itself."""
        stamp, (key, support), at = run.ledger.stamp(), self._columns(run), run.at
        enough = 0.0
        if run.is_itself():
            # Slope, in every coefficient, that leaves about the gap wanted.
            share = LANDED if run.gap * run.problem.scale > CLOSE * run.goal else RIGHT
            enough = share * run.goal / max(np.abs(at.w).sum(), TINY)
        penalty = run.penalty.on(support)
        read = Read(key, support, at.w[support], at.point(), penalty, True, PRODUCTS, enough=enough)
        direction = yield from newton_direction(run, read, support)
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


def newton_direction(run, read, columns):
    """A Newton step, whose products the workers share by rows where the columns are worth that: one
    meeting per product of the matrix of the system, where shares of columns would take two."""
    if not run.products.pay(columns):
        [direction] = yield Phase("newton", 1, lambda _: read)
        return direction
    part, point = run.columns, read.point
    model, pull = part.model(point), -part.problem.weights * point.gradient
    step, touched = yield from run.products.by_rows(joint_step(part, read, pull, model), read, model)
    return direction_of(part, read, step, model, touched)
