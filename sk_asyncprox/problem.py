"""The optimisation problem: data, loss, penalty and intercept, with its duality-gap certificate.

    minimise over (w, b):  sum_i weights_i loss(y_i, x_i . w + b) + penalty(w),      sum(weights) = 1

The design's columns are centred when there is an intercept, so that ``b`` and ``w`` are decoupled.
"""

from copy import copy
from functools import cached_property

import numpy as np

from .block_diagonal import Copies
from .certificate import Certificate
from .design import design_of

SETTLED = 1e-7
"""Newton step of the intercept, relative to the intercept or to 1, that is the last: what it leaves is of the
order of its square."""

TINY = np.finfo(float).tiny


class Centred:
    """What problems have in common wherever their rows lie: ways between the data and the centred design.

    Subclasses have the attributes ``loss``, ``penalty``, ``fit_intercept``, ``design`` and ``offset``, and
    ``y`` and ``weights``: targets for the loss of constant models.
    """

    @property
    def pass_size(self):
        """Stored entries touched in one pass: a product with the data and one with its transpose."""
        return 2 * max(1, self.design.size)

    @cached_property
    def scale(self):
        """What the tolerance is relative to; a constant target has scale 0 and counts as 1."""
        return self.loss.scale(self.y, self.weights, self.fit_intercept) or 1.0

    def start(self, coef=None, intercept=0.0):
        """Coefficients and intercept to begin with, in the centred design."""
        if coef is not None:
            w = self._reached(np.array(coef, dtype=np.float64).ravel())
            return w, intercept + self._offsets(w) if self.fit_intercept else 0.0 * self._offsets(w)
        w = np.zeros(self.design.shape[1])
        b = self.loss.best_intercept(self.y, self.weights)
        return w, b if self.fit_intercept else 0.0 * b

    def _reached(self, w):
        """The coefficients, without those that no step would ever touch."""
        return w

    def _offsets(self, w):
        """What the column means add to the intercept."""
        if self.loss.n_outputs == 1:
            return float(self.offset @ w)
        return w.reshape(-1, len(self.offset)) @ self.offset

    def intercept(self, w, b):
        """Intercept for the data as they were given; several have mean zero, which changes no loss."""
        if not self.fit_intercept:
            return b
        b = b - self._offsets(w)
        return b - b.mean() if self.loss.n_outputs > 1 else b

    def canonical(self, w):
        """Coefficients with the same losses, of least norm over the outputs where nothing is penalised."""
        if self.loss.n_outputs == 1 or not self.penalty.is_zero:
            return w
        W = w.reshape(self.loss.n_outputs, -1)
        return (W - W.mean(axis=0)).ravel()


class Problem(Centred):
    """Data, loss and penalty.

    Where the loss has K outputs per sample, coefficients (K p), margins and gradients (K n) hold the
    outputs one after the other, and ``b`` is a vector of K.

    Parameters
    ----------
    X : {ndarray, sparse matrix or array} of shape (n, p)
        Validated data.
    y : ndarray of shape (n,) or (n, T)
        Targets as the loss wants them; with several columns only :meth:`targets` can be solved.
    loss, penalty : objects of :mod:`sk_asyncprox.losses` and :mod:`sk_asyncprox.penalties`
    sample_weight : ndarray of shape (n,) or None
        Non-negative, with a positive sum; rows of weight zero are left out.
    fit_intercept : bool
        Whether ``b`` is free; otherwise it is 0.
    rows : bool
        Whether the solver cuts the data by rows (PIAG) instead of by columns.
    overwrite : bool
        Whether a dense ``X`` may be centred in place.

    Attributes
    ----------
    sample_weights : ndarray of shape (n,)
        Sample weights, scaled to sum to one.
    weights : ndarray of shape (K n,)
        The same for every margin.
    design : Design, or BlockDiagonal for several outputs
        What maps coefficients to margins.
    features : Design
        The data, of one output.
    offset : ndarray of shape (p,)
        Column means taken out of the design.
    """

    def __init__(
        self, X, y, loss, penalty, sample_weight=None, fit_intercept=True, rows=False, overwrite=False
    ):
        self.loss, self.penalty, self.fit_intercept = loss, penalty, fit_intercept
        self.y = np.asarray(y, dtype=loss.target_type)
        if sample_weight is None:
            weights, self.uniform = np.full(len(self.y), 1.0 / len(self.y)), True
        else:
            weights = np.asarray(sample_weight, dtype=np.float64)
            used = weights > 0
            if not used.all():
                X, self.y, weights, overwrite = X[used], self.y[used], weights[used], True
            weights, self.uniform = weights / weights.sum(), bool(np.all(weights == weights[0]))
        self.sample_weights = self.weights = weights
        self.features, self.offset = design_of(
            X, self.weights, rows=rows, centred=fit_intercept, overwrite=overwrite
        )
        self.design = self.features
        if loss.n_outputs > 1:
            self.design = Copies(self.features, loss.n_outputs)
            self.weights = np.tile(self.weights, loss.n_outputs)

    def with_penalty(self, penalty):
        """The same problem, data shared, with another penalty."""
        other = copy(self)
        other.penalty = penalty
        return other

    def targets(self):
        """Problems of the targets, all on the same design."""
        if self.y.ndim == 1:
            return [self]
        return [self._with_target(column) for column in np.ascontiguousarray(self.y.T)]

    def _with_target(self, y):
        other = copy(self)
        other.y = y
        vars(other).pop("scale", None)
        return other

    def _reached(self, w):
        # The coefficient of an empty column.
        if not self.penalty.is_zero:
            w[self.design.empty_columns()] = 0.0
        return w

    def spread(self, b):
        """A change of the intercept, as a change of the margins."""
        return np.repeat(b, len(self.y)) if np.ndim(b) else b

    def intercept_slope(self, gradient):
        """Slope in the intercept where the loss has the given gradient."""
        if self.loss.n_outputs == 1:
            return self.weights @ gradient
        return gradient.reshape(-1, len(self.y)) @ self.sample_weights

    def objective(self, w, b, z=None):
        """Value at ``(w, b)``."""
        z = self.design.mul(w) + self.spread(b) if z is None else z
        return float(self.weights @ self.loss.value(self.y, z)) + float(self.penalty.value(w))

    def settle(self, z, b, max_steps=20):
        """Best intercept for the margins ``z`` by Newton's method, the margins it gives and the loss gradient
        there."""
        gradient = self.loss.gradient(self.y, z)
        for _ in range(max_steps if self.fit_intercept else 0):
            move = self.intercept_move(gradient)
            z, b = z + self.spread(move), b + move
            gradient = self.loss.gradient(self.y, z)
            if self.loss.quadratic or np.dot(move, move) <= SETTLED**2 * max(1.0, np.dot(b, b)):
                break
        return z, b, gradient

    def intercept_move(self, gradient):
        """Newton step of the intercept where the loss has the given gradient.

        Where the loss is nearly linear the step is at most 1 (for several outputs, the range of their
        steps is): the logistic curvature changes at most by the factor e over that length, so such steps
        converge from anywhere.
        """
        slope = self.intercept_slope(gradient)
        if self.loss.n_outputs > 1:
            return self.loss.intercept_move(self.y, gradient, slope, self.sample_weights)
        if self.loss.quadratic:
            return -slope / self.loss.curvature
        curvature = self.weights @ self.loss.second_derivative(gradient)
        return -slope / max(curvature, abs(slope), TINY)

    def certify(self, w, b, z=None):
        """Objective, a feasible dual point and the gap at ``w``.

        Parameters
        ----------
        w, b : ndarray of shape (p,), float
            The iterate; ``b`` is replaced by the best intercept.
        z : ndarray of shape (n,), optional
            Margins at ``(w, b)``, when they are known.

        Returns
        -------
        Certificate

        Notes
        -----
        The dual point is ``theta = -loss'(z)``, balanced for the free intercept and scaled into the
        penalty's dual set. With ``l2 > 0`` the unscaled point is feasible too; the better is taken.
        """
        z, b, _, theta = self.dual_point(w, b, z)
        return self.conclude(w, b, z, theta, self.design.tmul(self.weights * theta))

    def recertify(self, certificate):
        """The same certificate, its objective from the coefficients alone. A dual point is feasible however
        the margins were rounded that it was found from, so the bound stays."""
        z, b, _ = self.settle(self.design.mul(certificate.w) + self.spread(certificate.b), certificate.b)
        return certificate._replace(b=b, objective=self.objective(certificate.w, b, z))

    def dual_point(self, w, b, z=None):
        """First part of a certificate: margins and intercept settled, the loss gradient there and the
        unscaled dual point."""
        z = self.design.mul(w) + self.spread(b) if z is None else z
        z, b, gradient = self.settle(z, b)
        return z, b, gradient, self.dual_theta(gradient)

    def dual_theta(self, gradient):
        """Unscaled dual point where the loss has the given gradient."""
        if self.fit_intercept:
            return self.loss.dual_balance(self.y, -gradient, self.weights)
        return -gradient

    def conclude(self, w, b, z, theta, correlations):
        """Last part of a certificate, once ``correlations = X' (weights * theta)`` are known."""
        return Certificate(w, b, self.objective(w, b, z), self._dual(theta, correlations), correlations)

    def _dual(self, theta, c):
        if self.penalty.is_zero:
            return -np.inf
        return max(self._dual_at(s, theta, c) for s in self._scalings(theta, c))

    def _scalings(self, theta, c):
        """Factors of a dual point worth trying: into the penalty's dual set, which without an l1 part is
        zero, and where the l2 part allows it none."""
        if self.penalty.l2 > 0.0 and not self.penalty.has_zeros:
            return 0.0, 1.0
        t = self.loss.dual_scale(self.y, theta, self.weights, self.penalty.dual_limit(c))
        return (t, 1.0) if self.penalty.l2 > 0.0 and t != 1.0 else (t,)

    def _dual_at(self, s, theta, c):
        """Dual objective at ``s theta``; at zero nothing is lost, and nothing is known but that."""
        if s == 0.0:
            return 0.0
        return float(self.weights @ self.loss.dual_value(self.y, s * theta) - self.penalty.conjugate(s * c))
