"""The design of several outputs: one block of columns per output, on the diagonal.

With K outputs (the classes of a multinomial model) coefficients, margins and weights are vectors in
which the outputs follow one another. To the solvers it is a design like any other, with K times the
rows and columns.
"""

import numpy as np


class BlockDiagonal:
    """Designs of the outputs, one each, with the same rows and with columns of their own."""

    def __init__(self, pieces):
        self.pieces = pieces
        self.is_sparse = pieces[0].is_sparse
        widths = [piece.shape[1] for piece in pieces]
        self._cuts = np.cumsum(widths)[:-1]
        self.shape = len(pieces) * pieces[0].shape[0], sum(widths)

    @property
    def size(self):
        return sum(piece.size for piece in self.pieces)

    def _each(self, method, *parts):
        """What the pieces answer, each for its own parts."""
        return [getattr(piece, method)(*own) for piece, *own in zip(self.pieces, *parts, strict=True)]

    def _margins(self, u):
        return u.reshape(len(self.pieces), -1)

    def mul(self, w):
        return np.concatenate(self._each("mul", np.split(w, self._cuts)))

    def tmul(self, u):
        return np.concatenate(self._each("tmul", self._margins(u)))

    def rows(self, a, b):
        return BlockDiagonal([piece.rows(a, b) for piece in self.pieces])

    def cut_rows(self, n_parts):
        return self.pieces[0].cut_rows(n_parts)

    def column_squares(self, weights):
        return np.concatenate(self._each("column_squares", self._margins(weights)))

    def places(self, index):
        """Columns ``index`` (sorted) by output, numbered within each."""
        parts = np.split(index, np.searchsorted(index, self._cuts))
        return [part - start for part, start in zip(parts, [0, *self._cuts], strict=True)]

    def columns(self, index):
        return BlockDiagonal(self._each("columns", self.places(index)))

    def column_sizes(self):
        return np.concatenate(self._each("column_sizes"))

    def empty_columns(self):
        return np.concatenate(self._each("empty_columns"))

    def is_full(self, index=None):
        if not self.is_sparse:
            return True
        return all(self._each("is_full", *([] if index is None else [self.places(index)])))

    def filled(self):
        return BlockDiagonal(self._each("filled"))

    def smoothness(self, weights):
        return max(self._each("smoothness", self._margins(weights)))


class Copies(BlockDiagonal):
    """The same design for every output: products with all outputs at once."""

    def __init__(self, design, n_outputs):
        # They share the entries; each keeps column scales of its own.
        super().__init__([design] + [type(design)(design.X, design.centre) for _ in range(n_outputs - 1)])
        self.design = design

    def mul(self, w):
        W = w.reshape(len(self.pieces), -1)
        if 2 * np.count_nonzero(w) <= len(w):
            return super().mul(w)
        X = self.design.X
        out = np.ascontiguousarray((X @ np.ascontiguousarray(W.T)).T) if self.is_sparse else W @ X.T
        if self.design.centre is not None:
            out -= (W @ self.design.centre)[:, None]
        return out.ravel()

    def tmul(self, u):
        U, X = self._margins(u), self.design.X
        out = (X.T @ np.ascontiguousarray(U.T)).T if self.is_sparse else np.dot(U, X)
        if self.design.centre is not None:
            out = out - U.sum(axis=1)[:, None] * self.design.centre
        return out.ravel()

    def columns(self, index):
        return self if len(index) == self.shape[1] else super().columns(index)

    def rows(self, a, b):
        return Copies(self.design.rows(a, b), len(self.pieces))

    def empty_columns(self):
        return np.tile(self.design.empty_columns(), len(self.pieces))
