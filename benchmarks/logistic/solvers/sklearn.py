from benchmark_utils.solver import LadderSolver, one_of_both, only_l2
from sklearn.linear_model import LogisticRegression

SERVES = {"saga": lambda l1, l2: None, "liblinear": one_of_both, "lbfgs": only_l2, "newton-cholesky": only_l2}
MOST_ITERATIONS = {"saga": 2_000, "liblinear": 100_000, "lbfgs": 10_000, "newton-cholesky": 1_000}
WIDEST_HESSIAN = 5_000
"""Columns beyond which newton-cholesky's Hessian is not worth waiting for."""


class Solver(LadderSolver):
    """The solvers of scikit-learn."""

    name = "sklearn"
    parameters = {"solver": list(SERVES)}
    by_rows = True

    def skip(self, X, y, l1, l2):
        if self.solver == "newton-cholesky" and X.shape[1] > WIDEST_HESSIAN:
            return True, f"needs a Hessian of {X.shape[1]} columns"
        return super().skip(X, y, l1, l2)

    def refuses(self, l1, l2):
        return SERVES[self.solver](l1, l2)

    def fit(self, X, y, l1, l2, tol):
        model = LogisticRegression(
            C=1.0 / (l1 + l2), l1_ratio=l1 / (l1 + l2), fit_intercept=False, solver=self.solver,
            max_iter=MOST_ITERATIONS[self.solver], tol=10.0 * tol if self.solver == "liblinear" else tol,
        )  # fmt: skip
        return model.fit(X, y).coef_
