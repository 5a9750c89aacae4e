"""Least curvature of the samples, learnt from steps that had to be shortened.

Where classes are nearly separable, most curvatures at a point are a thousandth of those that a full step
meets, and its model trusts in them: the step is cut to next to nothing. The secant between the two ends of
the full step shows what it met, sample by sample; a model with no less curvature would not have gone too
far. Samples that the step left where they were keep the curvature of the point; should the next steps go
too far along them, a share of the majorant that grows geometrically catches all.
"""

from typing import NamedTuple

import numpy as np

KEPT = 0.3
"""Share of the secants that is left after a step."""

FIRST, MORE, LEAST = 1e-5, 10.0, 1e-8
"""Share of the majorant after a shortened step, its growth after another, and the least that counts."""

STILL = 1e-12
"""Squared change of a sample's margins up to which it says nothing."""


class Caution(NamedTuple):
    """What shortened steps have taught: the curvature of every sample between the ends of a step, None where
    none is known, and a share of the majorant."""

    secants: np.ndarray | None = None
    share: float = 0.0

    def after(self, problem, z, gradient, v, step):
        """The same after a step along ``v``, the change of the margins by the full one, of which the share
        ``step`` was written: more when it was shortened, less when it was full."""
        kept = None if self.secants is None else KEPT * self.secants
        if step == 1.0:
            return Caution(kept, KEPT * self.share if self.share > LEAST else 0.0)
        met = secants(problem.loss, problem.y, z, gradient, v)
        share = min(1.0, max(FIRST, MORE * self.share))
        return Caution(met if kept is None else np.maximum(kept, met), share)

    def floor(self, loss, y, z):
        """Curvature of every sample, at least, in models at the margins ``z``; None where none is known."""
        if self.secants is None:
            return None
        if not self.share or loss.curvature == np.inf:
            return self.secants
        return np.maximum(self.secants, self.share * loss.majorant(y, z[: len(y)]))


def secants(loss, y, z, gradient, v):
    """``<v, loss'(z + v) - loss'(z)> / |v|^2`` of every sample; `gradient` is that at the margins ``z``."""
    change = (loss.gradient(y, z + v) - gradient) * v
    change, size = (a.reshape(loss.n_outputs, -1).sum(axis=0) for a in (change, v * v))
    return np.where(size > STILL, change / np.maximum(size, STILL), 0.0)
