"""Scorers that compare how models were trained, for searches over step policies.

A usual scorer measures predictions, which all safe policies agree on once they have converged. These read
what the fit itself has left on the estimator, or on the last step of a pipeline, and ignore the data they are
called with. Larger is better, as everywhere in scikit-learn, so each is the negative of a cost.
"""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from ._docstring_templates import filled

__all__ = [
    "neg_fit_time_scorer",
    "neg_objective_scorer",
    "neg_passes_scorer",
    "neg_updates_scorer",
    "neg_virtual_time_scorer",
    "virtual_time",
]


SHARED = """
Parameters
----------
estimator : estimator or pipeline that ends with one
    Fitted.
X, y : object, optional
    Ignored.

Returns
-------
float
    {}

See Also
--------
sk_asyncprox.comparison.compare_policies : A table of all costs, of one fit each.
"""
"""What the documentation of every scorer says before its examples."""

CONVERGED = "Not a number where the fit has not converged: a search ranks it last, with one warning."


def last_step(estimator):
    """What a search has refitted, and what a pipeline ends with."""
    estimator = getattr(estimator, "best_estimator_", estimator)
    return estimator[-1] if hasattr(estimator, "steps") else estimator


@filled(shared=SHARED.format("In the unit of the objective."))
def neg_objective_scorer(estimator: BaseEstimator, X: Any = None, y: Any = None) -> float:
    """Negative of the objective that the fit has reached, summed over the targets.

    Compares policies under a budget: give all the same ``max_iter`` (passes) or ``max_time`` (seconds) and a
    ``tol`` that none of them reaches. The objective depends on the training fold and on the penalty, so
    compare only candidates with equal penalties.

    {shared}

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sk_asyncprox import Lasso
    >>> from sk_asyncprox.metrics import neg_objective_scorer
    >>> model = Lasso(alpha=1.0).fit(*load_diabetes(return_X_y=True))
    >>> neg_objective_scorer(model) == -model.objective_
    True
    """
    return -float(np.sum(last_step(estimator).objective_))


@filled(shared=SHARED.format("A count, below zero."))
def neg_updates_scorer(estimator: BaseEstimator, X: Any = None, y: Any = None) -> float:
    """Negative of the number of updates of the fit, summed over the targets.

    Compares how many writes the policies need to reach the same ``tol``; a fit that was stopped by a budget
    counts what it has used. Updates of different solvers or block sizes cost differently.

    {shared}

    Examples
    --------
    Which step needs the fewest writes, on a schedule of four workers:

    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sk_asyncprox import Lasso
    >>> from sk_asyncprox.executors import Simulated, Trace
    >>> from sk_asyncprox.metrics import neg_updates_scorer
    >>> X, y = load_diabetes(return_X_y=True)
    >>> four = Simulated(Trace.from_service_times([1.0, 1.0, 1.0, 4.0]))
    >>> steps = {"step_size": ["exact", "adaptive1"]}
    >>> search = GridSearchCV(Lasso(alpha=0.5, executor=four), steps, scoring=neg_updates_scorer)
    >>> search.fit(X, y).best_params_
    {'step_size': 'exact'}
    """
    return -float(np.sum(last_step(estimator).n_updates_))


@filled(shared=SHARED.format("Seconds, below zero."))
def neg_fit_time_scorer(estimator: BaseEstimator, X: Any = None, y: Any = None) -> float:
    """Negative of the seconds the fit took.

    Compares policies to the same ``tol`` on this machine; fits that run beside one another disturb the
    measure, so search with ``n_jobs=1``.

    {shared}

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sk_asyncprox import Lasso
    >>> from sk_asyncprox.metrics import neg_fit_time_scorer
    >>> model = Lasso(alpha=1.0).fit(*load_diabetes(return_X_y=True))
    >>> neg_fit_time_scorer(model) == -model.fit_time_
    True
    """
    return -float(last_step(estimator).fit_time_)


@filled(shared=SHARED.format(CONVERGED))
def neg_passes_scorer(estimator: BaseEstimator, X: Any = None, y: Any = None) -> float:
    """Negative of the passes over the data that the fit needed, summed over the targets.

    Compares policies to the same ``tol``, also of different solvers and block sizes: a pass touches every
    stored entry twice, whoever does it.

    {shared}

    Examples
    --------
    >>> import warnings
    >>> from sklearn.datasets import load_diabetes
    >>> from sk_asyncprox import Lasso
    >>> from sk_asyncprox.metrics import neg_passes_scorer
    >>> X, y = load_diabetes(return_X_y=True)
    >>> with warnings.catch_warnings(action="ignore"):  # of what has not converged
    ...     models = [Lasso(alpha=0.1, step_size="adaptive1", max_iter=n).fit(X, y) for n in (1000, 1)]
    >>> [bool(neg_passes_scorer(model) < 0) for model in models]
    [True, False]
    >>> neg_passes_scorer(models[1])
    nan
    """
    histories = _converged(estimator)
    return -float(sum(h.certificates["passes"][-1] for h in histories)) if histories else np.nan


@filled(shared=SHARED.format(CONVERGED))
def neg_virtual_time_scorer(estimator: BaseEstimator, X: Any = None, y: Any = None) -> float:
    """Negative of the virtual time of a simulated fit, summed over the targets.

    Compares policies to the same ``tol`` on workers whose times are given by a trace.

    {shared}

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sk_asyncprox import Lasso
    >>> from sk_asyncprox.executors import Simulated, Trace
    >>> from sk_asyncprox.metrics import neg_virtual_time_scorer
    >>> X, y = load_diabetes(return_X_y=True)
    >>> two = Simulated(Trace.from_service_times([1.0, 2.0], distribution="deterministic"))
    >>> model = Lasso(alpha=1.0, n_blocks=4, executor=two).fit(X, y)
    >>> bool(neg_virtual_time_scorer(model) == -model.history_.updates["time"][-1])
    True
    """
    return -virtual_time(estimator) if _converged(estimator) else np.nan


def virtual_time(estimator: BaseEstimator) -> float:
    """Time of the last update, summed over the targets; in seconds where the run was not simulated.

    Parameters
    ----------
    estimator : estimator or pipeline that ends with one
        Fitted.

    Returns
    -------
    float
        In the unit of the trace; its clock begins at 0.

    See Also
    --------
    neg_virtual_time_scorer : For searches, where a fit that has not converged cannot win.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sk_asyncprox import Lasso
    >>> from sk_asyncprox.executors import Simulated, Trace
    >>> from sk_asyncprox.metrics import virtual_time
    >>> X, y = load_diabetes(return_X_y=True)
    >>> two = Simulated(Trace.from_service_times([1.0, 2.0], distribution="deterministic"))
    >>> model = Lasso(alpha=1.0, n_blocks=4, executor=two).fit(X, y)
    >>> bool(virtual_time(model) == model.history_.updates["time"][-1])
    True
    """
    return float(sum(h.updates["time"][-1] if len(h.updates) else 0.0 for h in _histories(estimator)))


def _histories(estimator):
    history = last_step(estimator).history_
    return history if isinstance(history, list) else [history]


def _converged(estimator):
    """The fit's histories; none where one of its targets has not converged."""
    histories = _histories(estimator)
    return histories if all(history.stopped == "converged" for history in histories) else []
