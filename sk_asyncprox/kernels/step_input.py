"""What a step starts from."""

from typing import NamedTuple

import numpy as np

from ..penalties import ElasticNetPenalty


class Point(NamedTuple):
    """What a task reads of the margins. The arrays are replaced by writes, never changed."""

    z: np.ndarray
    """Margins, shape (n,)."""

    gradient: np.ndarray
    """Loss gradient there, shape (n,)."""

    least: np.ndarray | None = None
    """Curvature of every sample, at least, in models of losses that are not quadratic; shape (n,)."""


class Read(NamedTuple):
    """What a step on the columns ``index`` starts from."""

    key: tuple
    """Name under which a part keeps the columns."""

    index: np.ndarray
    w: np.ndarray
    """Coefficients of the columns, shape (k,)."""

    point: Point
    penalty: ElasticNetPenalty
    alone: bool
    """Whether no other block is active."""

    effort: int | None = None
    """Sweeps on columns, or products of a Newton step, at most; None where block steps are all there is."""

    correlations: np.ndarray | None = None
    """Minus the gradient of the smooth part there, shape (k,), where it is known."""

    beside: tuple | None = None
    """What a step of all columns is joined with where nothing makes zeros (``subspace.Beside``)."""

    enough: float = 0.0
    """Slope, in every coefficient, at which a Newton step has landed."""
