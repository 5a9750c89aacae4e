"""Fits on dask collections, by shards of their rows."""

from contextlib import contextmanager

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from ..executors import Dask
from ..losses import LogisticLoss, MultinomialLoss
from ..shards.dask_chunks import like, table
from ..shards.dask_shards import Rows
from ._weights import checked_penalty_weights, class_factors


def fit_rows(model, X, y, sample_weight, begin):
    """Fit on a dask collection, or on what xarray holds of one."""
    with on_cluster(model, X, y, Rows) as (X, rows, executor):
        refuse_unpenalised(model)
        rows.read(X, y, sample_weight, labelled=is_classifier(model))
        n_shards = n_shards_of(model, rows, executor)
        known = labels_of(model, rows) if is_classifier(model) else (model._loss, None, None)
        loss, classes, factors = known
        rows.join(n_shards, classes, factors)
        penalty = model._penalty(rows.count(loss, model.fit_intercept), loss.n_outputs)
        problem = rows.problem(loss, penalty, model.fit_intercept)
        options = model._options()._replace(solver="piag", executor=executor)
        found = model._run([problem], options, begin, rows.dtype)
        vars(model).update(model._fitted(rows.dtype, classes, *found))
    return model


@contextmanager
def on_cluster(model, X, y, kind):
    """The collection as a table, its rows, which are yet to be read, as long as they lie on the cluster, and
    the executor."""
    X = table(X)
    check_one_target(y)
    executor = Dask() if model.executor in ("auto", "dask") else model.executor
    if not isinstance(executor, Dask):
        raise ValueError(
            f"X is a dask collection, whose rows stay on the cluster; executor={model.executor!r} cannot "
            "work there: use 'auto' or Dask(client)."
        )
    client = executor.connect()
    if client is None:
        raise ValueError("Inside a Dask worker X must be in memory, and is a dask collection.")
    validate_data(model, like(X), skip_check_array=True)
    rows = kind(client)
    try:
        yield X, rows, executor
    finally:
        rows.release()


def n_shards_of(model, rows, executor):
    """Shards to begin with, as asked for or as the workers are, of whom some may have come while the rows
    were read."""
    enough = rows.enough_shards(executor.plan(model.n_jobs).n_workers)
    return enough if model.n_blocks == "auto" else model.n_blocks


def refuse_unpenalised(model):
    """Refuse penalty weights of zero."""
    weights = checked_penalty_weights(model.penalty_weights, model.n_features_in_)
    if weights is not None and not weights.all():
        raise ValueError(
            "penalty_weights of 0 are not offered where X is a dask collection, whose certificates are made "
            "of shares: give X in memory, or small weights."
        )


def check_one_target(y):
    """Said here, where it is known: a worker could not tell before its task."""
    shape = np.shape(y) if getattr(y, "shape", None) is None else y.shape
    if len(shape) > 2 or (len(shape) == 2 and shape[1] > 1):
        raise ValueError(
            "y must be one column: several targets are not offered on dask collections. Fit one column at a "
            "time, or X and y in memory."
        )


def labels_of(model, rows):
    """The loss, the labels, and the factors of their weights."""
    classes, mass = rows.census()
    # Each of many labels a few times: seen once each, they would look like numbers to be predicted.
    check_classification_targets(np.repeat(classes, 3))
    loss, factors = loss_of(classes), class_factors(model.class_weight, classes, mass)
    empty = classes[mass * factors == 0.0]
    if 0 < len(empty) < len(classes):
        # Its intercept would go to minus infinity, and no bound made of shares would follow.
        raise ValueError(
            f"On a dask collection every class needs samples of positive weight; all those of {empty[:5]} "
            "have weight zero: leave them out."
        )
    return loss, classes, factors


def loss_of(classes):
    """Loss of a classifier of so many labels, two at least."""
    if len(classes) < 2:
        raise ValueError(
            "LogisticRegression needs samples of 2 classes in the data, but the data contains only one "
            f"class: {classes[0]}"
        )
    return LogisticLoss() if len(classes) == 2 else MultinomialLoss(len(classes))
