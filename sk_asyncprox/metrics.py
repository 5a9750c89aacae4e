"""Scorers that compare how models were trained, for searches over step policies.

A usual scorer measures predictions, which all safe policies agree on once they have converged. These read
what the fit itself has left on the estimator, or on the last step of a pipeline, and ignore the data they are
called with. Larger is better, as everywhere in scikit-learn, so each is the negative of a cost.
"""

import numpy as np

__all__ = ["neg_fit_time_scorer", "neg_objective_scorer", "neg_updates_scorer"]


def _last_step(estimator):
    return estimator[-1] if hasattr(estimator, "steps") else estimator


def neg_objective_scorer(estimator, X=None, y=None):
    """Negative of the objective that the fit has reached, summed over the targets.

    Compares policies under a budget: give all the same ``max_iter`` (passes) or ``max_time`` (seconds) and a
    ``tol`` that none of them reaches. The objective depends on the training fold and on the penalty, so
    compare only candidates with equal penalties.

    Parameters
    ----------
    estimator : fitted estimator or pipeline that ends with one
    X, y : ignored

    Returns
    -------
    float
    """
    return -float(np.sum(_last_step(estimator).objective_))


def neg_updates_scorer(estimator, X=None, y=None):
    """Negative of the number of updates of the fit, summed over the targets.

    Compares how many writes the policies need to reach the same ``tol``; a fit that was stopped by a budget
    counts what it has used. Updates of different solvers or block sizes cost differently.

    Parameters
    ----------
    estimator : fitted estimator or pipeline that ends with one
    X, y : ignored

    Returns
    -------
    float
    """
    return -float(np.sum(_last_step(estimator).n_updates_))


def neg_fit_time_scorer(estimator, X=None, y=None):
    """Negative of the seconds the fit took.

    Compares policies to the same ``tol`` on this machine; fits that run beside one another disturb the
    measure, so search with ``n_jobs=1``.

    Parameters
    ----------
    estimator : fitted estimator or pipeline that ends with one
    X, y : ignored

    Returns
    -------
    float
    """
    return -float(_last_step(estimator).fit_time_)
