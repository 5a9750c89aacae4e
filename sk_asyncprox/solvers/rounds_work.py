"""Work of the algorithm in rounds: certificates, Newton steps, Gram matrices, and shares of products."""

import numpy as np

from .._compat import columns_cd
from ..kernels.banded_gram import banded
from ..kernels.block_steps import describe, direction
from ..kernels.gram_products import add_rows
from ..kernels.logistic_path import steps
from ..kernels.newton_cg import COST, in_place
from ..kernels.newton_cg import product as multiplied
from ..kernels.quadratic_minimiser import MANY_SWEEPS, MOST_DESCENTS, SHARE_OF_GAP
from ..kernels.smooth_descent import arrived, descend
from ..kernels.subspace import described, join, joint_step, lands
from ..problem.certificate import quadratic_bound

FIRST_SWEEPS, SLOWING, LONGER, FINEST = 8, 1.5, 2, 1e-6
"""Sweeps over the columns after which the gap is looked at first; it tells how many are left: so many times
more than at its last rate; how many times as many as there have been may follow before the next look; and the
gap, relative to the norm of the target, that they end at: they are made in single precision."""

LOOKED, AT_ONCE, SOLVED, AGAIN, PREPARED, CALL = 20, 10, 0.5, 8, 12_000_000, 100
"""Sweeps that cost as much as working sets: looks at them; how much less their products cost, made at once;
what solving ``k`` columns costs, relative to ``k^3``, and how often that is of more columns than samples;
entries that are swept while steps are prepared; and those for which a call of BLAS stands."""

LONG, NEARLY, AIMED, EVERY = 20, 0.8, 0.1, slice(None)
"""Sweeps that are left from which on others go on with the columns that are called for, or nearly so; what
the correlation of these is, relative to the l1 part; and the share of the gap at which all are looked at."""

CROWDED, SLOW = 0.02, 0.5
"""Gaps, relative to the first, above which sweeps are for nothing: those that leave more coefficients than
samples, as working sets that grow are quicker than those that have to lose many (twice as many as samples are
always for nothing: no Gram matrix is made of them); and others."""

ROUGH_CALLS, SHARE_OF_ALL = 8, 1e-4
"""Calls of sweeps in a model that need not be solved exactly, at most: what they leave is left to the next
one; and the share of its gap that a model of all columns is solved to: it may be rounded."""

ROWS_AT_ONCE = 50_000
"""Samples whose losses are evaluated at a time, in memory that is written again; in fewer calls, as threads
wait for one another in each."""


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
    y, weights = problem.y[begin:end], problem.weights[begin:end]

    def pulls_of(rows, z):
        gradient[rows] = u = problem.loss.gradient(y[rows], z)
        return problem.pulls(slice(begin + rows.start, begin + rows.stop), u)

    z, pulls, sums = problem.design.rows(begin, end).there_and_back(w, b, pulls_of)
    way, facts = weights * (z - before), []
    if problem.loss.quadratic:
        shares = weights * gradient
        facts = shares @ gradient, shares @ y
    facts = np.array([gradient_before @ way, gradient @ way, *facts])
    return z, gradient, pulls, sums, facts, 2 * (end - begin) * len(w)


def settled(part, payload):
    """Work of the kind ``"settled"``: of a run of rows, margins and loss gradient after the intercept's move,
    the loss there, and the dual objective at factors of the dual point. That follows the move to first order,
    and stays feasible: ``u`` and ``1 - u`` do not change their signs."""
    (begin, end), before, gradient_before, move, factors = payload
    loss, z, gradient, values = part.problem.loss, before + move, np.empty(end - begin), 0.0
    for rows in (slice(a, a + ROWS_AT_ONCE) for a in range(0, end - begin, ROWS_AT_ONCE)):
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
    return described(part, read, step, model, touched)


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
    whole = enough > FINEST * square and len(q) == p
    # Of more columns than rows the support is not settled yet: a Newton step on it is soon for nothing.
    if quadratic and isinstance(Q, np.ndarray) and (whole or (roughly and n < p)):
        share, most = (SHARE_OF_ALL, MOST_DESCENTS) if whole else (SHARE_OF_GAP, ROUGH_CALLS)
        goal = max(share * read.penalty.gap_on_gram(Q, q, read.w, square), enough)
        new, _, touched = read.penalty.descend_on_gram(Q, q, read.w, square, goal, most)
        calls = 1 + touched // (MANY_SWEEPS * Q.size)
    else:
        new, calls = read.penalty.solve_on_gram(Q, q, read.w, square, roughly=roughly, enough=enough)
    if ridge is None or not ridge.any():
        return new, calls
    # It holds on to where the way has begun: what is left of that is far less than the gap wanted.
    q += ridge * (new - read.w)
    new, more = read.penalty.solve_on_gram(Q, q, new, square, enough=enough)
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
        return describe(part, read, new, v, curvature, touched)
    return described(part, read, join(part, read, move, v, curvature), curvature, touched)


def moments(part, payload):
    """Work of the kind ``"moments"``: the certificate by second moments where a squared loss has the gap
    wanted on these, and the entries touched; None where they do not serve."""
    problem, (w, goal) = part.problem, payload
    Q, q, square, *_ = problem.quadratic
    if not (problem.moments_are_safe and square > 0.0):
        return None
    if w.any() and not problem.certify_on_moments(w).objective <= 0.5 * square:
        w = np.zeros_like(w)
    w, gap, touched = problem.penalty.descend_on_gram(Q, q, w, square, goal)
    # On the matrix no data are touched, as in a model.
    calls = 1 + touched // (MANY_SWEEPS * Q.size)
    return (problem.certify_on_moments(w), calls * min(problem.size, Q.size)) if gap <= goal else None


def columns(part, payload):
    """Work of the kind ``"columns"``: the step of all columns to where a squared loss has the gap wanted, by
    sweeps over these, soon only those that are called for or nearly so, while few more will do."""
    read, goal, first, most_sweeps = payload
    problem, penalty, gap, done, sweeps, touched = part.problem, read.penalty, first, 0.0, FIRST_SWEEPS, 0
    design, whole, (n, p), w, some = problem.design, part.columns_in_single().X, problem.shape, read.w, EVERY
    target = design.mul(w) - read.point.gradient if w.any() else -read.point.gradient
    goal = max(goal, FINEST * (target @ target) / n)
    X, aim = whole, goal
    while True:
        before, (new, gap, n_sweeps) = gap, columns_cd(w[some], penalty, sweeps, X, target, aim)
        share, w = X.size / whole.size, w.copy()
        touched += 2 * (n_sweeps + 1) * X.size
        if penalty.l2 and gap > goal:
            gap = min(gap, _look_at_columns(X, target, new, penalty)[0])
        if not before > max(gap, goal):
            gap = before
            break
        w[some], done, k = new, done + share * n_sweeps, np.count_nonzero(new)
        left = SLOWING * n_sweeps * np.log(max(1.0, gap / goal)) / np.log(before / max(gap, goal))
        solving = SOLVED * min(k, n) ** 3 * (AGAIN if n < p else 1)
        most = LOOKED + k * k / (AT_ONCE * p) + (solving + PREPARED) / (p * (n + CALL))
        if (X is whole and gap <= goal) or not share * left <= min(most, most_sweeps) - done:
            break
        if gap <= aim or (X is whole and left > LONG):
            gap, correlations = _look_at_columns(whole, target, w, penalty)
            touched += 2 * whole.size
            if gap <= goal:
                break
            some = np.flatnonzero((w != 0.0) | (penalty.pull(correlations) > NEARLY * penalty.l1))
            X, aim = whole.T[some].T, max(goal, AIMED * gap)
        sweeps = 1 + int(min(max(left, FIRST_SWEEPS), LONGER * done / share))
    k = np.count_nonzero(w)
    if gap > (CROWDED if k > n else SLOW) * first or k > 2 * n:
        w = read.w
    v = design.mul(w - read.w)
    return describe(part, read, w, v, part.model(read.point), touched + design.size)


def _look_at_columns(X, target, w, penalty):
    """Duality gap of a squared loss on columns, which beside an l2 part is smaller than that of sweeps, and
    correlations."""
    n, r = len(target), target - X @ w.astype(X.dtype)
    correlations, square = (r.astype(X.dtype) @ X).astype(np.float64) / n, r @ r / n
    bound = quadratic_bound(penalty, correlations, r @ target / n, square)
    return 0.5 * square + penalty.value(w) - bound, correlations


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
    columns = part.columns(key, index, dtype)
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
    "newton": newton,
    "descent": descent,
    "steps": steps,
    "minimum": minimum,
    "model": model,
    "seen": seen,
    "moments": moments,
    "gram": gram,
    "columns": columns,
    "bands": bands,
    "product": product,
    "rows_product": rows_product,
}
