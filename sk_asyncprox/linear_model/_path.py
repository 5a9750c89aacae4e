"""Solutions for many penalties, each found from the one before: lasso_path and enet_path."""

import warnings
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_consistent_length, check_scalar

from .._compat import leaves_settings, validate_parameter_constraints
from ..along import solutions_along
from ..executors.blocks import is_collection
from ..losses import SquaredLoss
from ..problem import Problem
from ..solvers.base import Snapshot
from ..step_sizes import StepSize
from ._base import beyond, check_range
from ._checks import FLOATS, FORMATS, check_number, checked_weights, in_floats, scaled
from ._docs import documented
from ._folds import few_for_path
from ._grids import alpha_grid, check_alphas, enet_penalties
from ._regression import ElasticNet

CONSTRAINTS = {
    "y": ["array-like", "sparse matrix"],
    "alphas": [Integral, "array-like"],
    "Xy": ["array-like", None],
    "coef_init": ["array-like", None],
}
"""Of the paths' own parameters; the others are an estimator's."""


def warn_unless_converged(names, solutions_messages):
    """One warning for the runs of a path that have not met the tolerance, with the first one's message."""
    missed = [(name, message) for name, message in zip(names, solutions_messages, strict=True) if message]
    if missed:
        warnings.warn(
            f"{len(missed)} of {len(names)} fits did not reach the tolerance; the first, for "
            f"{missed[0][0]}: {missed[0][1]}",
            ConvergenceWarning,
            stacklevel=3,
        )


@documented
@leaves_settings
def enet_path(
    X: Any,
    y: Any,
    *,
    l1_ratio: float = 0.5,
    eps: float = 1e-3,
    alphas: ArrayLike = 100,
    Xy: ArrayLike | None = None,
    copy_X: bool = True,
    coef_init: ArrayLike | None = None,
    verbose: int = False,
    return_n_iter: bool = False,
    positive: bool = False,
    check_input: bool = True,
    sample_weight: ArrayLike | None = None,
    tol: float = 1e-4,
    max_iter: int = 1000,
    random_state: int | np.random.RandomState | None = None,
    selection: str = "cyclic",
    solver: str = "bcd",
    step_size: str | StepSize = "auto",
    n_jobs: int | None = None,
    executor: str | BaseEstimator = "auto",
    n_blocks: int | str = "auto",
    metric: str = "gram",
    working_set: bool | str = "auto",
    max_time: float | None = None,
) -> tuple[np.ndarray, ...]:
    """Elastic-net solutions for many alphas, each found from the one before.

    Minimises for every alpha, with ``S`` the sum of the sample weights,
    ``sum_i s_i (y_i - x_i.w)^2 / (2 S) + alpha l1_ratio |w|_1 + alpha (1 - l1_ratio) |w|_2^2 / 2``.
    There is no intercept: centre the data first, or use :class:`ElasticNetCV`.

    Parameters
    ----------
    X : {array-like, sparse matrix or array, dask collection} of shape (n_samples, n_features)
        Data. Of a dask collection the rows stay where they lie, and are read once.
    y : array-like of shape (n_samples,) or (n_samples, 1)
        Targets.
    l1_ratio : float, default=0.5
        Share of the l1 part, in [0, 1]; with 0, `alphas` must be given.
    {path}
    check_input : bool, default=True
        Whether the data are checked.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights, non-negative and not all zero.
    tol : float, default=1e-4
        Each fit ends when its duality gap is at most `tol` times the weighted mean of ``y^2``;
        where the zero model is within a hundredth of that of the optimum, at most `tol` times the difference.
    max_iter : int, default=1000
        Most passes over the data, for each alpha.
    random_state : int, RandomState instance or None, default=None
        Seed of the choice of blocks; None stands for 0.
    selection : {"cyclic", "random"}, default="cyclic"
        Order of the blocks with one worker.
    {asynchronous_path}

    Returns
    -------
    alphas : ndarray of shape (n_alphas,)
        Decreasing.
    coefs : ndarray of shape (n_features, n_alphas) or (1, n_features, n_alphas)
        Coefficients, in the dtype of `X`; of three dimensions when `y` is a column.
    dual_gaps : ndarray of shape (n_alphas,)
        Duality gaps, upper bounds on the distances to the optima in objective value.
    n_iters : list of int
        Passes over the data, rounded up; only with `return_n_iter`.

    Raises
    ------
    ValueError
        If `y` has several columns: scikit-learn's path of several targets has a penalty that ties them
        together, which is not offered here.

    See Also
    --------
    lasso_path : With the l1 part alone.
    ElasticNetCV : Chooses from such paths by cross-validation.

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from sk_asyncprox import enet_path
    >>> X, y = make_regression(n_samples=100, n_features=5, n_informative=2, random_state=0)
    >>> alphas, coefs, gaps = enet_path(X, y, alphas=3)
    >>> coefs.shape
    (5, 3)
    """
    model = ElasticNet(
        l1_ratio=l1_ratio, fit_intercept=False, copy_X=copy_X, positive=positive, tol=tol, max_iter=max_iter,
        random_state=random_state, selection=selection, solver=solver, step_size=step_size, n_jobs=n_jobs,
        executor=executor, n_blocks=n_blocks, metric=metric, working_set=working_set, record=None,
        max_time=max_time,
    )  # fmt: skip
    model._validate_params()
    _validate_own("enet_path", y, alphas, Xy, coef_init)
    model._check_n_jobs()
    X, y, sample_weight, Xy, dtype, column = _read(model, X, y, sample_weight, Xy, check_input)
    if isinstance(alphas, Integral):
        check_scalar(alphas, "alphas", Integral, min_val=1)
        check_number(eps, "eps", high=1.0, boundaries="neither")
        alphas = alpha_grid(
            X, y, l1_ratio=l1_ratio, eps=eps, n_alphas=alphas, sample_weight=sample_weight,
            fit_intercept=False, positive=positive, Xy=Xy,
        )  # fmt: skip
    else:
        alphas = check_alphas(alphas)
    penalties = enet_penalties(alphas, l1_ratio, positive)
    problem = Problem(X, y, SquaredLoss(), penalties[0], sample_weight, False, rows=solver == "piag")
    start = None if coef_init is None else _start(problem, coef_init)
    coefs = np.empty((X.shape[1], len(alphas)), order="F")
    gaps, n_iters, messages = np.empty(len(alphas)), [], []
    options = model._options()._replace(verbose=int(verbose))
    for i, solution in enumerate(solutions_along(problem, penalties, options, start)):
        coefs[:, i], gaps[i] = solution.certificate.w, solution.gap
        n_iters.append(solution.n_iter)
        messages.append(solution.message)
    if dtype != coefs.dtype:
        for i in np.flatnonzero(beyond(dtype, np.abs(coefs).max(axis=0))):
            check_range(dtype, tol, problem.with_penalty(penalties[i]), coefs[:, i], 0.0)
        coefs = coefs.astype(dtype)
    warn_unless_converged([f"alpha={alpha:.3g}" for alpha in alphas], messages)
    found = alphas, coefs[None] if column else coefs, gaps
    return (*found, n_iters) if return_n_iter else found


def _validate_own(name, *values):
    """Validate the parameters that no estimator has, in the function of that name."""
    validate_parameter_constraints(CONSTRAINTS, dict(zip(CONSTRAINTS, values, strict=True)), name)


def _start(problem, coef):
    coef = check_array(coef, dtype=np.float64, ensure_2d=False, input_name="coef_init").ravel()
    p = problem.design.shape[1]
    if len(coef) != p:
        raise ValueError(f"coef_init has {len(coef)} entries, but X has {p} features.")
    return Snapshot(*problem.start(np.maximum(coef, 0.0) if problem.penalty.positive else coef))


def _read(model, X, y, sample_weight, Xy, check_input):
    """Data in memory, ``X'y`` where it is given, the coefficients' type, and whether `y` is a column."""
    if not is_collection(X):
        X, y, sample_weight = _checked(X, y, sample_weight, check_input)
        return X, y.ravel(), sample_weight, _checked_Xy(Xy, X), X.dtype, y.ndim == 2
    column, few, total, dtype = np.ndim(y) == 2, *few_for_path(model, X, y, sample_weight)
    model.set_params(executor="threads", n_jobs=None)
    Xy = _checked_Xy(Xy, few.X)
    # As few rows as stand for all have another sum of weights.
    return few.X, few.y, None, None if Xy is None else Xy * (len(few.y) / total), dtype, column


def _checked_Xy(Xy, X):
    if Xy is None:
        return None
    Xy, p = check_array(Xy, dtype=np.float64, ensure_2d=False, input_name="Xy"), X.shape[1]
    if Xy.shape not in ((p,), (p, 1)):
        raise ValueError(f"Xy has shape {Xy.shape}, but X has {p} features.")
    return Xy.ravel()


def _checked(X, y, sample_weight, check_input):
    if check_input:
        X = check_array(X, accept_sparse=FORMATS, dtype=FLOATS)
        y = check_array(y, dtype=np.float64, ensure_2d=False)
        check_consistent_length(X, y)
    if y.ndim > 1 and y.shape[1] > 1:
        raise ValueError(
            f"y has {y.shape[1]} columns, but a path is of one target (the mixed-norm penalty that "
            "scikit-learn's path puts on several together is not offered): call once per column."
        )
    weights, _ = scaled(checked_weights(sample_weight, X))
    return in_floats(X), y, weights


@documented
def lasso_path(
    X: Any,
    y: Any,
    *,
    eps: float = 1e-3,
    alphas: ArrayLike = 100,
    Xy: ArrayLike | None = None,
    copy_X: bool = True,
    coef_init: ArrayLike | None = None,
    verbose: int = False,
    return_n_iter: bool = False,
    positive: bool = False,
    **params: Any,
) -> tuple[np.ndarray, ...]:
    """Lasso solutions for many alphas, each found from the one before.

    Minimises for every alpha ``sum_i s_i (y_i - x_i.w)^2 / (2 S) + alpha |w|_1``, with ``S`` the sum of the
    sample weights. There is no intercept: centre the data first, or use :class:`LassoCV`.

    Parameters
    ----------
    X : {array-like, sparse matrix or array, dask collection} of shape (n_samples, n_features)
        Data. Of a dask collection the rows stay where they lie, and are read once.
    y : array-like of shape (n_samples,) or (n_samples, 1)
        Targets.
    {path}
    **params : dict
        Further parameters of :func:`enet_path`: `tol`, `max_iter`, `sample_weight`, `check_input` and how
        the fits run.

    Returns
    -------
    alphas : ndarray of shape (n_alphas,)
        Decreasing.
    coefs : ndarray of shape (n_features, n_alphas) or (1, n_features, n_alphas)
        Coefficients, in the dtype of `X`; of three dimensions when `y` is a column.
    dual_gaps : ndarray of shape (n_alphas,)
        Duality gaps, upper bounds on the distances to the optima in objective value.
    n_iters : list of int
        Passes over the data, rounded up; only with `return_n_iter`.

    Raises
    ------
    ValueError
        If `y` has several columns: scikit-learn's path of several targets has a penalty that ties them
        together, which is not offered here.

    See Also
    --------
    enet_path : With an l2 part as well.
    LassoCV : Chooses from such paths by cross-validation.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_asyncprox import lasso_path
    >>> X = np.array([[1, 2, 3.1], [2.3, 5.4, 4.3]]).T
    >>> _, coefs, _ = lasso_path(X, np.array([1, 2, 3.1]), alphas=[5.0, 1.0, 0.5], tol=1e-10)
    >>> print(np.round(coefs, 2) + 0.0)
    [[0.   0.   0.47]
     [0.22 0.44 0.24]]
    """
    _validate_own("lasso_path", y, alphas, Xy, coef_init)
    return enet_path(
        X, y, l1_ratio=1.0, eps=eps, alphas=alphas, Xy=Xy, copy_X=copy_X, coef_init=coef_init,
        verbose=verbose, return_n_iter=return_n_iter, positive=positive, **params,
    )  # fmt: skip
