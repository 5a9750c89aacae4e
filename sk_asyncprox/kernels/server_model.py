"""The sum of the shards' models on the server, and its minimiser with the penalty.

    sum_i share_i [g_i . (v - x_i) + (v - x_i)' H_i (v - x_i) / 2]  =  v'Av/2 - q.v + constant

with ``A = sum share_i H_i`` and ``q = sum share_i (H_i x_i - g_i)``: two sums, renewed by the difference that
an arrival makes.
"""

import operator
from typing import NamedTuple

import numpy as np

from .gram_model import solution

MOST_CALLS = 20
"""Rounds of coordinate descent and Newton steps for a minimiser; the next one goes on from where they end."""

REFRESH_EVERY = 100
"""Renewals after which the sums are made anew, against drift."""


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


class Quadratic(NamedTuple):
    """``w'Qw/2 - q.w`` in the coefficients alone, the best intercepts put in."""

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
        w, _ = penalty.solve_on_gram(self.Q, self.q, w, self.square, enough=enough, most_calls=MOST_CALLS)
        crumbs = penalty.crumbs(w, self.q - self.Q @ w - penalty.l2s * w)
        if not crumbs.any():
            return w
        tidied = np.where(crumbs, 0.0, w)
        return tidied if self.gap(tidied, penalty) <= max(self.gap(w, penalty), enough) else w


class ModelSum:
    """Sum of the shards' models, of which ``shares`` are the weights, summing to one; ``n_free`` intercepts
    come after the coefficients."""

    def __init__(self, shares, n_coefs, n_free=0):
        # Numbers of numpy's: times an array in single precision they make one in double.
        self.shares, self.n_coefs, self.n_free = np.array(shares), n_coefs, n_free
        self._entries = [None] * len(shares)
        size = n_coefs + n_free
        self.A, self.gradient, self.q = np.zeros((size, size)), np.zeros(size), np.zeros(size)
        self.square = self.size = 0.0
        self._renewed = 0

    def renew(self, shard, x, gradient, curvature, size):
        """Put a shard's model at ``x`` in the place of its last, whose curvature stays where None is given;
        ``size`` is ``g' H^-1 g`` over the margins."""
        old, share = self._entries[shard], self.shares[shard]
        H = old.A if curvature is None else curvature
        image = H @ x
        square = float(x @ image - 2.0 * (x @ gradient) + size)
        new = self._entries[shard] = Entry(H, gradient, image - gradient, square, size)
        self._renewed += 1
        if self._renewed % REFRESH_EVERY == 0 and None not in self._entries:
            for name, parts in zip(Entry._fields, zip(*self._entries, strict=True), strict=True):
                setattr(self, name, sum(map(operator.mul, self.shares, parts)))
            return
        if curvature is not None:
            self.A += share * H
            if old is not None:
                self.A -= share * old.A
        for name in Entry._fields[1:]:
            change = getattr(new, name) - (getattr(old, name) if old is not None else 0.0)
            setattr(self, name, getattr(self, name) + share * change)

    def quadratic(self):
        """The sum in the coefficients alone; a snapshot."""
        return self._reduced(self.A.copy(), self.q.copy(), self.square)

    def proximal(self, x, length):
        """What a step of that length from ``x`` minimises: along the sum of the gradients, in the metric of
        the curvatures' sum, ``g . v + (v - x)' A (v - x) / (2 length)``."""
        Q, g = self.A / length, self.gradient
        image = Q @ x
        return self._reduced(Q, image - g, float(x @ image - 2.0 * (x @ g) + length * self.size))

    def _reduced(self, A, b, square):
        n = self.n_coefs
        if not self.n_free:
            return Quadratic(A, b, square, None, None)
        across, own = A[:n, n:], A[n:, n:]
        best = solution(own, np.column_stack([across.T, b[n:]]))
        slopes, constants = best[:, :-1], best[:, -1]
        q, square = b[:n] - across @ constants, square - b[n:] @ constants
        return Quadratic(A[:n, :n] - across @ slopes, q, square, slopes, constants)
