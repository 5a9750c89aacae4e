"""Quasi-Newton steps: what the last steps have told of the second derivatives (L-BFGS), and where an l1 part
lets such steps go.

Where no coefficient changes its sign the l1 part is linear. So a step may make coefficients zero, and take
those out of zero that are called for, but crosses no zero: what would is held, and the others' step is made
anew without it (two-metric projection, Bertsekas, 1982; orthant-wise L-BFGS, Andrew and Gao, 2007).
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg.blas import daxpy

PAIRS = 10
"""Steps that are remembered."""

TURNS = 4
"""Times that a step is made anew without the coefficients that it would carry across zero, at most."""


class Memory(NamedTuple):
    """What is known of the second derivatives."""

    pairs: tuple = ()
    """Moves, the changes of the slope that they made, and the products of the two; the oldest first."""

    solve: object = None
    """What solves systems with the matrix of second derivatives at some point, or with one like it; None
    where there is none."""

    scale: float = 1.0
    """What its solutions are multiplied by, as the last step has told."""

    @property
    def is_empty(self):
        return not self.pairs and self.solve is None

    def after(self, move, change):
        """The same after a step that has lowered the slope by ``change``."""
        product = move @ change
        if not product > 0.0:
            return self
        size = change @ (change if self.solve is None else self.solve(change))
        pairs = (*self.pairs[1 - PAIRS :], (move, change, product))
        return self._replace(pairs=pairs, scale=product / size if size > 0.0 else self.scale)

    def among(self, free):
        """The same of the coefficients that are free (a mask), without a matrix of second derivatives."""
        pairs, scale = [], 1.0
        for move, change, _ in self.pairs:
            change = change * free
            own = move @ change
            if own > 0.0:
                pairs.append((move, change, own))
                scale = own / (change @ change)
        return Memory(tuple(pairs), scale=scale)

    def step(self, slope):
        """The step that is known to be best where the slope of the objective is minus ``slope``."""
        x, shares = slope.copy(), []
        for move, change, product in reversed(self.pairs):
            shares.append(move @ x / product)
            daxpy(change, x, a=-shares[-1])
        if self.solve is not None:
            x = self.solve(x)
        x *= self.scale
        for (move, change, product), share in zip(self.pairs, reversed(shares), strict=True):
            daxpy(move, x, a=share - change @ x / product)
        return x


class Face:
    """The points that are reached from coefficients and intercepts ``x`` without a change of sign; ``slope``
    is minus the slope there. All points, where the ``penalty`` makes no zeros."""

    def __init__(self, x, slope, penalty, p):
        self.slope, self._x, self._signs = slope, x, None
        if penalty.has_zeros:
            w, signs, self.slope = x[:p], np.zeros_like(x), slope.copy()
            signs[:p] = 1.0 if penalty.positive else np.sign(np.where(w != 0.0, w, slope[:p]))
            self.slope[:p] -= penalty.l1s * signs[:p]
            self._free = (x != 0.0) | (self.slope * signs > 0.0)
            self._free[p:], self._signs = True, signs
            self.slope *= self._free

    def step(self, memory):
        """The step that is known to be best, of those that end here."""
        if self._signs is None:
            return memory.step(self.slope)
        free, held = self._free, np.zeros_like(self._x)
        for _ in range(TURNS):
            known = memory if free.all() else memory.among(free)
            move = known.step(self.slope * free) * free
            across = (self._x + move) * self._signs < 0.0
            move[across] = 0.0
            if not across.any():
                break
            free = free & ~across
            held -= self._x * (across & (self.slope * self._signs < 0.0))
        return move + held

    def longest(self, move):
        """Length of the longest way along a move that ends here."""
        if self._signs is None:
            return np.inf
        back = move * self._signs < 0.0
        return float((self._x[back] / -move[back]).min(initial=np.inf))
