"""Lasso and ElasticNet."""

import time
import warnings
from functools import partial
from numbers import Real
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from .._compat import Interval, LinearModel, StrOptions
from ..executors.blocks import is_collection
from ..losses import SquaredLoss
from ..penalties import ElasticNetPenalty
from ..step_sizes import StepSize
from ._base import AsyncLinearModel, whole
from ._blockwise import PredictsCollections
from ._callbacks import watch
from ._checks import checked_data, checked_weights, scaled
from ._collections import fit_rows
from ._docs import documented


@documented
class ElasticNet(PredictsCollections, MultiOutputMixin, RegressorMixin, LinearModel, AsyncLinearModel):
    """Linear regression with l1 and l2 penalty, trained asynchronously.

    Minimises, with ``S`` the sum of the sample weights,
    ``sum_i s_i (y_i - x_i.w - b)^2 / (2 S) + alpha l1_ratio |w|_1 + alpha (1 - l1_ratio) |w|_2^2 / 2``.

    Parameters
    ----------
    alpha : float, default=1.0
        Weight of the penalty, non-negative.
    l1_ratio : float, default=0.5
        Share of the l1 part, in [0, 1].
    tol : float, default=1e-4
        The fit ends when the duality gap is at most `tol` times the weighted mean of
        ``(y - mean(y))^2`` (of ``y^2`` without intercept); where the best model without features is
        within a hundredth of that of the optimum, at most `tol` times the difference.
    copy_X : bool, default=True
        Whether `X` is left as it is. With False, a writeable dense float64 `X` in the order that the solver
        needs (Fortran for "bcd", C for "piag") is centred in place when there is an intercept, which saves
        its copy. Otherwise nothing is ever overwritten; without intercept, and for sparse `X`, data in
        the needed form are used without a copy anyway.
    positive : bool, default=False
        Whether the coefficients are constrained to be non-negative.
    selection : {"cyclic", "random"}, default="cyclic"
        Order of the blocks with one worker.
    {fitting}
    {asynchronous}

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients, in the dtype of `X` (float32 or float64).
    sparse_coef_ : sparse matrix of shape (1, n_features) or (n_targets, n_features)
        The same, sparse.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept.
    n_iter_ : int or list of int
        Passes over the data, rounded up; one number per target.
    {fitted}

    See Also
    --------
    Lasso : The same with the l1 part alone.
    ElasticNetCV : Finds both penalties by cross-validation.
    enet_path : Coefficients along many penalties.
    sklearn.linear_model.ElasticNet : The same problem, by one worker and without a history.

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from sk_asyncprox import ElasticNet
    >>> X, y = make_regression(n_features=2, random_state=0)
    >>> model = ElasticNet(alpha=0.1).fit(X, y)
    >>> bool(model.dual_gap_ <= 1e-4 * ((y - y.mean()) ** 2).mean())
    True
    """

    _parameter_constraints = {
        **AsyncLinearModel._parameter_constraints,
        "alpha": [Interval(Real, 0, None, closed="left")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "copy_X": ["boolean"],
        "positive": ["boolean"],
        "selection": [StrOptions({"cyclic", "random"})],
    }

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.5,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        copy_X: bool = True,
        tol: float = 1e-4,
        warm_start: bool = False,
        positive: bool = False,
        random_state: int | np.random.RandomState | None = None,
        selection: str = "cyclic",
        solver: str = "bcd",
        step_size: str | StepSize = "auto",
        n_jobs: int | None = None,
        executor: str | BaseEstimator = "auto",
        n_blocks: int | str = "auto",
        metric: str = "gram",
        working_set: bool | str = "auto",
        record: str | None = "updates",
        max_time: float | None = None,
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.copy_X = copy_X
        self.tol = tol
        self.warm_start = warm_start
        self.positive = positive
        self.random_state = random_state
        self.selection = selection
        self.solver = solver
        self.step_size = step_size
        self.n_jobs = n_jobs
        self.executor = executor
        self.n_blocks = n_blocks
        self.metric = metric
        self.working_set = working_set
        self.record = record
        self.max_time = max_time

    @whole
    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix or array} of shape (n_samples, n_features)
            Data.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets. Several are problems of their own, solved one after the other on one copy of the data.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Sample weights, non-negative and not all zero.

        Returns
        -------
        self
        """
        begin = time.perf_counter()
        if self.alpha == 0:
            warnings.warn(
                "With alpha=0, this algorithm does not converge well. You are advised to use the "
                "LinearRegression estimator",
                UserWarning,
                stacklevel=2,
            )
        l1 = self.alpha * self.l1_ratio
        penalty = ElasticNetPenalty(l1, self.alpha - l1, self.positive)
        if is_collection(X):
            *found, dtype, _ = fit_rows(self, X, y, sample_weight, lambda _: penalty, begin)
            vars(self).update(self._fitted(dtype, False, *found))
            return self
        X, y = checked_data(self, X, y, multi_output=True, y_numeric=True)
        sample_weight = checked_weights(sample_weight, X)
        weights, _ = scaled(sample_weight)
        fitted = partial(self._fitted, X.dtype, y.ndim > 1)
        watcher = watch(self, X, y, sample_weight, fitted)
        found = self._solve(X, y, SquaredLoss(), penalty, weights, begin, watcher)
        vars(self).update(fitted(*found))
        if watcher is not None:
            watcher.end()
        return self

    def _fitted(self, dtype, in_row, w, intercept, n_iter):
        """Attributes of the fitted estimator; ``in_row``: whether there is an array of intercepts."""
        if not self.fit_intercept:
            intercept = 0.0
        else:
            intercept = np.array(intercept, dtype=dtype).reshape(-1) if in_row else dtype.type(intercept)
        return {"coef_": w.astype(dtype, copy=False), "intercept_": intercept, "n_iter_": n_iter}

    @property
    def sparse_coef_(self):
        """Sparse representation of the fitted coefficients."""
        check_is_fitted(self)
        return sp.csr_matrix(self.coef_)


@documented
class Lasso(ElasticNet):
    """Linear regression with l1 penalty, trained asynchronously.

    Minimises, with ``S`` the sum of the sample weights,
    ``sum_i s_i (y_i - x_i.w - b)^2 / (2 S) + alpha |w|_1``.

    Parameters
    ----------
    alpha : float, default=1.0
        Weight of the penalty, non-negative.
    tol : float, default=1e-4
        The fit ends when the duality gap is at most `tol` times the weighted mean of
        ``(y - mean(y))^2`` (of ``y^2`` without intercept); where the best model without features is
        within a hundredth of that of the optimum, at most `tol` times the difference.
    copy_X : bool, default=True
        Whether `X` is left as it is. With False, a writeable dense float64 `X` in the order that the solver
        needs (Fortran for "bcd", C for "piag") is centred in place when there is an intercept, which saves
        its copy. Otherwise nothing is ever overwritten; without intercept, and for sparse `X`, data in
        the needed form are used without a copy anyway.
    positive : bool, default=False
        Whether the coefficients are constrained to be non-negative.
    selection : {"cyclic", "random"}, default="cyclic"
        Order of the blocks with one worker.
    {fitting}
    {asynchronous}

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients, in the dtype of `X` (float32 or float64).
    sparse_coef_ : sparse matrix of shape (1, n_features) or (n_targets, n_features)
        The same, sparse.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept.
    n_iter_ : int or list of int
        Passes over the data, rounded up; one number per target.
    {fitted}

    See Also
    --------
    ElasticNet : With an l2 part as well.
    LassoCV : Finds the penalty by cross-validation.
    lasso_path : Coefficients along many penalties.
    sklearn.linear_model.Lasso : The same problem, by one worker and without a history.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_asyncprox import Lasso
    >>> model = Lasso(alpha=0.1).fit([[0, 0], [1, 1], [2, 2]], [0, 1, 2])
    >>> print(np.round(model.coef_, 4))
    [0.85 0.  ]
    """

    _parameter_constraints = {k: v for k, v in ElasticNet._parameter_constraints.items() if k != "l1_ratio"}

    l1_ratio = 1.0

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-4,
        warm_start: bool = False,
        positive: bool = False,
        random_state: int | np.random.RandomState | None = None,
        selection: str = "cyclic",
        solver: str = "bcd",
        step_size: str | StepSize = "auto",
        n_jobs: int | None = None,
        executor: str | BaseEstimator = "auto",
        n_blocks: int | str = "auto",
        metric: str = "gram",
        working_set: bool | str = "auto",
        record: str | None = "updates",
        max_time: float | None = None,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.positive = positive
        self.random_state = random_state
        self.selection = selection
        self.solver = solver
        self.step_size = step_size
        self.n_jobs = n_jobs
        self.executor = executor
        self.n_blocks = n_blocks
        self.metric = metric
        self.working_set = working_set
        self.record = record
        self.max_time = max_time
