"""Base of the suites' solvers: one fit per rung of a ladder of tolerances.

The time to a target is that of the shortest fit whose gap is at or under it, whatever tolerance that
took: tolerances mean something else to every library.
"""

import warnings

import numpy as np
import scipy.sparse as sp
from benchopt import BaseSolver
from benchopt.stopping_criterion import StoppingCriterion

LADDER = (1e-2, 1e-3, 1e-4, 5e-5, 1e-5, 1e-6, 5e-7, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12)
SMALLEST_TARGET = 1e-6
ROWS_OF_WARM_UP = 400


class GapReached(StoppingCriterion):
    """Stop at the smallest target or the ladder's end."""

    def __init__(self, strategy=None, key_to_monitor="gap", minimize=True):
        super().__init__(strategy=strategy, key_to_monitor=key_to_monitor, minimize=minimize)

    def check_convergence(self, objective_list):
        gap = min(point["objective_gap"] for point in objective_list)
        reached = gap <= SMALLEST_TARGET
        return reached or len(objective_list) > len(LADDER), min(1.0, np.log(max(gap, 1e-12)) / -14.0)


class LadderSolver(BaseSolver):
    """Subclasses say which penalties they serve (``refuses``) and fit (``fit``)."""

    sampling_strategy = "tolerance"
    stopping_criterion = GapReached(strategy="tolerance")
    by_rows = False
    """Whether the library works on rows (CSR, C order) instead of columns (CSC, Fortran order)."""

    def refuses(self, l1, l2):
        """Why the penalty is not served, or None."""
        return None

    def fit(self, X, y, l1, l2, tol):
        """Coefficients for the problem as :mod:`benchmark_utils.gaps` states it."""
        raise NotImplementedError

    def skip(self, X, y, l1, l2):
        reason = self.refuses(l1, l2)
        return reason is not None, reason

    def set_objective(self, X, y, l1, l2):
        if sp.issparse(X):
            self.X = X.tocsr() if self.by_rows else X.tocsc()
        else:
            self.X = np.asarray(X, order="C" if self.by_rows else "F")
        self.y, self.l1, self.l2 = y, l1, l2

    def warm_up(self):
        rows = slice(min(ROWS_OF_WARM_UP, len(self.y)))
        X = self.X[rows] if self.by_rows or not sp.issparse(self.X) else self.X[rows].tocsc()
        self._quiet_fit(X, self.y[rows], self.l1, self.l2, 1e-2)

    def get_next(self, stop_val):
        return next((tol for tol in LADDER if tol < stop_val), LADDER[-1])

    def run(self, tol):
        # The curve begins at zero, with the tolerance that benchopt calls infinite.
        self.w = (
            np.zeros(self.X.shape[1]) if tol > 1.0 else self._quiet_fit(self.X, self.y, self.l1, self.l2, tol)
        )

    def _quiet_fit(self, X, y, l1, l2, tol):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self.fit(X, y, l1, l2, tol)

    def get_result(self):
        return {"w": np.asarray(self.w, dtype=np.float64).ravel()}


def only_l1(l1, l2):
    """Reason for libraries that know no l2 part."""
    return "serves the l1 penalty only" if l2 > 0 else None


def only_l2(l1, l2):
    """Reason for libraries that know no l1 part."""
    return "serves the l2 penalty only" if l1 > 0 else None


def one_of_both(l1, l2):
    """Reason for libraries that know either part, not their sum."""
    return "serves l1 or l2, not both" if l1 > 0 and l2 > 0 else None
