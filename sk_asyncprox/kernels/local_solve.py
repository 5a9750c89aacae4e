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
from ..data.design import Design
from ..data.matrices import row_squares
from ..losses.curvature import DiagonalCurvature
from .aggregate import ModelSum
from .line_search import LENGTHS
from .newton_cg import in_place, newton_step
from .quadratic_minimiser import RIDGE, factored
from .shard_models import curved

MOST_SHARE = 0.9
"""Columns that are not zero, relative to the rows, that count at most."""

SWEEPS, PRODUCTS, CALLS = 10, 20, 4
"""Sweeps over the columns between two quadratic models of the loss, and such calls, at most."""

SOLVED = 0.1
"""Slope, relative to that at the start, up to which the surrogate is solved."""

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
    damping: float
    """Share of the diagonal that is added to it."""


class LocalSolution(NamedTuple):
    """What the shard answers."""

    w: np.ndarray
    b: float
    squares: np.ndarray
    """Diagonal of its own curvature at the point where all were read."""

    reads: float
    """How often the entries were read."""

    change = 0.0

    @property
    def work(self):
        """Time of the visit, roughly, in reads of the entries."""
        return self.reads


def answer_locally(shard, wanted):
    """No share of a certificate, and the shard's solution."""
    part, (w, b) = shard.on(wanted.index), wanted[1:3]
    surrogate = Surrogate(part, wanted)
    if wanted.penalty.alike and not wanted.penalty.positive:
        w, b, reads = surrogate.swept()
    else:
        w, b, reads = surrogate.on_gram()
    return None, LocalSolution(w, b, surrogate.squares, reads * part.design.size / max(1, shard.design.size))


class Surrogate:
    """The surrogate of a shard ``part`` of the working set's columns."""

    def __init__(self, part, wanted):
        self.part, self.wanted, loss = part, wanted, part.loss
        self.weights = np.tile(part.weights, loss.n_outputs)
        pieces = getattr(part.design, "pieces", [part.design])
        columns = [sp.csc_matrix(piece.X) for piece in pieces]
        self.X = columns[0] if len(columns) == 1 else sp.block_diag(columns, format="csc")
        self.centre = None if pieces[0].centre is None else [piece.centre for piece in pieces]
        self.z = part.margins(wanted.w, wanted.b)
        self.model, self.pull = self._read(self.z)
        self.squares, self.own = (row_squares(self.X.T, of) for of in (self.weights, self.model.diagonal))
        # Outputs apart have at most twice the curvature of their diagonal.
        k = max(np.count_nonzero(wanted.w), len(wanted.index) // 2)
        self.scale = (2.0 if len(pieces) > 1 else 1.0) / (1.0 - min(MOST_SHARE, k / len(self.z)))
        most = np.maximum(wanted.squares, self.squares)
        # Where the shard has no entries the curvature of its samples is taken to be the mean one.
        bend = np.full(len(most), self.model.diagonal.sum() / self.weights.sum())
        np.divide(self.own, self.squares, out=bend, where=self.squares > 0.0)
        self.added = bend * ((1.0 + wanted.damping) * most - self.squares)

    def _read(self, z):
        """The model of the loss at margins, and minus the weighted gradient."""
        loss, y = self.part.loss, self.part.y
        slope = loss.gradient(y, z)
        least = loss.majorant(y, z) if loss.jumps else None
        return loss.model(y, z, slope, self.part.weights, least), -self.weights * slope

    # -- many columns: sweeps ------------------------------------------------------------------------

    def swept(self):
        """Coefficients, intercepts, and reads of the entries."""
        lay, (model, pull) = _Layout(self), (self.model, self.pull)
        z, v, reads = self.z, lay.start, 4
        value, first = self._value(z, v, lay), lay.left(v, pull)
        for _ in range(CALLS):
            new, touched = lay.step(v, z, model.diagonal, pull)
            move, change, before, old = new - v, lay.image(new - v), value, z
            for length in LENGTHS:
                z, new = old + length * change, v + length * move
                value = self._value(z, new, lay)
                if value <= before:
                    break
            else:
                break
            v, reads = new, reads + 4 + touched
            model, pull = self._read(z)
            if lay.left(v, pull) <= SOLVED**2 * first:
                break
        return *lay.point(v), reads

    def _loss(self, z):
        return self.weights @ self.part.loss.value(self.part.y, z)

    def _value(self, z, v, lay):
        move = v - lay.start
        own = 0.5 * (lay.added @ move**2) + lay.linear @ move
        k = len(self.wanted.w)
        return self.scale * self._loss(z) + own + self.wanted.penalty.value(v[:k])

    # -- few columns, or a penalty that sweeps do not know -----------------------------------------

    def on_gram(self):
        """The same by the Gram matrix of the shard's columns."""
        w, b, gradient = self.wanted.w, self.wanted.b, self.wanted.gradient
        H = self.scale * curved(self.part, self.model)
        k = np.arange(len(w))
        H[k, k] += self.added
        free = self.part.free_intercept
        x, g = (np.append(w, b), np.append(*gradient)) if free else (w, gradient[0])
        solve = factored(H.astype(np.float64), RIDGE * H.diagonal().max())
        if solve is None:
            return w, b, 2
        models = ModelSum([1.0], len(w), free * np.size(b))
        models.renew(0, x, g, H, g @ solve(g))
        quadratic = models.quadratic()
        w = quadratic.minimiser(w, self.wanted.penalty, 0.0)
        if free:
            b = quadratic.intercepts(w) if np.ndim(b) else float(quadratic.intercepts(w)[0])
        return w, b, 2


class _Layout:
    """The surrogate as least squares: the shard's rows; a row for every column, which adds to its diagonal;
    and one with next to no curvature that carries what is linear. The intercepts' columns come last."""

    def __init__(self, surrogate):
        self._of, wanted, part = surrogate, surrogate.wanted, surrogate.part
        outputs, n = part.loss.n_outputs, len(part.y)
        self._free = part.fit_intercept
        scale, pull, X = surrogate.scale, surrogate.pull, surrogate.X
        w, b = wanted.w, np.ravel(wanted.b)
        slope, own = wanted.gradient[0] + scale * (X.T @ pull), np.zeros(0)
        added, size = surrogate.added, scale * np.abs(pull).sum()
        if self._free:
            # Sweeps know of no centre: the intercepts of the columns as they are move beside them.
            self._unit = HELD * size / wanted.penalty.l1 or 1.0
            sums = pull.reshape(outputs, -1).sum(axis=1)
            given = np.ravel(wanted.gradient[1]) if part.free_intercept else np.zeros(outputs)
            if surrogate.centre is not None:
                slope += np.concatenate([c * g for c, g in zip(surrogate.centre, given, strict=True)])
                b = b - self._along_centre(w)
            ones = sp.kron(sp.identity(outputs), np.full((n, 1), 1.0 / self._unit))
            X, own = sp.hstack([X, ones], format="csc"), (given + scale * sums) / self._unit
            own -= wanted.penalty.l1 * np.sign(b)  # as long as no sign changes, nothing pulls
            w, added = np.append(w, self._unit * b), np.append(added, np.zeros(outputs))
        linear = np.append(slope, own)
        # What nothing holds stays where it is.
        linear[: len(slope)][scale * surrogate.own + surrogate.added <= 0.0] = 0.0
        self._flat = FLAT / (np.abs(linear).max() or 1.0)
        rows = sp.diags(np.ones(len(w)), format="csr"), sp.csr_matrix(self._flat * linear[None])
        self._rows = sp.vstack([X.tocsr(), *rows], format="csc")
        self._rows.sort_indices()
        self._image, self.linear, self.added, self.start = X, linear, added, w
        own = row_squares(X.T, surrogate.model.diagonal)
        self._squares = np.maximum(scale * own + added, np.finfo(float).tiny)

    def _along_centre(self, w):
        centres, cuts = self._of.centre, np.cumsum([len(c) for c in self._of.centre])[:-1]
        return np.array([c @ own for c, own in zip(centres, np.split(w, cuts), strict=True)])

    def image(self, move):
        """Change of the margins."""
        return self._image @ move

    def left(self, v, pull):
        """How much is left to do, by the slopes."""
        of = self._of
        slope = of.scale * (self._image.T @ pull) - self.linear - self.added * (v - self.start)
        return np.sum(of.wanted.penalty.violation(v, slope) ** 2 / self._squares)

    def step(self, v, z, omega, pull):
        """Sweeps and a Newton step from ``v``, where the margins are ``z``, in the curvature ``omega`` there;
        and reads of the entries."""
        of, penalty, flat = self._of, self._of.wanted.penalty, self._flat
        target = np.concatenate([z + pull / omega, self.start, [flat * (self.linear @ v) - 1.0 / flat]])
        weights = np.concatenate([of.scale * omega, self.added, [1.0]])
        v = block_cd(v, penalty.l1, penalty.l2, SWEEPS, X=self._rows, target=target, weights=weights)
        pull = weights * (target - self._rows @ v)
        newton = newton_step(v, pull, DiagonalCurvature(weights), penalty, False, PRODUCTS, squares=self._squares)
        (move, _), touched = in_place(newton, Design(self._rows))
        return v + move, 2 * SWEEPS + touched / self._rows.nnz

    def point(self, v):
        """Coefficients and intercepts."""
        b, k = self._of.wanted.b, len(self._of.wanted.w)
        w = v[:k].copy()
        if self._free and self._of.part.free_intercept:
            free = v[k:] / self._unit
            if self._of.centre is not None:
                free = free + self._along_centre(w)
            b = free if np.ndim(b) else float(free[0])
        return w, b
