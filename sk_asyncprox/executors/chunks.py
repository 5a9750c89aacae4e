"""Dask collections as shards: built where their chunks lie, never brought home."""

import weakref
from functools import partial

import numpy as np
import scipy.sparse as sp

from ..design import Design, design_of
from ..sharded import ShardedProblem, centre, count
from ..shards import RowShard
from .blocks import piece, rows_of
from .crew import GONE, Lying, RollCall, next_batch, raise_if_lost, release, tell_released
from .plan import WorkersLost

LOST = "The Dask cluster has lost the data, or cannot be reached any more."


class Rows:
    """Rows of a dask collection, gathered into shards on the cluster.

    Parameters
    ----------
    client : distributed.Client

    Attributes
    ----------
    dtype : dtype
        float32 where all of `X` is, else float64.
    """

    def __init__(self, client):
        self.client, self._made, self._roll = client, [], RollCall(client)

    def read(self, X, y, sample_weight, labelled=False):
        """Compute the chunks and validate them, each for itself; workers may come meanwhile.

        Parameters
        ----------
        X : dask array of shape (n, p), or dask dataframe
            Chunks of rows, of any and of unknown length.
        y : dask collection or array-like of shape (n,)
            Cut like `X`; when both know the lengths of their chunks, it is cut anew where needed.
        sample_weight : like `y`, or None
        labelled : bool
            Whether `y` are labels, to be counted and replaced next.

        Raises
        ------
        ValueError
            If the data are not valid, or the chunks do not fit one another.
        """
        from dask import delayed

        tell_released(self.client)
        build = delayed(piece, pure=False)
        rows = rows_of(X, {"y": y, "sample_weight": sample_weight}, self._compute)
        self.take(self._keep(self.client.compute([build(*row) for row in rows])), labelled)

    def take(self, pieces, labelled=False):
        """Take pieces, on their way, for the chunks."""
        self._pieces, self._labelled = pieces, labelled
        self._wait(pieces)

    def join(self, n_shards):
        """Join the pieces to shards, so many at most: those that lie on one worker to the same shards."""
        places = self._places(self._pieces)
        order = sorted(range(len(places)), key=lambda i: str(places[i]))
        groups = np.array_split(order, min(n_shards, len(order)))
        raw = self._submit(partial(join, self._labelled), [[self._pieces[i] for i in g] for g in groups])
        self._pieces, self._raw = None, self._settle(raw)

    def _settle(self, futures):
        """Wait for shards; those without rows are left out."""
        sizes = self._gather(self._submit(_rows_of, futures))
        kept = [f for f, (size, _) in zip(futures, sizes, strict=True) if size]
        if not kept:
            raise ValueError("X has no rows, or all sample weights are zero; at least one must be positive.")
        self.dtype = np.result_type(*(dtype for size, dtype in sizes if size))
        return kept

    def _submit(self, function, parts, *args):
        return self._keep([self.client.submit(function, part, *args, pure=False) for part in parts])

    def _keep(self, futures):
        self._made += [weakref.ref(future) for future in futures]
        return futures

    def _compute(self, tasks):
        return self._gather(self._keep(self.client.compute(tasks)))

    def _wait(self, futures):
        """Until all have their results, or one has failed, or there is nobody left to do them."""
        from distributed import as_completed

        arrived, missing = as_completed(futures, loop=self.client.loop), len(futures)
        while missing:
            batch = next_batch(arrived)
            missing -= len(batch)
            for future in batch:
                if future.status == "error":
                    future.result()
                if future.status in GONE:
                    raise WorkersLost(LOST)
            if not batch:
                self._roll.slots()

    def _gather(self, futures):
        from distributed import CancelledError

        self._wait(futures)
        try:
            return self.client.gather(futures)
        except CancelledError as error:
            raise WorkersLost(LOST) from error
        except OSError as error:
            raise_if_lost(self.client, error)
            raise

    def release(self):
        """Let everything go, also where a failed task's error holds the frames that hold the futures."""
        release(future for future in (ref() for ref in self._made) if future is not None)
        tell_released(self.client)

    def census(self):
        """Labels, sorted, and the sum of the sample weights of each."""
        found = self._gather(self._submit(_census, self._raw))
        classes, codes = np.unique(np.concatenate([labels for labels, _ in found]), return_inverse=True)
        return classes, np.bincount(codes, np.concatenate([mass for _, mass in found]))

    def relabel(self, classes, factors):
        """Replace two labels by -1 and +1, more by their places, and multiply the weights by the classes'
        factors."""
        self._raw = self._settle(self._submit(_relabel, self._raw, classes, factors))

    def count(self, loss):
        """Numbers of every shard; returns the sum of the sample weights."""
        self.counts = self._gather(self._submit(_count, self._raw, loss))
        return sum(c.weight for c in self.counts)

    def problem(self, loss, penalty, fit_intercept):
        """The problem over the shards, centred where they lie; what they were made of is let go."""
        means = centre(self.counts) if fit_intercept else None
        shards = self._submit(_shard, self._raw, means, loss, fit_intercept)
        self._wait(shards)
        places = self._places(shards)
        self._raw = None

        def each(name, *args):
            return self._gather(self._submit(_call, shards, name, *args))

        lying = [Lying(f, place) for f, place in zip(shards, places, strict=True)]
        slots, turn, homes = self._roll.slots(), {}, []
        for place in places:
            mine = [i for i, address in enumerate(slots) if address == place] or [0]
            turn[place] = turn.get(place, -1) + 1
            homes.append(mine[turn[place] % len(mine)])
        return ShardedProblem(lying, each, self.counts, np.array(homes), loss, penalty, fit_intercept)

    def _places(self, futures):
        where = self.client.who_has(futures)
        return [next(iter(where.get(f.key, ())), None) for f in futures]


# -- on the workers --------------------------------------------------------------------------------


def join(labelled, pieces):
    """Rows of several pieces, those of `X` side by side until they are centred; rows of weight zero are left
    out unless their labels count."""
    Xs, ys, weights = zip(*pieces, strict=True)
    y, s = np.concatenate(ys), np.concatenate(weights)
    return (Xs, y, s) if labelled else _used(Xs, y, s)


def _used(Xs, y, s):
    used = s > 0
    if used.all():
        return Xs, y, s
    each = np.split(used, np.cumsum([X.shape[0] for X in Xs])[:-1])
    return [X if rows.all() else X[rows] for X, rows in zip(Xs, each, strict=True)], y[used], s[used]


def _rows_of(raw):
    return len(raw[1]), np.result_type(*(X.dtype for X in raw[0]))


def _census(raw):
    labels, codes = np.unique(raw[1], return_inverse=True)
    return labels, np.bincount(codes, raw[2])


def _relabel(raw, classes, factors):
    Xs, y, s = raw
    codes = np.searchsorted(classes, y)
    s = s * np.asarray(factors)[codes]
    return _used(Xs, 2.0 * codes - 1.0 if len(classes) == 2 else codes, s)


def _count(raw, loss):
    Xs, y, s = raw
    return count(Xs, np.asarray(y, dtype=loss.target_type), s, loss.quadratic)


def _shard(raw, means, loss, fit_intercept):
    Xs, y, s = raw
    return RowShard(
        _joined(Xs, s, means), np.asarray(y, dtype=loss.target_type), s / s.sum(), loss, fit_intercept
    )


def _joined(Xs, s, means):
    """Design of all the rows, the means taken out: dense ones are copied once."""
    sparse = any(map(sp.issparse, Xs))
    if sparse or (means is None and len(Xs) == 1):
        design, _ = design_of(sp.vstack(Xs, format="csr") if len(Xs) > 1 else Xs[0], s, rows=True)
        return Design(design.X, means) if sparse else design
    out, begin = np.empty((len(s), Xs[0].shape[1])), 0
    for X in Xs:
        rows = out[begin : begin + len(X)]
        np.subtract(X, 0.0 if means is None else means, out=rows)
        begin += len(X)
    return Design(out)


def _call(shard, name, *args):
    return getattr(shard, name)(*args)
