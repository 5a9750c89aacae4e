"""Scikit-learn estimators over the asynchronous solvers."""

from ._logistic import LogisticRegression
from ._path import enet_path, lasso_path
from ._regression import ElasticNet, Lasso

__all__ = ["ElasticNet", "Lasso", "LogisticRegression", "enet_path", "lasso_path"]
