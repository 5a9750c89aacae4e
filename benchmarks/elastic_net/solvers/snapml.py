from benchmark_utils.solver import LadderSolver, one_of_both
from snapml import LinearRegression


class Solver(LadderSolver):
    name = "snapml"
    requirements = ["pip::snapml"]
    parameters = {"n_jobs": [2]}
    by_rows = True

    def refuses(self, l1, l2):
        return one_of_both(l1, l2)

    def fit(self, X, y, l1, l2, tol):
        model = LinearRegression(
            penalty="l1" if l1 > 0 else "l2", dual=l1 == 0, regularizer=l1 or l2, n_jobs=self.n_jobs, tol=tol,
            max_iter=5000, fit_intercept=False,
        )  # fmt: skip
        return model.fit(X, y).coef_
