"""The problem with rows in memory: data, loss, penalty and intercept, with its duality-gap certificate.

    minimise over (w, b):  sum_i weights_i loss(y_i, x_i . w + b) + penalty(w),      sum(weights) = 1

The design's columns are centred when there is an intercept, so that ``b`` and ``w`` are decoupled.
"""

import numpy as np

from .._interrupts import cached_property
from .._precision import TINY
from ..data.array_operations import is_by_rows
from ..data.block_diagonal import Copies
from ..data.preprocessing import WIDE, Data
from . import dual_point as unpenalised
from .base import MADE, BaseProblem
from .certificate import Certificate, factors, lower_bound, quadratic_bound
from .fold_moments import Folds
from .scaling import OWN, Units, exponent_between, units_of_targets

SETTLED = 1e-7
"""Newton step of the intercept, relative to it or to 1, that is the last: what it leaves is of its square."""

LEVEL = 1e-15
"""Slope in the intercept that is rounding, for losses whose gradients are at most one."""

SMALL = 200_000
"""Entries of a dense array up to which it is copied in less time than it takes to see whether it need be."""


class Problem(BaseProblem, Folds):
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
        Non-negative, one positive; rows of no weight, also beside the others, are left out.
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

    See Also
    --------
    Certificate : What its method ``certify`` answers.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_asyncprox.losses import SquaredLoss
    >>> from sk_asyncprox.penalties import ElasticNetPenalty
    >>> from sk_asyncprox.problem import Problem
    >>> X, y = np.array([[1.0], [3.0]]), np.array([2.0, 4.0])
    >>> problem = Problem(X, y, SquaredLoss(), ElasticNetPenalty(l1=0.1))
    >>> print(problem.offset, *problem.start())
    [2.] [0.] 3.0
    """

    def __init__(
        self, X, y, loss, penalty, sample_weight=None, fit_intercept=True, rows=False, overwrite=False
    ):
        self.loss, self.penalty, self.fit_intercept = loss, penalty, fit_intercept
        self.y, self.uniform, used = np.asarray(y, dtype=loss.target_type), True, None
        if sample_weight is None:
            weights = np.full(len(self.y), 1.0 / len(self.y))
        else:
            weights = np.asarray(sample_weight, dtype=np.float64)
            used = weights > TINY * weights.max()
            if not used.all():
                X, self.y, weights, overwrite = X[used], self.y[used], weights[used], True
            weights, self.uniform = weights / weights.sum(), bool(np.all(weights == weights[0]))
        self.sample_weights, self._whole, self._rest, self._parts = weights, None, None, None
        self._used, self.bases = np.ones(len(self.y), bool) if used is None else used, {}
        self._zero = None, 0.0
        self.weights = np.tile(weights, loss.n_outputs) if loss.n_outputs > 1 else weights
        smooth, as_given = not (loss.quadratic or penalty is None or penalty.has_zeros), None
        if loss.quadratic:
            as_given = 0
        elif penalty is not None and is_by_rows(X) and (smooth or loss.follows):
            as_given = np.inf if smooth and X.size > SMALL else 0
        as_given = None if rows else as_given
        rows |= smooth and is_by_rows(X) and X.shape[1] >= WIDE  # products cost the same in any order
        how = rows, overwrite, as_given, loss.quadratic
        self._data = Data(X, weights, self.uniform, fit_intercept, *how)

    @property
    def shape(self):
        return self._data.shape

    @property
    def is_dense(self):
        return self._data.is_dense

    @property
    def n_coefs(self):
        return self.loss.n_outputs * self.shape[1]

    @property
    def size(self):
        return self.shape[0] * self.n_coefs if self.is_dense else self.design.size

    def prepare(self, n_threads):
        """Make the design, with so many threads; as it is read, what a look at the zero model asks for."""
        vectors = ()
        if self.loss.n_outputs == 1 and self.y.ndim == 1:
            b = self.loss.best_intercept(self.y, self.weights) if self.fit_intercept else 0.0
            vectors = self.pulls(slice(None), self.loss.gradient(self.y, np.full(len(self.y), b)))[:1]
            self._zero = self.y, b
        self._data.design(n_threads, vectors)

    @property
    def is_finite(self):
        """Whether all entries of the data are known to be finite."""
        return self.features.is_finite and bool(self._used.all())

    def zero_products(self, b):
        """Products of the columns with the pulls at the zero model with that intercept; none, where these
        were not made."""
        y, known = self._zero
        return self.features.products if y is self.y and known == b else ()

    def pulls(self, rows, gradient):
        """What a look multiplies some rows with, one row each: the loss gradient there, weighted, and its
        derivative where the intercept is to move."""
        weights, pulls = self.weights[rows], np.empty((1 + self.free_intercept, len(gradient)))
        np.multiply(weights, gradient, out=pulls[0])
        if self.free_intercept:
            np.multiply(weights, self.loss.second_derivative(self.y[rows], gradient), out=pulls[1])
        return pulls

    @property
    def features(self):
        return self._data.design()[0]

    @property
    def offset(self):
        return self.quadratic.means if self.is_on_moments else self._data.design()[1]

    @cached_property
    def design(self):
        return Copies(self.features, self.loss.n_outputs) if self.loss.n_outputs > 1 else self.features

    def targets(self):
        """Problems of the targets, all on the same design."""
        if self.y.ndim == 1:
            return [self]
        return [self._altered(MADE[:-1], y=column) for column in np.ascontiguousarray(self.y.T)]

    def in_range(self, features=False):
        """The same problem in units in which no square of its targets, or of its features, overflows or
        vanishes, nor drowns in that of the targets' mean."""
        units = OWN
        if not (features or self.loss.labelled):
            mean = self.loss.best_intercept(self.y, self.weights) if self.fit_intercept else 0.0
            units = units_of_targets(self.y, mean, self.scale, self.loss.length)
        elif features and not self.units.x:
            units = Units(exponent_between(*self.features.extremes()))
        if units.own:
            return self
        other = self._altered(units=units, penalty=units.penalty(self.penalty))
        if units.x:
            other.units, other._data = self.units._replace(x=units.x), self._data.scaled(-units.x)
        else:
            other.y, other.loss = np.ldexp(self.y - units.shift, -units.y), self.loss.in_units(units.y)
        return other

    def _reached(self, w):
        """The coefficients, without those that no step would ever touch."""
        if not self.penalty.is_zero:
            known = self.suits_moments
            with np.errstate(over="ignore", invalid="ignore"):
                empty = self.quadratic.Q.diagonal() == 0.0 if known else self.design.empty_columns()
            w[empty] = 0.0
        return w

    def objective(self, w, b, z=None):
        """Value at ``(w, b)``."""
        z = self.shifted(self.design.mul(w), b) if z is None else z
        return float(self.weights @ self.loss.value(self.y, z)) + float(self.penalty.value(w))

    def settle(self, z, b, gradient=None, moves=20):
        """Best intercept for the margins ``z``, with the loss gradient there if it is known, by at most so
        many moves of Newton's method; the margins it gives and the loss gradient there."""
        gradient = self.loss.gradient(self.y, z) if gradient is None else gradient
        for _ in range(moves if self.fit_intercept else 0):
            slope = self.intercept_slope(gradient)
            if not self.loss.quadratic and (abs(slope) if np.ndim(slope) == 0 else abs(slope).max()) <= LEVEL:
                break
            move = self.loss.intercept_move(self.y, z, gradient, slope, self.sample_weights)
            z, b = self.shifted(z, move), b + move
            gradient = self.loss.gradient(self.y, z)
            if self.loss.quadratic or np.dot(move, move) <= SETTLED**2 * max(1.0, np.dot(b, b)):
                break
        return z, b, gradient

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
        z, b, _ = self.settle(self.shifted(self.design.mul(certificate.w), certificate.b), certificate.b)
        return certificate._replace(b=b, objective=self.objective(certificate.w, b, z))

    def dual_point(self, w, b, z=None, gradient=None, moves=20):
        """First part of a certificate: margins and intercept settled, the loss gradient there and the
        unscaled dual point."""
        z = self.shifted(self.design.mul(w), b) if z is None else z
        z, b, gradient = self.settle(z, b, gradient, moves)
        return z, b, gradient, self.dual_theta(gradient)

    def dual_theta(self, gradient):
        """Unscaled dual point where the loss has the given gradient."""
        balance = self.loss.dual_balance
        return balance(self.y, -gradient, self.weights) if self.fit_intercept else -gradient

    def conclude(self, w, b, z, theta, correlations):
        """Last part of a certificate, once ``correlations = X' (weights * theta)`` are known."""
        free = self.penalty.free is not None
        theta, c = unpenalised.dual_point(self, z, correlations) if free else (theta, correlations)
        y, weights = self.y, self.weights
        if self.loss.labelled and not (free or w.any()):
            y, weights, z, theta = self._of_labels(z, theta)
        objective = float(weights @ self.loss.value(y, z)) + float(self.penalty.value(w))
        return Certificate(w, b, objective, self._dual(y, weights, theta, c), correlations)

    def _of_labels(self, z, theta):
        """Targets, weights, margins and dual point where those of a label are all alike: one sample for
        each."""
        codes, n_labels = self.loss.groups(self.y, theta)
        some = np.zeros(n_labels, int)
        some[codes] = np.arange(len(codes))
        z, theta = (vector.reshape(self.loss.n_outputs, -1)[:, some].ravel() for vector in (z, theta))
        # Sums by halves: one after the other rounds what all samples add up to by as many times.
        mass = np.array([self.sample_weights[codes == label].sum() for label in range(n_labels)])
        return self.y[some], np.tile(mass, self.loss.n_outputs), z, theta

    def _dual(self, y, weights, theta, c):
        if self.loss.quadratic:
            shares = weights * theta
            return quadratic_bound(self.penalty, c, shares @ y, shares @ theta)
        best = self.loss.dual_scale(y, theta, weights, self.penalty.dual_limit(c))
        tried = factors(self.penalty, best)
        duals = (weights @ self.loss.dual_value(y, t * theta) if t else 0.0 for t in tried)
        return lower_bound(self.penalty, c, tried, duals)
