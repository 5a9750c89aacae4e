"""Cross-validated regression: LassoCV and ElasticNetCV."""

from functools import partial
from itertools import chain
from numbers import Integral

import numpy as np
import scipy.sparse as sp
from sklearn.base import RegressorMixin

from .._compat import LinearModel
from ..run_warnings import warn_of_folds
from ._base import AsyncLinearModel, check_range
from ._callbacks import Watcher
from ._cv_base import CrossValidated
from ._cv_scores import are_quick, problem_of_folds, squared_errors
from ._dask_cv import cross_validated, reading
from ._dask_predict import PredictsCollections
from ._parameters import SHARE, OfElasticNetCV, OfLassoCV
from ._penalty_grids import alphas_of, penalties_of
from ._regression import ElasticNet
from ._shared_docs import documented
from ._validation import check_numbers, checked_data
from ._weights import checked_weights, scaled


@documented
class ElasticNetCV(
    OfElasticNetCV, PredictsCollections, CrossValidated, RegressorMixin, LinearModel, AsyncLinearModel
):
    """Elastic net whose penalty is chosen by cross-validation along paths of solutions.

    Minimises the objective of :class:`ElasticNet`.

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

    def _in_memory(self, X, y, sample_weight, params):
        X, y = checked_data(self, X, y, y_numeric=True)
        sample_weight, ratios = checked_weights(sample_weight, X), self._ratios()
        weights, rows = scaled(sample_weight)[0], X.tocsr() if sp.issparse(X) else X
        grids = alphas_of(self, X, y, weights, ratios, self.fit_intercept)
        paths = penalties_of(self, ratios, grids, X.shape[1])
        folds = list(self._folds(X, y, self._routed(sample_weight, params)[0]))
        watcher = Watcher(self, X, y, sample_weight, len(folds) + 1)
        whole = problem_of_folds(self, rows, y, weights, paths, folds)
        job, quick = partial(squared_errors, whole, rows, y, weights, paths), are_quick(whole)
        found = self._run_folds(job, folds, watcher, quick)
        errors, messages = zip(*found, strict=True)
        chosen = self._choose(ratios, grids, np.array(errors), chain.from_iterable(messages), y)
        chosen["moments"] = whole.shared_moments
        self.n_iter_ = self._fit_last(ElasticNet(), watcher, X, y, sample_weight, **chosen).n_iter_
        return watcher

    def _on_cluster(self, X, y, sample_weight, params):
        """The data are read once: a few rows stand for all in every fit."""
        ratios = self._ratios()
        with reading(self, X, y, sample_weight) as rows:
            found = cross_validated(self, rows, ratios, self._routed(None, params)[0])
        few, grids, errors, messages = found
        watcher = Watcher(self, few.X, few.y, None, 1)
        chosen = self._choose(ratios, grids, errors, messages, few.y)
        chosen |= {"fit_intercept": False, "executor": "threads", "n_jobs": None}
        model = self._fit_last(ElasticNet(), watcher, few.X, few.y, None, **chosen)
        w, b = model.coef_, few.mean_y - few.means @ model.coef_
        check_range(rows.dtype, self.tol, few.problem(self.solver), w, 0.0, b)
        self.coef_, self.n_iter_ = w.astype(rows.dtype), model.n_iter_
        self.intercept_ = rows.dtype.type(b) if self.fit_intercept else 0.0
        return watcher

    def _ratios(self):
        ratios = self.l1_ratio if np.iterable(self.l1_ratio) else [float(self.l1_ratio)]
        return check_numbers(ratios, "l1_ratio", SHARE)

    def _choose(self, ratios, grids, errors, messages, y):
        """Keep the errors and what is the best by them, the parameters of the last fit; say what fits have
        not reached, and refuse errors that are no numbers."""
        warn_of_folds("alpha", len(errors), ratios, grids, messages)
        if not (np.isfinite(errors).all() and (errors.any() or np.square(y).any() or not np.any(y))):
            raise ValueError("The mean squared errors on the test rows overflow or vanish: scale y.")
        self.mse_path_ = np.squeeze(np.moveaxis(errors, 0, -1))
        best_ratio, best = np.unravel_index(np.argmin(errors.mean(axis=0)), grids.shape)
        self.alpha_, l1_ratio = float(grids[best_ratio, best]), float(ratios[best_ratio])
        if "l1_ratio" in self._parameters:
            self.l1_ratio_ = l1_ratio
        automatic = isinstance(self.alphas, Integral) and len(ratios) > 1
        self.alphas_ = grids if automatic else grids[0]
        return {"alpha": self.alpha_, "l1_ratio": l1_ratio}


@documented
class LassoCV(OfLassoCV, ElasticNetCV):
    """Lasso whose penalty is chosen by cross-validation along paths of solutions.

    Minimises the objective of :class:`Lasso`.

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
