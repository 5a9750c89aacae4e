"""Least curvature of the samples, learnt from steps that had to be shortened.

Where classes are nearly separable, most curvatures at a point are a thousandth of those that a full step
meets, and its model trusts in them: the step is cut to next to nothing. The secant between the two ends of
the full step shows what it met, sample by sample; a model with no less curvature would not have gone too
far. Samples that the step left where they were keep the curvature of the point.
"""

import numpy as np

KEPT = 0.3
"""Share of what is known that the next step is made with."""

STILL = 1e-12
"""Squared change of a sample's margins up to which it says nothing."""


def least_curvature(problem, z, gradient, v, step, known):
    """Curvature of every sample, at least, in the models of the next steps.

    Parameters
    ----------
    problem : Problem
    z, gradient : ndarray of shape (K n,)
        Margins of the ``K`` outputs before the step, and loss gradient there.
    v : ndarray of shape (K n,)
        Change of the margins by the full step.
    step : float
        Share of it that was written.
    known : ndarray of shape (n,) or None
        From the steps before.

    Returns
    -------
    ndarray of shape (n,) or None
        After a shortened step ``<v, loss'(z + v) - loss'(z)> / |v|^2`` of every sample, where that is more
        than the share kept of what was known.
    """
    kept = None if known is None else KEPT * known
    if step == 1.0:
        return kept
    change = (problem.loss.gradient(problem.y, z + v) - gradient) * v
    change, size = (a.reshape(problem.loss.n_outputs, -1).sum(axis=0) for a in (change, v * v))
    secant = np.where(size > STILL, change / np.maximum(size, STILL), 0.0)
    return secant if kept is None else np.maximum(kept, secant)
