"""The columns that a worker of Async-BCD holds: blocks cut from them, and what is kept of these."""

import numpy as np

from ..data.array_operations import less
from ..data.block_diagonal import BlockDiagonal
from ..data.design_matrix import Design
from ..data.single_precision import Single
from ..data.two_parts import FilledColumns, TwoParts
from ..losses.curvature import DiagonalCurvature

FEW = 0.1
"""Share of the columns of data that lie by rows up to which they are kept as they are asked for."""

REBUILD_ABOVE = 0.1
"""Relative change of the curvature weights beyond which a block's Gram matrix is computed anew."""


class Piece:
    """Columns of one block that belong to one output, and for dense ones their Gram matrix."""

    def __init__(self, design, columns=slice(None), rows=slice(None)):
        self.design, self.columns, self.rows = design, columns, rows
        self._gram = self._omega = self._runs = None

    def runs(self, most):
        """The piece in runs of at most so many columns, and where these are."""
        if most is None or self.design.shape[1] <= most:
            return [(slice(None), self)]
        if self._runs is None:
            cuts = [slice(a, a + most) for a in range(0, self.design.shape[1], most)]
            columns = np.arange(self.design.shape[1])
            self._runs = [(cut, Piece(self.design.columns(columns[cut]))) for cut in cuts]
        return self._runs

    def gram(self, omega, centred):
        """Gram matrix in the weights ``omega``, and the entries touched to get it.

        It is kept while the weights stay near: the exact step is safe for any metric.
        """
        touched = 0
        if self._gram is None or np.abs(omega - self._omega).sum() > REBUILD_ABOVE * omega.sum():
            Q = self.design.gram(omega)
            if centred:
                sums = self.design.tmul(omega)
                Q -= np.outer(sums, sums / omega.sum())
            self._gram, self._omega, touched = Q, omega, self.design.size
        return self._gram, touched


class Block:
    """Columns of one block, cut into pieces where there are several outputs: in a
    diagonal metric these are problems of their own."""

    def __init__(self, design, index):
        part = design.columns(index)
        self.design = part.filled() if part.is_sparse and part.is_full() else part
        self.pieces = [Piece(self.design)]
        if isinstance(part, TwoParts):
            self.pieces = [Piece(part.others, part.thin)] if len(part.thin) else []
        if isinstance(part, BlockDiagonal):
            n = self.design.shape[0] // len(self.design.pieces)
            ends = np.cumsum([piece.shape[1] for piece in self.design.pieces])
            self.pieces = [
                Piece(piece, slice(end - piece.shape[1], end), slice(k * n, (k + 1) * n))
                for k, (piece, end) in enumerate(zip(self.design.pieces, ends, strict=True))
                if piece.shape[1]
            ]


class ColumnPart:
    """What every worker of Async-BCD holds: the problem and the blocks it has cut.

    ``h`` is the safety factor of the policy, 1 for the exact step. With ``local`` the metric follows the
    curvature at the read instead of its global bound; ``lipschitz`` is the constant of the scalar metric,
    None for the Gram metric.
    """

    fills = False
    """Whether, for one worker, columns of a squared loss are cut in two parts where that pays."""

    def __init__(self, problem, h, local, lipschitz):
        self.problem, self.h, self.lipschitz = problem, h, lipschitz
        self.local = local and not problem.loss.quadratic
        self.follows = self.local and problem.fit_intercept
        self._bound = DiagonalCurvature(problem.weights * problem.loss.curvature)
        self._blocks, self._runs, self._single, self.in_single = {}, {}, None, None
        self._few, self._of_samples, self._filled = (None, {}), None, None

    def __getstate__(self):
        caches = {"_blocks": {}, "_runs": {}, "_single": None, "in_single": None}
        return self.__dict__ | caches | {"_few": (None, {}), "_of_samples": None, "_filled": None}

    def single(self):
        """The design in single precision."""
        if self._single is None:
            self._single = Single(self.problem.design)
        return self._single

    def products_of_samples(self):
        """``X X'``, which serves every second derivative."""
        if self._of_samples is None:
            design = self.problem.features
            K = design.X @ design.X.T
            if design.centre is not None:
                across = design.X @ design.centre - 0.5 * (design.centre @ design.centre)
                K -= across[:, None] + across
            self._of_samples = K
        return self._of_samples

    def columns_in_single(self):
        """The columns of full data in single precision, kept from now on for their Gram matrices."""
        if self.in_single is None:
            design = self.problem.features
            self.in_single = Design(less(design.X, design.centre, "F", dtype=np.float32))
        return self.in_single

    def block(self, key, index, rows=None):
        """The block named ``key = (family, version, number)``, cut when it is first asked for, of all
        rows or the run ``rows``; the family's older versions are let go."""
        block = self._blocks.get(key)
        if block is None:
            self.let_go(key[0], key[1])
            design = self._whole() if rows is None else self._run(rows)
            block = self._blocks[key] = Block(design, index)
        return block

    def _whole(self):
        """What blocks of all rows are cut from."""
        problem = self.problem
        squared = problem.loss.quadratic and problem.loss.n_outputs == 1
        if not (self.fills and squared and problem.penalty.alike):
            return problem.design
        if self._filled is None and problem.design.is_sparse:
            self._filled = FilledColumns(problem.design, problem.weights)
        return self._filled or problem.design

    def kept(self, key):
        """Design of the block of that name, of all rows, if it has been cut; else None."""
        block = self._blocks.get(key)
        return None if block is None else block.design

    def let_go(self, family, version=None):
        """Keep no columns of the family, but those of the version."""
        for old in [k for k in list(self._blocks) if k[0] == family and k[1] != version]:
            self._blocks.pop(old, None)

    def _run(self, rows):
        """Design of a run of rows, cut once: from it columns are cut as fast as they are from all rows."""
        if rows not in self._runs:
            self._runs[rows] = self.problem.design.rows(*rows)
        return self._runs[rows]

    def columns(self, key, index, dtype=np.float64):
        """For every output a design, and the numbers in it of its columns among ``index``."""
        problem = self.problem
        if self.in_single is not None and dtype == np.float32:
            return [(self.in_single, index)]
        if not problem.design.is_sparse:
            several = problem.loss.n_outputs > 1
            return [(problem.features, at) for at in (problem.design.places(index) if several else [index])]
        design = self.block(key, index).design
        if isinstance(design, TwoParts):
            design = problem.design.columns(index)
        return [(piece, np.arange(piece.shape[1])) for piece in getattr(design, "pieces", [design])]

    def keeps(self, index):
        """Whether columns are kept as long as they are asked for: few of data that lie by rows, as all
        entries between them would be read each time."""
        problem, few = self.problem, len(index) <= FEW * self.problem.shape[1] and self.in_single is None
        few &= problem.is_dense and problem.loss.n_outputs == 1
        return few and problem.design.is_streamed and problem.design.is_by_rows

    def rows_of_columns(self, key, index, dtype, rows):
        """The same, and where in it the ``rows`` (a slice) are."""
        if not self.keeps(index):
            return self.columns(key, index, dtype), rows
        return [(self.few(index, rows), np.arange(len(index)))], slice(None)

    def few(self, index, rows):
        """Design of the ``rows`` (a slice) of columns that are kept."""
        asked, name = index.tobytes(), (rows.start, rows.stop, rows.step)
        before, kept = self._few
        if before != asked:
            kept = {}
            self._few = asked, kept
        if name not in kept:
            kept[name] = self.problem.design.gathered(rows, index)
        return kept[name]

    def model(self, point):
        """Second-order model of the loss; its diagonal is the metric of block steps."""
        if not self.local:
            return self._bound
        problem = self.problem
        return problem.loss.model(problem.y, point.z, point.gradient, problem.weights, point.least)
