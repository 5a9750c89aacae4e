"""Solutions for many penalties of a squared loss, on Gram matrices, certified many at a time.

A walk goes from one penalty to the next on the Gram matrix of the columns in use; looks at all columns are
made for a stage of penalties at once, as one product of matrices. Where a gap is above the tolerance, the
columns that are missing are taken into use, and the solution goes on from where it is.
"""

from typing import NamedTuple

import numpy as np

from .._compat import gram_cd
from ..certificate import Certificate, target_near_null
from .gram import FAST_DESCENT, newton_on_gram
from .trail import Trail

RIGHT = 0.5
"""Share of the tolerance that a solution on the columns in use is to reach."""

MOST_CALLS, ENTRIES, FEWEST_SWEEPS, MOST_SWEEPS = 50, 200_000, 8, 100
"""Calls of the kernel for a solution, at most, and sweeps of a call: on a small matrix many cost no more
than the call."""

STAGE = 0.5
"""Penalty, relative to the first one of a stage, at which the next stage begins."""

NEAR = 0.8
"""Correlation, relative to the last penalty of a stage, from which on a column is taken into use for it."""

RESOLVED = 1e-12
"""Share of the scale below which no gap is asked for."""

WIDEST, ROUNDS = 256, 10
"""Columns that are all taken into use at once, and looks at a stage, at most."""


class Walked(NamedTuple):
    """A solution of a walk."""

    certificate: Certificate
    gap: float
    touched: int
    """Stored entries touched."""


class Known:
    """Columns of a problem whose second moments are known.

    Attributes
    ----------
    index : ndarray of int
        Columns in use.
    Q, q : ndarray of shape (k, k) and (k,)
        Their Gram matrix, and their products with the target.
    pull : ndarray of shape (p,)
        Products of all columns with the target.
    square : float
        Squared norm of the target.
    most : int
        Columns that may be taken into use.
    """

    def __init__(self, problem):
        self._all = problem.quadratic
        self.pull, self.square, self.index = self._all.q, self._all.square, np.empty(0, int)
        self.Q, self.most = np.empty((0, 0)), len(self.pull)

    def use(self, new):
        """Take more columns into use."""
        rows = self._all.Q[new]
        self.Q = _grown(self.Q, rows[:, self.index], rows[:, new])
        self.index = np.concatenate([self.index, new])
        self.q = self.pull[self.index]

    def look(self, W):
        """What certificates of coefficients, a row each, need: squared norms of the residuals, their products
        with the target and with all columns, and a bound on the rounding; and the entries touched."""
        images = W @ self._all.Q[self.index]
        pulls = W @ self.q
        squares = self.square - 2.0 * pulls + np.einsum("ij,ij->i", W, images[:, self.index])
        size = np.abs(W) @ np.sqrt(self.Q.diagonal()) + np.sqrt(self.square)
        rounding = 2.0 * self._all.error * size**2
        return squares, self.square - pulls, self.pull - images, rounding, images.size


def _intercept(problem):
    """Intercept of the centred design, which is the same for all coefficients."""
    return problem.loss.best_intercept(problem.y, problem.weights) if problem.fit_intercept else 0.0


def _grown(Q, beside, fresh):
    """Gram matrix with rows for more columns: their products with the old ones, and with one another."""
    k, m = len(Q), len(fresh)
    out = np.empty((k + m, k + m))
    out[:k, :k], out[k:, :k], out[:k, k:], out[k:, k:] = Q, beside, beside.T, fresh
    return out


def certified(W, seen, penalties):
    """Objectives, bounds and gaps of coefficients of the columns in use, a row each.

    Parameters
    ----------
    W : ndarray of shape (m, k)
    seen : tuple
        From ``look``.
    penalties : list of ElasticNetPenalty
        Of the rows.

    Returns
    -------
    objectives, duals : ndarray of shape (m,)
        The bounds are those of :meth:`~sk_asyncprox.problem.Problem.certify`, all rows at once.
    """
    squares, products, C, *_ = seen
    l1 = np.array([penalty.l1 for penalty in penalties])
    l2 = np.array([penalty.l2 for penalty in penalties])
    objectives = 0.5 * squares + l1 * np.abs(W).sum(axis=1) + 0.5 * l2 * np.einsum("ij,ij->i", W, W)
    pulls = penalties[0].pull(C)
    largest = np.maximum(pulls.max(axis=1), np.finfo(float).tiny)
    best = np.divide(products, squares, out=np.ones_like(squares), where=squares > 0.0)
    scale = np.minimum(l1 / largest, np.maximum(best, 0.0))
    duals = scale * products - 0.5 * scale**2 * squares
    ridge = l2 > 0.0
    if ridge.any():
        divisor = np.where(ridge, 2.0 * l2, np.inf)

        def excess(s):
            return (np.maximum(s[:, None] * pulls - l1[:, None], 0.0) ** 2).sum(axis=1) / divisor

        one = np.ones_like(scale)
        unscaled = np.where(ridge, products - 0.5 * squares - excess(one), -np.inf)
        duals = np.maximum(duals - excess(scale), unscaled)
    return objectives, duals


class Walk:
    """A walk along penalties.

    Parameters
    ----------
    problem : Problem
        Of a squared loss.
    columns : Known
    tol : float
    start : Snapshot or None
    """

    def __init__(self, problem, columns, tol, start=None):
        self._columns, self._pull, self._b = columns, columns.pull, _intercept(problem)
        self._w = np.zeros(len(self._pull)) if start is None else start.w
        self._target, self._trail, self._touched = tol * problem.scale, Trail(), 0
        self._tol, self._scale = tol, problem.scale

    def stages(self, penalties):
        """The penalties, in runs that one look serves."""
        if len(self._w) <= WIDEST:
            return [penalties]
        runs = [[]]
        for penalty in penalties:
            run = runs[-1]
            if run and not STAGE * run[0].l1 <= penalty.l1 <= run[-1].l1:
                runs.append([])
            runs[-1].append(penalty)
        return runs

    def stage(self, penalties):
        """Solutions for a run of penalties, as far as they meet the tolerance."""
        columns = self._columns
        if not self._take(self._wanted(penalties[-1])):
            return []
        W = self._first(penalties)
        todo, found = list(range(len(W))), [None] * len(W)
        for _ in range(ROUNDS if todo else 0):
            missing = self._look(W, penalties, todo, found)
            todo = [i for i in todo if found[i] is None]
            k = len(columns.index)
            if not todo or not self._take(missing) or len(columns.index) == k:
                break
            W = np.pad(W, ((0, 0), (0, len(columns.index) - k)))
            for i in todo:
                W[i], _ = self._solve(penalties[i], W[i])
        found = found[: todo[0] if todo else len(found)]
        if found:
            self._w, self._pull = found[-1].certificate.w, found[-1].certificate.correlations
        return found

    def _first(self, penalties):
        """Solutions on the columns in use, a row each, as far as they can be found."""
        index = self._columns.index
        W = np.empty((len(penalties), len(index)))
        for i, penalty in enumerate(penalties):
            expected = self._trail.expected(penalty)
            w = self._w if expected is None else expected
            W[i], gap = self._solve(penalty, w[index])
            if not gap <= self._target:
                return W[:i]
            self._w = np.zeros_like(w)
            self._w[index] = W[i]
            self._trail.add(penalty, self._w)
        return W

    def _wanted(self, penalty):
        """Columns that the end of a stage is expected to need."""
        if len(self._w) <= WIDEST or not penalty.has_zeros:
            return np.ones(len(self._w), bool)
        return (self._w != 0.0) | (penalty.pull(self._pull) > NEAR * penalty.l1)

    def _take(self, wanted):
        """Take columns into use, unless they are too many; return whether they are in use."""
        columns = self._columns
        wanted[columns.index] = False
        new = np.flatnonzero(wanted)
        if len(columns.index) + len(new) > columns.most:
            return False
        if len(new):
            columns.use(new)
        return True

    def _solve(self, penalty, w):
        """Coefficients of the columns in use, and their gap if there were no others."""
        Q, q, square = self._columns.Q, self._columns.q, self._columns.square
        goal, before = RIGHT * self._target, np.inf
        sweeps = max(FEWEST_SWEEPS, min(MOST_SWEEPS, ENTRIES // max(1, len(w)) ** 2))
        if not penalty.has_zeros:
            w = newton_on_gram(Q, q, w, penalty)
        for _ in range(MOST_CALLS):
            w, gap, n_sweeps = gram_cd(w, penalty, sweeps, Q, q, square, goal)
            self._touched += n_sweeps * Q.size
            goal = RIGHT * self._wanted_gap(0.5 * (q @ w - penalty.l1 * np.abs(w).sum()), 0.0)
            if gap <= goal:
                break
            if gap > FAST_DESCENT * before:
                w = newton_on_gram(Q, q, w, penalty)
            before = gap
        return w, gap

    def _wanted_gap(self, gain, rounding):
        """The gap asked for, where ``gain`` is what is to be gained on the coefficients zero."""
        near = target_near_null(self._tol, self._scale, gain, RESOLVED * self._scale + rounding)
        return np.minimum(self._target, near)

    def _look(self, W, penalties, todo, found):
        """Certify solutions, and keep those that meet the tolerance; return the mask of the columns that the
        others miss."""
        index, some = self._columns.index, [penalties[i] for i in todo]
        V = W[todo]
        *seen, rounding, touched = self._columns.look(V)
        objectives, duals = certified(V, seen, some)
        gaps, C = np.maximum(objectives - duals, 0.0) + rounding, seen[2]
        good = gaps <= self._wanted_gap(0.5 * self._columns.square - duals, 2.0 * rounding)
        whole = np.zeros((len(todo), len(self._w)))
        whole[:, index] = V
        missing, touched = np.zeros(len(self._w), bool), (touched + self._touched) / len(todo)
        self._touched = 0
        for k, i in enumerate(todo):
            if good[k]:
                known = Certificate(whole[k], self._b, float(objectives[k]), float(duals[k]), C[k])
                found[i] = Walked(known, float(gaps[k]), touched)
            else:
                missing |= some[k].pull(C[k]) > some[k].l1
        return missing
