"""A loss of one's own: smooth near zero, linear far away, and never without curvature."""

import numpy as np
from scipy.optimize import brentq
from scipy.special import xlog1py

from sk_asyncprox.losses import Loss


class LogCosh(Loss):
    """``log cosh(z - y)``, with real targets."""

    # What is known beside the formulas: bounds of both derivatives, and what
    # change of a margin is a large one.
    curvature = steepest = length = 1.0

    def value(self, y, z):
        r = np.abs(z - y)
        return r + np.log1p(np.exp(-2.0 * r)) - np.log(2.0)

    def gradient(self, y, z):
        return np.tanh(z - y)

    def second_derivative(self, y, gradient):
        return 1.0 - gradient**2

    def majorant(self, y, z):
        r = np.maximum(np.abs(z - y), 1e-6)
        return np.tanh(r) / r

    def dual_value(self, y, theta):
        u = np.clip(theta, -1.0, 1.0)
        return u * y - 0.5 * (xlog1py(1.0 + u, u) + xlog1py(1.0 - u, -u))

    def best_intercept(self, y, weights):
        def slope(b):
            return weights @ self.gradient(y, b)

        low, high = y.min() - 1e-9, y.max() + 1e-9
        return brentq(slope, low, high, xtol=1e-14)

    def scale(self, y, weights, fit_intercept):
        b = self.best_intercept(y, weights) if fit_intercept else 0.0
        return float(2.0 * (weights @ self.value(y, b)))


if __name__ == "__main__":
    from sk_asyncprox.penalties import ElasticNetPenalty
    from sk_asyncprox.problem import Problem
    from sk_asyncprox.solve import Options, solve

    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 20))
    y = X[:, 0] - 2.0 * X[:, 1] + 0.1 * rng.standard_normal(200)
    y[:20] += 100.0
    problem = Problem(X, y, LogCosh(), ElasticNetPenalty(l1=0.02))
    for options in (
        Options(),
        Options(n_blocks=4, n_jobs=2),
        Options(step_size="adaptive1", metric="lipschitz"),
        Options(solver="piag"),
    ):
        found = solve(problem, options._replace(tol=1e-6))
        w = found.certificate.w
        print(found.status, np.flatnonzero(w)[:2], found.gap < 1e-4)
