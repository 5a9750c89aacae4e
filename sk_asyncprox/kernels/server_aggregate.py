"""Sums of what the shards have answered, on the server: of gradients, or of models, and their minimiser with
the penalty.

    sum_i share_i [g_i . (v - x_i) + (v - x_i)' H_i (v - x_i) / 2]  =  v'Av/2 - q.v + constant

with ``A = sum share_i H_i`` and ``q = sum share_i (H_i x_i - g_i)``.
"""

from typing import NamedTuple

import numpy as np

from .quadratic_minimiser import SHARE_OF_GAP, solution

MOST_CALLS = 20
"""Rounds of coordinate descent and Newton steps for a minimiser; the next one goes on from where they end."""

REFRESH_EVERY = 100
"""Renewals after which the sums are made anew, against drift."""


class Sums:
    """Sums of what the shards have answered last, tuples of arrays and numbers, with their ``shares`` for
    weights: ``total``, a tuple of arrays. ``columns`` say which entries of the first of these a shard has.

    They are renewed by the difference that an answer makes, and made anew now and then.
    """

    def __init__(self, shares, total, columns=None):
        self._shares, self.total = shares, total
        self.entries, self._columns, self._renewed = [None] * len(shares), columns, 0

    def renew(self, shard, new):
        """Put an answer in the place of the shard's last."""
        old, self.entries[shard] = self.entries[shard], new
        self._renewed += 1
        if self._renewed % REFRESH_EVERY or None in self.entries:
            self._add(shard, new, old)
            return
        for each in self.total:
            each[...] = 0.0
        for other, entry in enumerate(self.entries):
            self._add(other, entry)

    def _add(self, shard, new, old=None):
        share, at = self._shares[shard], ... if self._columns is None else self._columns[shard]
        for k, total in enumerate(self.total):
            if old is None or new[k] is not old[k]:
                # In double precision also where the answers are in single.
                total[at] += share * np.subtract(new[k], 0.0 if old is None else old[k], dtype=np.float64)
            at = ...


class Entry(NamedTuple):
    """A shard's model, as the server keeps it; or the weighted sum of these."""

    A: np.ndarray
    gradient: np.ndarray
    q: np.ndarray
    """``H x - g``."""

    square: float
    """``x'Hx - 2 g.x + g' H^-1 g``: the constant with which no model falls below zero."""

    size: float
    """``g' H^-1 g``."""

    value: float
    """Mean loss where the model was made."""


class Subproblem(NamedTuple):
    """What the server minimises with the penalty: ``w'Qw/2 - q.w``, the best intercepts put in."""

    Q: np.ndarray
    q: np.ndarray
    square: float
    """Squared norm of the target, as the penalty's ``gap_on_gram`` wants it."""

    slopes: np.ndarray | None
    constants: np.ndarray | None

    def intercepts(self, w):
        """The best intercepts beside ``w``; None where there are none to choose."""
        return None if self.slopes is None else self.constants - self.slopes @ w

    def gap(self, w, penalty):
        """Duality gap at ``w``; without a penalty its largest slope."""
        if penalty.has_zeros:
            return penalty.gap_on_gram(self.Q, self.q, w, self.square)
        slope = self.q - self.Q @ w - penalty.l2s * w
        return float(penalty.conjugate(slope) if penalty.l2 else np.abs(slope).max(initial=0.0))

    def minimiser(self, w, penalty, enough):
        """Minimiser with the penalty, nearly, from ``w``; or what has a gap of ``enough``."""
        limits = {"share": SHARE_OF_GAP, "most_calls": MOST_CALLS, "enough": enough}
        w, *_ = penalty.solve_on_gram(self.Q, self.q, w, self.square, enough, **limits)
        crumbs = penalty.crumbs(w, self.q - self.Q @ w - penalty.l2s * w)
        if not crumbs.any():
            return w
        tidied = np.where(crumbs, 0.0, w)
        return tidied if self.gap(tidied, penalty) <= max(self.gap(w, penalty), enough) else w

    def solved(self, w, penalty, enough):
        """The gap at ``w``, the minimiser from there, and the best intercepts beside that."""
        new = self.minimiser(w, penalty, enough)
        return self.gap(w, penalty), new, self.intercepts(new)


class ModelSum:
    """Sum of the shards' models, of which ``shares`` are the weights, summing to one; ``n_free`` intercepts
    come after the coefficients."""

    def __init__(self, shares, n_coefs, n_free=0):
        self.n_coefs, self.n_free, size = n_coefs, n_free, n_coefs + n_free
        shapes = (size, size), size, size, (), (), ()
        self.sums = Sums(shares, Entry(*map(np.zeros, shapes)))

    def renew(self, shard, x, gradient, curvature, size, value=0.0):
        """Put a shard's model at ``x`` in the place of its last, whose curvature stays where None is given;
        ``size`` is ``g' H^-1 g`` over the margins, and ``value`` the loss."""
        H = self.sums.entries[shard].A if curvature is None else curvature
        image = H @ x
        square = float(x @ image - 2.0 * (x @ gradient) + size)
        self.sums.renew(shard, Entry(H, gradient, image - gradient, square, size, value))

    def quadratic(self):
        """The sum in the coefficients alone; a snapshot."""
        total = self.sums.total
        return self._reduced(total.A.copy(), total.q.copy(), float(total.square))

    def proximal(self, x, length):
        """What a step of that length from ``x`` minimises: along the sum of the gradients, in the metric of
        the curvatures' sum, ``g . v + (v - x)' A (v - x) / (2 length)``."""
        total = self.sums.total
        Q, g = total.A / length, total.gradient
        image = Q @ x
        return self._reduced(Q, image - g, float(x @ image - 2.0 * (x @ g) + length * total.size))

    def _reduced(self, A, b, square):
        n = self.n_coefs
        if not self.n_free:
            return Subproblem(A, b, square, None, None)
        across, own = A[:n, n:], A[n:, n:]
        best = solution(own, np.column_stack([across.T, b[n:]]))
        slopes, constants = best[:, :-1], best[:, -1]
        q, square = b[:n] - across @ constants, square - b[n:] @ constants
        return Subproblem(A[:n, :n] - across @ slopes, q, square, slopes, constants)
