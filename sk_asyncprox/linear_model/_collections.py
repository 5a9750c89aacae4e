"""Estimators on dask collections: fitted shard by shard."""

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from ..executors import Dask
from ..losses import LogisticLoss, MultinomialLoss
from ..shards.blocks import like, table
from ..shards.chunks import Rows
from ._checks import checked_penalty_weights, class_factors


def fit_rows(model, X, y, sample_weight, penalty, begin):
    """Fit on a dask collection, or on what xarray holds of one; ``penalty`` makes the penalty of the sum of
    the sample weights. Returns coefficients, intercept, passes, the dtype of the coefficients and the
    classes, None for a regressor."""
    model._check_n_jobs()
    X = table(X)
    check_one_target(y)
    executor, client = executor_of(model)
    validate_data(model, like(X), skip_check_array=True)
    weights = penalised_weights(model)
    rows = Rows(client)
    try:
        rows.read(X, y, sample_weight, labelled=is_classifier(model))
        # Workers may have come while the chunks were read.
        enough = rows.enough_shards(executor.plan(model.n_jobs).n_workers)
        classes, factors = labels_of(model, rows) if is_classifier(model) else (None, None)
        rows.join(enough if model.n_blocks == "auto" else model.n_blocks, classes, factors)
        loss = model._loss if classes is None else loss_of(classes)
        total = rows.count(loss, model.fit_intercept)
        penalty = penalty(total).weighted(None if weights is None else np.tile(weights, loss.n_outputs))
        problem = rows.problem(loss, penalty, model.fit_intercept)
        options = model._options()._replace(solver="piag", executor=executor)
        return *model._run([problem], options, begin, rows.dtype), rows.dtype, classes
    finally:
        rows.release()


def penalised_weights(model):
    """Penalty weights of the features, none of them zero; None for ones."""
    weights = checked_penalty_weights(model.penalty_weights, model.n_features_in_)
    if weights is not None and not weights.all():
        raise ValueError(
            "penalty_weights of 0 are not offered where X is a dask collection, whose certificates are made "
            "of shares: give X in memory, or small weights."
        )
    return weights


def check_one_target(y):
    """Said here, where it is known: a worker could not tell before its task."""
    shape = np.shape(y) if getattr(y, "shape", None) is None else y.shape
    if len(shape) > 2 or (len(shape) == 2 and shape[1] > 1):
        raise ValueError(
            "y must be one column: several targets are not offered on dask collections. Fit one column at a "
            "time, or X and y in memory."
        )


def executor_of(model):
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


def labels_of(model, rows):
    """The labels, and the factors of their weights."""
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
    return classes, factors


def loss_of(classes):
    """Loss of a classifier of so many labels."""
    return LogisticLoss() if len(classes) == 2 else MultinomialLoss(len(classes))
