from benchmark_utils.solver import LadderSolver
from skglm import ElasticNet


class Solver(LadderSolver):
    name = "skglm"
    requirements = ["pip::skglm"]

    def fit(self, X, y, l1, l2, tol):
        model = ElasticNet(
            alpha=(l1 + l2) / len(y), l1_ratio=l1 / (l1 + l2), fit_intercept=False, max_iter=200,
            max_epochs=1_000_000, tol=tol,
        )  # fmt: skip
        return model.fit(X, y).coef_
