from benchmark_utils.solver import LadderSolver
from sklearn.linear_model import ElasticNet


class Solver(LadderSolver):
    """Coordinate descent of scikit-learn."""

    name = "sklearn-cd"

    def fit(self, X, y, l1, l2, tol):
        alpha, l1_ratio = (l1 + l2) / len(y), l1 / (l1 + l2)
        model = ElasticNet(alpha=alpha, l1_ratio=l1_ratio, fit_intercept=False, max_iter=1_000_000, tol=tol)
        return model.fit(X, y).coef_
