"""Lengths of steps: the exact one along a block's direction, measured at the write, and the best along a ray
on which coefficients change their signs.

Let ``phi(theta)`` be the loss at ``z + theta v`` plus the penalty, its l1 part bounded by convexity:
``phi'(theta) = <weights * loss'(z + theta v), v> + change + theta l2 |d|^2``. For the squared loss the
minimiser over [0, 1] is closed. For other losses Newton's length is tried; it is kept if ``phi`` still
falls there, else it is shortened, never below the length ``theta_0`` that a quadratic lying above the
loss proves safe. Since ``phi`` is convex, the objective falls by at least ``theta_0 s / 2``,
``s = -phi'(0)``, whatever was written since the direction was computed.
"""

from typing import NamedTuple

import numpy as np

LENGTHS = 0.4 ** np.arange(6)
"""Lengths of the projected step that are tried, until it is as good as the best point of the ray."""


class Direction(NamedTuple):
    """A block's full step and what it does to the margins."""

    new: np.ndarray
    """Coefficients of the block after the full step, shape (k,)."""

    move: np.ndarray
    """The full step ``new - old``, shape (k,)."""

    v: np.ndarray
    """Change of the margins, shape (n,)."""

    shift: float
    """Change of the intercept that is part of ``v``; one per output where there are several."""

    change: float
    """``l1 (|new|_1 - |old|_1) + l2 <old, move>``."""

    ridge: float
    """``l2 |move|^2``."""

    touched: int
    """Stored entries touched to compute it."""

    slope: float = np.nan
    """Predicted fall per unit of step at the read, ``-phi'(0)`` there; of block steps."""

    damping: float = 1.0
    """Factor that makes an inexact full step as safe as the exact one (see ``block_steps``)."""

    instead: np.ndarray | None = None
    """Change of the margins by a step that this one is taken instead of."""


def clipped_ratio(slope, size):
    """``slope / size`` clipped to [0, 1]; for ``size = 0``: 1 if the slope is positive, else 0."""
    if slope <= 0.0:
        return 0.0
    return min(1.0, slope / size) if size > 0.0 else 1.0


def full_step(problem, z, gradient, direction, rise_allowed):
    """Slope, margins and loss gradient of the full step, as :func:`exact_step` has them, where it is nearly
    as good as the exact one; else None.

    A shortened step leaves a rest of every coefficient that was to become zero, and a beginning of every one
    that was to leave zero for a moment only; so a full step is worth a little of the fall. ``rise_allowed``
    is the slope at its end, relative to the fall's at its beginning, up to which it is taken: 0 where the
    exact step is full as well, 1 where a quadratic would fall no more.
    """
    loss, y, weights, v = problem.loss, problem.y, problem.weights, direction.v
    slope = -((weights * gradient) @ v + direction.change)
    if slope <= 0.0:
        return None
    z_new = z + v
    g_new = loss.gradient(y, z_new)
    rise = (weights * g_new) @ v + direction.change + direction.ridge
    if rise > rise_allowed * slope:
        return None
    if rise > 0.0 and not loss.quadratic:
        change = weights @ (loss.value(y, z_new) - loss.value(y, z)) + direction.change
        if change + 0.5 * direction.ridge > 0.0:
            return None
    return slope, z_new, g_new


def exact_step(problem, z, gradient, direction):
    """Length of the step in [0, 1], ``-phi'(0)``, and margins and loss gradient after it; those before are
    left as they are. Losses that are not quadratic have their gradient evaluated four times, at most."""
    loss, y, weights, v = problem.loss, problem.y, problem.weights, direction.v

    def at(theta):
        z_new = z + theta * v
        g_new = loss.gradient(y, z_new)
        return (weights * g_new) @ v + direction.change + theta * direction.ridge, z_new, g_new

    slope = -((weights * gradient) @ v + direction.change)
    if slope <= 0.0:
        return 0.0, slope, z, gradient
    theta = clipped_ratio(slope, weights @ loss.bend(y, gradient, v) + direction.ridge)
    rise, z_new, g_new = at(theta)
    if loss.quadratic:
        return theta, slope, z_new, g_new
    if rise > 0.0:
        safe = clipped_ratio(slope, (weights * loss.majorant(y, z)) @ (v * v) + direction.ridge)
        for last in (False, False, True):
            if not (rise > 0.0 and theta > safe):
                break
            theta = safe if last else max(safe, theta * slope / (slope + rise))
            rise, z_new, g_new = at(theta)
    return theta, slope, z_new, g_new


class Ray(NamedTuple):
    """The best point on a ray."""

    length: float
    move: np.ndarray


def along_ray(w, x, fall, bend, penalty):
    """Minimiser of the objective along ``w + t x``, kinks included (with ``w >= 0``: up to the first). Where
    ``w`` is zero, ``x`` is; ``fall`` and ``bend`` are minus the slope at ``t = 0`` and the curvature.

    Where more coefficients than samples are non-zero, the full step is a direction in the null space of the
    quadratic; going to a kink makes one of them exactly zero and so leads out of it.
    """
    back = np.flatnonzero(x * np.sign(w) < 0)
    kinks = -w[back] / x[back]
    order = np.argsort(kinks)
    back, kinks = back[order], kinks[order]
    jumps = np.full(len(back), np.inf) if penalty.positive else 2.0 * penalty.on(back).l1s * np.abs(x[back])
    passed = np.concatenate([[0.0], np.cumsum(jumps)[:-1]])
    before = bend * kinks - fall + passed
    stop = np.flatnonzero(before + jumps >= 0.0)
    k = int(stop[0]) if len(stop) else len(kinks) - 1
    if before[k] > 0.0 and bend > 0.0:
        length = kinks[k] - before[k] / bend
        return Ray(length, length * x)
    move = kinks[k] * x
    move[back[k]] = -w[back[k]]
    return Ray(kinks[k], move)
