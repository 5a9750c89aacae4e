"""Newton steps on the support, its signs held fixed.

Where the signs of the coefficients stay as they are, the penalty is smooth and the quadratic model

    f(d) = -<p, v> + v'Mv / 2 + R(w + d) - R(w),      v = X d,  p = -gradient of the loss,

has one linear system for its minimiser. Block steps find the support; the Newton step then joins what
they have found one by one. Coordinates that would change their sign become zero.

The iterative form is a generator that asks for the products it needs, ``(operation, *vectors)``, so that
one worker can do them in place and several can share them.
"""

import numpy as np

from .._precision import TINY
from .line_search import LENGTHS, along_ray

COST = {"mul": 1, "tmul": 1, "column_squares": 1, "curve": 2}
"""Times an operation reads the stored entries."""

FLAT, FLAT_IN_SINGLE = 1e-14, 1e-6
"""Curvature of a direction, relative to what it would be of orthogonal columns, that is rounding; and in
single precision."""

RESIDUAL = 0.2
"""Norm of the preconditioned residual, relative to the first, at which conjugate gradients end."""


def newton_step(
    w, pull, model, penalty, centred, most_products, correlations=None, enough=0.0, squares=None, double=None
):
    """Direction on the support by preconditioned conjugate gradients, of at most ``most_products``
    iterations, or until no entry of the residual is above ``enough``: the move and the margins' change, not
    centred.

    ``pull`` is minus the weighted loss gradient, ``correlations`` its products with the columns, and
    ``squares`` these columns' squares in the model, where they are known, and ``model`` one of the loss, in
    which an intercept follows where it is ``centred``; after so many products in ``double`` precision, if a
    number is given, the others are made in single. A generator of products: of tuples of the name of a
    product of :class:`~sk_asyncprox.data.design_matrix.Design` and its arguments, or of ``"curve"`` with the
    model, ``x`` and ``centred``, for ``X x`` and ``X' M X x``; sent back is the product with the columns.
    """
    sign = np.sign(w)
    if correlations is None:
        correlations = yield "tmul", pull
    free = sign != 0.0 if penalty.has_zeros else np.ones(len(w), bool)
    slope = np.where(free, correlations - penalty.l1s * sign - penalty.l2s * w, 0.0)
    squares = (yield "column_squares", model.diagonal) if squares is None else squares
    diagonal = squares + penalty.l2s
    x, v = yield from _conjugate_gradient(
        slope, free, diagonal, model, centred, len(pull), penalty.l2s, most_products, enough, double
    )
    times = model.centred_times if centred else model.times
    flips = np.sign(w + x) != sign
    if not (penalty.has_zeros and flips.any()):
        return x, v

    def change(move, v):
        linear, ridge = penalty.difference(w, w + move)
        return linear - pull @ v + 0.5 * (ridge + v @ times(v))

    ray = along_ray(w, x, slope @ x, v @ times(v) + x @ (penalty.l2s * x), penalty)
    goal = change(ray.move, ray.length * v)
    for length in LENGTHS:
        move = np.where(np.sign(w + length * x) == sign, length * x, -w)
        image = yield "mul", move
        if change(move, image) <= goal:
            return move, image
    return ray.move, ray.length * v


def _conjugate_gradient(target, free, diagonal, model, centred, n, l2, most_products, enough, double):
    """Roughly solve ``(X' M X + l2) x = target`` in the free coefficients, with the curvature ``M`` of the
    model; a generator. Returns ``x`` and ``X x``."""
    inverse = 1.0 / np.maximum(diagonal, TINY)
    x, v, residual = np.zeros_like(target), np.zeros(n), target.copy()
    scaled = inverse * residual
    direction, size = scaled, residual @ scaled
    goal, first_single, rounded = RESIDUAL**2 * size, most_products if double is None else double, False
    for k in range(most_products):
        if size <= goal or np.abs(residual).max() <= enough:
            break
        rough = k >= first_single
        unit = np.abs(direction).max() if rough else 1.0
        asked = (direction / unit).astype(np.float32) if rough else direction
        along, image = yield "curve", model, asked, centred
        image = np.where(free, (unit * image if rough else image) + l2 * direction, 0.0)
        bend = direction @ image
        if not bend > (FLAT_IN_SINGLE if rough else FLAT) * (direction @ (diagonal * direction)):
            if not rough:
                break
            first_single = most_products
            continue
        x += (size / bend) * direction
        rounded |= rough
        if not rounded:
            v += (size / bend) * along
        residual -= (size / bend) * image
        scaled = inverse * residual
        size, last = residual @ scaled, size
        direction = scaled + (size / last) * direction
    if rounded:
        v = yield "mul", x
    return x, v


def in_place(generator, design):
    """Run a generator of products in one go, on a design of the support: what it returns, and the stored
    entries touched."""
    touched, answer, size = 0, None, design.size
    while True:
        try:
            operation, *vectors = generator.send(answer)
        except StopIteration as stop:
            return stop.value, touched
        answer = product(design, operation, vectors)
        touched += COST[operation] * size


def product(design, operation, vectors):
    """The product that a Newton step asks for, with the columns of a design."""
    if operation != "curve":
        return getattr(design, operation)(*vectors)
    model, x, centred = vectors
    if design.is_sparse and x.dtype == np.float32:
        design = design.in_precision(x.dtype)
    v = design.mul(x)
    image = model.centred_times(v) if centred else model.times(v)
    return v, design.tmul(image.astype(x.dtype, copy=False))
