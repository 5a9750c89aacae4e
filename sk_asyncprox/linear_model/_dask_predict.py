"""Predictions and scores on dask collections, chunk by chunk."""

import copy
import functools
import sys
import warnings

import numpy as np
from sklearn.base import is_classifier
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted

from .._docstring_templates import filled
from ..executors.dask_tasks import tell_released
from ..shards.dask_chunks import column, is_collection, is_frame, like, matrix, rows_of, table, whole_rows
from ._shared_docs import DATA


def blockwise(method):
    """Method of ``X`` that answers a dask collection with a dask array (decorator)."""

    @functools.wraps(method)
    def answer(self, X):
        return _over_blocks(self, method.__name__, X) if is_collection(X) else method(self, X)

    return answer


def _over_blocks(model, name, X):
    X = whole_rows(table(X))
    light, probe = _for_blocks(model, X)
    answer = np.asarray(getattr(model, name)(probe))
    meta = answer.reshape(1, -1)[:0]
    if is_frame(X):
        found = X.map_partitions(_answer, light, name, probe, meta=meta, enforce_metadata=False)
    else:
        chunks = X.chunks[0], meta.shape[1:]
        found = X.map_blocks(_answer, light, name, probe, meta=meta, chunks=chunks)
    return found[:, 0] if answer.ndim == 1 else found


def _for_blocks(model, X):
    """A copy of the model that takes neither client nor history along, and one row like those of ``X``."""
    from dask import delayed

    light, sample = copy.copy(model), like(X)
    light.executor, light.history_ = "threads", None
    kinds = list(sample.dtypes) if is_frame(X) else [sample.dtype]
    single = all(kind == np.float32 for kind in kinds)
    zeros = np.zeros((1, X.shape[1]), dtype=np.float32 if single else np.float64)
    probe = type(sample)(zeros, columns=sample.columns) if is_frame(X) else zeros
    return delayed(light, pure=False), probe


def _answer(block, model, name, probe):
    """What a method says to a block, which may have no rows; an array of two dimensions."""
    n = block.shape[0]
    rows = probe if n == 0 else block if hasattr(block, "columns") else matrix(block)
    return np.reshape(getattr(model, name)(rows), (rows.shape[0], -1))[:n]


# -- scores ----------------------------------------------------------------------------------------


def score_rows(model, X, y, sample_weight):
    """Accuracy or R2 of a dask collection, from sums over its blocks."""
    from dask import delayed

    X = table(X)
    rows = rows_of(X, {"y": y, "sample_weight": sample_weight}, _compute)
    sums, beside = delayed(_sums, pure=False), _for_blocks(model, X)
    n, weights, *parts = np.array(_compute([sums(*row, beside=beside) for row in rows])).T
    total = weights.sum()
    if total <= 0:
        raise ValueError("X has no rows, or all sample weights are zero; at least one must be positive.")
    if is_classifier(model):
        return float(parts[0].sum() / total)
    if n.sum() < 2:
        warnings.warn(
            "R^2 score is not well-defined with less than two samples.", UndefinedMetricWarning, stacklevel=3
        )
        return float("nan")
    means, spreads, errors = parts
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


def _sums(block, y, weights=None, *, beside):
    """Rows and weight of a block, and what its score is made of: hits, or the mean of the targets, the sum of
    squares about it, and that of the errors."""
    (model, probe), y = beside, column(y, "y")
    found = _answer(block, model, "predict", probe)[:, 0]
    s = np.ones(len(y)) if weights is None else column(weights, "sample_weight").astype(np.float64)
    check_consistent_length(found, y, s)
    total = s.sum()
    if is_classifier(model):
        return len(y), total, s @ (found == y)
    y = y.astype(np.float64)
    mean = s @ y / total if total > 0 else 0.0
    return len(y), total, mean, s @ (y - mean) ** 2, s @ (y - found) ** 2


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
        check_is_fitted(self)
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
