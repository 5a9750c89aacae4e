"""Sparse linear models trained asynchronously, with steps chosen from the measured delays."""

from .linear_model import ElasticNet, Lasso, LogisticRegression, enet_path, lasso_path

__version__ = "0.1.0.dev0"

__all__ = ["ElasticNet", "Lasso", "LogisticRegression", "enet_path", "lasso_path"]
