"""Rows of several dense arrays under one another: a design that copies none of them."""

import numpy as np

from .design import ENTRIES_OF_LOOK, Design
from .matrices import times, times_rows


class Stacked(Design):
    """Dense blocks of rows under one another, as they lie; the columns centred.

    Runs of rows that BLAS cannot read, for their type or because a message has left them at any byte, go
    through memory that stays in the cache; so do all where columns lie far from zero, which are centred
    there, as products would cancel.

    Parameters
    ----------
    blocks : list of ndarray of shape (n_i, p), stored by rows
    means : ndarray of shape (p,) or None
        Subtracted from every row.
    far : bool
        Whether columns lie far from zero.
    """

    is_sparse = is_streamed = False
    is_by_rows = is_as_given = True
    n_threads, _squares = 1, None

    def __init__(self, blocks, means, far):
        self.blocks, self._means, self._far = blocks, means, far
        self.centre = None if far else means
        self.shape = sum(map(len, blocks)), blocks[0].shape[1]

    def __reduce__(self):
        return type(self), (self.blocks, self._means, self._far)

    @property
    def size(self):
        """Number of entries."""
        return self.shape[0] * self.shape[1]

    def read(self, step, rows=slice(None)):
        """As :meth:`Design.read`, of rows that follow one another; runs end where a block does, too."""
        (begin, end, _), first, room = rows.indices(self.shape[0]), 0, None
        for block in self.blocks:
            direct = not self._far and block.dtype == np.float64 and block.flags.aligned
            last = min(first + len(block), end)
            for a in range(max(begin, first), last, step):
                rows = slice(a, min(a + step, last))
                X = block[rows.start - first : rows.stop - first]
                if not direct:
                    room = np.empty((step, self.shape[1])) if room is None else room
                    np.copyto(room[: len(X)], X)
                    X = room[: len(X)]
                if self._far:
                    X -= self._means
                yield slice(rows.start - begin, rows.stop - begin), X
            first += len(block)

    def _look(self):
        return self.read(self.rows_of_run(ENTRIES_OF_LOOK))

    def mul(self, w):
        """Product with ``w``."""
        return self.mul_all(w[None])[0]

    def tmul(self, u):
        """Product of the transpose with ``u``."""
        return self.tmul_all(u[None])[0]

    def mul_all(self, W):
        """As :meth:`Design.mul_all`."""
        out = np.zeros((len(W), self.shape[0]))
        for rows, X in self._look() if W.any() else ():
            out[:, rows] = times(X, W[0]) if len(W) == 1 else W @ X.T
        return out if self.centre is None else out - (W @ self.centre)[:, None]

    def tmul_all(self, U):
        """As :meth:`Design.tmul_all`."""
        single = len(U) == 1
        out = sum(times_rows(U[0, rows], X) if single else np.dot(U[:, rows], X) for rows, X in self._look())
        out = out.reshape(len(U), -1)
        return out if self.centre is None else out - U.sum(axis=1)[:, None] * self.centre

    def picked(self, mask):
        """As :meth:`Design.picked`."""
        return Design(np.concatenate([X[mask[rows]] for rows, X in self._look()]), self.centre)

    def some(self, index):
        """Design of the columns ``index``, copied and centred."""
        out, means = np.empty((self.shape[0], len(index)), order="F"), 0.0
        if self.centre is not None:
            means = self.centre[index]
        for rows, X in self._look():
            np.subtract(X[:, index], means, out=out[rows])
        return Design(out)
