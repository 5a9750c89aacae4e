"""Predictions and scores on dask collections, chunk by chunk."""

import copy
import functools
import sys
import warnings

import numpy as np
from sklearn.base import is_classifier
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils import check_consistent_length

from .._docstrings import filled
from ..executors.dask_tasks import tell_released
from ..shards.dask_input import (
    blocks_of,
    column,
    is_collection,
    is_frame,
    like,
    matrix,
    rows_of,
    table,
)
from ._constructors import DATA


def blockwise(method):
    """Method of ``X`` that answers a dask collection with a dask array (decorator)."""

    @functools.wraps(method)
    def answer(self, X):
        return _over_blocks(self, method.__name__, X) if is_collection(X) else method(self, X)

    return answer


def _over_blocks(model, name, X):
    import dask.array as da
    from dask import delayed

    X, light = table(X), delayed(_light(model), pure=False)
    probe = _probe(X)
    answer = np.asarray(getattr(model, name)(probe))
    blocks = blocks_of(X, lazy=True)
    lengths = [np.nan] * len(blocks) if is_frame(X) else X.chunks[0]
    pieces = [
        da.from_delayed(
            delayed(_answer)(light, name, block, probe), (length, *answer.shape[1:]), meta=answer[:0]
        )
        for block, length in zip(blocks, lengths, strict=True)
    ]
    return da.concatenate(pieces, allow_unknown_chunksizes=True)


def _light(model):
    """A copy that takes neither client nor history along."""
    light = copy.copy(model)
    light.executor, light.history_ = "threads", None
    return light


def _probe(X):
    """One row like those of ``X``."""
    sample = like(X)
    kinds = list(sample.dtypes) if is_frame(X) else [sample.dtype]
    single = all(kind == np.float32 for kind in kinds)
    zeros = np.zeros((1, X.shape[1]), dtype=np.float32 if single else np.float64)
    return type(sample)(zeros, columns=sample.columns) if is_frame(X) else zeros


def _answer(model, name, block, probe):
    """What a method says to a block, which may have no rows."""
    n = block.shape[0]
    rows = probe if n == 0 else block if hasattr(block, "columns") else matrix(block)
    return np.asarray(getattr(model, name)(rows))[:n]


# -- scores ----------------------------------------------------------------------------------------


def score_rows(model, X, y, sample_weight):
    """Accuracy or R2 of a dask collection, from sums over its blocks."""
    from dask import delayed

    X = table(X)
    light, probe = delayed(_light(model), pure=False), _probe(X)
    rows = rows_of(X, {"y": y, "sample_weight": sample_weight}, _compute)
    n, weights, *sums = np.array(_compute([delayed(_sums, pure=False)(light, probe, *row) for row in rows])).T
    total = weights.sum()
    if total <= 0:
        raise ValueError("X has no rows, or all sample weights are zero; at least one must be positive.")
    if is_classifier(model):
        return float(sums[0].sum() / total)
    if n.sum() < 2:
        warnings.warn(
            "R^2 score is not well-defined with less than two samples.", UndefinedMetricWarning, stacklevel=3
        )
        return float("nan")
    means, spreads, errors = sums
    spread = float(spreads.sum() + weights @ (means - weights @ means / total) ** 2)
    return 1.0 - float(errors.sum()) / spread if spread > 0 else float(errors.sum() == 0)


def _compute(tasks):
    """Results of delayed objects, on the cluster in use or here."""
    from dask import compute

    try:
        client = sys.modules["distributed"].default_client()
    except (KeyError, ValueError):
        return compute(*tasks)
    tell_released(client)
    found = compute(*tasks)
    tell_released(client)
    return found


def _sums(model, probe, block, y, weights=None):
    """Rows and weight of a block, and what its score is made of: hits, or the mean of the targets, the sum of
    squares about it, and that of the errors."""
    answers, y = _answer(model, "predict", block, probe), column(y, "y")
    s = np.ones(len(y)) if weights is None else column(weights, "sample_weight").astype(np.float64)
    check_consistent_length(answers, y, s)
    total = s.sum()
    if is_classifier(model):
        return len(y), total, s @ (answers == y)
    y = y.astype(np.float64)
    mean = s @ y / total if total > 0 else 0.0
    return len(y), total, mean, s @ (y - mean) ** 2, s @ (y - answers) ** 2


class PredictsCollections:
    """Predictions of dask collections are dask arrays."""

    @blockwise
    @filled(DATA)
    def predict(self, X):
        """Predict.

        {parameters}

        Returns
        -------
        ndarray or dask array of shape (n_samples,)
            Targets or labels; a dask array when `X` is a dask array or dataframe.
        """
        return super().predict(X)

    @filled(DATA)
    def score(self, X, y, sample_weight=None):
        """Accuracy of a classifier, coefficient of determination of a regressor.

        {parameters}
        sample_weight : array-like or dask collection of shape (n_samples,)
            Sample weights.

        Returns
        -------
        float
            Share of the labels that are predicted, or ``R^2``; of a collection computed where it lies.
        """
        several = not is_classifier(self) and np.ndim(self.coef_) > 1
        if several or not is_collection(X):
            return super().score(X, y, sample_weight)
        return score_rows(self, X, y, sample_weight)


class DecidesOnCollections(PredictsCollections):
    """The same for classifiers."""

    @blockwise
    @filled(DATA)
    def decision_function(self, X):
        """Margins of the samples.

        {parameters}

        Returns
        -------
        ndarray or dask array of shape (n_samples,) or (n_samples, n_classes)
            Two classes: signed distances to the separating hyperplane, times the norm of `coef_`. More: one
            margin per class, the largest that of the predicted one.
        """
        return super().decision_function(X)
