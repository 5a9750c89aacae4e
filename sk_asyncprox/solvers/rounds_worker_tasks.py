"""Work of the algorithm in rounds: certificates, Newton steps, Gram matrices, and shares of products."""

import numpy as np

from ..data.array_operations import runs
from ..kernels.block_steps import direction, direction_to
from ..kernels.column_sweeps import FINEST, sweep_columns
from ..kernels.free_coefficients import step_beside_free
from ..kernels.gram_matrix import add_rows
from ..kernels.gram_matrix_banded import banded
from ..kernels.newton_cg import COST, in_place
from ..kernels.newton_cg import product as multiplied
from ..kernels.proximal_newton import newton_steps
from ..kernels.quadratic_minimiser import MOST_CALLS, MOST_SWEEPS, SHARE_OF_GAP
from ..kernels.quasi_newton_descent import arrived, descend
from ..kernels.subspace_steps import direction_of, join, joint_step, lands
from ..losses.base import MARGINS_AT_ONCE
from ..problem.certificate import quadratic_bound

ROUGH_CALLS, SHARE_OF_ALL = 8, 1e-4
"""Calls of sweeps in a model that need not be solved exactly, at most: what they leave is left to the next
one; and the share of its gap that a model of all columns is solved to: it may be rounded."""


def split_rows(operation, vectors, run, model, n_outputs):
    """Arguments of the product with a run of rows, in which no intercept follows."""
    if operation == "curve":
        return model, vectors[1], False
    if operation == "mul":
        return vectors
    return [v.reshape(n_outputs, -1)[:, slice(*run)].ravel() for v in vectors]


def look(part, payload):
    """Work of the kind ``"look"``: a certificate, with the margins, intercept and loss gradient it has
    found."""
    problem, (w, *_) = part.problem, payload
    z, b, gradient, theta = problem.dual_point(*payload)
    correlations = problem.design.tmul(problem.weights * theta)
    return z, b, gradient, problem.conclude(w, b, z, theta, correlations)


def seen(part, payload):
    """Work of the kind ``"seen"``: of a run of rows, margins at a point and the loss gradient; products of
    all columns with that, weighted, and with its derivative where the intercept is to move; the sums of both;
    the slopes at the ends of the way from the margins before, and of a squared loss the products of its
    weighted gradient with itself and with the targets; and the entries touched."""
    (begin, end), before, gradient_before, w, b = payload
    problem, gradient = part.problem, np.empty(end - begin)

    def pulls_of(rows, z):
        here = slice(begin + rows.start, begin + rows.stop)
        gradient[rows] = u = problem.loss.gradient(problem.y[here], z)
        return problem.pulls(here, u)

    z, pulls, sums = problem.design.rows(begin, end).there_and_back(w, b, pulls_of)
    facts = _facts(problem, slice(begin, end), before, gradient_before, z, gradient)
    return z, gradient, sums, facts, 2 * (end - begin) * len(w), pulls


def margins(part, payload):
    """Work of the kind ``"margins"``: the same by few columns that are kept, without products of all."""
    (begin, end), before, gradient_before, index, w, b = payload
    problem, columns, sums = part.problem, part.few(index, slice(begin, end)), 0.0
    z, gradient = columns.mul(w) + b, np.empty(end - begin)
    for rows in runs(end - begin, MARGINS_AT_ONCE):
        here = slice(begin + rows.start, begin + rows.stop)
        gradient[rows] = u = problem.loss.gradient(problem.y[here], z[rows])
        sums = sums + problem.pulls(here, u).sum(axis=1)
    facts = _facts(problem, slice(begin, end), before, gradient_before, z, gradient)
    return z, gradient, sums, facts, columns.size


def _facts(problem, rows, before, gradient_before, z, gradient):
    weights = problem.weights[rows]
    way, facts = weights * (z - before), []
    if problem.loss.quadratic:
        shares = weights * gradient
        facts = shares @ gradient, shares @ problem.y[rows]
    return np.array([gradient_before @ way, gradient @ way, *facts])


def pull(part, payload):
    """Work of the kind ``"pull"``: of a run of rows, the product of all columns with the weighted loss
    gradient after the intercept's move, to first order; and the entries touched."""
    (begin, end), gradient, move = payload
    design = part.problem.design.rows(begin, end)
    pulls = part.problem.pulls(slice(begin, end), gradient)
    if move:
        pulls[0] += move * pulls[1]
    return design.tmul(pulls[0]), design.size


def settled(part, payload):
    """Work of the kind ``"settled"``: of a run of rows, margins and loss gradient after the intercept's move,
    the loss there, and the dual objective at factors of the dual point. That follows the move to first order,
    and stays feasible: ``u`` and ``1 - u`` do not change their signs."""
    (begin, end), before, gradient_before, move, factors = payload
    loss, z, gradient, values = part.problem.loss, before + move, np.empty(end - begin), 0.0
    for rows in (slice(a, a + MARGINS_AT_ONCE) for a in range(0, end - begin, MARGINS_AT_ONCE)):
        y, weights = part.problem.y[begin:end][rows], part.problem.weights[begin:end][rows]
        theta = -(gradient_before[rows] + move * loss.second_derivative(y, gradient_before[rows]))
        gradient[rows] = loss.gradient(y, z[rows])
        losses = loss.value(y, z[rows]), *(loss.dual_value(y, factor * theta) for factor in factors)
        values = values + np.array([weights @ each for each in losses])
    return z, gradient, values


def newton(part, read):
    """Work of the kind ``"newton"``: a Newton step on the support of the columns, done by one worker."""
    if read.key[0] != "support":
        part.let_go("support")
    block, model = part.block(read.key, read.index), part.model(read.point)
    pull = -part.problem.weights * read.point.gradient
    step, touched = in_place(joint_step(part, read, pull, model), block.design)
    return direction_of(part, read, step, model, touched)


def descent(part, payload):
    """Work of the kind ``"descent"``: steps of all coefficients by one worker; where they have ended, margins
    and gradient there, what they have told, and the entries touched. The next look at data that are
    ``streamed`` makes the margins anew."""
    roughly, streamed, read, *known = payload
    design, begin = part.single() if roughly else part.problem.design, read
    if roughly:
        begin = read._replace(point=read.point._replace(z=read.point.z.astype(design.dtype, copy=False)))
    (place, memory), touched = in_place(descend(part, begin, *known), design)
    if roughly and not np.isfinite(place.slope).all():
        return descent(part, (False, streamed, read, *known))
    seen = arrived(part.problem, read, place, roughly and not streamed)
    return place, seen, memory, touched + roughly * design.size


def minimum(part, payload):
    """Work of the kind ``"minimum"``: where the model on the Gram matrix of all active columns is nearly
    solved, and how often it was gone over."""
    read, Q, curvature, correlations, roughly, enough, ridge = payload
    weights, gradient = part.problem.weights, read.point.gradient
    # The norm of the model's target, less its part that no coefficients explain.
    square = read.w @ (Q @ read.w + 2.0 * correlations) + curvature.inverse_size(gradient, weights)
    q = Q @ read.w + correlations
    (n, p), quadratic = part.problem.shape, part.problem.loss.quadratic and square > 0.0
    whole = quadratic and enough > FINEST * square and len(q) == p

    def solved(w, share=SHARE_OF_GAP, **limits):
        w, _, touched = read.penalty.solve_on_gram(Q, q, w, square, enough, share=share, **limits)
        return w, 1 + touched // (MOST_SWEEPS * Q.size)

    # Of more columns than rows the support is not settled yet: a Newton step on it is soon for nothing.
    if whole or (quadratic and roughly and n < p):
        share, most = (SHARE_OF_ALL, MOST_CALLS) if whole else (SHARE_OF_GAP, ROUGH_CALLS)
        new, calls = solved(read.w, share, most_calls=most)
    else:
        new, calls = solved(read.w, enough=np.inf if roughly else enough)
    if ridge is None or not ridge.any():
        return new, calls
    # It holds on to where the way has begun: what is left of that is far less than the gap wanted.
    q += ridge * (new - read.w)
    new, more = solved(new, enough=enough)
    return new, calls + more


def model(part, payload):
    """Work of the kind ``"model"``: the step there."""
    read, Q, curvature, *_ = payload
    weights, gradient = part.problem.weights, read.point.gradient
    new, calls = minimum(part, payload)
    move = new - read.w
    (v, size), pull = _mul(part, read, move), -weights * gradient
    # On the matrix no data are touched; a call counts as a product of them, at most.
    touched = size + calls * min(size, Q.size)
    if read.beside is None or lands(part, read, move, v, pull, curvature):
        return direction_to(part, read, new, v, curvature, touched)
    return direction_of(part, read, join(part, read, move, v, curvature), curvature, touched)


def moments(part, payload):
    """Work of the kind ``"moments"``: the certificate by second moments where a squared loss has the gap
    wanted on these, and the entries touched; None where they do not serve."""
    problem, (w, goal) = part.problem, payload
    Q, q, square, *_ = problem.quadratic
    if not (problem.moments_are_safe and square > 0.0):
        return None
    if w.any() and not problem.certify_on_moments(w).objective <= 0.5 * square:
        w = np.zeros_like(w)
    w, gap, touched = problem.penalty.solve_on_gram(Q, q, w, square, goal)
    # On the matrix no data are touched, as in a model.
    calls = 1 + touched // (MOST_SWEEPS * Q.size)
    return (problem.certify_on_moments(w), calls * min(problem.size, Q.size)) if gap <= goal else None


def bands(part, payload):
    """Work of the kind ``"bands"``: the Gram matrix of sparse columns, if it is banded."""
    key, index, model = payload
    [(design, _)] = part.columns(key, index)
    return banded(design.X.T, model, part.problem.fit_intercept), design.size


def _mul(part, read, move):
    """Product of the columns with ``move``, and their stored entries."""
    design, index = part.problem.design, read.index
    if design.is_sparse:
        columns = part.block(read.key, index).design
        return columns.mul(move), columns.size
    if len(index) < design.shape[1]:
        whole = np.zeros(design.shape[1])
        whole[index] = move
        move = whole
    return design.mul(move), design.shape[0] * len(index)


def gram(part, payload):
    """Work of the kind ``"gram"``: share of a Gram matrix that some rows make up, of sparse columns all of
    it."""
    key, index, fresh, dtype, model, rows = payload
    k, wanted = len(index), np.arange(len(index)) if fresh is None else fresh
    Q, sums = np.zeros((len(wanted), k)), np.zeros((k, part.problem.loss.n_outputs))
    columns, rows = part.rows_of_columns(key, index, dtype, rows)
    part.let_go("support")
    add_rows(columns, model, rows, dtype, wanted, Q, sums)
    sizes = (design.size if design.is_sparse else model.n_samples * len(at) for design, at in columns)
    return Q, sums, sum(sizes)


def product(part, payload):
    """Work of the kind ``"product"``: a worker's share of the columns, and the product with it."""
    pieces, vector = payload
    designs = [part.block(key, index).design for key, index in pieces]
    return [design.tmul(vector) for design in designs], sum(design.size for design in designs)


def rows_product(part, payload):
    """Work of the kind ``"rows_product"``: a product with a worker's share of the support's rows."""
    pieces, index, operation, vectors = payload
    answers, touched = [], 0
    for key, run, model in pieces:
        design = part.block(key, index, run).design
        arguments = split_rows(operation, vectors, run, model, part.problem.loss.n_outputs)
        answers.append(multiplied(design, operation, arguments))
        touched += COST[operation] * design.size
    return answers, touched


WORK = {
    "look": look,
    "dual_point": lambda part, payload: part.problem.dual_point(*payload),
    "settled": settled,
    "bound": lambda part, payload: quadratic_bound(part.problem.penalty, *payload),
    "conclude": lambda part, payload: part.problem.conclude(*payload),
    "direction": direction,
    "beside free": step_beside_free,
    "newton": newton,
    "descent": descent,
    "steps": newton_steps,
    "minimum": minimum,
    "model": model,
    "seen": seen,
    "margins": margins,
    "pull": pull,
    "moments": moments,
    "gram": gram,
    "columns": sweep_columns,
    "bands": bands,
    "product": product,
    "rows_product": rows_product,
}
