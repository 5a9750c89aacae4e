from benchmark_utils.solver import LadderSolver, only_l1
from celer import LogisticRegression


class Solver(LadderSolver):
    name = "celer"
    requirements = ["pip::celer"]

    def refuses(self, l1, l2):
        return only_l1(l1, l2)

    def fit(self, X, y, l1, l2, tol):
        model = LogisticRegression(
            C=1.0 / l1, fit_intercept=False, tol=tol, max_iter=200, max_epochs=1_000_000
        )
        return model.fit(X, y).coef_
