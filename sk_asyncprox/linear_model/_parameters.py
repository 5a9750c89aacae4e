"""The estimators' parameters: name, default, constraint and words of each."""

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.metrics import get_scorer_names

from .._compat import HasMethods, Interval, StrOptions
from ..solve import SOLVERS
from ..step_sizes import STEP_SIZES, StepSize
from ..step_sizes.base import POSITIVE
from ._constructors import declared, parameter

NON_NEGATIVE = Interval(Real, 0, None, closed="left")
POSITIVE_OR_INFINITE = Interval(Real, 0, None, closed="right")
COUNT = Interval(Integral, 1, None, closed="left")
SHARE = Interval(Real, 0, 1, closed="both")


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
        A fit ends when its duality gap is at most `tol` times the scale of its problem: of the squared loss
        the weighted mean of ``(y - mean(y))^2`` (of ``y^2`` without intercept), of the Huber loss twice the
        mean loss of the best constant (of zero), with K classes ``log(K)``. Where the best model without
        features is within a hundredth of the scale of the optimum, `tol` times the difference counts;
        without penalty, the gap is the largest entry of the gradient.
    fit_intercept : bool
        Whether an intercept, never penalised, is fitted.
    max_iter : int
        Most passes over the data, for each fit; one pass touches every stored entry of `X` twice, whoever
        touches it.
    warm_start : bool
        Whether the next fit begins at the present coefficients.
    random_state : int, RandomState instance or None
        Seed of the choice of blocks, not of folds; None stands for 0.
    solver : {"bcd", "piag"}
        Async-BCD (block-coordinate descent on shared margins) or PIAG (proximal incremental aggregated
        gradient, the parameter server).
    step_size : {"auto", "adaptive1", "adaptive2", "fixed", "exact"} or StepSize
        Step-size policy, see :mod:`sk_asyncprox.step_sizes`. "auto" is "exact"; with "piag", more than 2,000
        coefficients and no l1 part it is "adaptive1". The parameters of a policy object can be searched
        (``step_size__alpha``).
    n_jobs : int or None
        Workers, in joblib's meaning. One worker is deterministic. Where nothing else is asked for, a small
        problem is given one, and threads start only when a fit lasts: ``history_`` says who has worked. Folds
        of a cross-validation run beside one another, each on one worker; the last fit is given all.
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
    n_jobs: int | None = parameter(None, COUNT, Interval(Integral, None, -1, closed="right"), default=None)
    executor: str | BaseEstimator = parameter(
        StrOptions({"auto", "threads", "processes", "dask"}), _ExecutorObject(["plan", "run"]), default="auto"
    )
    n_blocks: int | str = parameter(StrOptions({"auto"}), COUNT, default="auto")
    metric: str = parameter(StrOptions({"gram", "lipschitz"}), default="gram")
    working_set: bool | str = parameter(StrOptions({"auto"}), "boolean", default="auto")
    record: str | None = parameter(StrOptions({"updates", "iterates"}), None, default="updates")
    max_time: float | None = parameter(None, POSITIVE, default=None)
    penalty_weights: ArrayLike | None = parameter(None, "array-like", default=None)


@declared
class OfRegression(OfAll):
    """Parameters of the squared loss's estimators.

    copy_X : bool
        Kept for compatibility: `X` is never overwritten.
    positive : bool
        Whether the coefficients are constrained to be non-negative.
    selection : {"cyclic", "random"}
        Order of the blocks with one worker.
    """

    copy_X: bool = parameter("boolean", default=True)
    positive: bool = parameter("boolean", default=False)
    selection: str = parameter(StrOptions({"cyclic", "random"}), default="cyclic")


@declared
class OfElasticNet(OfRegression):
    """Parameters of :class:`ElasticNet`.

    alpha : float
        Weight of the penalty, non-negative.
    l1_ratio : float
        Share of the l1 part, in [0, 1].
    copy_X : bool
        Whether `X` is left as it is. With False, a writeable dense float64 `X` in the order that the solver
        needs (Fortran for "bcd", C for "piag") is centred in place when there is an intercept, where it would
        be copied else. Otherwise nothing is ever overwritten; without intercept, and for sparse `X`, data in
        the needed form are used without a copy anyway.
    """

    alpha: float = parameter(NON_NEGATIVE, default=1.0, kw_only=False)
    l1_ratio: float = parameter(SHARE, default=0.5)


@declared
class OfLasso(OfElasticNet):
    """Parameters of :class:`Lasso`."""

    l1_ratio: float = parameter(default=1.0, init=False)


@declared
class OfGroupLasso(OfLasso):
    """Parameters of :class:`GroupLasso`.

    groups : int, list of int, list of lists of int, or array-like of shape (n_features,)
        Disjoint groups, with every feature in one: the size of all groups, whose features lie side by side; a
        list of such sizes; a list with the column numbers of each group; or one label per feature, of which
        equal ones make a group. Numbers that may be sizes as well as labels are refused. With 1 the model is
        :class:`Lasso`.
    group_weights : array-like of shape (n_groups,)
        Weights of the groups, positive, in their order (that of sorted labels). None stands for the square
        roots of their sizes.
    """

    groups: Any = parameter(COUNT, "array-like", default=1)
    group_weights: ArrayLike | None = parameter("array-like", None, default=None)
    positive: bool = parameter(default=False, init=False)
    penalty_weights: ArrayLike | None = parameter(default=None, init=False)


@declared
class OfHuberRegressor(OfElasticNet):
    """Parameters of :class:`HuberRegressor`.

    epsilon : float
        Residual from which on the loss is linear, positive, in the unit of `y`.
    """

    epsilon: float = parameter(POSITIVE, default=1.35)


@declared
class OfLogisticRegression(OfAll):
    """Parameters of :class:`LogisticRegression`.

    C : float
        Inverse of the penalty's weight; ``np.inf`` for no penalty.
    l1_ratio : float
        Share of the l1 part, in [0, 1].
    class_weight : dict or "balanced"
        Weights of the classes; "balanced" is inversely proportional to their frequencies in all of the data.
    verbose : int
        Whether one line is printed per certificate.
    """

    C: float = parameter(POSITIVE_OR_INFINITE, default=1.0)
    l1_ratio: float = parameter(SHARE, default=0.0)
    class_weight: dict | str | None = parameter(dict, StrOptions({"balanced"}), None, default=None)
    verbose: int = parameter("verbose", default=0)


@declared
class OfFolds(OfAll):
    """Parameters of cross-validated estimators.

    cv : int, cross-validation generator or iterable
        Folds: their number (5 when None), or what yields them as ``(train, test)`` indices.
    verbose : int
        1 lets joblib report on the folds, 2 prints one line per certificate as well.
    """

    cv: Any = parameter("cv_object", default=None)
    verbose: int = parameter("verbose", default=0)
    warm_start: bool = parameter(default=False, init=False)


@declared
class OfPaths(OfRegression):
    """Parameters of paths of the squared loss.

    eps : float
        The smallest alpha of an automatic grid, relative to the largest, in (0, 1).
    alphas : int or array-like
        The alphas, or the number of an automatic grid; it begins at the smallest with a zero model.
    """

    eps: float = parameter(Interval(Real, 0, 1, closed="neither"), default=1e-3)
    alphas: ArrayLike = parameter(COUNT, "array-like", default=100)


@declared
class OfElasticNetCV(OfFolds, OfPaths):
    """Parameters of :class:`ElasticNetCV`.

    l1_ratio : float or list of float
        Share of the l1 part, in [0, 1], or several to choose from.
    alphas : int or array-like
        The alphas to choose from, or the number of an automatic grid for each share of the l1 part.
    """

    l1_ratio: ArrayLike = parameter(SHARE, "array-like", default=0.5)


@declared
class OfLassoCV(OfElasticNetCV):
    """Parameters of :class:`LassoCV`."""

    l1_ratio: ArrayLike = parameter(default=1.0, init=False)


@declared
class OfLogisticRegressionCV(OfFolds, OfLogisticRegression):
    """Parameters of :class:`LogisticRegressionCV`.

    Cs : int or array-like
        Inverses of the penalty's weight to choose from, or the number of a grid, logarithmic from 1e-4 to
        1e4.
    l1_ratios : array-like
        Shares of the l1 part to choose from, in [0, 1].
    scoring : str, callable or None
        What the models are compared by on the test rows; None is the accuracy.
    refit : bool
        Whether the model with the best mean score is fitted on all of the data; otherwise the coefficients
        and the parameters of each fold's best model are averaged.
    """

    C: float = parameter(init=False)
    l1_ratio: float = parameter(init=False)
    Cs: ArrayLike = parameter(COUNT, "array-like", default=10)
    l1_ratios: ArrayLike = parameter("array-like", default=(0.0,))
    scoring: Any = parameter(StrOptions(set(get_scorer_names())), callable, None, default="neg_log_loss")
    refit: bool = parameter("boolean", default=True)
