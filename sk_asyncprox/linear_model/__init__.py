"""Scikit-learn estimators over the asynchronous solvers."""

from ._logistic import LogisticRegression
from ._regression import ElasticNet, Lasso

__all__ = ["ElasticNet", "Lasso", "LogisticRegression"]
