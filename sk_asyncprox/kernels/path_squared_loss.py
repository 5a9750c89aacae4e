"""Solutions for many penalties of a squared loss, on Gram matrices, certified many at a time.

A walk goes from one penalty to the next on the Gram matrix of the columns in use; looks at all columns are
made for a stage of penalties at once, as one product of matrices. Where solutions may be mixed, only every
other one is solved for, and one between two is made of them. Where a gap is above the tolerance, the columns
that are missing are taken into use, and the solution goes on from where it is.
"""

from typing import NamedTuple

import numpy as np

from .._precision import TINY
from ..problem.certificate import Certificate, quadratic_bounds
from .path_extrapolation import Trail, strength
from .path_gram_cache import intercept_of

RIGHT, TENTH, LEAST_RIGHT = 0.7, 0.1, 1e-4
"""Share of the tolerance that a solution on the columns in use is to reach; what that is multiplied by where
it was not enough; and the least there is."""

ROUNDING = 1e-15
"""Gap, relative to the squared norm of the target, that is rounding."""

STAGE = 0.6
"""Penalty, relative to the first one of a stage, at which the next stage begins."""

NEAR = 0.9
"""Correlation expected at the last penalty of a stage, relative to it, from which on a column is taken into
use for it. Correlations are piecewise linear in the penalty, as solutions are."""

ROOM, ROUNDS = 50, 20
"""Columns that are taken into use at once, at most, where fewer are in use; and looks at a stage, at most."""

LOOSE, MISSES = 1e-6, 3
"""Tolerance from which on solutions are made of the two beside them; and how many more of these may miss it
than meet it, in stages where some do, before all are solved for."""


class Walked(NamedTuple):
    """A solution of a walk."""

    certificate: Certificate
    gap: float
    touched: int
    """Stored entries touched."""


class Walk:
    """A walk along penalties, of a squared loss; ``wanted`` turns what the optimum gains on the coefficients
    zero into the gap that is asked for, a number or an array; ``mixes``: whether solutions may be made of the
    two beside them."""

    def __init__(self, problem, columns, wanted, start, mixes):
        self._columns, self._pull, self._b = columns, columns.pull, intercept_of(problem)
        self._w = np.zeros(len(self._pull)) if start is None else start.w
        self._trail, self._touched, self._near_null, self._wanted_gap = Trail(), 0, True, wanted
        self._most = float(wanted(np.inf))
        self._right, self._last, self._slope = RIGHT, 0.0, 0.0
        self._misses = 0 if mixes and self._most >= LOOSE * columns.square else MISSES

    def stages(self, penalties):
        """The penalties, in runs that one look serves."""
        if self._columns.all_at_once:
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
        self._right = RIGHT
        self._take(self._score(penalties[-1]))
        W, mixed = self._first(penalties) if len(self._columns.index) else ([], [])
        todo, found = list(range(len(W) - 1)), [None] * (len(W) - 1)
        for _ in range(ROUNDS if todo else 0):
            score = self._look(W, penalties, todo, found)
            todo = [i for i in todo if found[i] is None]
            if not todo:
                break
            taken = self._take(score)
            W = np.pad(W, ((0, 0), (0, taken)))
            if not taken and mixed:
                self._misses, mixed = self._misses + 2 * len(todo) - len(mixed), []
            elif not taken:
                # What is missing is accuracy.
                self._right *= TENTH
                if self._right < LEAST_RIGHT:
                    break
            for i in todo:
                if i not in mixed:
                    W[i], _ = self._solve(penalties[i], W[i])
            self._mix(W, penalties, mixed)
        found = found[: todo[0] if todo else len(found)]
        if found:
            self._remember(penalties, [walked.certificate for walked in found])
        return found

    def _remember(self, penalties, certificates):
        """Where the stage has ended, and where it goes."""
        middle, end = certificates[len(certificates) // 2], certificates[-1]
        self._w, self._pull, self._last = end.w, end.correlations, strength(penalties[len(certificates) - 1])
        length = self._last - strength(penalties[len(certificates) // 2])
        self._slope = (self._pull - middle.correlations) / length if length < 0.0 else 0.0

    def _first(self, penalties):
        """Solutions on the columns in use, a row each, as far as they can be found, behind them the last one;
        and the numbers of those that are mixed."""
        index, m, mixed = self._columns.index, len(penalties), []
        W = np.empty((m + 1, len(index)))
        w = W[-1] = self._w[index]
        self._trail.widen(len(index))
        for i, penalty in enumerate(penalties):
            if (m - i) % 2 == 0 and self._misses < MISSES and not self._near_null:
                mixed.append(i)
                continue
            expected = self._trail.expected(penalty)
            w, solved = self._solve(penalty, w if expected is None else expected)
            if not solved:
                # One that would be made of this one is not there either.
                n_found = i - (i - 1 in mixed)
                W, mixed = W[[*range(n_found), -1]], [k for k in mixed if k < n_found]
                break
            W[i] = w
            self._trail.add(penalty, w)
        self._mix(W, penalties, mixed)
        self._w = np.zeros(len(self._w))
        self._w[index] = w
        return W, mixed

    def _mix(self, W, penalties, mixed):
        """Make these rows of the ones beside them."""
        # Residuals mix as solutions do: no correlation gets above its penalty, and little is lost.
        if mixed:
            at, i = np.array([*map(strength, penalties), self._last]), np.array(mixed)
            span = at[i + 1] - at[i - 1]
            t = np.divide(at[i] - at[i - 1], span, out=np.ones(len(i)), where=span != 0.0)[:, None]
            W[i] = (1.0 - t) * W[i - 1] + t * W[i + 1]

    def _score(self, penalty):
        """How much the end of a stage is expected to need each column: above one, if it does."""
        if not penalty.has_zeros or self._columns.all_at_once:
            return np.full(len(self._w), np.inf)
        expected = self._pull + (strength(penalty) - self._last) * self._slope
        score = penalty.pull(expected) / max(NEAR * penalty.l1, TINY)
        if not len(self._columns.index):
            score[score.argmax()] = np.inf
        score[self._w != 0.0] = np.inf
        return score

    def _take(self, score):
        """Take columns into use whose score is above one: the best, and not too many at once. Return how many
        there are; none where all that are used are too many."""
        columns = self._columns
        score[columns.index] = 0.0
        new = np.flatnonzero(score > 1.0)
        room = max(ROOM, np.count_nonzero(self._w) // 4, np.count_nonzero(np.isinf(score)))
        if len(new) > room:
            new = np.sort(new[np.argpartition(-score[new], room - 1)[:room]])
        if len(columns.index) + len(new) > columns.most:
            return 0
        if len(new):
            self._columns = columns.followed(len(columns.index) + len(new))
            self._columns.use(new)
        return len(new)

    def _solve(self, penalty, w):
        """Coefficients of the columns in use, and whether these alone would be nearly done with them."""
        Q, q, square = self._columns.Q, self._columns.q, self._columns.square
        goal = self._right * self._most
        penalty = penalty.on(self._columns.index)
        w, gap, touched = penalty.descend_on_gram(Q, q, w, square, goal)
        self._touched += touched
        if self._near_null:
            gain = q @ w - 0.5 * w @ Q @ w - penalty.value(w)
            nearer = max(self._right * float(self._wanted_gap(gain)), ROUNDING * square)
            self._near_null = nearer < goal
            if gap > nearer:
                w, gap, touched = penalty.descend_on_gram(Q, q, w, square, nearer)
                self._touched += touched
        return w, gap <= goal

    def _look(self, W, penalties, todo, found):
        """Certify solutions, and keep those that meet the tolerance; return how much the others miss each
        column: above one, if they do."""
        index, some = self._columns.index, [penalties[i] for i in todo]
        V = W[todo]
        *seen, rounding, touched = self._columns.look(V)
        objectives, duals = quadratic_bounds(V, index, seen, some)
        gaps, C = np.maximum(objectives - duals, 0.0) + rounding, seen[2]
        wanted = self._wanted_gap(0.5 * self._columns.square - duals)
        good = gaps <= np.maximum(wanted, np.minimum(2.0 * rounding, self._most))
        whole = np.zeros((len(todo), len(self._w)))
        whole[:, index] = V
        score, touched = np.zeros(len(self._w)), (touched + self._touched) / len(todo)
        self._touched = 0
        for k, i in enumerate(todo):
            if good[k]:
                known = Certificate(whole[k], self._b, float(objectives[k]), float(duals[k]), C[k])
                found[i] = Walked(known, float(gaps[k]), touched)
            else:
                np.maximum(score, some[k].pull(C[k]) / max(some[k].l1, TINY), out=score)
        return score
