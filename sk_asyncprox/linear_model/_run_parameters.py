"""Parameters of every estimator: how long a fit goes on, and who works at it."""

from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from .._compat import HasMethods, Interval, StrOptions
from ..solve import SOLVERS
from ..step_sizes import STEP_SIZES, StepSize
from ._declared import declared, parameter

NON_NEGATIVE = Interval(Real, 0, None, closed="left")
POSITIVE = Interval(Real, 0, None, closed="neither")
COUNT = Interval(Integral, 1, None, closed="left")


class _ExecutorObject(HasMethods):
    """An object with an executor's methods, not its class."""

    def is_satisfied_by(self, val):
        return not isinstance(val, type) and super().is_satisfied_by(val)

    def __str__(self):
        return f"{super().__str__()}, as Threads() and Simulated(trace) are (a trace alone is none)"


@declared
class OfAll:
    """Parameters of every estimator.

    tol : float
    fit_intercept : bool
        Whether an intercept, never penalised, is fitted.
    max_iter : int
        Most passes over the data, for each fit; one pass touches every stored entry of `X` twice, whoever
        touches it.
    warm_start : bool
        Whether the next fit begins at the present coefficients.
    random_state : int, RandomState instance or None
        Seed of the choice of blocks; None stands for 0.
    solver : {"bcd", "piag"}
        Async-BCD (block-coordinate descent on shared margins) or PIAG (proximal incremental aggregated
        gradient, the parameter server).
    step_size : {"auto", "adaptive1", "adaptive2", "fixed", "exact"} or StepSize
        Step-size policy, see :mod:`sk_asyncprox.step_sizes`. "auto" is "exact"; with "piag", more than 2,000
        coefficients and no l1 part it is "adaptive1". The parameters of a policy object can be searched
        (``step_size__alpha``).
    n_jobs : int or None
        Workers, in joblib's meaning. One worker is deterministic. Where nothing else is asked for, a small
        problem is given one, and threads start only when a fit lasts: ``history_`` says who has worked.
    executor : {"auto", "threads", "processes", "dask"} or executor object
        Where the workers run: ``Threads()``, ``Processes()``, ``Dask(client)``, or ``Simulated(trace)`` for a
        schedule replayed in virtual time. "auto" is Dask for dask collections and in joblib's dask context,
        else threads.
    n_blocks : int or "auto"
        "bcd": blocks of columns; a number asks for plain block steps by all workers, without Newton steps.
        "piag": shards of rows; "auto" is one per worker, on Dask four.
    metric : {"gram", "lipschitz"}
        "bcd": each block in the metric of its own Gram matrix, or the paper's scalar constant. "piag" with a
        policy of delays: the metric of the shards' curvatures together (up to 2,000 coefficients), or the
        same.
    working_set : bool or "auto"
        "bcd": whether only the columns that certificates call for are visited. "auto" is False for a
        simulated log, for ``metric="lipschitz"`` with a delay policy and for penalties without an l1 part.
    record : {None, "updates", "iterates"}
        What `history_` keeps.
    max_time : float or None
        Seconds after which the fit stops, those of its set-up included; chunks of a collection are read to
        the end.
    penalty_weights : array-like of shape (n_features,)
        What multiplies the penalty of every feature, its l1 and its l2 part: non-negative, not all zero, used
        as given (glmnet scales its penalty factors to a sum of `n_features`). 0 leaves a feature unpenalised,
        which single fits and logistic paths do not offer where `X` is a dask collection. None stands for
        ones.
    """

    tol: float = parameter(NON_NEGATIVE, default=1e-4)
    fit_intercept: bool = parameter("boolean", default=True)
    max_iter: int = parameter(COUNT, default=1000)
    warm_start: bool = parameter("boolean", default=False)
    random_state: int | np.random.RandomState | None = parameter("random_state", default=None)
    solver: str = parameter(StrOptions(SOLVERS.keys()), default="bcd")
    step_size: str | StepSize = parameter(StrOptions({"auto", *STEP_SIZES}), StepSize, default="auto")
    n_jobs: int | None = parameter(None, Integral, default=None)
    executor: str | BaseEstimator = parameter(
        StrOptions({"auto", "threads", "processes", "dask"}), _ExecutorObject(["plan", "run"]), default="auto"
    )
    n_blocks: int | str = parameter(StrOptions({"auto"}), COUNT, default="auto")
    metric: str = parameter(StrOptions({"gram", "lipschitz"}), default="gram")
    working_set: bool | str = parameter(StrOptions({"auto"}), "boolean", default="auto")
    record: str | None = parameter(StrOptions({"updates", "iterates"}), None, default="updates")
    max_time: float | None = parameter(None, POSITIVE, default=None)
    penalty_weights: ArrayLike | None = parameter(None, "array-like", default=None)
