"""Estimators on dask collections: fitted shard by shard, predictions block by block."""

import copy
import functools

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from ..executors import Dask
from ..executors.chunks import Rows, blocks_of, is_collection
from ..losses import LogisticLoss, MultinomialLoss, SquaredLoss
from ..solve import SHARDS_PER_WORKER
from ._checks import class_factors


def fit_rows(model, X, y, sample_weight, penalty, begin):
    """Fit on a dask collection.

    Parameters
    ----------
    model : estimator
    X, y, sample_weight : as in :class:`~sk_asyncprox.executors.chunks.Rows`
    penalty : callable
        Sum of the sample weights -> penalty.
    begin : float
        When the fit began.

    Returns
    -------
    w, intercept, n_iter, classes
        ``classes`` is None for a regressor.
    """
    model._check_n_jobs()
    _check_one_target(y)
    executor, client = _executor(model)
    validate_data(model, _like(X), skip_check_array=True)
    plan = executor.plan(model.n_jobs)
    n_shards = SHARDS_PER_WORKER * plan.n_workers if model.n_blocks == "auto" else model.n_blocks
    rows = Rows(client)
    try:
        rows.assemble(X, y, sample_weight, n_shards, labelled=is_classifier(model))
        classes = _classes(model, rows) if is_classifier(model) else None
        loss = _loss(classes)
        problem = rows.problem(loss, penalty(rows.count(loss)), model.fit_intercept)
        options = model._options()._replace(solver="piag", executor=executor)
        return *model._run([problem], options, begin), classes
    except BaseException:
        rows.cancel()
        raise


def _check_one_target(y):
    """Said here, where it is known: a worker could not tell before its task."""
    shape = np.shape(y) if getattr(y, "shape", None) is None else y.shape
    if len(shape) > 2 or (len(shape) == 2 and shape[1] > 1):
        raise ValueError(
            "y must be one column: several targets are not offered on dask collections. Fit one column at a "
            "time, or X and y in memory."
        )


def _executor(model):
    executor = model.executor
    if isinstance(executor, str) and executor in ("auto", "dask"):
        executor = Dask()
    if not isinstance(executor, Dask):
        raise ValueError(
            f"X is a dask collection, whose rows stay on the cluster; executor={model.executor!r} cannot "
            "work there: use 'auto' or Dask(client)."
        )
    client = executor.connect()
    if client is None:
        raise ValueError("Inside a Dask worker X must be in memory, and is a dask collection.")
    return executor, client


def _classes(model, rows):
    """The labels; the rows get in their place what the loss wants, and the class weights."""
    classes, mass = rows.census()
    # Each of many labels a few times: seen once each, they would look like numbers to be predicted.
    check_classification_targets(np.repeat(classes, 3))
    if len(classes) < 2:
        raise ValueError(
            f"LogisticRegression on a dask collection needs samples of 2 classes in the data, but the data "
            f"contains only one class: {classes[0]}"
        )
    factors = class_factors(model.class_weight, classes, mass)
    empty = classes[mass * factors == 0.0]
    if 0 < len(empty) < len(classes):
        # Its intercept would go to minus infinity, and no bound made of shares would follow.
        raise ValueError(
            f"On a dask collection every class needs samples of positive weight; all those of {empty[:5]} "
            "have weight zero: leave them out."
        )
    rows.relabel(classes, factors)
    return classes


def _loss(classes):
    if classes is None:
        return SquaredLoss()
    return LogisticLoss() if len(classes) == 2 else MultinomialLoss(len(classes))


def dtype_of(X):
    """Type of the fitted coefficients: float32 for data in float32, else float64."""
    single = getattr(X, "dtype", None) == np.float32
    return np.dtype(np.float32 if single else np.float64)


def _like(X):
    """Something in memory with the columns of ``X``."""
    return X._meta if hasattr(X, "columns") else np.empty((0, X.shape[1]), dtype=X.dtype)


def blockwise(method):
    """Method of ``X`` that answers a dask collection with a dask array (decorator)."""

    @functools.wraps(method)
    def answer(self, X):
        if not is_collection(X):
            return method(self, X)
        return _over_blocks(self, method.__name__, X)

    return answer


def _over_blocks(model, name, X):
    import dask.array as da
    from dask import delayed

    light = copy.copy(model)
    light.executor, light.history_ = "threads", None
    light = delayed(light, pure=False)
    probe = np.asarray(getattr(model, name)(_probe(X)))
    lengths = X.chunks[0] if hasattr(X, "chunks") else [np.nan] * X.npartitions
    pieces = [
        da.from_delayed(delayed(_answer)(light, name, block), (length, *probe.shape[1:]), meta=probe[:0])
        for block, length in zip(blocks_of(X), lengths, strict=True)
    ]
    return da.concatenate(pieces, allow_unknown_chunksizes=True)


def _probe(X):
    """One row like those of ``X``."""
    like = _like(X)
    zeros = np.zeros((1, X.shape[1]), dtype=getattr(like, "dtype", np.float64))
    return type(like)(zeros, columns=like.columns) if hasattr(like, "columns") else zeros


def _answer(model, name, block):
    if block.shape[0] == 0:
        return np.asarray(getattr(model, name)(np.zeros((1, block.shape[1]))))[:0]
    return np.asarray(getattr(model, name)(block))


class PredictsCollections:
    """Predictions of dask collections are dask arrays."""

    @blockwise
    def predict(self, X):
        """Predict.

        Parameters
        ----------
        X : {array-like, sparse matrix or array, dask collection} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        ndarray or dask array of shape (n_samples,)
            Targets or labels; a dask array when `X` is a dask array or dataframe.
        """
        return super().predict(X)


class DecidesOnCollections(PredictsCollections):
    """The same for classifiers."""

    @blockwise
    def decision_function(self, X):
        """Margins of the samples.

        Parameters
        ----------
        X : {array-like, sparse matrix or array, dask collection} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        ndarray or dask array of shape (n_samples,) or (n_samples, n_classes)
            Two classes: signed distances to the separating hyperplane, times the norm of `coef_`. More: one
            margin per class, the largest that of the predicted one.
        """
        return super().decision_function(X)
