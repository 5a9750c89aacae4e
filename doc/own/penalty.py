"""A penalty of one's own: coefficients in a box, with a little of ridge's."""

import numpy as np

from sk_asyncprox.penalties import Penalty


class Box(Penalty):
    """``(l2/2) |w|^2`` for ``low <= w <= high``, bounds on either side of zero."""

    def __init__(self, l2, low, high):
        self.l2, self.low, self.high = l2, low, high

    def value(self, w):
        return 0.5 * self.l2 * (w @ w)

    def prox(self, x, step):
        return np.clip(x / (1.0 + step * self.l2), self.low, self.high)

    def conjugate(self, c):
        w = np.clip(c / self.l2, self.low, self.high)
        return c @ w - self.value(w)

    # No correlations are too large for the conjugate.
    def pull(self, c):
        return np.abs(c)

    def dual_limit(self, c):
        return np.inf


if __name__ == "__main__":
    from scipy.optimize import lsq_linear

    from sk_asyncprox.losses import SquaredLoss
    from sk_asyncprox.problem import Problem
    from sk_asyncprox.solve import Options, solve

    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 5))
    y = X @ [2.0, -2.0, 0.5, 0.0, 1.5] + 0.1 * rng.standard_normal(100)
    problem = Problem(X, y, SquaredLoss(), Box(0.01, -1.0, 1.0), fit_intercept=False)
    rows = np.vstack([X / 10.0, 0.1 * np.eye(5)])
    best = lsq_linear(rows, np.append(y / 10.0, np.zeros(5)), (-1.0, 1.0)).x
    for solver in ("bcd", "piag"):
        options = Options(solver=solver, step_size="adaptive1", metric="lipschitz")
        found = solve(problem, options._replace(tol=1e-9))
        error = np.abs(found.certificate.w - best).max()
        print(found.status, error < 1e-4, found.gap < 1e-7)
