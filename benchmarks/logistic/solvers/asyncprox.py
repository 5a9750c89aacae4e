from benchmark_utils.solver import LadderSolver

from sk_asyncprox import LogisticRegression


class Solver(LadderSolver):
    name = "sk_asyncprox"
    parameters = {"n_jobs": [1, 2]}

    def fit(self, X, y, l1, l2, tol):
        model = LogisticRegression(
            C=1.0 / (l1 + l2), l1_ratio=l1 / (l1 + l2), fit_intercept=False, max_iter=100_000, tol=tol,
            n_jobs=self.n_jobs,
        )  # fmt: skip
        return model.fit(X, y).coef_
