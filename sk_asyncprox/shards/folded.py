"""Rows of a dask collection that are put to use by folds: shards of the rows of each, one after the other."""

import numpy as np

from .chunks import Rows


class FoldedRows(Rows):
    """Rows of a dask collection with labels, of which folds take some."""

    _fold = None

    def codes(self, classes):
        """Every row's class, by its number."""
        return np.concatenate(self.each(_codes, np.arange(self.n_rows), classes))

    def each(self, function, index, *args):
        """What a function says to the rows ``index`` of every chunk, where it has any: of the tuple ``(X, y,
        weights)``."""
        some = [(piece, rows) for piece, rows in self._some(index) if len(rows)]
        return self._gather(self._submit(_of_some, some, function, *args))

    def fold(self, index, n_shards, classes, factors, loss, fit_intercept):
        """The problem of the rows ``index``, without penalty, and the sum of their weights; the last one's
        shards are let go."""
        self._let_go()
        self._fold = fold = Rows(self.client)
        fold.take(self._submit(_of_some, self._some(index), tuple))
        fold.join(n_shards, classes, factors)
        total = fold.count(loss, fit_intercept)
        return fold.problem(loss, None, fit_intercept), total

    def release(self):
        """Let everything go."""
        self._let_go()
        super().release()

    def _let_go(self):
        if self._fold is not None:
            self._fold.release()
            self._fold = None

    def _some(self, index):
        """Chunks, and which of their rows are among those; sorted, each as often as it is there."""
        lengths, index = [each.rows for each in self._surveys], np.sort(index)
        ends = np.cumsum(lengths)
        cuts = np.split(index, np.searchsorted(index, ends[:-1]))
        begins = ends - lengths
        return [(piece, rows - begin) for piece, rows, begin in zip(self._pieces, cuts, begins, strict=True)]


# -- on the workers --------------------------------------------------------------------------------


def _of_some(some, function, *args):
    (X, y, weights), rows = some
    whole = len(rows) == len(y) and (np.diff(rows) == 1).all()
    return function((X, y, weights) if whole else (X[rows], y[rows], weights[rows]), *args)


def _codes(rows, classes):
    return np.searchsorted(classes, rows[1]).astype(np.min_scalar_type(len(classes)))
