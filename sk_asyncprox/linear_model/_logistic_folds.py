"""Paths of logistic models on the training rows of a fold, and their scores on its test rows: in memory, and
of dask collections by shards of their rows."""

from functools import partial
from numbers import Integral

import numpy as np
from scipy.special import expit, softmax
from sklearn.metrics import get_scorer
from sklearn.model_selection import check_cv

from .._compat import _check_method_params, with_labels
from ..data.dataset import rows_of
from ..penalties import ElasticNetPenalty
from ..penalty_path import solutions_along
from ..shards.dask_shards import FoldedRows
from ._checks import check_numbers, checked_penalty_weights, strength_of
from ._collections import labels_of, loss_of, n_shards_of, on_cluster, refuse_unpenalised
from ._logistic import LogisticRegression

EPS = np.finfo(np.float64).eps
"""Scikit-learn's logarithmic loss takes no probability for less, nor for more than what this leaves of 1."""


def grid_of(Cs, l1_ratios):
    """Values of C, given as such or as their number, and of the share of the l1 part, checked."""
    if isinstance(Cs, Integral):
        Cs = np.logspace(-4, 4, Cs)
    else:
        Cs = check_numbers(Cs, "Cs", boundaries="neither", finite=False)
    try:
        return Cs, check_numbers(l1_ratios, "l1_ratios", high=1.0, boundaries="both")
    except (TypeError, ValueError) as wrong:
        raise ValueError(
            f"l1_ratios must be an array-like of numbers between 0 and 1; got (l1_ratios={l1_ratios!r})"
        ) from wrong


def best_of(scores):
    """Numbers of the l1_ratio and of the C with the best score, for each of ``scores`` of shape
    (m, n_l1_ratios, n_cs); the smallest C where there are several."""
    m, n_ratios, n_cs = scores.shape
    by_C = scores.swapaxes(1, 2).reshape(m, -1)
    return np.unravel_index(by_C.argmax(axis=1), (n_cs, n_ratios))[::-1]


def scored_paths(whole, scores, Cs, l1_ratios, weights, train, test, options):
    """Paths of a fold's training rows: coefficients of shape (n_l1_ratios, n_cs, n_classes or 1, n_dof), the
    intercept last, scores on its test rows and passes, both of shape (n_l1_ratios, n_cs), and messages.

    ``whole`` is the problem of all rows, and ``weights`` are penalty weights of the coefficients.
    """
    problem, total, found = whole.fold(train), scores.total(train), []
    order = np.argsort(Cs, kind="stable")
    for ratio in l1_ratios:
        strengths = [strength_of(C, *total) for C in Cs[order]]
        penalties = [ElasticNetPenalty(ratio * s, (1.0 - ratio) * s).weighted(weights) for s in strengths]
        path = [None] * len(Cs)
        solutions = solutions_along(problem, penalties, options)
        for i, penalty, solution in zip(order, penalties, solutions, strict=True):
            w, b = solution.certificate.w, solution.certificate.b
            w = problem.with_penalty(penalty).canonical(w)
            coef = w.reshape(problem.loss.n_outputs, -1), np.atleast_1d(problem.intercept(w, b))
            path[i] = *coef, solution.n_iter, solution.message
        coefs, intercepts, n_iter, messages = zip(*path, strict=True)
        coefs, intercepts = np.array(coefs), np.array(intercepts)
        values = scores(coefs, intercepts, Cs, test)
        if whole.fit_intercept:
            coefs = np.concatenate([coefs, intercepts[..., None]], axis=-1)
        found.append((coefs, values, n_iter, messages))
    coefs, values, n_iter, messages = zip(*found, strict=True)
    return *map(np.array, (coefs, values, n_iter)), [message for path in messages for message in path]


def margins(X, coefs, intercepts):
    """Margins of models, of shape (m, n, n_classes or 1)."""
    m, n_outputs, p = coefs.shape
    Z = np.asarray(X @ coefs.reshape(-1, p).T).T.reshape(m, n_outputs, -1).swapaxes(1, 2)
    return Z + intercepts[:, None]


def log_likelihoods(codes, Z, weights):
    """Minus the mean logarithmic losses of margins ``Z`` of shape (m, n, n_classes or 1)."""
    if Z.shape[-1] == 1:
        p = expit(np.where(codes == 1, Z[..., 0], -Z[..., 0]))
    else:
        p = softmax(Z, axis=-1)[:, np.arange(len(codes)), codes]
    return np.average(np.log(np.clip(p, EPS, 1.0 - EPS)), axis=-1, weights=weights)


def accuracies(codes, Z, weights):
    """Accuracies of the same."""
    found = Z[..., 0] > 0.0 if Z.shape[-1] == 1 else Z.argmax(axis=-1)
    return np.average(found == codes, axis=-1, weights=weights)


def scores_of(together, codes, X, coefs, intercepts, weights):
    """Scores of models by one of these functions."""
    values = together(codes, margins(X, coefs, intercepts), weights)
    if not np.isfinite(values).all():
        raise ValueError("The margins on the test rows overflow: scale X.")
    return values


TOGETHER = {"neg_log_loss": log_likelihoods, "accuracy": accuracies, None: accuracies}
"""Values of `scoring` whose scores are computed from the margins of all models of a path at once."""


class Scores:
    """Scores of logistic models on rows of the data: ``params`` are those of the scorer, for all rows,
    ``codes`` the numbers of the labels in ``classes``, and ``weights`` those of the fits, over a power of two
    with that ``exponent``."""

    def __init__(self, scoring, params, classes, X, labels, codes, weights, exponent):
        self._X, self._labels, self._codes = X, labels, codes
        self._weights, self._exponent = weights, exponent
        self._classes, self._params = classes, params
        self._together = TOGETHER.get(scoring) if isinstance(scoring, str | None) else None
        self._scorer = with_labels(get_scorer(scoring or "accuracy"), classes)

    def total(self, index):
        """Sum of the weights of the fits, on some rows, and its exponent."""
        return len(index) if self._weights is None else self._weights[index].sum(), self._exponent

    def __call__(self, coefs, intercepts, Cs, test):
        """Scores on the rows ``test`` of models, one for each of the ``Cs``."""
        X, params = rows_of(self._X, test), _check_method_params(self._X, self._params, indices=test)
        if self._together is None or not set(params) <= {"sample_weight"}:
            each = partial(self._score, X, self._labels[test], params)
            return [each(*model) for model in zip(Cs, coefs, intercepts, strict=True)]
        weights = params.get("sample_weight")
        if weights is not None and not np.any(weights):
            raise ValueError("All sample weights of a test fold are zero; at least one must be positive.")
        return scores_of(self._together, self._codes[test], X, coefs, intercepts, weights)

    def _score(self, X, labels, params, C, coef, intercept):
        model = LogisticRegression(C=C)
        model.classes_, model.coef_, model.intercept_ = self._classes, coef, intercept
        score = self._scorer(model, X, labels, **params)
        value = np.asarray(score)
        if value.size != 1 or value.dtype.kind not in "biuf":
            raise ValueError(f"scoring must return a number, got {score!r} ({type(score)}) instead.")
        return value.item()


# -- on a cluster ------------------------------------------------------------------------------------


class FoldsOnCluster:
    """What :func:`scored_paths` asks of a problem and of scores: weights of rows are
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
    codes = np.searchsorted(classes, y)
    return total, total * scores_of(together, codes, X, coefs, intercepts, weights)


def paths_on_cluster(model, X, y, sample_weight, split, params, Cs, ratios):
    """Paths and scores of all the folds of a dask collection, the classes, and the dtype of the coefficients.

    ``split`` and ``params`` are those of the splitter and of the scorer.
    """
    together = isinstance(model.scoring, str | None) and model.scoring in TOGETHER
    if not together or set(params) - {"sample_weight"}:
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
