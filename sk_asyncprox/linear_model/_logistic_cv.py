"""LogisticRegressionCV."""

from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike
from sklearn.metrics import get_scorer
from sklearn.utils.metadata_routing import UNUSED, process_routing

from .._compat import raise_for_params, routing_enabled
from .._docstring_templates import filled
from ..problem import Problem
from ..run_warnings import warn_of_folds
from ..shards.dask_chunks import is_collection
from ..solve import SOLVERS
from ._callbacks import Watcher
from ._cv_base import OF_THE_LAST, CrossValidated
from ._cv_scores import Scores, scored_paths
from ._dask_cv import paths_on_cluster
from ._logistic import LogisticRegression
from ._parameters import OfLogisticRegressionCV
from ._penalty_grids import best_of, grid_of
from ._shared_docs import DATA, documented
from ._validation import checked_data
from ._weights import checked_penalty_weights, checked_weights


@documented
class LogisticRegressionCV(OfLogisticRegressionCV, CrossValidated, LogisticRegression):
    """Logistic regression whose penalty is chosen by cross-validation along paths of solutions.

    Minimises the objective of :class:`LogisticRegression`.

    {parameters}

    Attributes
    ----------
    {classifier}
    Cs_ : ndarray of shape (n_cs,)
        The inverses of the penalty's weight.
    l1_ratios_ : ndarray of shape (n_l1_ratios,)
        The shares of the l1 part.
    coefs_paths_ : ndarray of shape (n_folds, n_l1_ratios, n_cs, n_classes or 1, n_features + 1)
        Coefficients of the folds' fits, with the intercept last (none without `fit_intercept`).
    scores_ : ndarray of shape (n_folds, n_l1_ratios, n_cs)
        Scores on the test rows.
    C_, l1_ratio_ : float
        The chosen parameters; means over the folds without `refit`.
    n_iter_ : ndarray of shape (n_folds, n_l1_ratios, n_cs)
        Passes over the data of the folds' fits, rounded up.
    {fitted}

    See Also
    --------
    LogisticRegression : The same for one penalty.
    LassoCV, ElasticNetCV : For regression.

    Notes
    -----
    Shapes are those of scikit-learn with ``use_legacy_attributes=False``. Without `refit` there is no
    `dual_gap_`, `objective_`, `n_updates_` and `history_`.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import scale
    >>> from sk_asyncprox import LogisticRegressionCV
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = LogisticRegressionCV(Cs=5, l1_ratios=(0.5, 1.0)).fit(scale(X), y)
    >>> model.scores_.shape
    (5, 2, 5)
    """

    # `sample_weight` of `score` is a parameter of the scorer, not one that `score` itself may request.
    __metadata_request__score = {"sample_weight": UNUSED}

    def _in_memory(self, X, y, sample_weight, params):
        X, y = checked_data(self, X, y)
        sample_weight = checked_weights(sample_weight, X)
        loss, targets, self.classes_, codes, *weights = self._read_labels(y, sample_weight)
        self.Cs_, self.l1_ratios_ = grid = grid_of(self.Cs, self.l1_ratios)
        split, score = self._routed(sample_weight, params)
        folds = list(self._folds(X, y, split))
        rows = X.tocsr() if sp.issparse(X) else X
        whole = Problem(rows, targets, loss, None, weights[0], self.fit_intercept, SOLVERS[self.solver].rows)
        scores = Scores(self.scoring, score, self.classes_, rows, y, codes, *weights)
        own = checked_penalty_weights(self.penalty_weights, X.shape[1], loss.n_outputs)
        watcher = Watcher(self, X, y, sample_weight, len(folds) + self.refit)
        found = self._run_folds(partial(scored_paths, whole, scores, *grid, own), folds, watcher)
        return self._conclude(found, X.dtype, watcher, X, y, sample_weight)

    def _on_cluster(self, X, y, sample_weight, params):
        """Fold after fold; the last fit reads the data again."""
        self.Cs_, self.l1_ratios_ = grid = grid_of(self.Cs, self.l1_ratios)
        routed = self._routed(sample_weight, params)
        found, self.classes_, dtype = paths_on_cluster(self, X, y, sample_weight, *routed, *grid)
        watcher = Watcher(self, X, y, sample_weight, int(self.refit))
        return self._conclude(found, dtype, watcher, X, y, sample_weight)

    def _conclude(self, found, dtype, watcher, *data):
        """Keep what the folds have found, and say what fits have not reached; then fit with the chosen
        parameters, or average what the folds have chosen."""
        *columns, messages = zip(*found, strict=True)
        grids = [self.Cs_] * len(self.l1_ratios_)
        warn_of_folds("C", len(found), self.l1_ratios_, grids, chain.from_iterable(messages))
        self.coefs_paths_, self.scores_, self.n_iter_ = map(np.array, columns)
        ratio, best = best_of(self.scores_.sum(axis=0)[None] if self.refit else self.scores_)
        self.C_, self.l1_ratio_ = float(self.Cs_[best].mean()), float(self.l1_ratios_[ratio].mean())
        coef = self.coefs_paths_[np.arange(len(found)), ratio, best].mean(axis=0)
        coef, intercept = (coef[:, :-1], coef[:, -1]) if self.fit_intercept else (coef, np.zeros(len(coef)))
        if self.refit:
            model = LogisticRegression(warm_start=True)
            model.coef_, model.intercept_ = coef, intercept
            chosen = {"C": self.C_, "l1_ratio": self.l1_ratio_, "verbose": max(0, int(self.verbose) - 1)}
            self._fit_last(model, watcher, *data, **chosen)
        else:
            for name in OF_THE_LAST:
                vars(self).pop(name, None)
            self.coef_, self.intercept_ = coef.astype(dtype), intercept.astype(dtype)
        return watcher

    @filled(DATA)
    def score(self, X: Any, y: Any, *, sample_weight: ArrayLike | None = None, **score_params: Any) -> float:
        """Score by `scoring`.

        {parameters}
        sample_weight : array-like or dask collection of shape (n_samples,)
            Sample weights.
        **score_params : dict
            Parameters of the scorer, with metadata routing.

        Returns
        -------
        float
        """
        raise_for_params(score_params, self, "score")
        if is_collection(X) and self.scoring in (None, "accuracy"):
            return super().score(X, y, sample_weight)
        if sample_weight is not None:
            score_params["sample_weight"] = sample_weight
        if routing_enabled():
            score_params = process_routing(self, "score", **score_params).scorer.score
        return self._scorer()(self, X, y, **score_params)

    def _scorer(self):
        return get_scorer(self.scoring or "accuracy")
