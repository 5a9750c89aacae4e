"""Work of the parameter servers: certificates, gradients and models of shards, and the minimiser of these."""

from typing import NamedTuple

import numpy as np

from ..delays import Stamp
from ..kernels.shard_models import model_of


class Round(NamedTuple):
    """A certificate whose shares are being collected."""

    w: np.ndarray
    b: float
    stamp: Stamp
    looks: dict


class Batch(NamedTuple):
    """What has arrived since the last write."""

    arrivals: tuple
    stamps: tuple
    """Of the whole table."""

    error: float
    found: tuple | None = None
    """Where the step leads, if a task has told it."""


def certify(problem, payload):
    """Work of the kind ``"certificate"``: of all the data, by one worker."""
    return problem.certify(*payload)


def gradient(shard, payload):
    """Work of the kind ``"shard"``."""
    return shard.gradient(*payload)


def look(shard, payload):
    """Work of the kind ``"look"``: a share of a certificate, and the gradient at its point."""
    found = shard.look(*payload)
    return found, found.gradient


def model(shard, payload):
    """Work of the kind ``"model"``: the shard's second-order model, in the coefficients of the working set
    where there is one."""
    *point, index, held = payload
    if index is None:
        return model_of(shard, *point)
    part = shard.on(index, held)
    return _of_shard(shard, part, model_of(part, *point), 0.0)


def model_look(shard, payload):
    """Work of the kind ``"model look"``: a share of a certificate, and the model at its point."""
    w, b, known, care, index, held = payload
    part = shard if index is None else shard.on(index, held)
    z = part.margins(w, b)
    found = shard.look(w, b, z)
    if index is None:
        return found, model_of(shard, w, b, known, care, z, found.gradient)
    # The server finds the gradient in the correlations.
    found = found._replace(gradient=found.gradient._replace(w=None))
    return found, _of_shard(shard, part, model_of(part, w, b, known, care, z), 1.0)


def minimised(quadratic, w, penalty, enough):
    """The gap that the models' sum has at ``w``, its minimiser, and the best intercepts there."""
    new = quadratic.minimiser(w, penalty, enough)
    return quadratic.gap(w, penalty), new, quadratic.intercepts(new)


def _of_shard(shard, part, model, more):
    """A model that says how often all the shard's entries were read, where those of its part were."""
    return model._replace(reads=more + model.reads * part.design.size / max(1, shard.design.size))


WORK = {
    "certificate": certify,
    "shard": gradient,
    "look": look,
    "model": model,
    "model look": model_look,
    "solve": lambda _, payload: minimised(*payload),
}


def work(part, task):
    """Do the task with the part it needs."""
    return WORK[task.kind](part, task.payload)
