"""Second moments of a problem's rows that its folds share, and the problems of the folds."""

import numpy as np

from .._interrupts import cached_property
from ..data.array_operations import in_threads
from ..data.moments import joined
from ..data.preprocessing import moments_are_cheap
from .certificate import Certificate, quadratic_bound
from .scaling import are_in_range

KEPT = 0.25
"""Entries of the second moments of parts of the rows that are kept, relative to those of the data."""

HALVES = 2
"""Parts of the rows whose second moments are made side by side where none are kept; more take memory."""


class Folds:
    """Second moments of a problem's rows, and problems on some of these (mixin)."""

    @property
    def knows_moments(self):
        """Whether second moments are there already: its own, or those that its folds share."""
        return "moments" in vars(self) or (self._rest is not None and self._whole._parts is not None)

    def share_moments(self, parts, n_threads=1):
        """Let the second moments of every fold be what its other rows leave of all. Those of ``parts``, rows
        as they were given, are kept where these are all rows, each once, and long; so many threads make
        them."""
        index, (n, p) = [self._counted(part) for part in parts], self.shape
        kept = len(index) * p <= KEPT * n and np.array_equal(np.sort(np.concatenate(index)), np.arange(n))
        index = index if kept else np.array_split(np.arange(n), HALVES)
        with np.errstate(over="ignore", invalid="ignore"):
            point = self._data.point(self.y)
            each = in_threads(lambda rows: self._data.moments(self.y, point, rows), index, n_threads)
            # Once for all folds, as several threads may ask at the same time.
            self.moments = joined(each)
        self._parts = {rows.tobytes(): m for rows, m in zip(index, each, strict=True)} if kept else {}

    @property
    def keeps_parts(self):
        """Whether second moments of the other rows of every fold are kept."""
        return bool(self._parts)

    @property
    def shared_moments(self):
        """Second moments of all rows, where the folds share them; else None."""
        return None if self._parts is None else self.moments

    def kept_moments(self, rows):
        """Second moments of these rows, as they were given, where they are kept; else None."""
        return self._parts.get(self._counted(rows).tobytes()) if self._parts else None

    def _counted(self, index):
        """Which of the rows that count those are that were given with such an index."""
        index = np.arange(len(self._used))[index]
        return (np.cumsum(self._used) - 1)[index[self._used[index]]]

    @cached_property
    def quadratic(self):
        """The squared loss by its second moments."""
        return self.moments.quadratic(self.fit_intercept)

    @property
    def suits_moments(self):
        """Whether second moments cost less than looks at the data, and tell all that a solver asks for."""
        cheap = "moments" in vars(self) or moments_are_cheap(*self.shape)
        dense = self._data.is_dense and not self._data.by_rows
        return dense and cheap and self.loss.quadratic and self.penalty.free is None

    @property
    def is_on_moments(self):
        """Whether second moments are all that was made of the data."""
        return "quadratic" in vars(self) and not self._data.is_made

    @property
    def moments_are_safe(self):
        """Whether no square of the features, in their own units, is far from one."""
        squares = self.quadratic.Q.diagonal()
        return are_in_range(self.moments.squares) and are_in_range(squares[squares != 0.0])

    def certify_on_moments(self, w):
        """As :meth:`Problem.certify`, by second moments, where no coefficients are free: the bound is lower
        by what these may be rounded by."""
        known = self.quadratic
        correlations, pull = known.q - known.Q @ w, known.q @ w
        square, cross = known.square - pull - correlations @ w, known.square - pull
        largest = correlations + np.copysign(known.rounded(w), correlations)
        bound = quadratic_bound(self.penalty, largest, cross, square) - known.rounding(w)
        objective = 0.5 * square + float(self.penalty.value(w))
        return Certificate(w, known.mean_y, float(objective), float(bound), correlations)

    @cached_property
    def moments(self):
        """Second moments of the rows: those of all, less those of the others, where the problem is a fold."""
        if self._rest is not None:
            whole, moments = self._whole, self._whole.moments
            rest = whole._parts and whole._parts.get(self._rest.tobytes())
            left = moments.less(rest or whole._data.moments(whole.y, moments.about, self._rest))
            if left is not None:
                return left
        with np.errstate(over="ignore", invalid="ignore"):
            return self._data.moments(self.y)

    def fold(self, index):
        """The problem on the rows ``index`` of the data as they were given, with weights and intercept of
        their own."""
        index = self._counted(index)
        if len(index) == 0:
            raise ValueError("All sample weights of a training fold are zero; at least one must be positive.")
        weights, rest = self.sample_weights[index], np.delete(np.arange(len(self.y)), index)
        uniform = self.uniform or bool(np.all(weights == weights[0]))
        weights = weights / weights.sum()
        return self._altered(
            y=self.y[index],
            sample_weights=weights,
            weights=np.tile(weights, self.loss.n_outputs),
            uniform=uniform,
            bases={},
            _data=self._data.some(index, weights, uniform),
            _whole=self,
            # Rows that are there twice are not what the others leave.
            _rest=rest if len(rest) + len(index) == len(self.y) else None,
            _parts=None,
        )
