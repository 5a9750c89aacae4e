from benchmark_utils.solver import LadderSolver
from cyanure.estimators import Classifier


def _penalty(l1, l2):
    return "l2" if l1 == 0 else "elasticnet" if l2 > 0 else "l1"


class Solver(LadderSolver):
    name = "cyanure"
    requirements = ["pip::cyanure"]
    parameters = {"n_threads": [2]}
    by_rows = True

    def fit(self, X, y, l1, l2, tol):
        model = Classifier(
            penalty=_penalty(l1, l2), loss="logistic", lambda_1=l1 / len(y), lambda_2=l2 / len(y),
            fit_intercept=False, tol=tol, max_iter=5000, n_threads=self.n_threads, verbose=False,
        )  # fmt: skip
        return model.fit(X, y).coef_
