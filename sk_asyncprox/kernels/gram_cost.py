"""When a Gram matrix pays: what it costs, and what rounds of steps without it have cost and gained."""

import numpy as np

from .gram_matrix import HEAVY
from .gram_matrix_banded import FEWEST_COLUMNS, WIDEST_BAND

COPYING, FILLING, MEETING, BESIDE, BLAS = 8.0, 2.0, 10.0, 0.4, 0.03
"""Costs, in stored entries that a product with a vector reads meanwhile: of an entry that is copied, of one
that is filled, of two that meet in a sparse product, of one that meets a filled one, of a product in BLAS."""

READS = 32
"""How often a round without a Gram matrix is taken to read its columns before one was counted."""

CALLS = 800_000
"""What such a round costs beyond that, and one with a Gram matrix as well: calls of products and sweeps, in
stored entries read meanwhile."""

SOLVING = 0.03
"""Cost of solving a model of ``k`` columns, relative to ``k^3``, in stored entries read meanwhile."""

BAND = 200
"""How often solving a model of a banded matrix reads as much as its columns."""

PATIENCE, SMALL, FAVOUR = 0.5, 20_000, 4.0
"""What a Gram matrix may cost, relative to a round without, before one was slow; stored entries of data whose
fits are short in any case, and what it may cost there: it makes them so."""

WIDEST_GRAM = 2500
"""Columns of a filled Gram matrix, at most."""


def rows_cost(sizes, n, n_wanted):
    """Cost of so many rows of a Gram matrix, in stored entries that a product with a vector reads meanwhile,
    of columns with so many stored entries in ``n`` samples."""
    heavy = sizes > HEAVY * n
    h, thin = np.count_nonzero(heavy), float(sizes[~heavy].sum())
    products = MEETING * thin * thin / n + BESIDE * thin * h + BLAS * n * h * h
    return COPYING * float(sizes.sum()) + FILLING * n * h + n_wanted / max(1, len(sizes)) * products


def bands_cost(sizes, n):
    """Cost of the matrix of columns with so many stored entries in ``n`` samples, as
    :func:`rows_cost`; infinite where they meet too often for a band."""
    entries = float(sizes.sum())
    meetings = entries * entries / n
    if len(sizes) < FEWEST_COLUMNS or meetings > WIDEST_BAND * len(sizes) ** 2:
        return np.inf
    return COPYING * entries + MEETING * meetings


class GramRule:
    """When a Gram matrix of data with so many stored entries pays: what it costs, against what rounds without
    it have cost. ``bands`` says whether the columns may have a banded matrix: none was found that was not."""

    def __init__(self, size):
        self._patience = self._first = FAVOUR if size < SMALL else PATIENCE
        self._reads, self.bands = READS, True

    def counted(self, reads, slow):
        """A round without has read its columns so often; after each that was slow, until one is not, a matrix
        may cost twice as much."""
        self._reads, self._patience = reads, 2.0 * self._patience if slow else self._first

    def choose(self, sizes, n, n_wanted, bands_allowed=True):
        """The form of a Gram matrix that pays of columns with so many stored entries in ``n`` samples, if
        ``n_wanted`` rows of a filled one are not known yet: ``"filled"``, ``"banded"`` or None."""
        k = len(sizes)
        costs = {
            "filled": CALLS + rows_cost(sizes, n, n_wanted) + SOLVING * k**3 if k <= WIDEST_GRAM else np.inf,
            "banded": bands_cost(sizes, n) + BAND * sizes.sum() if bands_allowed and self.bands else np.inf,
        }
        form = min(costs, key=costs.get)
        return form if costs[form] <= self._patience * (self._reads * sizes.sum() + CALLS) else None
