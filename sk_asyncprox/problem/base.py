"""What problems have in common wherever their rows lie."""

from copy import copy

import numpy as np

from .._interrupts import cached_property
from .scaling import LEAST, MOST, OWN

MADE = "scale", "null", "moments", "quadratic", "design"
"""What is made when it is first asked for, of the targets all but the last."""


class BaseProblem:
    """Ways between the data and the centred design. Subclasses have ``loss``, ``penalty``, ``fit_intercept``,
    ``design`` and ``offset``; and ``y``, ``weights`` and ``sample_weights`` for the loss of constant
    models."""

    units = OWN
    """Units that all its numbers are in."""

    shards = None
    """Handles of the rows, where they lie elsewhere."""

    is_dense = False
    """Whether the data are stored dense, here."""

    as_it_lies = False
    """Whether the columns keep their means, and ``b`` is the intercept of the data as they are."""

    @property
    def free_intercept(self):
        """Whether the best intercept depends on the coefficients."""
        return self.fit_intercept and (self.as_it_lies or not self.loss.quadratic)

    def in_range(self, features=False):
        """The same problem: numbers that lie elsewhere stay as they are."""
        return self

    def with_penalty(self, penalty):
        """The same problem, data shared, with another penalty."""
        with np.errstate(over="ignore"):
            self.null, self.scale  # noqa: B018 (once for all penalties)
        return self._altered((), penalty=penalty)

    def _altered(self, made=MADE, **changes):
        """The same problem but for some attributes, without what was ``made`` of these."""
        other = copy(self)
        for name in made:
            vars(other).pop(name, None)
        vars(other).update(changes)
        return other

    def like(self, other):
        """A problem of the same data in its own units, in those of this one."""
        return other if self.units.own else self.with_penalty(self.units.penalty(other.penalty))

    @property
    def pass_size(self):
        """Stored entries touched in one pass: a product with the data and one with its transpose."""
        return 2 * max(1, self.size)

    @property
    def size(self):
        """Stored entries of the design."""
        return self.design.size

    @property
    def n_coefs(self):
        """Coefficients, of all outputs."""
        return self.design.shape[1]

    @cached_property
    def scale(self):
        """What the tolerance is relative to; a constant target has scale 0 and counts as 1."""
        return self.loss.scale(self.y, self.weights, self.fit_intercept) or 1.0

    @cached_property
    def null(self):
        """Objective of the best model without features."""
        b = self.loss.best_intercept(self.y, self.weights)
        z = self.shifted(np.zeros(len(self.weights)), b if self.fit_intercept else 0.0 * b)
        return float(self.weights @ self.loss.value(self.y, z))

    def looks_stray(self, correlations):
        """Whether squares of the features may overflow or vanish, as far as their correlations tell."""
        size = correlations @ correlations / (1.0 if self.loss.labelled else self.scale)
        return not LEAST**2 <= size <= MOST**2 and (size != 0.0 or correlations.any())

    def start(self, coef=None, intercept=0.0):
        """Coefficients and intercept to begin with, in the centred design."""
        if coef is not None:
            w = self._reached(np.array(coef, dtype=np.float64).ravel())
            return w, intercept + self._offsets(w) if self.fit_intercept else 0.0 * self._offsets(w)
        w = np.zeros(self.n_coefs)
        b = self.loss.best_intercept(self.y, self.weights)
        return w, b if self.fit_intercept else 0.0 * b

    def _offsets(self, w):
        """What the column means add to the intercept."""
        if self.loss.n_outputs == 1:
            return float(self.offset @ w)
        return w.reshape(-1, len(self.offset)) @ self.offset

    def shifted(self, z, b):
        """The margins after a change of the intercept."""
        return (z.reshape(len(b), -1) + b[:, None]).ravel() if np.ndim(b) else z + b

    def intercept(self, w, b):
        """Intercept for the data as they were given; several have mean zero, which changes no loss."""
        if not self.fit_intercept:
            return b
        b = b - self._offsets(w)
        return b - b.mean() if self.loss.n_outputs > 1 else b

    def canonical(self, w):
        """Coefficients with the same losses, of least norm over the outputs where nothing penalises them."""
        penalty = self.penalty
        if self.loss.n_outputs == 1 or not (penalty.is_zero or penalty.free is not None):
            return w
        W = w.reshape(self.loss.n_outputs, -1).copy()
        alike = slice(None) if penalty.is_zero else penalty.free[penalty.free < W.shape[1]]
        W[:, alike] -= W[:, alike].mean(axis=0)
        return W.ravel()

    def intercept_slope(self, gradient):
        """Slope in the intercept where the loss has the given gradient."""
        if self.loss.n_outputs == 1:
            return self.weights @ gradient
        return gradient.reshape(-1, len(self.y)) @ self.sample_weights
