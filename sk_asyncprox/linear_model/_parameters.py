"""The estimators' parameters: name, default, constraint and words of each."""

from numbers import Real
from typing import Any

from numpy.typing import ArrayLike
from sklearn.metrics import get_scorer_names

from .._compat import Interval, StrOptions
from ._declared import declared, parameter
from ._run_parameters import COUNT, NON_NEGATIVE, POSITIVE, OfAll

SHARE = Interval(Real, 0, 1, closed="both")


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
    tol : float
        The fit ends when the duality gap is at most `tol` times the weighted mean of ``(y - mean(y))^2`` (of
        ``y^2`` without intercept); where the best model without features is within a hundredth of that of the
        optimum, at most `tol` times the difference.
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
    tol : float
        The fit ends when the duality gap is at most `tol` times twice the mean loss of the best constant (of
        zero without intercept); where the best model without features is within a hundredth of that of the
        optimum, at most `tol` times the difference.
    """

    epsilon: float = parameter(POSITIVE, default=1.35)


@declared
class OfLogisticRegression(OfAll):
    """Parameters of :class:`LogisticRegression`.

    C : float
        Inverse of the penalty's weight; ``np.inf`` for no penalty.
    l1_ratio : float
        Share of the l1 part, in [0, 1].
    tol : float
        The fit ends when the duality gap is at most ``tol * log(K)``, with K classes; where the best model
        without features is within a hundredth of ``log(K)`` of the optimum, at most `tol` times the
        difference; without penalty, when the largest entry of the gradient is at most `tol`.
    class_weight : dict or "balanced"
        Weights of the classes; "balanced" is inversely proportional to their frequencies in all of the data.
    verbose : int
        Whether one line is printed per certificate.
    """

    C: float = parameter(Interval(Real, 0, None, closed="right"), default=1.0)
    l1_ratio: float = parameter(SHARE, default=0.0)
    class_weight: dict | str | None = parameter(dict, StrOptions({"balanced"}), None, default=None)
    verbose: int = parameter("verbose", default=0)


@declared
class OfFolds(OfAll):
    """Parameters of cross-validated estimators.

    cv : int, cross-validation generator or iterable
        Folds: their number (5 when None), or what yields them as ``(train, test)`` indices.
    n_jobs : int or None
        Workers, in joblib's meaning. Folds run beside one another, each on one worker, which is
        deterministic; the last fit, on all of the data, is given all of them.
    random_state : int, RandomState instance or None
        Seed of the choice of blocks; None stands for 0. The folds do not depend on it.
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
class OfPath(OfPaths, OfElasticNet):
    """Parameters of :func:`enet_path`.

    l1_ratio : float
        Share of the l1 part, in [0, 1]; with 0, `alphas` must be given.
    Xy : array-like of shape (n_features,)
        ``X'y``, when it is known; of use for an automatic grid only.
    copy_X : bool
        Kept for compatibility: `X` is never overwritten.
    coef_init : array-like of shape (n_features,)
        Coefficients to begin with.
    verbose : bool or int
        Whether one line is printed per certificate.
    return_n_iter : bool
        Whether the passes of each fit are returned as well.
    check_input : bool
        Whether the data are checked.
    tol : float
        Each fit ends when its duality gap is at most `tol` times the weighted mean of ``y^2``; where the zero
        model is within a hundredth of that of the optimum, at most `tol` times the difference.
    """

    alpha: float = parameter(init=False)
    Xy: ArrayLike | None = parameter("array-like", None, default=None)
    coef_init: ArrayLike | None = parameter("array-like", None, default=None)
    verbose: int = parameter("verbose", default=False)
    return_n_iter: bool = parameter("boolean", default=False)
    check_input: bool = parameter("boolean", default=True)
    fit_intercept: bool = parameter(default=False, init=False)
    warm_start: bool = parameter(default=False, init=False)
    record: None = parameter(default=None, init=False)


@declared
class OfElasticNetCV(OfFolds, OfPaths):
    """Parameters of :class:`ElasticNetCV`.

    l1_ratio : float or list of float
        Share of the l1 part, in [0, 1], or several to choose from.
    alphas : int or array-like
        The alphas to choose from, or the number of an automatic grid for each share of the l1 part.
    tol : float
        Each fit ends when its duality gap is at most `tol` times the weighted mean of ``(y - mean(y))^2`` (of
        ``y^2`` without intercept); where the best model without features is within a hundredth of that of the
        optimum, at most `tol` times the difference.
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
    tol : float
        Each fit ends when the duality gap is at most ``tol * log(n_classes)``, or less where the penalty is
        strong, as :class:`LogisticRegression` has it.
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
