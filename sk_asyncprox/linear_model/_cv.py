"""Cross-validated regression: LassoCV and ElasticNetCV."""

import time
from functools import partial
from numbers import Integral
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin
from sklearn.model_selection import check_cv
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing

from .._compat import LinearModel, _raise_for_params, _routing_enabled, routing_owner
from ..along import moments_pay
from ..losses import SquaredLoss
from ..problem import Problem
from ..shards.blocks import is_collection
from ..solve import SOLVERS
from ._base import AsyncLinearModel, check_range, whole
from ._blockwise import PredictsCollections
from ._callbacks import Watcher
from ._checks import (
    check_numbers,
    checked_data,
    checked_penalty_weights,
    checked_weights,
    scaled,
)
from ._cross_validated import CrossValidated
from ._declared import documented
from ._folds import cross_validated, reading
from ._grids import alphas_of, enet_penalties
from ._parameters import OfElasticNetCV, OfLassoCV
from ._path import warn_unless_converged
from ._regression import ElasticNet
from ._squared_errors import squared_errors


@documented
class ElasticNetCV(
    OfElasticNetCV, PredictsCollections, CrossValidated, RegressorMixin, LinearModel, AsyncLinearModel
):
    """Elastic net whose penalty is chosen by cross-validation along paths of solutions.

    Minimises the objective of :class:`ElasticNet`.

    Parameters
    ----------
    {parameters}

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
    {last}
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
        grids = alphas_of(self, X, y, weights, ratios, self.fit_intercept)
        folds = self._folds(X, y, self._split(sample_weight, params))
        watcher = Watcher(self, X, y, sample_weight, len(folds) + 1)
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
        model = self._refitted(ElasticNet(), Watcher(self, few.X, few.y, None, 1), few.X, few.y, None, **own)
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

    def _grids_and_paths(self, ratios, X, y):
        """Alphas of every ratio, and penalties, on data that are centred as they are to be."""
        grids = alphas_of(self, X, y, None, ratios, False)
        return grids, self._paths(ratios, grids)

    def _paths(self, ratios, grids):
        weights = checked_penalty_weights(self.penalty_weights, self.n_features_in_)
        return [
            enet_penalties(alphas, ratio, self.positive, weights)
            for ratio, alphas in zip(ratios, grids, strict=True)
        ]

    def _errors(self, X, y, weights, ratios, grids, folds, watcher):
        """Mean squared errors, of shape (n_folds, n_l1_ratio, n_alphas)."""
        paths = self._paths(ratios, grids)
        rows = X.tocsr() if sp.issparse(X) else X
        whole = Problem(rows, y, SquaredLoss(), None, weights, self.fit_intercept, SOLVERS[self.solver].rows)
        if moments_pay(whole, paths[0][0], self._fold_options(), grids.size * len(folds) // 2):
            whole.share_moments([test for _, test in folds])
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
class LassoCV(OfLassoCV, ElasticNetCV):
    """Lasso whose penalty is chosen by cross-validation along paths of solutions.

    Minimises the objective of :class:`Lasso`.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    alpha_ : float
        The chosen alpha.
    alphas_ : ndarray of shape (n_alphas,)
        The alphas, decreasing.
    mse_path_ : ndarray of shape (n_alphas, n_folds)
        Mean squared errors on the test rows.
    {last}
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

    def _choose(self, l1_ratio, alpha):
        self.alpha_ = alpha
