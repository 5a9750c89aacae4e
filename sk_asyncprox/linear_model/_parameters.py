"""The estimators' parameters: name, default, constraint and words of each."""

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import get_scorer_names

from .._compat import Interval, StrOptions
from ._declared import changed, declared, parameter
from ._run_parameters import COUNT, NON_NEGATIVE, OfAll

SHARE = Interval(Real, 0, 1, closed="both")


@declared
class OfRegression(OfAll):
    """Parameters of the squared loss's estimators."""

    copy_X: bool = parameter(
        "bool", "Kept for compatibility: `X` is never overwritten.", "boolean", default=True
    )
    positive: bool = parameter(
        "bool", "Whether the coefficients are constrained to be non-negative.", "boolean", default=False
    )
    selection: str = parameter(
        '{"cyclic", "random"}',
        "Order of the blocks with one worker.",
        StrOptions({"cyclic", "random"}),
        default="cyclic",
    )


@declared
class OfElasticNet(OfRegression):
    """Parameters of :class:`ElasticNet`."""

    alpha: float = parameter(
        "float", "Weight of the penalty, non-negative.", NON_NEGATIVE, default=1.0, kw_only=False
    )
    l1_ratio: float = parameter("float", "Share of the l1 part, in [0, 1].", SHARE, default=0.5)
    tol: float = changed(
        text="The fit ends when the duality gap is at most `tol` times the weighted mean of "
        "``(y - mean(y))^2`` (of ``y^2`` without intercept); where the best model without features is "
        "within a hundredth of that of the optimum, at most `tol` times the difference."
    )
    copy_X: bool = changed(
        text="Whether `X` is left as it is. With False, a writeable dense float64 `X` in the order that the "
        'solver needs (Fortran for "bcd", C for "piag") is centred in place when there is an intercept, '
        "which saves its copy. Otherwise nothing is ever overwritten; without intercept, and for sparse `X`, "
        "data in the needed form are used without a copy anyway."
    )


@declared
class OfLasso(OfElasticNet):
    """Parameters of :class:`Lasso`."""

    l1_ratio: float = parameter(default=1.0, init=False)


@declared
class OfGroupLasso(OfLasso):
    """Parameters of :class:`GroupLasso`."""

    groups: Any = parameter(
        "int, list of int, list of lists of int, or array-like of shape (n_features,)",
        "Disjoint groups, with every feature in one: the size of all groups, whose features lie side by "
        "side; a list of such sizes; a list with the column numbers of each group; or one label per feature, "
        "of which equal ones make a group. Numbers that may be sizes as well as labels are refused. With 1 "
        "the model is :class:`Lasso`.",
        COUNT,
        "array-like",
        default=1,
    )
    group_weights: ArrayLike | None = parameter(
        "array-like of shape (n_groups,)",
        "Weights of the groups, positive, in their order (that of sorted labels). None stands for the square "
        "roots of their sizes.",
        "array-like",
        None,
        default=None,
    )
    positive: bool = parameter(default=False, init=False)
    penalty_weights: ArrayLike | None = parameter(default=None, init=False)


@declared
class OfHuberRegressor(OfElasticNet):
    """Parameters of :class:`HuberRegressor`."""

    epsilon: float = parameter(
        "float",
        "Residual from which on the loss is linear, positive, in the unit of `y`.",
        Interval(Real, 0, None, closed="neither"),
        default=1.35,
    )
    tol: float = changed(
        text="The fit ends when the duality gap is at most `tol` times twice the mean loss of the best "
        "constant (of zero without intercept); where the best model without features is within a hundredth "
        "of that of the optimum, at most `tol` times the difference."
    )


@declared
class OfLogisticRegression(OfAll):
    """Parameters of :class:`LogisticRegression`."""

    C: float = parameter(
        "float",
        "Inverse of the penalty's weight; ``np.inf`` for no penalty.",
        Interval(Real, 0, None, closed="right"),
        default=1.0,
    )
    l1_ratio: float = parameter("float", "Share of the l1 part, in [0, 1].", SHARE, default=0.0)
    tol: float = changed(
        text="The fit ends when the duality gap is at most ``tol * log(K)``, with K classes; where the best "
        "model without features is within a hundredth of ``log(K)`` of the optimum, at most `tol` times the "
        "difference; without penalty, when the largest entry of the gradient is at most `tol`."
    )
    class_weight: dict | str | None = parameter(
        'dict or "balanced"',
        'Weights of the classes; "balanced" is inversely proportional to their frequencies in all of the '
        "data.",
        dict,
        StrOptions({"balanced"}),
        None,
        default=None,
    )
    verbose: int = parameter("int", "Whether one line is printed per certificate.", "verbose", default=0)


@declared
class OfFolds(OfAll):
    """Parameters of cross-validated estimators."""

    cv: Any = parameter(
        "int, cross-validation generator or iterable",
        "Folds: their number (5 when None), or what yields them as ``(train, test)`` indices.",
        "cv_object",
        default=None,
    )
    n_jobs: int | None = changed(
        text="Workers, in joblib's meaning. Folds run beside one another, each on one worker, which is "
        "deterministic; the last fit, on all of the data, is given all of them."
    )
    random_state: int | np.random.RandomState | None = changed(
        text="Seed of the choice of blocks; None stands for 0. The folds do not depend on it."
    )
    verbose: int = parameter(
        "int",
        "1 lets joblib report on the folds, 2 prints one line per certificate as well.",
        "verbose",
        default=0,
    )
    warm_start: bool = parameter(default=False, init=False)


@declared
class OfPaths(OfRegression):
    """Parameters of paths of the squared loss."""

    eps: float = parameter(
        "float",
        "The smallest alpha of an automatic grid, relative to the largest, in (0, 1).",
        Interval(Real, 0, 1, closed="neither"),
        default=1e-3,
    )
    alphas: ArrayLike = parameter(
        "int or array-like",
        "The alphas, or the number of an automatic grid; it begins at the smallest with a zero model.",
        COUNT,
        "array-like",
        default=100,
    )


@declared
class OfPath(OfPaths, OfElasticNet):
    """Parameters of :func:`enet_path`."""

    alpha: float = parameter(init=False)
    # Whether the grid can be made is asked where it is.
    eps: float = changed(constraint=(object,))
    alphas: ArrayLike = changed(constraint=(Integral, "array-like"))
    l1_ratio: float = changed(text="Share of the l1 part, in [0, 1]; with 0, `alphas` must be given.")
    Xy: ArrayLike | None = parameter(
        "array-like of shape (n_features,)",
        "``X'y``, when it is known; of use for an automatic grid only.",
        "array-like",
        None,
        default=None,
    )
    copy_X: bool = changed(text="Kept for compatibility: `X` is never overwritten.")
    coef_init: ArrayLike | None = parameter(
        "array-like of shape (n_features,)", "Coefficients to begin with.", "array-like", None, default=None
    )
    verbose: int = parameter(
        "bool or int", "Whether one line is printed per certificate.", "verbose", default=False
    )
    return_n_iter: bool = parameter(
        "bool", "Whether the passes of each fit are returned as well.", "boolean", default=False
    )
    check_input: bool = parameter("bool", "Whether the data are checked.", "boolean", default=True)
    tol: float = changed(
        text="Each fit ends when its duality gap is at most `tol` times the weighted mean of ``y^2``; where "
        "the zero model is within a hundredth of that of the optimum, at most `tol` times the difference."
    )
    fit_intercept: bool = parameter(default=False, init=False)
    warm_start: bool = parameter(default=False, init=False)
    record: None = parameter(default=None, init=False)


@declared
class OfElasticNetCV(OfFolds, OfPaths):
    """Parameters of :class:`ElasticNetCV`."""

    l1_ratio: ArrayLike = parameter(
        "float or list of float",
        "Share of the l1 part, in [0, 1], or several to choose from.",
        SHARE,
        "array-like",
        default=0.5,
    )
    alphas: ArrayLike = changed(
        text="The alphas to choose from, or the number of an automatic grid for each share of the l1 part."
    )
    tol: float = changed(
        text="Each fit ends when its duality gap is at most `tol` times the weighted mean of "
        "``(y - mean(y))^2`` (of ``y^2`` without intercept); where the best model without features is "
        "within a hundredth of that of the optimum, at most `tol` times the difference."
    )


@declared
class OfLassoCV(OfElasticNetCV):
    """Parameters of :class:`LassoCV`."""

    l1_ratio: ArrayLike = parameter(default=1.0, init=False)


@declared
class OfLogisticRegressionCV(OfFolds, OfLogisticRegression):
    """Parameters of :class:`LogisticRegressionCV`."""

    C: float = parameter(init=False)
    l1_ratio: float = parameter(init=False)
    Cs: ArrayLike = parameter(
        "int or array-like",
        "Inverses of the penalty's weight to choose from, or the number of a grid, logarithmic from 1e-4 to "
        "1e4.",
        COUNT,
        "array-like",
        default=10,
    )
    l1_ratios: ArrayLike = parameter(
        "array-like", "Shares of the l1 part to choose from, in [0, 1].", "array-like", default=(0.0,)
    )
    scoring: Any = parameter(
        "str, callable or None",
        "What the models are compared by on the test rows; None is the accuracy.",
        StrOptions(set(get_scorer_names())),
        callable,
        None,
        default="neg_log_loss",
    )
    tol: float = changed(
        text="Each fit ends when the duality gap is at most ``tol * log(n_classes)``, or less where the "
        "penalty is strong, as :class:`LogisticRegression` has it."
    )
    refit: bool = parameter(
        "bool",
        "Whether the model with the best mean score is fitted on all of the data; otherwise the coefficients "
        "and the parameters of each fold's best model are averaged.",
        "boolean",
        default=True,
    )
