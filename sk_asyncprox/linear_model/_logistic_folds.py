"""Cross-validation of logistic models on dask collections: fold after fold, by shards of its rows."""

import numpy as np
from sklearn.model_selection import check_cv

from ..shards.chunks import FoldedRows
from ._checks import checked_penalty_weights
from ._collections import labels_of, loss_of, n_shards_of, on_cluster, refuse_unpenalised
from ._scored_paths import TOGETHER, margins, scored_paths


class FoldsOnCluster:
    """What :func:`~._scored_paths.scored_paths` asks of a problem and of scores: weights of rows are
    multiplied by the factors of their classes; ``weighted`` says whether scores heed the sample weights."""

    def __init__(self, rows, n_shards, model, classes, factors, weighted):
        self._rows, self._n_shards, self._classes, self._factors = rows, n_shards, classes, factors
        self._together, self._weighted = TOGETHER[model.scoring], weighted
        self.fit_intercept = model.fit_intercept

    def fold(self, train):
        """The problem of some rows."""
        loss = loss_of(self._classes)
        problem, self._total = self._rows.fold(
            train, self._n_shards, self._classes, self._factors, loss, self.fit_intercept
        )
        present = len(np.unique(problem.y))
        if present < len(self._classes):
            raise ValueError(
                f"A training fold has samples of {present} of the {len(self._classes)} classes with positive "
                "weight; every class must be there."
            )
        return problem

    def total(self, train):
        """Sum of the weights of the fold's rows, which has no exponent."""
        return self._total, 0

    def __call__(self, coefs, intercepts, Cs, test):
        """Scores on the rows ``test`` of models, one for each of the ``Cs``."""
        found = self._rows.each(
            _scores, test, self._classes, self._together, self._weighted, coefs, intercepts
        )
        total = sum(weight for weight, _ in found)
        if not total > 0.0:
            raise ValueError("All sample weights of a test fold are zero; at least one must be positive.")
        return sum(scores for _, scores in found) / total


def _scores(rows, classes, together, weighted, coefs, intercepts):
    """Weight of some rows, and the sums of the models' scores over them."""
    X, y, weights = rows
    weights = weights if weighted else np.ones(len(y))
    total = float(weights.sum())
    if total == 0.0:
        return 0.0, np.zeros(len(coefs))
    scores = together(np.searchsorted(classes, y), margins(X, coefs, intercepts), weights)
    if not np.isfinite(scores).all():
        raise ValueError("The margins on the test rows overflow: scale X.")
    return total, total * scores


def paths_on_cluster(model, X, y, sample_weight, split, params, Cs, ratios):
    """Paths and scores of all the folds of a dask collection, the classes, and the dtype of the coefficients.

    ``split`` and ``params`` are those of the splitter and of the scorer.
    """
    if not (isinstance(model.scoring, str | None) and model.scoring in TOGETHER) or set(params) - {
        "sample_weight"
    }:
        raise ValueError(
            f"scoring={model.scoring!r} needs all predictions of a fold together: on a dask collection "
            "'neg_log_loss' and 'accuracy' are offered."
        )
    with on_cluster(model, X, y, FoldedRows) as (X, rows, executor):
        refuse_unpenalised(model)
        rows.read(X, y, sample_weight, labelled=True)
        classes, factors = labels_of(model, rows)
        n_shards = n_shards_of(model, rows, executor)
        options = model._fold_options()._replace(solver="piag", executor=executor)
        job = FoldsOnCluster(rows, n_shards, model, classes, factors, "sample_weight" in params)
        n_outputs = loss_of(classes).n_outputs
        own = checked_penalty_weights(model.penalty_weights, model.n_features_in_, n_outputs)
        n, codes, found = np.arange(rows.n_rows), rows.codes(classes), []
        for train, test in check_cv(model.cv, codes, classifier=True).split(n[:, None], codes, **split):
            found.append(scored_paths(job, job, Cs, ratios, own, n[train], n[test], options))
        return found, classes, rows.dtype
