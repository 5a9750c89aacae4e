"""Errors of a squared loss on folds: in memory, and of dask collections, whose data are read once.

A squared loss knows of its data only sums over the rows. So the rows are divided into parts that all folds
put to the same use, and what is summed in a part serves every fold and every penalty.
"""

import math
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import check_cv

from ..data.dataset import rows_of
from ..data.moments import few_rows, joined
from ..losses import SquaredLoss
from ..penalty_path import solutions_along
from ..problem import Problem
from ..problem.units import are_in_range
from ..shards.dask_moments import SummedRows
from ..solve import SOLVERS
from ._alpha_grids import alphas_of, penalties_of
from ._collections import on_cluster

MOST_BYTES, BESIDE = 2_000_000_000, 6
"""Bytes that Gram matrices may take here, and how many of them there are beside those of the parts."""

CANCELLED = 1e-4
"""Error, relative to what it is the difference of, below which it is computed from the rows themselves."""

MOST_PARTS = 32
"""Parts that rows are divided into in one pass, at most."""

TOGETHER = 64
"""Solutions of a path whose predictions are one product."""


def squared_errors(whole, X, y, weights, paths, train, test, options):
    """Mean squared errors on a fold's test rows, along the paths of its training rows, and messages;
    ``whole`` is the problem of all rows, ``paths`` are lists of penalties."""
    problem, errors, messages = whole.fold(train), [], []
    weights = np.ones(len(test)) if weights is None else weights[test]
    if not weights.any():
        raise ValueError("All sample weights of a test fold are zero; at least one must be positive.")
    weights = weights / weights.sum()
    for penalties in paths:
        W, b, said = zip(*models(problem, penalties, options), strict=True)
        W, found, lost = np.array(W), np.empty(len(W)), np.arange(len(W))
        if (known := whole.kept_moments(test)) is not None:
            found, lost = errors_by_moments(known, W, problem.offset, b[0])
        if len(lost):
            shifts, rows = np.array(b) - W @ problem.offset, rows_of(X, test).T
        for i in range(0, len(lost), TOGETHER):
            some = lost[i : i + TOGETHER]
            residuals = np.asarray(W[some] @ rows)
            residuals += shifts[some, None] - y[test]
            with np.errstate(over="ignore"):
                found[some] = np.einsum("ij,ij,j->i", residuals, residuals, weights)
        errors.append(found)
        messages += said
    return errors, messages


def errors_by_moments(test, W, means, mean_y):
    """Mean squared errors of linear models through a point, their coefficients the rows of ``W``, from the
    second moments of the test rows; and the numbers of those that cancel, or of all where squares of the
    columns overflow or vanish."""
    with np.errstate(over="ignore", invalid="ignore"):
        quadratic = test.moved(means, mean_y).quadratic(False)
        errors = quadratic.square + np.einsum("ij,ij->i", W @ quadratic.Q - 2.0 * quadratic.q, W)
        size = np.abs(W) @ np.sqrt(np.maximum(quadratic.Q.diagonal(), 0.0)) + np.sqrt(quadratic.square)
        known = (errors >= CANCELLED * size**2) & are_in_range(test.squares)
        return errors, np.flatnonzero(~known)


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


def folds_of(cv, n, routed):
    """Folds of ``n`` rows as pairs of index arrays, one after the other; made of their numbers alone."""
    folds = check_cv(cv, None, classifier=False)
    try:
        for train, test in folds.split(np.broadcast_to(0.0, (n, 1)), None, **routed):
            yield tuple(np.arange(n)[index] for index in (train, test))
    except (TypeError, ValueError, IndexError) as error:
        raise ValueError(
            f"On a dask collection folds are made from the number of rows alone, here {n:,}: {error}"
        ) from error


def shared(folds, n, most):
    """Groups of folds that read the data together and divide the rows into so many parts at most: the part
    of each row, and for every fold how often it uses those of each part, in its training and in its test."""
    parts, uses = np.zeros(n, dtype=np.uint8), []
    for train, test in folds:
        use = [_counts(index, n) for index in (train, test)]
        divided, counts = _divided(parts, use)
        if uses and counts.shape[1] > most:
            yield parts, uses
            divided, counts = _divided(np.zeros(n, dtype=np.uint8), use)
            uses = []
        old, parts = counts[0], divided
        uses = [each[:, old] for each in uses] + [counts[1:]]
    if uses:
        yield parts, uses


def _counts(index, n):
    """How often each of ``n`` rows is there."""
    counts = np.bincount(index, minlength=n)
    return counts.astype(np.min_scalar_type(counts.max()))


def _divided(parts, use):
    """Parts of rows that are used alike, and for each of these its old part and its uses."""
    sizes = [int(counts.max(initial=0)) + 1 for counts in (parts, *use)]
    keys = np.ravel_multi_index((parts, *use), sizes).astype(np.min_scalar_type(math.prod(sizes)))
    present, codes = np.unique(keys, return_inverse=True)
    return codes.astype(np.min_scalar_type(len(present))), np.stack(np.unravel_index(present, sizes))


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


def models(problem, penalties, options):
    """Coefficients, intercept and message of each; solutions themselves hold more than is needed."""
    for solution in solutions_along(problem, penalties, options):
        yield solution.certificate.w, solution.certificate.b, solution.message


def cross_validated(model, rows, ratios, cv, routed):
    """Cross-validation of a squared loss on a dask collection: what stands for all rows, grids, errors of
    shape (n_folds, n_paths, n_penalties), and messages."""
    centred, n, few = model.fit_intercept, rows.n_rows, None
    options = model._fold_options()._replace(executor="threads", n_jobs=None)
    errors, messages = [], []
    for parts, uses in shared(folds_of(cv, n, routed), n, most_parts(model.n_features_in_)):
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
