"""Work of the algorithm in rounds: certificates, Newton steps, Gram matrices, and shares of products."""

import numpy as np

from .blocks import describe, direction
from .gram import solve_on_gram
from .newton import COST, in_place, newton_step

FEWEST_ROWS, ENTRIES_AT_ONCE = 256, 500_000
"""Rows of a Gram matrix are added in pieces that stay in the cache."""


def look(part, task):
    """Work of the kind ``"look"``: a certificate, with the margins, intercept and loss gradient it has
    found."""
    problem, (w, b, z) = part.problem, task.payload
    z, b, gradient, theta = problem.dual_point(w, b, z)
    correlations = problem.design.tmul(problem.weights * theta)
    return z, b, gradient, problem.conclude(w, b, z, theta, correlations)


def dual_point(part, task):
    """Work of the kind ``"dual_point"``: first part of a certificate whose products are shared."""
    return part.problem.dual_point(*task.payload)


def conclude(part, task):
    """Work of the kind ``"conclude"``: last part of a certificate whose products were shared."""
    return part.problem.conclude(*task.payload)


def newton(part, task):
    """Work of the kind ``"newton"``: a Newton step on the support of the columns, done by one worker."""
    read = task.payload
    block, omega = part.block(read.key, read.index), part.omega(read.point)
    pull = -part.problem.weights * read.point.gradient
    steps = newton_step(read.w, pull, omega, read.penalty, part.follows, read.effort, read.correlations)
    (move, v), touched = in_place(steps, block.design)
    return describe(part, read, read.w + move, v, pull, omega, touched)


def model(part, task):
    """Work of the kind ``"model"``: the model on the Gram matrix of all active columns, nearly solved."""
    read, Q, omega, correlations = task.payload
    weights, gradient = part.problem.weights, read.point.gradient
    # The norm of the model's target, less its part that no coefficients explain.
    pull = gradient * (weights / omega)
    square = read.w @ (Q @ read.w + 2.0 * correlations) + omega @ (pull * pull)
    q = Q @ read.w + correlations
    new, calls = solve_on_gram(Q, q, read.w, read.penalty, square)
    v = _mul(part, read, new - read.w)
    touched = len(weights) * len(new) + calls * Q.size
    return describe(part, read, new, v, -weights * gradient, omega, touched)


def _mul(part, read, move):
    """Product of the columns with ``move``."""
    design, index = part.problem.design, read.index
    if design.is_sparse:
        return part.block(read.key, index).design.mul(move)
    whole = np.zeros(design.shape[1])
    whole[index] = move
    return design.mul(whole)


def gram(part, task):
    """Work of the kind ``"gram"``: share of a Gram matrix that the rows ``a:b`` make up."""
    key, index, fresh, omega, a, b = task.payload
    (X, at), k = part.dense(key, index), len(index)
    Q, sums = np.zeros((k if fresh is None else len(fresh), k)), np.zeros(k)
    root, step = np.sqrt(omega[a:b]), max(FEWEST_ROWS, ENTRIES_AT_ONCE // k)
    for start in range(a, b, step):
        stop = min(b, start + step)
        # One row per column of X: its entries lie together there, and here.
        columns = X.T[at, start:stop]
        columns *= root[start - a : stop - a]
        Q += (columns if fresh is None else columns[fresh]) @ columns.T
        if part.follows:
            sums += columns @ root[start - a : stop - a]
    return Q, sums, (b - a) * k


def product(part, task):
    """Work of the kind ``"product"``: a worker's share of the columns, and the product with it."""
    pieces, vector = task.payload
    designs = [part.block(key, index).design for key, index in pieces]
    return [design.tmul(vector) for design in designs], sum(design.size for design in designs)


def rows_product(part, task):
    """Work of the kind ``"rows_product"``: a product with a worker's share of the support's rows."""
    pieces, index, operation, vectors = task.payload
    answers, touched = [], 0
    for key, rows in pieces:
        design = part.block(key, index, rows).design
        answers.append(getattr(design, operation)(*split_rows(operation, vectors, rows)))
        touched += COST[operation] * design.size
    return answers, touched


ACROSS_ROWS = {
    "mul": ((False,), np.concatenate),
    "tmul": ((True,), sum),
    "column_squares": ((True,), sum),
    "curve": ((True, False), lambda pairs: (np.concatenate(pairs[0]), sum(pairs[1]))),
}
"""Which arguments of a product have an entry per row, and how the answers of runs of rows are joined."""


def split_rows(operation, vectors, rows):
    """Arguments of the product with the run ``rows``."""
    return [
        v[slice(*rows)] if per_row else v
        for v, per_row in zip(vectors, ACROSS_ROWS[operation][0], strict=True)
    ]


def join_rows(operation, answers):
    """The product, from those with runs of rows."""
    pairs = list(zip(*answers, strict=True)) if operation == "curve" else answers
    return ACROSS_ROWS[operation][1](pairs)


WORK = {
    "look": look,
    "dual_point": dual_point,
    "conclude": conclude,
    "direction": direction,
    "newton": newton,
    "model": model,
    "gram": gram,
    "product": product,
    "rows_product": rows_product,
}


def work(part, task):
    """Do the task with what the part holds."""
    return WORK[task.kind](part, task)
