"""A shard's second-order model of its own part of the loss, made where it was read.

    m(v) = f(x) + g . (v - x) + (v - x)' H (v - x) / 2

The point ``x`` holds the coefficients and, where they are free and the loss is not quadratic, the intercepts.
For the squared loss the model is the loss itself, wherever it was made. For the logistic losses its curvature
is that of another point sooner or later, and how much that matters can be measured: where no margin has
changed by more than ``t`` (of several outputs, relative to one another), every second derivative is within
the factors ``exp(-t)`` and ``exp(t)`` of what it was.

A shard of many rows need not make its first model where the run begins: a sample of its rows leads it, at
little cost, to a point of its own from which the optimum is near. What is left there is what shards differ
by, and the sum of their models takes that out.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import block_diag

from ..losses.curvature import secants
from ..shards.sharded_certificate import ShardGradient
from .gram_cost import BLAS
from .gram_matrix import LARGE, LEAST, RIDGE, add_rows
from .server_aggregate import ModelSum

NEAR = 0.2
"""Change of a margin up to which a curvature is kept."""

ROWS_OF_SAMPLE, SAMPLES = 15, 3
"""Rows of a sample, per coefficient; and samples that a shard holds at least, where it makes one."""

MOST_STEPS, LITTLE = 10, 0.01
"""Newton steps on a sample, at most; and the relative fall of its objective that is the last: a sample says
no more of where the optimum is."""


class Care(NamedTuple):
    """How curvatures are raised where models have promised too much.

    With all of the majorant a model lies above the loss everywhere. The secants to the point that was too far
    are what the step there has met, sample by sample.
    """

    share: float
    """Of the majorant's curvature, at least."""

    w: np.ndarray | None = None
    b: float = 0.0
    """The point, if any."""

    def floor(self, shard, z, slope):
        """Curvature of every sample at the margins ``z``, at least."""
        least = self.share * shard.loss.majorant(shard.y, z[: len(shard.y)])
        if self.w is None:
            return least
        v = shard.margins(self.w, self.b) - z
        return np.maximum(least, secants(shard.loss, shard.y, z, slope, v))


class ShardModel(NamedTuple):
    """What a shard answers at one point."""

    gradient: ShardGradient
    value: float
    """Mean loss."""

    curvature: np.ndarray | None
    """``H``, shape (D, D); None where the one that the server holds is near enough."""

    size: float
    """``g' H^-1 g`` over the margins: what the model could fall at most."""

    change: float
    """How far the curvature is from the one that the server holds (``drift`` of the losses); 0 where there is
    none."""

    reads: float
    """How often the entries were read."""

    point: tuple | None = None
    """The point, where it is the shard's own."""

    @property
    def work(self):
        """Time of the visit, roughly, in reads of the entries."""
        return 1.0 + self.reads + (0.0 if self.curvature is None else BLAS * len(self.curvature))


def model_of(shard, w, b, known=None, care=None, z=None, gradient=None):
    """Model of a shard at ``(w, b)``. ``known`` is the point of the curvature that the server holds; ``z``
    and ``gradient`` are margins there, and the gradient of all coefficients, when they are known."""
    loss, y = shard.loss, shard.y
    z, found = shard.read(w, b) if z is None else (z, None)
    change, reads = _change(shard, z, known)
    slope = loss.gradient(y, z)
    least = None if care is None else care.floor(shard, z, slope)
    reads += care is not None and care.w is not None
    model = loss.model(y, z, slope, shard.weights, least)
    if known is None or change > NEAR:
        curvature, shard.known = curved(shard, model), (w, b, z)
    else:
        curvature = None
    gradient = gradient or shard.gradient(w, b, z, found)
    size = float(model.inverse_size(slope, shard.weights))
    return ShardModel(gradient, shard.value(w, b, z), curvature, size, change, reads + 2)


def own_model(shard, w, b, penalty):
    """Model of a shard at its own point: the minimiser of a sample of its rows with the penalty, whose search
    begins at ``(w, b)``. Its curvature is the sample's. None where the rows are few, or the objective of all
    is no lower there."""
    stride = len(shard.y) // (ROWS_OF_SAMPLE * max(1, shard.design.shape[1]))
    if stride < SAMPLES:
        return None
    # An odd number: what recurs mostly does so at even ones.
    stride = stride - 1 | 1
    point, curvature, steps = _descent(shard.sample(stride), w, b, penalty)
    z, found = shard.read(*point)
    if not shard.value(*point, z) + penalty.value(point[0]) < shard.value(w, b) + penalty.value(w):
        return None
    shard.known = *point, z
    model = model_of(shard, *point, point, z=z, gradient=shard.gradient(*point, z, found))
    return model._replace(curvature=curvature, point=point, reads=model.reads + 2 * steps / stride)


def _descent(shard, w, b, penalty):
    """Where Newton steps that lower the shard's objective lead, the curvature there, and their number."""
    free, before, steps = shard.free_intercept, np.inf, 0
    models = ModelSum([1.0], len(w), free * np.size(b))
    while steps < MOST_STEPS:
        steps += 1
        model = model_of(shard, w, b)
        objective = model.value + float(penalty.value(w))
        if objective < before:
            found = (w, b), model.curvature
        if not objective < (1.0 - LITTLE) * before:
            break
        point = (np.append(w, b), np.append(*model.gradient)) if free else (w, model.gradient.w)
        models.renew(0, *point, model.curvature, model.size, model.value)
        quadratic, before = models.quadratic(), objective
        w = quadratic.minimiser(w, penalty, LITTLE * objective)
        if free:
            b = quadratic.intercepts(w) if np.ndim(b) else float(quadratic.intercepts(w)[0])
    return *found, steps


def _change(shard, z, known):
    """How far the curvature is from that at the known point, and how often entries were read for it."""
    if known is None or shard.loss.quadratic:
        return 0.0, 0
    reads = 0
    if shard.known is None or not all(map(np.array_equal, known, shard.known)):
        # Another worker, or another copy, has made that curvature.
        shard.known, reads = (*known, shard.read(*known)[0]), 1
    return shard.loss.drift(shard.y, z, shard.known[2]), reads


def curved(shard, model):
    """Curvature of all coefficients, and of the intercepts where these are part of the point."""
    n, k = len(shard.y), shard.design.shape[1]
    single = not shard.loss.quadratic and n * k * k >= LARGE
    H, sums = _sums(shard, model, np.float32 if single else np.float64)
    diagonal = np.arange(k), np.arange(k)
    if single and not (np.isfinite(H).all() and H[diagonal].min() > LEAST):
        single = False
        H, sums = _sums(shard, model, np.float64)
    if single:
        H[diagonal] *= 1.0 + RIDGE
    if shard.free_intercept:
        H = np.block([[H, sums], [sums.T, model.own]])
    return H.astype(np.float32) if single else H


def _sums(shard, model, dtype):
    """Sums over the rows: ``X'MX``, and its products with the intercepts' columns."""
    pieces = getattr(shard.design, "pieces", [shard.design])
    n, k, outputs = len(shard.y), shard.design.shape[1], len(pieces)
    H, sums = np.zeros((k, k)), np.zeros((k, outputs))
    columns = [(piece, np.arange(piece.shape[1])) for piece in pieces]
    add_rows(columns, model, slice(n), dtype, np.arange(k), H, sums)
    if not shard.design.is_full() and pieces[0].centre is not None:
        # The means are taken out of the columns, X - 1 C' of all outputs.
        C = block_diag(*(piece.centre[:, None] for piece in pieces))
        across = sums @ C.T
        H -= across + across.T - C @ model.own_of_samples @ C.T
        sums -= C @ model.own_of_samples
    return H, sums


def answer_gradient(shard, payload, looking=False):
    """A share of a certificate, if that is wanted, and the shard's gradient at its point."""
    found = shard.look(*payload) if looking else None
    return found, found.gradient if looking else shard.gradient(*payload)


def answer_model(shard, payload, looking=False):
    """The same with the shard's second-order model, of the working set where there is one: then its ``scope``
    is told. Where a ``penalty`` is told, the shard may choose its own point."""
    w, b, known, care, scope, penalty = payload
    own = None if penalty is None else own_model(shard, w, b, penalty)
    if own is not None:
        return None, own
    if scope is None:
        z, correlations = shard.read(w, b, by_group=True) if looking else (None, None)
        found = shard.look(w, b, z, correlations) if looking else None
        return found, model_of(shard, w, b, known, care, z, found and found.gradient)
    part, z, found = shard.on(scope), None, None
    if looking:
        z = part.margins(w, b)
        found = shard.look(w, b, z)
        # The server finds the gradient in the correlations.
        found = found._replace(gradient=found.gradient._replace(w=None))
    answer = model_of(part, w, b, known, care, z)
    share = part.design.size / max(1, shard.design.size)
    return found, answer._replace(reads=looking + answer.reads * share)
