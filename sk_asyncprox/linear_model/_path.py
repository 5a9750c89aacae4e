"""Solutions for many penalties, each found from the one before: lasso_path and enet_path."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_consistent_length

from .._compat import leaves_settings, validate_parameter_constraints
from .._docstrings import entries, filled
from ..losses import SquaredLoss
from ..penalty_path import solutions_along
from ..problem import Problem
from ..shards.dask_input import is_collection
from ..solve import SOLVERS
from ..solvers.base import Snapshot
from ..step_sizes import StepSize
from ._base import beyond, check_range
from ._constructors import DATA, declared, no_defaults, parameter, words_of
from ._dask_cv import few_for_path
from ._parameters import OfElasticNet, OfPaths
from ._penalty_grids import alphas_of, penalties_of
from ._regression import ElasticNet
from ._validation import FLOATS, FORMATS, checked_weights, in_floats, scaled

TARGET = {"y": ["array-like", "sparse matrix"]}

FOUND = """
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
"""
"""What a path returns and raises."""


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


class Path(OfPath, ElasticNet):
    """Elastic net of all penalties of a path, for which the arguments of the functions below are checked."""


WORDS = (
    words_of(OfPath) | DATA | entries("y : array-like of shape (n_samples,) or (n_samples, 1)\n    Targets.")
)


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


def warn_of_folds(name, n_folds, ratios, grids, messages):
    """The same for those of folds: for every share of the l1 part a grid of what is called that."""
    names = [
        f"fold {k}, l1_ratio={ratio:.3g}, {name}={value:.3g}"
        for k in range(n_folds)
        for ratio, grid in zip(ratios, grids, strict=True)
        for value in grid
    ]
    warn_unless_converged(names, messages)


@filled(WORDS, path=FOUND)
@leaves_settings
def enet_path(
    X: Any,
    y: Any,
    *,
    sample_weight: ArrayLike | None = None,
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
    penalty_weights: ArrayLike | None = None,
) -> tuple[np.ndarray, ...]:
    """Elastic-net solutions for many alphas, each found from the one before.

    Minimises for every alpha, with ``S`` the sum of the sample weights,
    ``sum_i s_i (y_i - x_i.w)^2 / (2 S) + alpha l1_ratio |w|_1 + alpha (1 - l1_ratio) |w|_2^2 / 2``.
    There is no intercept: centre the data first, or use :class:`ElasticNetCV`.

    {parameters}

    {path}

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
    path = Path(**_own(locals()))
    _validate("enet_path", y, vars(path))
    path._check_n_jobs()
    X, y, sample_weight, Xy, dtype, column = _read(path, X, y, sample_weight, Xy, check_input)
    [alphas] = alphas_of(path, X, y, sample_weight, [l1_ratio], False, Xy)
    coefs, gaps, n_iters, messages = _along(path, X, y, sample_weight, alphas, dtype)
    warn_unless_converged([f"alpha={alpha:.3g}" for alpha in alphas], messages)
    found = alphas, coefs[None] if column else coefs, gaps
    return (*found, n_iters) if return_n_iter else found


def _own(arguments):
    """Those that are parameters of a path."""
    return {name: value for name, value in arguments.items() if name in Path._parameters}


def _validate(name, y, parameters):
    """Validate arguments of the function of that name: those that are not the defaults."""
    given = {"y": y} | no_defaults(Path, parameters)
    validate_parameter_constraints(Path._parameter_constraints | TARGET, given, name)


def _along(path, X, y, sample_weight, alphas, dtype):
    """Coefficients, gaps, passes and messages of the alphas, one after the other."""
    [penalties] = penalties_of(path, [path.l1_ratio], [alphas], X.shape[1])
    problem = Problem(X, y, SquaredLoss(), penalties[0], sample_weight, False, SOLVERS[path.solver].rows)
    start = _of_features(path.coef_init, "coef_init", problem.design.shape[1])
    if start is not None:
        start = Snapshot(*problem.start(np.maximum(start, 0.0) if path.positive else start))
    coefs = np.empty((problem.design.shape[1], len(penalties)), order="F")
    gaps, n_iters, messages = np.empty(len(penalties)), [], []
    options = path._options()._replace(verbose=int(path.verbose))
    for i, solution in enumerate(solutions_along(problem, penalties, options, start)):
        coefs[:, i], gaps[i] = solution.certificate.w, solution.gap
        n_iters.append(solution.n_iter)
        messages.append(solution.message)
    if dtype != coefs.dtype:
        for i in np.flatnonzero(beyond(dtype, np.abs(coefs).max(axis=0))):
            check_range(dtype, path.tol, problem.with_penalty(penalties[i]), coefs[:, i], 0.0)
        coefs = coefs.astype(dtype)
    return coefs, gaps, n_iters, messages


def _read(model, X, y, sample_weight, Xy, check_input):
    """Data in memory, ``X'y`` where it is given, the coefficients' type, and whether `y` is a column."""
    if is_collection(X):
        column, few, total, dtype = np.ndim(y) == 2, *few_for_path(model, X, y, sample_weight)
        model.set_params(executor="threads", n_jobs=None)
        Xy = _of_features(Xy, "Xy", few.X.shape[1])
        # As few rows as stand for all have another sum of weights.
        return few.X, few.y, None, None if Xy is None else Xy * (len(few.y) / total), dtype, column
    if check_input:
        X = check_array(X, accept_sparse=FORMATS, dtype=FLOATS)
        y = check_array(y, dtype=np.float64, ensure_2d=False)
        check_consistent_length(X, y)
    if y.ndim > 1 and y.shape[1] > 1:
        raise ValueError(
            f"y has {y.shape[1]} columns, but a path is of one target (the mixed-norm penalty that "
            "scikit-learn's path puts on several together is not offered): call once per column."
        )
    (weights, _), X = scaled(checked_weights(sample_weight, X)), in_floats(X)
    return X, y.ravel(), weights, _of_features(Xy, "Xy", X.shape[1]), X.dtype, y.ndim == 2


def _of_features(values, name, n_features):
    """A number for every feature; None stays."""
    if values is None:
        return None
    values = check_array(values, dtype=np.float64, ensure_2d=False, input_name=name)
    if values.shape not in ((n_features,), (n_features, 1)):
        raise ValueError(f"{name} has shape {values.shape}, but X has {n_features} features.")
    return values.ravel()


@filled(WORDS, path=FOUND)
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

    {parameters}
    **params : dict
        Further parameters of :func:`enet_path`: `tol`, `max_iter`, `sample_weight`, `check_input` and how
        the fits run.

    {path}

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
    own = _own(locals())
    _validate("lasso_path", y, own)
    return enet_path(X, y, l1_ratio=1.0, **own, **params)
