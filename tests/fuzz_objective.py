"""The objective of a random case and a bound below it, in extended precision."""

import copy

import numpy as np


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
        pull = abs(self._pull(*self.null())).max(initial=0.0)
        # The strength is relative to the penalty that makes all coefficients zero.
        strength = case.strength * (pull if pull > 0 else 1) / max(case.l1_ratio, 0.1)
        self._penalise(float(min(max(strength, 1e-300), 1e300)))

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
        w = np.asarray(coef).astype(np.longdouble)
        penalty = self.l1 * abs(w).sum() + self.l2 * (w * w).sum() / 2
        return self.s @ self._losses(self.margins(coef, intercept)) + penalty

    def _losses(self, Z):
        if not self.n_classes:
            return (self.y - Z[:, 0]) ** 2 / 2
        Z = _of_classes(Z)
        top = Z.max(axis=1, keepdims=True)
        own = Z[np.arange(len(Z)), self.y]
        return np.log(np.exp(Z - top).sum(axis=1)) + top[:, 0] - own

    def rounding(self, coef, intercept, eps):
        """What rounding the coefficients, and sums of them, to ``eps`` may change."""
        w = np.atleast_2d(coef).astype(np.longdouble)
        dz = eps * (abs(self.X) @ abs(w).T + abs(np.asarray(intercept, np.longdouble)))
        Z = self.margins(coef, intercept)
        slope = abs(self.y[:, None] - Z) if not self.n_classes else np.ones_like(Z)
        least = np.finfo(float).tiny
        return (self.s[:, None] * (slope * dz + dz * dz)).sum() + eps * abs(self(coef, intercept)) + least

    def null(self):
        """The best model without coefficients."""
        K, p = self.n_classes, self.X.shape[1]
        shape = (p,) if not K else (1 if K == 2 else K, p)
        if not self.case.fit_intercept:
            return np.zeros(shape), 0.0
        if not K:
            return np.zeros(shape), self.s @ self.y
        prior = self.s @ self._labels()
        return np.zeros(shape), np.log(prior[1] / prior[0]) if K == 2 else np.log(prior)

    def scale(self):
        """What the tolerance is relative to, at most."""
        if self.n_classes:
            return np.log(np.longdouble(self.n_classes))
        centre = self.s @ self.y if self.case.fit_intercept else 0
        return self.s @ (self.y - centre) ** 2

    # -- the bound ---------------------------------------------------------------------------------

    def bound(self, coef, intercept):
        """No model has a smaller objective: the dual's value at the residuals of this one."""
        u, balanced = self._residuals(coef, intercept)
        if not balanced:
            return -np.inf
        g = self._gradient(u)
        pull = (g if self.case.positive else abs(g)).max(initial=0.0)
        feasible = min(np.longdouble(1), self.l1 / pull) if pull > 0 else np.longdouble(1)
        return max(self._dual(t * u, t * g) for t in {feasible, np.longdouble(1)})

    def _dual(self, u, g):
        over = np.maximum((g if self.case.positive else abs(g)) - self.l1 * (1 + 1e-18), 0)
        if over.max(initial=0.0) > 0 and not self.l2 > 0:
            return -np.inf
        conjugate = (over * over).sum() / (2 * self.l2) if self.l2 > 0 else 0
        if not self.n_classes:
            centre = self.s @ self.y if self.case.fit_intercept else 0
            return self.s @ ((self.y - centre) * u[:, 0] - u[:, 0] ** 2 / 2) - conjugate
        q = np.maximum(self._labels() - u, 0)
        return -(self.s @ (q * np.log(np.where(q > 0, q, 1))).sum(axis=1)) - conjugate

    def _residuals(self, coef, intercept):
        """Negative slopes of the losses, one column per class, whose sums vanish where there is an intercept;
        and whether they do."""
        if not self.n_classes:
            r = self.y[:, None] - self.margins(coef, 0.0)
            return r - (self.s @ r if self.case.fit_intercept else 0), True
        Y, Z, b = self._labels(), _of_classes(self.margins(coef, 0.0)), np.zeros(self.n_classes)
        if self.case.fit_intercept:
            b = _of_classes(np.reshape(intercept, (1, -1)).astype(np.longdouble))[0]
        for _ in range(30 if self.case.fit_intercept else 1):
            q = np.exp(Z + b - (Z + b).max(axis=1, keepdims=True))
            q /= q.sum(axis=1, keepdims=True)
            excess = self.s @ (q - Y)
            if not self.case.fit_intercept or abs(excess).max() < 1e-18:
                return Y - q, True
            H = (np.diag(self.s @ q) - (q * self.s[:, None]).T @ q).astype(float)
            b = b - np.linalg.lstsq(H, excess.astype(float), rcond=None)[0]
        return Y - q, abs(excess).max() < 1e-17

    def _gradient(self, u):
        g = self.X.T @ (self.s[:, None] * u)
        return g[:, 1:] if self.n_classes == 2 else g

    def _pull(self, coef, intercept):
        return self._gradient(self._residuals(coef, intercept)[0])

    def _labels(self):
        return np.eye(self.n_classes, dtype=np.longdouble)[self.y]


def _of_classes(Z):
    """Margins with one column per class."""
    return np.hstack([np.zeros_like(Z), Z]) if Z.shape[1] == 1 else Z
