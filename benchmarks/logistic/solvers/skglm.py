from benchmark_utils.solver import LadderSolver
from skglm import SparseLogisticRegression


class Solver(LadderSolver):
    name = "skglm"
    requirements = ["pip::skglm"]

    def refuses(self, l1, l2):
        return "needs an l1 part" if l1 == 0 else None

    def fit(self, X, y, l1, l2, tol):
        model = SparseLogisticRegression(
            alpha=(l1 + l2) / len(y), l1_ratio=l1 / (l1 + l2), fit_intercept=False, tol=tol, max_iter=100,
            max_epochs=1_000_000,
        )  # fmt: skip
        return model.fit(X, y).coef_
