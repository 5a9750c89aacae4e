"""Newton steps on the support, its signs held fixed.

Where the signs of the coefficients stay as they are, the penalty is smooth and the quadratic model

    f(d) = -<p, v> + |v|^2_omega / 2 + R(w + d) - R(w),      v = X d,  p = -gradient of the loss,

has one linear system for its minimiser. Block steps find the support; the Newton step then joins what
they have found one by one. Coordinates that would change their sign become zero.

The iterative form is a generator that asks for the products it needs, ``(operation, vector)``, so that
one worker can do them in place and several can share them.
"""

import numpy as np

RESIDUAL = 0.1
MOST_PRODUCTS = 40
LENGTHS = 0.4 ** np.arange(8)


def newton_step(w, pull, omega, penalty, centred):
    """Direction on the support by preconditioned conjugate gradients; a generator of products.

    Parameters
    ----------
    w : ndarray of shape (k,)
        Coefficients of the support; none is zero if the penalty makes zeros.
    pull : ndarray of shape (n,)
        Minus the weighted loss gradient.
    omega : ndarray of shape (n,)
        Weights of the quadratic model.
    penalty : ElasticNetPenalty
    centred : bool
        Whether an intercept follows the margins, so that ``v`` is centred in the weights ``omega``.

    Yields
    ------
    (operation, vector)
        Name of a product of :class:`~sk_asyncprox.design.Design` and its argument; the product of the
        support's columns is to be sent back.

    Returns
    -------
    move : ndarray of shape (k,) or None
        None when no length lowers the model.
    v : ndarray of shape (n,)
        Change of the margins, not centred.
    """
    sign = np.sign(w)
    slope = (yield "tmul", pull) - penalty.l1 * sign - penalty.l2 * w
    diagonal = (yield "column_squares", omega) + penalty.l2
    x, v = yield from _conjugate_gradient(slope, diagonal, omega, penalty.l2, centred)
    for length in LENGTHS:
        new = w + length * x
        move, image = length * x, length * v
        if penalty.has_zeros:
            flips = np.sign(new) != sign
            if flips.any():
                new[flips] = 0.0
                move = new - w
                image = yield "mul", move
        if _model(w, new, image, pull, omega, penalty, centred) < 0.0:
            return move, image
    return None, None


def _model(w, new, v, pull, omega, penalty, centred):
    change, ridge = penalty.difference(w, new)
    v = v - (omega @ v) / omega.sum() if centred else v
    return change - pull @ v + 0.5 * (ridge + omega @ (v * v))


def _conjugate_gradient(target, diagonal, omega, l2, centred):
    """Roughly solve ``(X' diag(omega) X + l2) x = target``; a generator. Returns ``x`` and ``X x``."""
    inverse = 1.0 / np.maximum(diagonal, np.finfo(float).tiny)
    x, v, residual = np.zeros_like(target), np.zeros_like(omega), target.copy()
    scaled = inverse * residual
    direction, size = scaled, residual @ scaled
    goal, total = RESIDUAL**2 * size, omega.sum()
    for _ in range(MOST_PRODUCTS):
        if size <= goal:
            break
        along = yield "mul", direction
        weighted = omega * along
        if centred:
            weighted -= (weighted.sum() / total) * omega
        image = (yield "tmul", weighted) + l2 * direction
        bend = direction @ image
        if bend <= 1e-14 * (direction @ (diagonal * direction)):
            break
        x += (size / bend) * direction
        v += (size / bend) * along
        residual -= (size / bend) * image
        scaled = inverse * residual
        size, last = residual @ scaled, size
        direction = scaled + (size / last) * direction
    return x, v


def in_place(generator, design):
    """Run a generator of products in one go, on a design of the support.

    Returns
    -------
    result : object
        What the generator returns.
    touched : int
        Stored entries touched.
    """
    touched, answer = 0, None
    while True:
        try:
            operation, vector = generator.send(answer)
        except StopIteration as stop:
            return stop.value, touched
        answer = getattr(design, operation)(vector)
        touched += design.size
