"""A shard's own solution on a working set: the minimiser of its surrogate of the whole objective.

The shard knows the gradient ``g`` of all rows at the point ``x``, and its own loss ``f`` everywhere:

    s (f(v) - f'(x) . v) + g . v + (v - x)' D (v - x) / 2 + R(v)

has the slope of the objective at ``x``, and at ``s = 1`` the shard's curvature in the place of all shards'
(DANE, Shamir, Srebro and Zhang, 2014). The mean of the shards' minimisers is where the run goes. Nothing as
long as a matrix travels, whatever the number of columns.

Of ``k`` columns that are not zero, ``n`` rows tell the inverse of the curvature too large, by ``n / (n - k)``
in the mean, which the factor ``s`` takes back (Derezinski and Mahoney, 2019): else the mean of the solutions
goes too far. ``D`` fills up the diagonal where all rows have more curvature than the shard's own, as in
columns that it has few entries of.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from .._compat import block_cd
from .._precision import TINY
from ..data.array_operations import row_squares
from ..data.design_matrix import Design
from ..losses.curvature import DiagonalCurvature
from .line_search import LENGTHS
from .newton_cg import in_place, newton_step
from .quadratic_minimiser import RIDGE, factored
from .server_aggregate import ModelSum
from .shard_taylor_model import curved

MOST_SHARE = 0.9
"""Columns that are not zero, relative to the rows, that count at most."""

SWEEPS, PRODUCTS = 10, 10
"""Sweeps over the columns for a quadratic model of the loss, and products of the Newton step after these, at
most: the next round does more than another model, as the surrogate is not the objective."""

HELD = 1e-9
"""What the l1 part may pull at an intercept with, which is a column like others to the sweeps, relative to
the mean slope of the losses."""

FLAT = 1e-4
"""Slope of all columns times the length of a row that has next to no curvature and carries what is linear."""


class Wanted(NamedTuple):
    """What a shard is told: where all were read, and what their answers there have told of all rows."""

    index: np.ndarray
    """The working set, sorted."""

    w: np.ndarray
    b: float
    gradient: tuple
    """Of all rows at that point, in the coefficients of the working set and in the intercepts."""

    squares: np.ndarray
    """Diagonal of the curvature of all rows, as far as it is known; else zero."""

    penalty: object
    ridge: float
    """What is added of the diagonal, relative to the square of the columns' number over that of rows."""


class LocalSolution(NamedTuple):
    """What the shard answers."""

    w: np.ndarray
    b: float
    squares: np.ndarray
    """Diagonal of its own curvature at the point where all were read."""

    work: float
    """Time of the visit, roughly, in reads of the entries."""

    change, reads = 0.0, 2.0
    """What it solves on are copies: of the data it is a pass, as a model is."""


def answer_locally(shard, wanted):
    """No share of a certificate, and the shard's solution."""
    part, (w, b) = shard.on(wanted.index), wanted[1:3]
    surrogate = Surrogate(part, wanted)
    # Sweeps know of no constraint, and outputs apart of no curvature between them.
    if wanted.penalty.alike and not wanted.penalty.positive and part.loss.n_outputs == 1:
        w, b, reads = surrogate.swept()
    else:
        w, b, reads = surrogate.on_gram()
    return None, LocalSolution(w, b, surrogate.squares, reads * part.design.size / max(1, shard.design.size))


class Surrogate:
    """The surrogate of a shard ``part`` of the working set's columns."""

    def __init__(self, part, wanted):
        self.part, self.wanted, self.z = part, wanted, part.margins(wanted.w, wanted.b)
        self.weights = np.tile(part.weights, part.loss.n_outputs)
        self.model, self.pull = self.read(self.z)
        self.squares, own = self._squared(self.weights), self._squared(self.model.diagonal)
        k = max(np.count_nonzero(wanted.w), len(wanted.index) // 2)
        share = min(MOST_SHARE, k / len(self.z))
        self.scale = 1.0 / (1.0 - share)
        most = np.maximum(wanted.squares, self.squares)
        # Of the others' samples the curvature is not known: that of a column's own, or the mean of all.
        bend = np.divide(own, self.squares, out=np.zeros(len(own)), where=self.squares > 0.0)
        bend = np.maximum(bend, self.model.diagonal.sum() / self.weights.sum())
        self.added = bend * ((1.0 + wanted.ridge * share**2) * most - self.squares)
        self.diagonal = self.scale * own + self.added

    def _squared(self, weights):
        pieces = getattr(self.part.design, "pieces", [self.part.design])
        each = zip(pieces, weights.reshape(len(pieces), -1), strict=True)
        # Not by the design's own method, whose answers depend on those before.
        return np.concatenate([row_squares(sp.csr_matrix(piece.X.T), own) for piece, own in each])

    def read(self, z):
        """The model of the loss at margins, and minus the weighted gradient."""
        loss, y = self.part.loss, self.part.y
        slope = loss.gradient(y, z)
        least = loss.majorant(y, z) if loss.jumps else None
        return loss.model(y, z, slope, self.part.weights, least), -self.weights * slope

    def swept(self):
        """Coefficients and intercept by one quadratic model of the loss, and reads of the entries."""
        rows = SurrogateRows(self)
        v, before = rows.start, self._value(rows, rows.start, self.z)
        new, touched = rows.step()
        move, change = new - v, rows.image @ (new - v)
        for length in LENGTHS**2:
            if self._value(rows, v + length * move, self.z + length * change) <= before:
                return *rows.point(v + length * move), 7 + touched
        return *rows.point(v), 7 + touched

    def _value(self, rows, v, z):
        move, w = v - rows.start, v[: len(self.wanted.w)]
        loss = self.scale * (self.weights @ self.part.loss.value(self.part.y, z))
        return loss + 0.5 * (rows.added @ move**2) + rows.linear @ move + self.wanted.penalty.value(w)

    def on_gram(self):
        """The same by the Gram matrix of the shard's columns, for penalties and losses that sweeps do not
        know, at the curvature where all were read."""
        w, b, gradient, free = *self.wanted[1:4], self.part.free_intercept
        H = self.scale * curved(self.part, self.model).astype(np.float64)
        k = np.arange(len(w))
        H[k, k] += self.added
        solve = factored(H, RIDGE * H.diagonal().max())
        if solve is None:
            return w, b, 2
        x, g = (np.append(w, b), np.append(*gradient)) if free else (w, gradient[0])
        models = ModelSum([1.0], len(w), free * np.size(b))
        models.renew(0, x, g, H, g @ solve(g))
        quadratic = models.quadratic()
        w = quadratic.minimiser(w, self.wanted.penalty, 0.0)
        if free:
            b = quadratic.intercepts(w) if np.ndim(b) else float(quadratic.intercepts(w)[0])
        return w, b, 2


class SurrogateRows:
    """The surrogate of one output as least squares: the shard's rows; a row for every column, which adds to
    its diagonal; and one with next to no curvature that carries what is linear. The intercept's column comes
    last; it is that of columns without centre, of which sweeps know nothing."""

    def __init__(self, surrogate):
        self._of, wanted, part = surrogate, surrogate.wanted, surrogate.part
        scale, pull, X, b = surrogate.scale, surrogate.pull, sp.csc_matrix(part.design.X), wanted.b
        self._centre, self._unit = part.design.centre, 0.0
        w, linear = wanted.w, wanted.gradient[0] + scale * (X.T @ pull)
        added, squares = surrogate.added, surrogate.diagonal
        if part.fit_intercept:
            self._unit = HELD * scale * np.abs(pull).sum() / wanted.penalty.l1 or 1.0
            slope = wanted.gradient[1] if part.free_intercept else 0.0
            if self._centre is not None:
                linear, b = linear + slope * self._centre, b - self._centre @ w
            X = sp.hstack([X, sp.csc_matrix(np.full((len(pull), 1), 1.0 / self._unit))], format="csc")
            own = (slope + scale * pull.sum()) / self._unit
            # As long as its sign stays nothing pulls at it.
            linear = np.append(linear, own - wanted.penalty.l1 * np.sign(b))
            w, added = np.append(w, self._unit * b), np.append(added, 0.0)
            squares = np.append(squares, scale * surrogate.model.diagonal.sum() / self._unit**2)
        # What nothing holds stays where it is.
        self.linear = np.where(squares > 0.0, linear, 0.0)
        self._squares = np.maximum(squares, TINY)
        self._flat = FLAT / (np.abs(self.linear).max() or 1.0)
        self.image, self.added, self.start = X, added, w
        self._design = Design(_with_rows(X, self._flat * self.linear))

    def step(self):
        """Where sweeps and a Newton step lead, and reads of the entries."""
        penalty, flat, X = self._of.wanted.penalty, self._flat, self._design.X
        omega, pull, v, z = self._of.model.diagonal, self._of.pull, self.start, self._of.z
        target = np.concatenate([z + pull / omega, self.start, [flat * (self.linear @ v) - 1.0 / flat]])
        weights = np.concatenate([self._of.scale * omega, self.added, [1.0]])
        v = block_cd(v, penalty.l1, penalty.l2, SWEEPS, X=X, target=target, weights=weights)
        pull, model = weights * (target - X @ v), DiagonalCurvature(weights)
        newton = newton_step(v, pull, model, penalty, False, PRODUCTS, squares=self._squares)
        (move, _), touched = in_place(newton, self._design)
        return v + move, 2 * SWEEPS + touched / max(1, X.nnz)

    def point(self, v):
        """Coefficients and intercept."""
        w, b = v[: len(self._of.wanted.w)].copy(), self._of.wanted.b
        if self._of.part.free_intercept:
            b = float(v[-1] / self._unit) + (0.0 if self._centre is None else float(self._centre @ w))
        return w, b


def _with_rows(X, last):
    """The same columns (CSC) with a row for each, and a last one."""
    (n, k), each = X.shape, np.arange(X.shape[1])
    indptr = X.indptr + 2 * np.arange(k + 1, dtype=X.indptr.dtype)
    ends, old = indptr[1:], np.ones(X.nnz + 2 * k, dtype=bool)
    old[ends - 1] = old[ends - 2] = False
    data, indices = np.ones(len(old)), np.full(len(old), n + k, dtype=np.int32)
    data[old], indices[old] = X.data, X.indices
    data[ends - 1], indices[ends - 2] = last, n + each
    return sp.csc_matrix((data, indices, indptr), shape=(n + k + 1, k))
