"""Sparse linear models trained asynchronously, with steps chosen from the measured delays."""

from . import linear_model
from .linear_model import *  # noqa: F403

__version__ = "0.1.0"

__all__ = []  # in the form that type checkers follow
__all__ += linear_model.__all__
