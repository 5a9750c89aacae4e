"""Scikit-learn estimators over the asynchronous solvers."""

from ._enet_path import enet_path, lasso_path
from ._logistic import LogisticRegression
from ._logistic_cv import LogisticRegressionCV
from ._regression import ElasticNet, GroupLasso, HuberRegressor, Lasso
from ._regression_cv import ElasticNetCV, LassoCV

__all__ = [
    "ElasticNet",
    "ElasticNetCV",
    "GroupLasso",
    "HuberRegressor",
    "Lasso",
    "LassoCV",
    "LogisticRegression",
    "LogisticRegressionCV",
    "enet_path",
    "lasso_path",
]
