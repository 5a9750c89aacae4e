"""Cross-validated regression: LassoCV and ElasticNetCV, and what all cross-validated estimators share."""

import time
from functools import partial
from itertools import islice
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.model_selection import check_cv
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.parallel import Parallel, delayed

from .._compat import (
    Interval,
    LinearModel,
    StrOptions,
    _raise_for_params,
    _routing_enabled,
    one_blas_thread,
    routing_owner,
    runs_threads,
)
from ..along import moments_pay, solutions_along
from ..design import rows_of
from ..executors import Threads
from ..executors.blocks import is_collection
from ..executors.stop import Deferred, Stop
from ..losses import SquaredLoss
from ..problem import Problem
from ..step_sizes import StepSize
from ._base import AsyncLinearModel, check_range, whole
from ._blockwise import PredictsCollections
from ._callbacks import FoldsWatcher
from ._checks import check_numbers, checked_data, checked_weights, scaled
from ._docs import documented
from ._folds import cross_validated, reading
from ._grids import alpha_grid, check_alphas, enet_penalties
from ._path import warn_unless_converged
from ._regression import ElasticNet

TOGETHER = 64
"""Solutions of a path whose predictions are one product."""

CV_CONSTRAINTS = {
    **{k: v for k, v in AsyncLinearModel._parameter_constraints.items() if k != "warm_start"},
    "cv": ["cv_object"],
    "verbose": ["verbose"],
}

OF_THE_RUN = ("dual_gap_", "objective_", "n_updates_", "history_")
"""What is known of the last fit, where there is one."""


class CrossValidated:
    """What the cross-validated estimators share: folds, and their paths beside one another (mixin)."""

    def _folds(self, X, y, routed):
        cv = check_cv(self.cv, y, classifier=hasattr(self, "predict_proba"))
        rows = np.arange(X.shape[0])
        # Masks and negative numbers count as well.
        return [tuple(rows[index] for index in fold) for fold in cv.split(X, y, **routed)]

    def _run_folds(self, job, folds, watcher):
        """Results of ``job(train=, test=, options=)`` for every fold.

        As many folds run at once as there are workers, each on one of them, so that folds times workers
        is never more than ``n_jobs`` grants. Executors that have workers of their own serve one fold
        after the other.
        """
        threads = isinstance(self.executor, str | Threads)
        parallel = Parallel(
            n_jobs=self.n_jobs if threads else 1,
            verbose=self.verbose,
            prefer="threads",
            return_as="generator" if watcher.is_watched else "list",
        )
        options = self._fold_options()
        alone = parallel._effective_n_jobs() == 1 or len(folds) == 1
        stop = None if alone or not runs_threads() else Stop()
        options = options if alone else options._replace(n_jobs=1, stop=stop)
        jobs = [partial(limited, job, train=train, test=test, options=options) for train, test in folds]
        if stop is not None:
            return self._run_together(parallel, jobs, watcher, stop)
        results = []
        for result in (job() for job in jobs) if alone else parallel(delayed(job)() for job in jobs):
            results.append(result)
            watcher.fold()
        return results

    def _fold_options(self):
        return self._options()._replace(record=None, verbose=max(0, int(self.verbose) - 1))

    def _run_together(self, parallel, jobs, watcher, stop):
        """Results of jobs in threads; where one of them fails, or a signal raises, all have ended."""
        results, found = [], ()
        with Deferred(stop):
            try:
                found = parallel(delayed(stop.run)(job) for job in jobs)
                for result in found:
                    if stop.asked:
                        break
                    results.append(result)
                    watcher.fold()
            finally:
                stop.ask()
                for _ in found:
                    pass
                stop.join()
        if stop.error is not None:
            raise stop.error
        return results

    def _refitted(self, estimator, watcher, X, y, sample_weight, **chosen):
        """Estimator of the plain class, fitted on all of the data with the chosen parameters."""
        names = estimator.get_params(deep=False)
        own = {name: value for name, value in self.get_params(deep=False).items() if name in names}
        estimator.set_params(**own | chosen)
        with watcher.refit(estimator):
            return estimator.fit(X, y, sample_weight=sample_weight)

    def _take_over(self, model, *names):
        for name in (*names, *OF_THE_RUN):
            setattr(self, name, getattr(model, name))


def limited(job, **fold):
    """Do a fold's job with one BLAS thread: its rounding is to be the same alone and beside others."""
    limit = one_blas_thread()
    with limit, limit:
        return job(**fold)


def batched(items, n):
    """The items in lists of ``n``, the last one shorter."""
    items = iter(items)
    while batch := list(islice(items, n)):
        yield batch


def squared_errors(whole, X, y, weights, paths, train, test, options):
    """Mean squared errors on a fold's test rows, along the paths of its training rows; and messages.

    Parameters
    ----------
    whole : Problem
        Of all rows.
    X, y : {ndarray, csr_matrix} of shape (n, p), ndarray of shape (n,)
    weights : ndarray of shape (n,) or None
    paths : list of lists of ElasticNetPenalty
    train, test : ndarray of int
    options : Options

    Returns
    -------
    errors : list of lists of float
    messages : list of str
    """
    problem, X, y = whole.fold(train), rows_of(X, test), y[test]
    weights = np.ones(len(y)) if weights is None else weights[test]
    if not weights.any():
        raise ValueError("All sample weights of a test fold are zero; at least one must be positive.")
    weights, errors, messages = weights / weights.sum(), [], []
    for penalties in paths:
        errors.append([])
        for some in batched(solutions_along(problem, penalties, options), TOGETHER):
            w, b = (np.array([getattr(s.certificate, name) for s in some]) for name in "wb")
            residuals = np.asarray(w @ X.T)
            residuals += (b - w @ problem.offset)[:, None] - y
            with np.errstate(over="ignore"):
                errors[-1].extend(np.einsum("ij,ij,j->i", residuals, residuals, weights))
            messages.extend(solution.message for solution in some)
    return errors, messages


@documented
class ElasticNetCV(PredictsCollections, CrossValidated, RegressorMixin, LinearModel, AsyncLinearModel):
    """Elastic net whose penalty is chosen by cross-validation along paths of solutions.

    Minimises the objective of :class:`ElasticNet`.

    Parameters
    ----------
    l1_ratio : float or list of float, default=0.5
        Share of the l1 part, in [0, 1], or several to choose from.
    eps : float, default=1e-3
        The smallest alpha of an automatic grid, relative to the largest, in (0, 1).
    alphas : int or array-like, default=100
        The alphas to choose from, or the number of an automatic grid for each `l1_ratio`.
    tol : float, default=1e-4
        Each fit ends when its duality gap is at most `tol` times the weighted mean of
        ``(y - mean(y))^2`` (of ``y^2`` without intercept); where the best model without features is
        within a hundredth of that of the optimum, at most `tol` times the difference.
    copy_X : bool, default=True
        Kept for compatibility: `X` is never overwritten.
    verbose : int, default=0
        1 lets joblib report on the folds, 2 prints one line per certificate as well.
    positive : bool, default=False
        Whether the coefficients are constrained to be non-negative.
    selection : {"cyclic", "random"}, default="cyclic"
        Order of the blocks with one worker.
    {cross_validated}
    {asynchronous_cv}

    Attributes
    ----------
    alpha_ : float
        The chosen alpha.
    l1_ratio_ : float
        The chosen share of the l1 part.
    alphas_ : ndarray of shape (n_alphas,) or (n_l1_ratio, n_alphas)
        The alphas, decreasing; one row per `l1_ratio` of a list, where they were automatic.
    mse_path_ : ndarray of shape (n_alphas, n_folds) or (n_l1_ratio, n_alphas, n_folds)
        Mean squared errors on the test rows.
    coef_ : ndarray of shape (n_features,)
        Coefficients of the last fit, in the dtype of `X` (float32 or float64).
    intercept_ : float
        Intercept.
    n_iter_ : int
        Passes over the data of the last fit, rounded up.
    {fitted}

    See Also
    --------
    ElasticNet : The same for one pair of penalties.
    LassoCV : With the l1 part alone.
    enet_path : Coefficients along many penalties, without folds.

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from sk_asyncprox import ElasticNetCV
    >>> X, y = make_regression(n_features=2, random_state=0)
    >>> model = ElasticNetCV(cv=5).fit(X, y)
    >>> bool(model.alpha_ == model.alphas_[-1])
    True
    """

    _parameter_constraints = {
        **CV_CONSTRAINTS,
        "l1_ratio": [Interval(Real, 0, 1, closed="both"), "array-like"],
        "eps": [Interval(Real, 0, 1, closed="neither")],
        "alphas": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "copy_X": ["boolean"],
        "positive": ["boolean"],
        "selection": [StrOptions({"cyclic", "random"})],
    }

    def __init__(
        self,
        *,
        l1_ratio: ArrayLike = 0.5,
        eps: float = 1e-3,
        alphas: ArrayLike = 100,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-4,
        cv: Any = None,
        copy_X: bool = True,
        verbose: int = 0,
        n_jobs: int | None = None,
        positive: bool = False,
        random_state: int | np.random.RandomState | None = None,
        selection: str = "cyclic",
        solver: str = "bcd",
        step_size: str | StepSize = "auto",
        executor: str | BaseEstimator = "auto",
        n_blocks: int | str = "auto",
        metric: str = "gram",
        working_set: bool | str = "auto",
        record: str | None = "updates",
        max_time: float | None = None,
    ) -> None:
        self.l1_ratio = l1_ratio
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.cv = cv
        self.copy_X = copy_X
        self.verbose = verbose
        self.n_jobs = n_jobs
        self.positive = positive
        self.random_state = random_state
        self.selection = selection
        self.solver = solver
        self.step_size = step_size
        self.executor = executor
        self.n_blocks = n_blocks
        self.metric = metric
        self.working_set = working_set
        self.record = record
        self.max_time = max_time

    @whole
    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None, **params: Any) -> Self:
        """Choose the penalty by cross-validation, and fit the model with it on all of the data.

        Parameters
        ----------
        X : {array-like, sparse matrix or array, dask collection} of shape (n_samples, n_features)
            Data. Of a dask collection the rows stay where they lie, and are read once for all penalties and
            folds; passes count the few rows that stand for them then.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Sample weights, non-negative and not all zero; of the fits and, within each fold, of the errors.
            The choice goes by the plain mean over the folds.
        **params : dict
            Parameters of the splitter, with metadata routing.

        Returns
        -------
        self
        """
        _raise_for_params(params, self, "fit")
        begin = time.perf_counter()
        self._check_n_jobs()
        if is_collection(X):
            return self._fit_collection(X, y, sample_weight, params, begin)
        X, y = checked_data(self, X, y, y_numeric=True)
        sample_weight = checked_weights(sample_weight, X)
        weights, _ = scaled(sample_weight)
        ratios = self._ratios()
        grids = self._grids(X, y, weights, ratios, self.fit_intercept)
        folds = self._folds(X, y, self._split(sample_weight, params))
        watcher = FoldsWatcher(self, X, y, sample_weight, len(folds) + 1)
        errors = self._errors(X, y, weights, ratios, grids, folds, watcher)
        chosen = self._chosen(ratios, grids, errors)
        model = self._refitted(ElasticNet(), watcher, X, y, sample_weight, **chosen)
        self._take_over(model, "coef_", "intercept_", "n_iter_")
        self.fit_time_ = time.perf_counter() - begin
        watcher.end()
        return self

    def _fit_collection(self, X, y, sample_weight, params, begin):
        """The same on a dask collection, which is read once: a few rows stand for all in every fit."""
        ratios, cv = self._ratios(), check_cv(self.cv)
        with reading(self, X, y, sample_weight) as rows:
            few, grids, errors, messages = cross_validated(
                self, rows, partial(self._grids_and_paths, ratios), cv, self._split(None, params)
            )
        self._heed(messages, errors, ratios, grids, few.y)
        own = self._chosen(ratios, grids, errors) | {
            "fit_intercept": False,
            "executor": "threads",
            "n_jobs": None,
        }
        model = self._refitted(
            ElasticNet(), FoldsWatcher(self, few.X, few.y, None, 1), few.X, few.y, None, **own
        )
        w, b = model.coef_, few.mean_y - few.means @ model.coef_
        check_range(rows.dtype, self.tol, few.problem(self.solver), w, 0.0, b)
        self._take_over(model, "n_iter_")
        self.coef_, self.intercept_ = w.astype(rows.dtype), rows.dtype.type(b) if self.fit_intercept else 0.0
        self.fit_time_ = time.perf_counter() - begin
        return self

    def _ratios(self):
        ratios = self.l1_ratio if np.iterable(self.l1_ratio) else [float(self.l1_ratio)]
        return check_numbers(ratios, "l1_ratio", high=1.0, boundaries="both")

    def _split(self, sample_weight, params):
        """What the splitter is handed beside the data."""
        if not _routing_enabled():
            return {}
        return process_routing(self, "fit", sample_weight=sample_weight, **params).splitter.split

    def _chosen(self, ratios, grids, errors):
        """The best penalty by the errors; they are kept."""
        self.mse_path_ = np.squeeze(np.moveaxis(errors, 0, -1))
        best_ratio, best = np.unravel_index(np.argmin(errors.mean(axis=0)), grids.shape)
        self._choose(float(ratios[best_ratio]), float(grids[best_ratio, best]))
        automatic = isinstance(self.alphas, Integral) and len(ratios) > 1
        self.alphas_ = grids if automatic else grids[0]
        return {"alpha": self.alpha_, "l1_ratio": float(ratios[best_ratio])}

    def _choose(self, l1_ratio, alpha):
        self.l1_ratio_, self.alpha_ = l1_ratio, alpha

    def _grids(self, X, y, weights, ratios, centred):
        """Alphas of every ratio, one row each."""
        if not isinstance(self.alphas, Integral):
            return np.tile(check_alphas(self.alphas), (len(ratios), 1))
        grid = partial(
            alpha_grid, X, y, eps=self.eps, n_alphas=self.alphas, sample_weight=weights,
            fit_intercept=centred, positive=self.positive,
        )  # fmt: skip
        return np.array([grid(l1_ratio=ratio) for ratio in ratios])

    def _grids_and_paths(self, ratios, X, y):
        """Alphas of every ratio, and penalties, on data that are centred as they are to be."""
        grids = self._grids(X, y, None, ratios, False)
        return grids, self._paths(ratios, grids)

    def _paths(self, ratios, grids):
        return [
            enet_penalties(alphas, ratio, self.positive) for ratio, alphas in zip(ratios, grids, strict=True)
        ]

    def _errors(self, X, y, weights, ratios, grids, folds, watcher):
        """Mean squared errors, of shape (n_folds, n_l1_ratio, n_alphas)."""
        paths = self._paths(ratios, grids)
        rows = X.tocsr() if sp.issparse(X) else X
        whole = Problem(rows, y, SquaredLoss(), None, weights, self.fit_intercept, self.solver == "piag")
        if moments_pay(whole, paths[0][0], self._fold_options(), grids.size * len(folds) // 2):
            whole.share_moments()
        job = partial(squared_errors, whole, rows, y, weights, paths)
        results = self._run_folds(job, folds, watcher)
        errors = np.array([errors for errors, _ in results])
        self._heed([message for _, messages in results for message in messages], errors, ratios, grids, y)
        return errors

    def _heed(self, messages, errors, ratios, grids, y):
        """Say what fits have not reached, and refuse errors that are no numbers."""
        names = [
            f"fold {k}, l1_ratio={ratio:.3g}, alpha={alpha:.3g}"
            for k in range(len(errors))
            for ratio, alphas in zip(ratios, grids, strict=True)
            for alpha in alphas
        ]
        warn_unless_converged(names, messages)
        if not (np.isfinite(errors).all() and (errors.any() or np.square(y).any() or not np.any(y))):
            raise ValueError("The mean squared errors on the test rows overflow or vanish: scale y.")

    def get_metadata_routing(self):
        """Metadata routing of the estimator: what the splitter may ask for.

        Returns
        -------
        MetadataRouter
        """
        return (
            MetadataRouter(owner=routing_owner(self))
            .add_self_request(self)
            .add(splitter=check_cv(self.cv), method_mapping=MethodMapping().add(caller="fit", callee="split"))
        )


@documented
class LassoCV(ElasticNetCV):
    """Lasso whose penalty is chosen by cross-validation along paths of solutions.

    Minimises the objective of :class:`Lasso`.

    Parameters
    ----------
    eps : float, default=1e-3
        The smallest alpha of an automatic grid, relative to the largest, in (0, 1).
    alphas : int or array-like, default=100
        The alphas to choose from, or the number of an automatic grid.
    tol : float, default=1e-4
        Each fit ends when its duality gap is at most `tol` times the weighted mean of
        ``(y - mean(y))^2`` (of ``y^2`` without intercept); where the best model without features is
        within a hundredth of that of the optimum, at most `tol` times the difference.
    copy_X : bool, default=True
        Kept for compatibility: `X` is never overwritten.
    verbose : int, default=0
        1 lets joblib report on the folds, 2 prints one line per certificate as well.
    positive : bool, default=False
        Whether the coefficients are constrained to be non-negative.
    selection : {"cyclic", "random"}, default="cyclic"
        Order of the blocks with one worker.
    {cross_validated}
    {asynchronous_cv}

    Attributes
    ----------
    alpha_ : float
        The chosen alpha.
    alphas_ : ndarray of shape (n_alphas,)
        The alphas, decreasing.
    mse_path_ : ndarray of shape (n_alphas, n_folds)
        Mean squared errors on the test rows.
    coef_ : ndarray of shape (n_features,)
        Coefficients of the last fit, in the dtype of `X` (float32 or float64).
    intercept_ : float
        Intercept.
    n_iter_ : int
        Passes over the data of the last fit, rounded up.
    {fitted}

    See Also
    --------
    Lasso : The same for one penalty.
    ElasticNetCV : With an l2 part as well.
    lasso_path : Coefficients along many penalties, without folds.

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from sk_asyncprox import LassoCV
    >>> X, y = make_regression(noise=4, random_state=0)
    >>> model = LassoCV(cv=5).fit(X, y)
    >>> model.mse_path_.shape
    (100, 5)
    """

    _parameter_constraints = {k: v for k, v in ElasticNetCV._parameter_constraints.items() if k != "l1_ratio"}

    l1_ratio = 1.0

    def __init__(
        self,
        *,
        eps: float = 1e-3,
        alphas: ArrayLike = 100,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-4,
        copy_X: bool = True,
        cv: Any = None,
        verbose: int = False,
        n_jobs: int | None = None,
        positive: bool = False,
        random_state: int | np.random.RandomState | None = None,
        selection: str = "cyclic",
        solver: str = "bcd",
        step_size: str | StepSize = "auto",
        executor: str | BaseEstimator = "auto",
        n_blocks: int | str = "auto",
        metric: str = "gram",
        working_set: bool | str = "auto",
        record: str | None = "updates",
        max_time: float | None = None,
    ) -> None:
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.copy_X = copy_X
        self.cv = cv
        self.verbose = verbose
        self.n_jobs = n_jobs
        self.positive = positive
        self.random_state = random_state
        self.selection = selection
        self.solver = solver
        self.step_size = step_size
        self.executor = executor
        self.n_blocks = n_blocks
        self.metric = metric
        self.working_set = working_set
        self.record = record
        self.max_time = max_time

    def _choose(self, l1_ratio, alpha):
        self.alpha_ = alpha
