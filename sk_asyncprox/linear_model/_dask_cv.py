"""Cross-validation of dask collections, and rows that stand for one along a path.

A squared loss knows of its data only sums over the rows: those of parts that all folds put to the same use
serve every fold and every penalty. Folds of classifiers are solved on shards of their rows, one by one.
"""

from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from ..data.moments import few_rows, joined
from ..losses import SquaredLoss
from ..problem import Problem
from ..shards.dask_moments import SummedRows
from ..shards.dask_shards import FoldedRows
from ..solve import SOLVERS
from ._cv_scores import TOGETHER, errors_by_moments, models, scored_paths, scores_of
from ._dask_fit import labels_of, n_shards_of, on_cluster, refuse_unpenalised
from ._penalty_grids import alphas_of, penalties_of
from ._weights import checked_penalty_weights

MOST_BYTES, BESIDE = 2_000_000_000, 6
"""Bytes that Gram matrices may take here, and how many of them there are beside those of the parts."""

MOST_PARTS = 32
"""Parts that rows are divided into in one pass, at most."""


class Few(NamedTuple):
    """A few rows that stand for all: with the same squared loss, the columns and the target centred."""

    X: np.ndarray
    y: np.ndarray
    means: np.ndarray
    mean_y: float

    def problem(self, solver):
        """The problem of these rows, without penalty and intercept."""
        return Problem(self.X, self.y, SquaredLoss(), None, None, False, SOLVERS[solver].rows)


def few_of(moments, centred):
    """The rows that stand for those of the moments."""
    quadratic = moments.quadratic(centred)
    return Few(*few_rows(quadratic), quadratic.means, quadratic.mean_y)


def few_for_path(model, X, y, sample_weight):
    """Rows that stand for those of a dask collection without intercept, the sum of all sample weights and the
    dtype of `X`."""
    with reading(model, X, y, sample_weight) as rows:
        [all_rows] = rows.moments(np.zeros(rows.n_rows, dtype=int), False).values()
    return few_of(all_rows, False), rows.total(all_rows), rows.dtype


@contextmanager
def reading(model, X, y, sample_weight):
    """Rows of a dask collection, as long as they lie on the cluster."""
    with on_cluster(model, X, y, SummedRows) as (X, rows, _):
        most_parts(model.n_features_in_)
        rows.read(X, y, sample_weight)
        yield rows


def most_parts(n_features):
    """Parts that the Gram matrices of so many columns leave room for."""
    size = 8 * n_features**2
    if size * (BESIDE + 1) > MOST_BYTES:
        raise ValueError(
            f"X has {n_features:,} columns: Gram matrices for folds and paths of a dask collection take "
            f"{size * (BESIDE + 1) / 1e9:.1f} GB here, and may take {MOST_BYTES / 1e9:.0f}. Fit one penalty "
            "at a time, or call X.compute() first if the data fit into memory."
        )
    return max(2, min(MOST_PARTS, MOST_BYTES // size - BESIDE))


def shared(folds, n, most):
    """Groups of folds that read the data together and divide the rows into so many parts at most: the part
    of each row, and for every fold how often it uses those of each part, in its training and in its test."""
    parts, first, uses = np.zeros(n, dtype=int), [0], []
    for fold in folds:
        use = [np.bincount(index, minlength=n) for index in fold]
        divided, found = _divided(parts, *use)
        if uses and len(found) > most:
            yield parts, [counts[:, first] for counts in uses]
            (divided, found), uses = _divided(*use), []
        parts, first = divided, found
        uses.append(np.array(use, dtype=np.min_scalar_type(max(map(np.max, use)))))
    if uses:
        yield parts, [counts[:, first] for counts in uses]


def _divided(*columns):
    """Number of the part of every row, those of a part with the same entries, and the first row of each."""
    keys = np.ravel_multi_index(columns, [int(column.max(initial=0)) + 1 for column in columns])
    _, first, parts = np.unique(keys, return_index=True, return_inverse=True)
    return parts, first


def used(sums, times, kind):
    """Moments of the rows that a fold uses so often."""
    found = [(sums[part], m) for part, m in enumerate(times) if m and part in sums]
    if not found:
        raise ValueError(f"All sample weights of a {kind} fold are zero; at least one must be positive.")
    return joined(*zip(*found, strict=True))


def errors_along(rows, parts, use, sums, paths, options, centred):
    """Mean squared errors of a fold along the paths of its training rows, and messages; ``use`` says which
    of the ``parts`` are the fold's, ``sums`` are moments by part."""
    few, test = few_of(used(sums, use[0], "training"), centred), used(sums, use[1], "test")
    problem = few.problem(options.solver)
    found = [each for penalties in paths for each in models(problem, penalties, options)]
    W, messages = np.array([w for w, _, _ in found]), [message for _, _, message in found]
    errors, lost = errors_by_moments(test, W, few.means, few.mean_y)
    if len(lost):
        found = rows.squares(parts, np.flatnonzero(use[1]), W[lost], few.means, few.mean_y)
        errors[lost] = sum(use[1][part] * squares for part, squares in found.items()) / test.total
    return errors.reshape(len(paths), -1), messages


def cross_validated(model, rows, ratios, routed):
    """Cross-validation of a squared loss on a dask collection: what stands for all rows, grids, errors of
    shape (n_folds, n_paths, n_penalties), and messages."""
    centred, n, few = model.fit_intercept, rows.n_rows, None
    options = model._fold_options()._replace(executor="threads", n_jobs=None)
    errors, messages = [], []
    folds = model._folds(np.broadcast_to(0.0, (n, 1)), None, routed)
    for parts, uses in shared(folds, n, most_parts(model.n_features_in_)):
        sums = rows.moments(parts, centred)
        if few is None:
            few = few_of(joined(list(sums.values())), centred)
            grids = alphas_of(model, few.X, few.y, None, ratios, False)
            paths = penalties_of(model, ratios, grids, model.n_features_in_)
        for use in uses:
            found, said = errors_along(rows, parts, use, sums, paths, options, centred)
            errors.append(found)
            messages += said
    if few is None:
        raise ValueError("cv makes no folds.")
    return few, grids, np.array(errors), messages


class FoldsOnCluster:
    """What :func:`scored_paths` asks of a problem and of scores: weights of rows are
    multiplied by the factors of their classes; ``weighted`` says whether scores heed the sample weights."""

    def __init__(self, rows, n_shards, model, loss, classes, factors, weighted):
        self._rows, self._n_shards, self._loss = rows, n_shards, loss
        self._classes, self._factors = classes, factors
        self._together, self._weighted = TOGETHER[model.scoring], weighted
        self.fit_intercept = model.fit_intercept

    def fold(self, train):
        """The problem of some rows."""
        problem, self._total = self._rows.fold(
            train, self._n_shards, self._classes, self._factors, self._loss, self.fit_intercept
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
    """Paths and scores of all the folds of a dask collection, the classes, and the dtype of the coefficients;
    ``split`` and ``params`` are those of the splitter and of the scorer."""
    together = isinstance(model.scoring, str | None) and model.scoring in TOGETHER
    if not together or set(params) - {"sample_weight"}:
        raise ValueError(
            f"scoring={model.scoring!r} needs all predictions of a fold together: on a dask collection "
            "'neg_log_loss' and 'accuracy' are offered."
        )
    with on_cluster(model, X, y, FoldedRows) as (X, rows, executor):
        refuse_unpenalised(model)
        rows.read(X, y, sample_weight, labelled=True)
        loss, classes, factors = labels_of(model, rows)
        n_shards = n_shards_of(model, rows, executor)
        options = model._fold_options()._replace(solver="piag", executor=executor)
        job = FoldsOnCluster(rows, n_shards, model, loss, classes, factors, "sample_weight" in params)
        own = checked_penalty_weights(model.penalty_weights, model.n_features_in_, loss.n_outputs)
        folds = model._folds(np.broadcast_to(0.0, (rows.n_rows, 1)), rows.codes(classes), split)
        found = [scored_paths(job, job, Cs, ratios, own, *fold, options) for fold in folds]
        return found, classes, rows.dtype
