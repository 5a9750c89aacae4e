"""The objective of a random case and a bound below it, in extended precision."""

import copy

import numpy as np
from fuzz_cases import groups, penalty_weights

MOST_UNPENALISED = 200
"""Coefficients, at most, that a bound is balanced for; beyond, a better model is looked for."""


class Objective:
    """What a case minimises.

    Parameters
    ----------
    case : Case
    X : array of shape (n, p)
    y : array of shape (n,)
    weights : array of shape (n,) or None
    """

    def __init__(self, case, X, y, weights):
        self.case, self.X, self.n_classes = case, X.astype(np.longdouble), case.n_classes
        s = np.ones(len(y)) if weights is None else weights
        s = s.astype(np.longdouble)
        self.total, self.s = s.sum(), s / s.sum()
        self.y = y.astype(np.longdouble) if not case.n_classes else y
        self.epsilon = float(case.threshold * case.target_scale) or np.inf
        v = penalty_weights(case)
        self.v = np.ones(self.X.shape[1]) if v is None else v
        self.labels, self.group_weights = (None, None) if case.groups == "none" else groups(case)[2:]
        Z = self._outputs(self.margins(*self.null()))
        u = self._balanced(self._unpenalised(np.zeros(self.X.shape[1])), Z)[1]
        pull = self._pull(self._gradient(u)).max(initial=0.0)
        if pull <= 1e-12 * abs(self._gradient(self._slopes(Z))).max(initial=0.0):
            pull = 0.0  # rounding: the features without a penalty explain all that the others can
        # The strength is relative to the penalty that makes all coefficients zero, of most of the features.
        pull = pull * np.median(self.v[self.v > 0]) / max(case.l1_ratio, 0.1)
        self._penalise(float(min(max(case.strength * (pull if pull > 0 else 1), 1e-300), 1e300)))

    def _penalise(self, strength):
        self.strength = strength
        self.l1 = np.longdouble(strength) * self.case.l1_ratio
        self.l2 = np.longdouble(strength) * (1 - self.case.l1_ratio)

    def at(self, strength):
        """The same with another penalty."""
        other = copy.copy(self)
        other._penalise(strength)
        return other

    def of_rows(self, index):
        """The same on some of the rows, with the same penalty beside the sum of their losses."""
        other = copy.copy(self)
        share = self.s[index].sum()
        other.X, other.y, other.s = self.X[index], self.y[index], self.s[index] / share
        other.total = self.total * share
        other._penalise(float(self.strength / share))
        return other

    def margins(self, coef, intercept):
        """Margins of the model, shape (n, outputs)."""
        return self.X @ np.atleast_2d(coef).astype(np.longdouble).T + np.asarray(intercept, np.longdouble)

    def __call__(self, coef, intercept):
        w = np.atleast_2d(coef).astype(np.longdouble)
        if self.labels is None:
            penalty = self.l1 * (self.v * abs(w)).sum() + self.l2 * (self.v * w * w).sum() / 2
        else:
            penalty = self.l1 * (self.group_weights @ self._norms(w[0]))
        return self.s @ self._losses(self.margins(coef, intercept)) + penalty

    def _norms(self, g):
        size = abs(g).max(initial=0.0) or np.longdouble(1)  # whose squares are numbers
        squares = np.zeros(len(self.group_weights), np.longdouble)
        np.add.at(squares, self.labels, (g / size) ** 2)
        return size * np.sqrt(squares)

    def _losses(self, Z):
        if not self.n_classes:
            r = abs(self.y - Z[:, 0])
            near = np.minimum(r, self.epsilon)
            return near * (r - near / 2)
        Z = self._outputs(Z)
        top = Z.max(axis=1, keepdims=True)
        own = Z[np.arange(len(Z)), self.y]
        return np.log(np.exp(Z - top).sum(axis=1)) + top[:, 0] - own

    def rounding(self, coef, intercept, eps):
        """What rounding the coefficients, and sums of them, to ``eps`` may change."""
        w = np.atleast_2d(coef).astype(np.longdouble)
        dz = eps * (abs(self.X) @ abs(w).T + abs(np.asarray(intercept, np.longdouble)))
        Z = self.margins(coef, intercept)
        slope = np.ones_like(Z) if self.n_classes else np.minimum(abs(self.y[:, None] - Z), self.epsilon)
        least = np.finfo(float).tiny
        return (self.s[:, None] * (slope * dz + dz * dz)).sum() + eps * abs(self(coef, intercept)) + least

    def null(self):
        """The best model without coefficients."""
        K, p = self.n_classes, self.X.shape[1]
        shape = (p,) if not K else (1 if K == 2 else K, p)
        if not self.case.fit_intercept:
            return np.zeros(shape), 0.0
        if not K:
            ones = np.ones((len(self.y), 1), np.longdouble)
            return np.zeros(shape), self._balanced(ones, (self.s @ self.y) * ones)[0][0, 0]
        prior = self.s @ self._labels()
        return np.zeros(shape), np.log(prior[1] / prior[0]) if K == 2 else np.log(prior)

    def scale(self):
        """What the tolerance is relative to, at most."""
        if self.n_classes:
            return np.log(np.longdouble(self.n_classes))
        return 2 * (self.s @ self._losses(self.margins(*self.null())))

    # -- the bound ---------------------------------------------------------------------------------

    def bound(self, coef, intercept):
        """No model has a smaller objective: the dual's value at the residuals of this one."""
        F = self._unpenalised(coef)
        _, u, balanced = self._balanced(F, self._outputs(self.margins(coef, intercept)))
        g = self._gradient(u)
        if self.case.positive:
            size = self.s @ abs(self.X * u)
            balanced &= bool((g[:, 0] <= 1e-17 * size)[self.v == 0].all())
        if not balanced:
            return -np.inf
        pull = self._pull(g)
        feasible = min(np.longdouble(1), self.l1 / max(pull.max(), np.finfo(float).tiny * self.l1))
        return max(self._dual(t * u, t * pull) for t in {feasible, np.longdouble(1)})

    def _pull(self, g):
        """Sizes of the gradient's entries against the penalty; unpenalised ones are none."""
        if self.labels is not None:
            return self._norms(g[:, 0]) / self.group_weights
        size, v = g if self.case.positive else abs(g), self.v[:, None]
        return np.divide(size, v, out=np.zeros_like(size), where=v > 0)

    def _dual(self, u, pull):
        over = np.maximum(pull - self.l1 * (1 + np.longdouble(1e-18)), 0)
        if over.max(initial=0.0) > 0 and not self.l2 > 0:
            return -np.inf
        conjugate = (self.v @ (over * over)).sum() / (2 * self.l2) if self.l2 > 0 else 0
        if not self.n_classes:
            centre = self.s @ self.y if self.case.fit_intercept else 0
            return self.s @ ((self.y - centre) * u[:, 0] - u[:, 0] ** 2 / 2) - conjugate
        q = np.maximum(self._labels() - u, 0)
        return -(self.s @ (q * np.log(np.where(q > 0, q, 1))).sum(axis=1)) - conjugate

    def _unpenalised(self, coef):
        """Columns whose coefficients are, and that of the intercept, each with entries up to one."""
        free = self.v == 0
        if self.case.positive:
            free = free & (np.ravel(coef) > 0)
        F = self.X[:, free]
        F = F / np.maximum(abs(F).max(axis=0), np.finfo(np.longdouble).tiny)
        return np.hstack([np.ones((len(F), int(self.case.fit_intercept))), F])

    def _balanced(self, F, Z):
        """Margins of the best model that differs from that of ``Z`` by the columns ``F``, the negative slopes
        of the losses there, and whether they are orthogonal to ``F``."""
        noise = 2e-19 * (0 if self.n_classes else self.s @ abs(self.y))
        for _ in range(40):
            u = self._slopes(Z)
            excess = F.T @ (self.s[:, None] * u)
            wrong = abs(excess).max(initial=0.0)
            if wrong <= 1e-17 * (self.s @ abs(u)).max() + noise:
                return Z, u, True
            if F.shape[1] * Z.shape[1] > MOST_UNPENALISED:
                break
            H = self._curvature(F, Z)
            move = np.linalg.lstsq(H, (excess / wrong).astype(float).ravel(), rcond=None)[0]
            Z = self._descended(Z, wrong * (F @ move.reshape(excess.shape)))
        return Z, u, False

    def _descended(self, Z, move):
        """The end of the longest step that does not climb."""
        value = self.s @ self._losses(Z)
        for halvings in range(12):
            new = Z + move / 2**halvings
            if self.s @ self._losses(new) <= value * (1 + np.longdouble(1e-18)):
                return new
        return new

    def _slopes(self, Z):
        if not self.n_classes:
            return np.clip(self.y[:, None] - Z, -self.epsilon, self.epsilon)
        return self._labels() - _probabilities(Z)

    def _curvature(self, F, Z):
        """Second derivatives along the columns ``F`` of every output; beyond the threshold a little."""
        if not self.n_classes:
            r = abs(self.y - Z[:, 0])
            h = np.where(r <= self.epsilon, 1, 1e-3 * self.epsilon / np.maximum(r, np.finfo(float).tiny))
            h = h[:, None, None]
        else:
            q = _probabilities(Z)
            h = q[:, :, None] * (np.eye(self.n_classes) - q[:, None, :])
        h, F = (self.s[:, None, None] * h).astype(float), F.astype(float)
        (k, m), f = h.shape[1:], F.shape[1]
        parts = [[(F * h[:, a, b, None]).T @ F for b in range(m)] for a in range(k)]
        return np.transpose(parts, (2, 0, 3, 1)).reshape(f * k, f * m)

    def _outputs(self, Z):
        """Margins with one column per class."""
        return np.hstack([np.zeros_like(Z), Z]) if self.n_classes == 2 and Z.shape[1] == 1 else Z

    def _gradient(self, u):
        g = self.X.T @ (self.s[:, None] * u)
        return g[:, 1:] if self.n_classes == 2 else g

    def _labels(self):
        return np.eye(self.n_classes, dtype=np.longdouble)[self.y]


def _probabilities(Z):
    q = np.exp(Z - Z.max(axis=1, keepdims=True))
    return q / q.sum(axis=1, keepdims=True)
