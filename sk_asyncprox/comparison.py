"""Step policies side by side, on the same data and the same schedules."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone

from .history import columns
from .metrics import virtual_time
from .step_sizes import StepSize
from .theory import satisfies_principle

ROW = columns(
    "policy:U60 trace:U60 stopped:U12 updates:i8 passes:f8 time:f8 gap:f8 zero_steps:f8 above_ceiling:f8"
)

FORMATS = {"passes": ".1f", "time": ".4g", "gap": ".1e", "zero_steps": ".0%", "above_ceiling": ".0%"}


class PolicyComparison:
    """What :func:`compare_policies` has found.

    Parameters
    ----------
    table : ndarray
        A row per run, with the columns ``policy, trace, stopped, updates, passes, time, gap, zero_steps,
        above_ceiling``. Time is the trace's virtual time (seconds of real workers), ``gap`` bounds the error
        of the objective. The last two are shares of the updates: steps of length zero, and steps that break
        the step-size principle (nan for the exact step, which does not rest on it).
    histories : dict of {(policy, trace): History}
        The runs, for the displays.

    See Also
    --------
    compare_policies : Makes it.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sk_asyncprox import Lasso
    >>> from sk_asyncprox.comparison import compare_policies
    >>> from sk_asyncprox.executors import Simulated, Trace
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = Lasso(alpha=0.5, executor=Simulated(Trace.constant(4)))
    >>> found = compare_policies(model, {"exact": "exact", "Adaptive 1": "adaptive1"}, X, y)
    >>> found  # doctest: +ELLIPSIS, +NORMALIZE_WHITESPACE
            policy    stopped  updates ...  time      gap  zero steps  above ceiling
             exact  converged  ...
        Adaptive 1  converged  ...
    >>> sorted(found.histories)
    [('Adaptive 1', ''), ('exact', '')]
    """

    def __init__(self, table, histories):
        self.table, self.histories = table, histories

    def __repr__(self):
        columns = []
        for name in ROW.names:
            if name != "trace" or len(set(self.table[name])) > 1:
                values = (format(x, FORMATS.get(name, "")) for x in self.table[name].tolist())
                cells = [name.replace("_", " "), *(value.replace("nan%", "-") for value in values)]
                columns.append([cell.rjust(max(map(len, cells))) for cell in cells])
        return "\n".join("  ".join(row) for row in zip(*columns, strict=True))

    def to_frame(self):
        """The table for pandas.

        Returns
        -------
        pandas.DataFrame
            A row per run.
        """
        import pandas as pd

        return pd.DataFrame({name: self.table[name] for name in self.table.dtype.names})


def compare_policies(
    estimator: BaseEstimator,
    policies: Mapping[str, str | StepSize],
    X: Any,
    y: Any,
    *,
    executors: Mapping[str, Any] | None = None,
    sample_weight: ArrayLike | None = None,
) -> PolicyComparison:
    """Fit an estimator with every policy, along every schedule, and tabulate the runs.

    Policies that converge reach the same solution, so that scores of prediction do not tell them apart;
    where some do not, such scores prefer what stopped early. The table says how every run ended, and only
    runs that have ``"converged"`` may be compared by their costs. One warning names those that have not.

    Parameters
    ----------
    estimator : estimator of this package with one target
        It is cloned.
    policies : dict of {label: policy}
        Values of ``step_size``.
    X, y : array-like
        Data, as for ``fit``.
    executors : dict of {label: executor}, optional
        Simulated schedules or other executors; by default that of the estimator.
    sample_weight : array-like of shape (n_samples,), optional
        Weights, as for ``fit``.

    Returns
    -------
    PolicyComparison
        A row per policy and schedule, and the histories of the runs.

    See Also
    --------
    sk_asyncprox.metrics.neg_virtual_time_scorer : To search over policies with scikit-learn.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sk_asyncprox import Lasso
    >>> from sk_asyncprox.comparison import compare_policies
    >>> from sk_asyncprox.executors import Simulated, Trace
    >>> X, y = load_diabetes(return_X_y=True)
    >>> eight = Simulated(Trace.from_service_times([1.0] * 7 + [4.0]))
    >>> model = Lasso(alpha=0.5, executor=eight)
    >>> comparison = compare_policies(model, {"exact": "exact", "Adaptive 1": "adaptive1"}, X, y)
    >>> comparison.table["stopped"].tolist()
    ['converged', 'converged']
    >>> exact, adaptive = comparison.table["passes"]  # print(comparison) shows all columns
    >>> bool(exact < adaptive)
    True
    """
    executors = {"": estimator.executor} if executors is None else executors
    rows, histories = [], {}
    for trace, executor in executors.items():
        for name, policy in policies.items():
            model = clone(estimator).set_params(step_size=policy, executor=executor)
            with warnings.catch_warnings(action="ignore"):
                model.fit(X, y, sample_weight)
            histories[name, trace] = model.history_
            rows.append(_row(name, trace, model))
    table = np.array(rows, dtype=ROW)
    missed = table[table["stopped"] != "converged"]
    if len(missed):
        named = ", ".join(f"{row['policy']} on {row['trace']}".removesuffix(" on ") for row in missed)
        warnings.warn(f"Not converged, so that their costs say nothing: {named}.", stacklevel=2)
    return PolicyComparison(table, histories)


def _row(name, trace, model):
    history, above = model.history_, np.nan
    steps, gap = history.updates["step"], float(np.max(model.dual_gap_))
    if history.largest_step is not None and not str(history.step_size).startswith("ExactStep"):
        above = _share(~satisfies_principle(history.updates["delay"], steps, history.largest_step))
    passes, time = history.certificates["passes"][-1], virtual_time(model)
    return name, trace, history.stopped, model.n_updates_, passes, time, gap, _share(steps == 0.0), above


def _share(mask):
    return float(mask.mean()) if len(mask) else 0.0
