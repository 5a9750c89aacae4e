"""The multinomial logistic loss."""

from functools import wraps

import numpy as np
from scipy.linalg.lapack import dposv
from scipy.special import entr

from .base import MARGINS_AT_ONCE, LabelLoss
from .curvature import SoftmaxCurvature

BALANCED = 1e-15
"""Mass of classes beside their own that is rounding."""


def _in_runs(method):
    """Method of the targets and of vectors over all margins, in runs of samples (decorator)."""

    @wraps(method)
    def whole(self, y, *vectors):
        if len(y) * self.n_outputs <= MARGINS_AT_ONCE:
            return method(self, y, *vectors)
        blocks = [self._by_class(vector) for vector in vectors]
        out = np.empty_like(blocks[0])
        for run in self._runs(len(y)):
            part = method(self, y[run], *(block[:, run].ravel() for block in blocks))
            out[:, run] = part.reshape(len(out), -1)
        return out.ravel()

    return whole


class MultinomialLoss(LabelLoss):
    """Multinomial logistic loss ``log(sum_k exp(z_k)) - z_y``, with targets 0, ..., K - 1.

    Parameters
    ----------
    n_classes : int
        Number K of classes, and of outputs.
    """

    # For every output, the bound of Boehning (1992): a covariance diag(p) - pp' has no larger eigenvalue.
    curvature = 0.5
    steepest = length = 1.0
    target_type = np.intp

    def __init__(self, n_classes=3):
        self.n_outputs = n_classes

    def _by_class(self, z):
        return z.reshape(self.n_outputs, -1)

    def _runs(self, n):
        step = max(1, MARGINS_AT_ONCE // self.n_outputs)
        return (slice(a, min(a + step, n)) for a in range(0, n, step))

    def probabilities(self, z):
        """Softmax of the margins, shape (K, n)."""
        Z = self._by_class(z)
        p = Z - Z.max(axis=0)
        np.exp(p, out=p)
        p /= p.sum(axis=0)
        return p

    @_in_runs
    def value(self, y, z):
        """Loss of every sample, at the place of its class; safe for any margin."""
        Z = self._by_class(z)
        samples = np.arange(Z.shape[1])
        above = Z - Z.max(axis=0)
        own, out = above[y, samples], np.zeros_like(Z)
        out[y, samples] = np.log(np.exp(above, out=above).sum(axis=0)) - own
        return out.ravel()

    @_in_runs
    def gradient(self, y, z):
        """Derivative with respect to ``z``: the probabilities, less one at the sample's class."""
        p = self.probabilities(z).ravel()
        n = len(y)
        p[y * n + np.arange(n)] -= 1.0
        return p

    def weighed(self, y, z, weights):
        Z, total, gradients = self._by_class(z), 0.0, []
        for run in self._runs(len(y)):
            p = Z[:, run] - Z[:, run].max(axis=0)
            n, flat = p.shape[1], p.ravel()
            own = y[run] * n + np.arange(n)
            above = flat[own]
            sums = np.exp(p, out=p).sum(axis=0)
            total += weights[run] @ (np.log(sums) - above)
            p /= sums
            flat[own] -= 1.0
            gradients.append(p)
        return total, np.concatenate(gradients, axis=1).ravel()

    def _at(self, y, gradient):
        """Probabilities at the point with this gradient."""
        p = self._by_class(gradient).copy()
        p[y, np.arange(p.shape[1])] += 1.0
        return p

    def second_derivative(self, y, gradient):
        """Diagonal ``p (1 - p)`` of the second derivative at the point with this gradient."""
        u = np.abs(gradient)
        return u * (1.0 - u)

    @_in_runs
    def bend(self, y, gradient, v):
        V, p = self._by_class(v), self._at(y, gradient)
        mean = (p * V).sum(axis=0)
        return (p * (V - mean) ** 2).ravel()

    def model(self, y, z, gradient, weights, least):
        p = self._at(y, gradient)
        return SoftmaxCurvature(p, weights[: p.shape[1]], least)

    def drift(self, y, z, known):
        """As for one output; a change that all outputs share changes no curvature."""
        return float(np.ptp(self._by_class(z - known), axis=0).max(initial=0.0))

    def intercept_move(self, y, z, gradient, slope, weights):
        """Newton step of the intercepts with mean zero, shortened to a range of at most one."""
        # What moves all intercepts together changes nothing: ones fill that gap of the matrix.
        G, bend = self._by_class(gradient), np.ones((self.n_outputs, self.n_outputs))
        bend.flat[:: self.n_outputs + 1] += 1e-12
        for run in self._runs(len(y)):
            p = self._at(y[run], G[:, run])
            weighted = weights[run] * p
            bend -= weighted @ p.T
            bend.flat[:: self.n_outputs + 1] += weighted.sum(axis=1)
        move = dposv(bend, -slope)[1]
        move -= move.sum() / len(move)
        return move / max(1.0, move.max() - move.min())

    @_in_runs
    def dual_value(self, y, theta):
        """Entropy of the class probabilities ``q``, the labels less ``theta``."""
        q = self._at(y, -theta)
        np.minimum(np.maximum(q, 0.0, out=q), 1.0, out=q)
        return entr(q, out=q).ravel()

    def dual_balance(self, y, theta, weights):
        """Nearby dual point with ``sum(weights * theta) = 0`` for every class.

        The probabilities of classes with too much mass are shrunk, and what a sample has lost is given
        to its classes with too little, in proportion to what these miss: so they stay probabilities.
        """
        own, out = self._by_class(theta), np.empty((self.n_outputs, len(y)))
        excess = -(own @ weights[: len(y)])
        mass = np.bincount(y, weights[: len(y)], self.n_outputs) + excess
        over = excess > 0.0
        lost, missed = excess[over].sum(), -excess[~over].sum()
        if min(lost, missed) <= BALANCED:
            return theta
        shrunk, gained = (excess[over] / mass[over])[:, None], -excess[~over] / missed
        for run in self._runs(len(y)):
            q = self._at(y[run], -own[:, run])
            taken = q[over] * shrunk
            q[over] -= taken
            q[~over] += np.outer(gained, taken.sum(axis=0))
            out[:, run] = self._at(y[run], np.negative(q, out=q))
        return out.ravel()

    def groups(self, y, theta):
        """The classes."""
        return y, self.n_outputs

    def best_intercept(self, y, weights):
        """Log-probabilities of the classes, with mean zero (``weights`` sum to one per output)."""
        mass = np.bincount(y, weights[: len(y)], self.n_outputs)
        logs = np.log(np.maximum(mass, 1e-3 * mass[mass > 0].min()))
        return logs - logs.mean()

    def scale(self, y, weights, fit_intercept):
        """Loss of the zero model, ``log K``."""
        return float(np.log(self.n_outputs))
