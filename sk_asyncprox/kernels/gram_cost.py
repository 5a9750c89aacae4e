"""When a Gram matrix pays: what it costs, and what rounds of steps without it have cost and gained."""

import numpy as np

from .banded_gram import bands_cost
from .gram_rows import rows_cost

READS = 32
"""How often a round without a Gram matrix is taken to read its columns before one was counted."""

CALLS = 800_000
"""What such a round costs beyond that, and one with a Gram matrix as well: calls of products and sweeps, in
stored entries read meanwhile."""

SOLVING = 0.03
"""Cost of solving a model of ``k`` columns, relative to ``k^3``, in stored entries read meanwhile."""

BAND = 200
"""How often solving a model of a banded matrix reads as much as its columns."""

UNKNOWN = 0.5
"""What a Gram matrix may cost, relative to a round without, while nothing is known of what that gains."""

SMALL, FAVOUR = 100_000, 4.0
"""Stored entries of data whose fits are short in any case, and what it may cost there: it makes them so."""

LAST, LAST_OF_SMALL = 3, 1
"""Rounds that tell how fast the gap falls."""

LEAST_FALL, DIGITS = 1e-3, 2.0
"""The least digits that a round has gained, and those still to be gained where no gap is wanted."""

ROUNDS = 8.0
"""Rounds on Gram matrices that end a run, as guessed."""

WIDEST_GRAM = 2500
"""Columns of a filled Gram matrix, at most."""

TINY = np.finfo(float).tiny


class GramRule:
    """When a Gram matrix of data with so many stored entries pays: what it costs, against what rounds without
    it have cost and gained. ``bands`` says whether the columns may have a banded matrix: none was found that
    was not."""

    def __init__(self, size):
        small = size < SMALL
        self._patience, self._last = (FAVOUR, LAST_OF_SMALL) if small else (UNKNOWN, LAST)
        self._reads, self.bands = READS, True
        self._gaps = []

    def afresh(self):
        """Gaps begin anew: under another penalty they have risen, which says nothing of rounds."""
        self._gaps = []

    def counted(self, reads):
        """A round without has read its columns so often."""
        self._reads = reads

    def gained(self, gap, goal):
        """The gap after a round without: with those before it says how many would follow."""
        gap = max(gap, TINY)
        self._gaps = [*self._gaps[-self._last :], gap]
        if len(self._gaps) > self._last:
            per_round = np.log10(self._gaps[0] / gap) / self._last
            left = np.log10(gap / goal) if goal > 0.0 else DIGITS
            self._patience = max(self._patience, left / max(per_round, LEAST_FALL) / ROUNDS)

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
