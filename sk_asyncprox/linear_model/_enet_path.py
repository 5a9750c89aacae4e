"""Solutions for many penalties, each found from the one before: lasso_path and enet_path."""

from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_array, check_consistent_length

from .._compat import validate_parameter_constraints
from .._interrupts import leaves_settings
from ..losses import SquaredLoss
from ..problem import Problem
from ..run_warnings import warn_unless_converged
from ..shards.dask_chunks import is_collection
from ..solve import SOLVERS
from ..solve_path import moments_pay, solutions_along
from ..solvers.base import Snapshot
from ._constructors import declared, no_defaults, parameter, taking
from ._dask_cv import few_for_path
from ._parameters import OfElasticNet, OfPaths
from ._penalty_grids import alphas_of, penalties_of
from ._regression import ElasticNet
from ._validation import FLOATS, FORMATS, beyond, check_range, in_floats, is_large
from ._weights import checked_weights, scaled

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

    sample_weight : float or array-like of shape (n_samples,)
        Sample weights, non-negative and not all zero.
    l1_ratio : float
        Share of the l1 part, in [0, 1]; with 0, `alphas` must be given.
    Xy : array-like of shape (n_features,)
        ``X'y``, of `y` times the sample weights, when it is known; of use for an automatic grid only.
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
    """

    sample_weight: ArrayLike | None = parameter("array-like", Real, None, default=None)
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
class OfLassoPath(OfPath):
    """Parameters of :func:`lasso_path`."""

    l1_ratio: float = parameter(default=1.0, init=False)


class Path(OfPath, ElasticNet):
    """Elastic net of all penalties of a path, for which the arguments of the functions below are checked."""


class LassoPath(OfLassoPath, Path):
    """The same of a lasso's."""


@taking(OfPath, path=FOUND)
def enet_path(X, y, **settings):
    """Elastic-net solutions for many alphas, each found from the one before.

    Minimises for every alpha, with ``S`` the sum of the sample weights,
    ``sum_i s_i (y_i - x_i.w)^2 / (2 S) + alpha l1_ratio |w|_1 + alpha (1 - l1_ratio) |w|_2^2 / 2``.
    There is no intercept: centre the data first, or use :class:`ElasticNetCV`.

    {parameters}
    y : array-like of shape (n_samples,) or (n_samples, 1)
        Targets.

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
    return _solutions("enet_path", Path, X, y, settings)


@taking(OfLassoPath, path=FOUND)
def lasso_path(X, y, **settings):
    """Lasso solutions for many alphas, each found from the one before.

    Minimises for every alpha ``sum_i s_i (y_i - x_i.w)^2 / (2 S) + alpha |w|_1``, with ``S`` the sum of the
    sample weights. There is no intercept: centre the data first, or use :class:`LassoCV`.

    {parameters}
    y : array-like of shape (n_samples,) or (n_samples, 1)
        Targets.

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
    return _solutions("lasso_path", LassoPath, X, y, settings)


@leaves_settings
def _solutions(name, kind, X, y, settings):
    """What the function of that name returns."""
    for unknown in settings.keys() - kind._parameters.keys():
        raise TypeError(f"{name}() got an unexpected keyword argument {unknown!r}")
    path = kind(**settings)
    given = {"y": y} | no_defaults(path, vars(path))
    validate_parameter_constraints(path._parameter_constraints | TARGET, given, name)
    X, y, sample_weight, Xy, dtype, column = _read(path, X, y)
    [[unit]] = penalties_of(path, [path.l1_ratio], [[1.0]], X.shape[1])
    problem = Problem(X, y, SquaredLoss(), unit, sample_weight, False, SOLVERS[path.solver].rows)
    options = path._options()._replace(verbose=int(path.verbose))
    automatic = isinstance(path.alphas, Integral)
    n_alphas = path.alphas if automatic else len(path.alphas)
    known = n_alphas > 1 and moments_pay(problem, unit, options, n_alphas)
    if _is_read_first(path, X) and not (known and np.isfinite(problem.moments.G).all()):
        check_array(X, dtype=FLOATS)
    if known and automatic and Xy is None:
        Xy = problem.quadratic.q * (len(y) if sample_weight is None else sample_weight.sum())
    [alphas] = alphas_of(path, X, y, sample_weight, [path.l1_ratio], False, Xy)
    coefs, gaps, n_iters, messages = _along(path, problem, options, alphas, dtype)
    warn_unless_converged([f"alpha={alpha:.3g}" for alpha in alphas], messages)
    found = alphas, coefs[None] if column else coefs, gaps
    return (*found, n_iters) if path.return_n_iter else found


def _along(path, problem, options, alphas, dtype):
    """Coefficients, gaps, passes and messages of the alphas, one after the other."""
    [penalties] = penalties_of(path, [path.l1_ratio], [alphas], problem.shape[1])
    start = _of_features(path.coef_init, "coef_init", problem.shape[1])
    if start is not None:
        start = Snapshot(*problem.start(np.maximum(start, 0.0) if path.positive else start))
    coefs = np.empty((problem.shape[1], len(penalties)), order="F")
    gaps, n_iters, messages = np.empty(len(penalties)), [], []
    for i, solution in enumerate(solutions_along(problem, penalties, options, start)):
        coefs[:, i], gaps[i] = solution.certificate.w, solution.gap
        n_iters.append(solution.n_iter)
        messages.append(solution.message)
    if dtype != coefs.dtype:
        for i in np.flatnonzero(beyond(dtype, np.abs(coefs).max(axis=0))):
            check_range(dtype, path.tol, problem.with_penalty(penalties[i]), coefs[:, i], 0.0)
        coefs = coefs.astype(dtype)
    return coefs, gaps, n_iters, messages


def _is_read_first(path, X):
    """Whether all entries are read before they are checked: numbers that are finite have finite moments."""
    return path.check_input and path.sample_weight is None and is_large(X)


def _read(path, X, y):
    """Data in memory, ``X'y`` where it is given, the coefficients' type, and whether `y` is a column."""
    if is_collection(X):
        column, few, total, dtype = np.ndim(y) == 2, *few_for_path(path, X, y, path.sample_weight)
        path.set_params(executor="threads", n_jobs=None)
        Xy = _of_features(path.Xy, "Xy", few.X.shape[1])
        # As few rows as stand for all have another sum of weights.
        return few.X, few.y, None, None if Xy is None else Xy * (len(few.y) / total), dtype, column
    if path.check_input:
        X = check_array(X, accept_sparse=FORMATS, dtype=FLOATS, ensure_all_finite=not _is_read_first(path, X))
        y = check_array(y, dtype=np.float64, ensure_2d=False)
        check_consistent_length(X, y)
    if y.ndim > 1 and y.shape[1] > 1:
        raise ValueError(
            f"y has {y.shape[1]} columns, but a path is of one target (the mixed-norm penalty that "
            "scikit-learn's path puts on several together is not offered): call once per column."
        )
    (weights, exponent), X = scaled(checked_weights(path.sample_weight, X)), in_floats(X)
    Xy = _of_features(path.Xy, "Xy", X.shape[1])
    return X, y.ravel(), weights, None if Xy is None else np.ldexp(Xy, -exponent), X.dtype, y.ndim == 2


def _of_features(values, name, n_features):
    """A number for every feature; None stays."""
    if values is None:
        return None
    values = check_array(values, dtype=np.float64, ensure_2d=False, input_name=name)
    if values.shape not in ((n_features,), (n_features, 1)):
        raise ValueError(f"{name} has shape {values.shape}, but X has {n_features} features.")
    return values.ravel()
