"""What may be asked of every penalty."""

import numpy as np

CRUMB, AT_REST = 1e-3, 1.0 - 1e-6
"""Size, relative to the largest coefficient, below which one may be what a shortened step has left; and
correlation, relative to the l1 part, from which on it is where it belongs, but for rounding."""


class Penalty:
    """What may be asked of every penalty, as it is without an l1 part and where all coefficients are alike.

    Attributes
    ----------
    l1, l2 : float
        Weights of the part that makes zeros, and of ridge's.
    positive : bool
        Whether coefficients are constrained to be non-negative.
    is_zero : bool
        Whether nothing is penalised; then no finite duality gap exists.
    has_zeros : bool
        Whether minimisers tend to have coefficients that are exactly zero.
    free : ndarray of int or None
        Coefficients that are not penalised where others are.
    alike : bool
        Whether all coefficients are penalised alike, each by itself, as compiled sweeps over columns want it.
    widest : int or None
        Columns of a working set that are solved on one Gram matrix, at most, more being cut into blocks; None
        where there are other ways than to solve them on such matrices.
    widest_run : int or None
        Columns of a block that are solved on one Gram matrix, at most, one such run after the other.
    """

    l1 = l2 = 0.0
    positive = is_zero = has_zeros = alike = False
    free = widest = widest_run = None

    def on(self, index):
        """The penalty of the coefficients ``index`` alone."""
        return self

    def whole(self, index):
        """All coefficients that are joined with any of ``index``, which is sorted."""
        return index

    def groups_of(self, index):
        """Numbers, from 0 on, of the groups that the coefficients ``index`` are joined in; None where each is
        by itself."""
        return None

    def support(self, w):
        """Mask of the coefficients that no working set may lack."""
        return w != 0.0

    def crumbs(self, w, c):
        """Mask of small coefficients that the correlations ``c`` hold back: a step on their way to zero was
        too short."""
        small = (w != 0.0) & (np.abs(w) <= CRUMB * np.abs(w).max(initial=0.0))
        return small & (self.pull(c) < AT_REST * self.l1)
