"""Dask collections as shards: built where their chunks lie, never brought home."""

import weakref
from functools import partial

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array, check_consistent_length, column_or_1d

from ..design import Design, design_of
from ..sharded import ShardedProblem, centre, count
from ..shards import RowShard
from .crew import Lying, slots_of
from .plan import WorkersLost

DTYPES = [np.float64, np.float32]


class Rows:
    """Rows of a dask collection, gathered into shards on the cluster.

    Parameters
    ----------
    client : distributed.Client
    """

    def __init__(self, client):
        self.client, self._made = client, []

    def assemble(self, X, y, sample_weight, n_shards, labelled=False):
        """Build the shards where their chunks lie.

        Parameters
        ----------
        X : dask array of shape (n, p), with dense or scipy sparse chunks, or dask dataframe
            Chunks of rows, of any and of unknown length.
        y : dask collection or array-like of shape (n,)
            Cut like `X`; when both know the lengths of their chunks, it is cut anew where needed.
        sample_weight : like `y`, or None
        n_shards : int
            Shards at most; neighbouring chunks are joined where there are more of them.
        labelled : bool
            Whether `y` are labels, to be counted and replaced next.

        Raises
        ------
        ValueError
            If the data are not valid, or the chunks do not fit one another.
        """
        from dask import delayed

        blocks = blocks_of(X)
        lengths = None
        columns = [blocks]
        for name, column in (("y", y), ("sample_weight", sample_weight)):
            if column is not None and not is_collection(column):
                lengths = self._lengths(X, blocks) if lengths is None else lengths
                columns.append(_cut(name, column, lengths))
            elif column is not None:
                columns.append(_aligned(name, column, X, len(blocks)))
        groups = np.array_split(np.arange(len(blocks)), min(n_shards, len(blocks)))
        build = delayed(partial(assemble, labelled), pure=False)
        raw = [build(*([column[i] for i in group] for column in columns)) for group in groups]
        self._raw = self._settle(self._keep(self.client.compute(raw)))

    def _lengths(self, X, blocks):
        if hasattr(X, "chunks") and not np.isnan(X.chunks[0]).any():
            return list(X.chunks[0])
        from dask import delayed

        return self._gather(self._keep(self.client.compute([delayed(_length)(block) for block in blocks])))

    def _settle(self, futures):
        """Wait for shards; those without rows are left out."""
        sizes = self._gather(self._submit(_rows_of, futures))
        kept = [f for f, size in zip(futures, sizes, strict=True) if size]
        if not kept:
            raise ValueError("X has no rows, or all sample weights are zero; at least one must be positive.")
        return kept

    def _submit(self, function, futures, *args):
        return self._keep([self.client.submit(function, f, *args, pure=False) for f in futures])

    def _keep(self, futures):
        self._made += [weakref.ref(future) for future in futures]
        return futures

    def _gather(self, futures):
        from distributed import CancelledError

        try:
            return self.client.gather(futures)
        except (CancelledError, OSError) as error:
            raise WorkersLost(f"The Dask cluster has lost the data or cannot be reached: {error}") from error

    def cancel(self):
        """Let everything go: a failed task's error holds the frames that hold the futures."""
        made = [future for future in (ref() for ref in self._made) if future is not None]
        if made and self.client.status == "running":
            self.client.cancel(made, force=True)

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
        places = self._places(shards)
        self._raw = None

        def each(name, *args):
            return self._gather(self._submit(_call, shards, name, *args))

        lying = [Lying(f, place) for f, place in zip(shards, places, strict=True)]
        slots, turn, homes = slots_of(self.client), {}, []
        for place in places:
            mine = [i for i, address in enumerate(slots) if address == place] or [0]
            turn[place] = turn.get(place, -1) + 1
            homes.append(mine[turn[place] % len(mine)])
        return ShardedProblem(lying, each, self.counts, np.array(homes), loss, penalty, fit_intercept)

    def _places(self, futures):
        self._gather(self._submit(_rows_of, futures))
        where = self.client.who_has(futures)
        return [next(iter(where.get(f.key, ())), None) for f in futures]


def is_collection(X):
    """Whether ``X`` is a dask collection; imports nothing."""
    return hasattr(X, "__dask_graph__")


def blocks_of(X):
    """Blocks of rows, each with all the columns, as delayed objects."""
    if getattr(X, "ndim", 0) != 2:
        raise ValueError(f"X must be a dask array or dataframe of two dimensions, not {X!r}.")
    if hasattr(X, "rechunk"):
        X = X.rechunk({1: -1}) if X.numblocks[1] > 1 else X
        return X.to_delayed().ravel().tolist()
    return list(X.to_delayed())


def _aligned(name, column, X, n_blocks):
    """Blocks of a collection that goes with ``X``."""
    if hasattr(column, "rechunk") and hasattr(X, "rechunk"):
        ours, theirs = X.chunks[0], column.chunks[0]
        if ours != theirs and not (np.isnan(ours).any() or np.isnan(theirs).any()):
            if sum(ours) != sum(theirs):
                raise ValueError(f"X has {sum(ours)} rows, and {name} has {sum(theirs)}.")
            column = column.rechunk({0: ours})
    if getattr(column, "ndim", 1) == 2 and hasattr(column, "rechunk"):
        column = column.rechunk({1: -1})
    blocks = list(np.ravel(column.to_delayed()))
    if len(blocks) != n_blocks:
        raise ValueError(f"X has {n_blocks} chunks of rows, and {name} has {len(blocks)}: cut them alike.")
    return blocks


def _cut(name, column, lengths):
    """Pieces of an array in memory."""
    column = np.full(sum(lengths), column) if np.ndim(column) == 0 else np.asarray(column)
    if len(column) != sum(lengths):
        raise ValueError(f"X has {sum(lengths)} rows, and {name} has {len(column)}.")
    return np.split(column, np.cumsum(lengths)[:-1])


# -- on the workers --------------------------------------------------------------------------------


def assemble(labelled, blocks, ys, weights=None):
    """One shard's rows, validated: ``(X, y, weights)``, those of weight zero left out unless their labels
    count."""
    blocks = [getattr(block, "to_numpy", lambda block=block: block)() for block in blocks]
    X = sp.vstack(blocks, format="csr") if sp.issparse(blocks[0]) else np.concatenate(blocks)
    y = np.concatenate([column_or_1d(np.asarray(y)) for y in ys])
    s = np.ones(len(y)) if weights is None else np.concatenate([np.ravel(w) for w in weights])
    check_consistent_length(X, y, s)
    if len(y) == 0:
        return X, y, s
    X = check_array(X, accept_sparse="csr", dtype=DTYPES, input_name="X")
    s = check_array(s, ensure_2d=False, dtype=np.float64, input_name="sample_weight")
    if s.min() < 0:
        raise ValueError("Negative values in data passed to `sample_weight`.")
    if y.dtype.kind in "fc":
        y = check_array(y, ensure_2d=False, dtype=None, input_name="y")
    return (X, y, s) if labelled else _used(X, y, s)


def _used(X, y, s):
    used = s > 0
    return (X, y, s) if used.all() else (X[used], y[used], s[used])


def _length(block):
    return block.shape[0]


def _rows_of(shard):
    return len(shard.weights) if isinstance(shard, RowShard) else len(shard[1])


def _census(raw):
    labels, codes = np.unique(raw[1], return_inverse=True)
    return labels, np.bincount(codes, raw[2])


def _relabel(raw, classes, factors):
    X, y, s = raw
    codes = np.searchsorted(classes, y)
    s = s * np.asarray(factors)[codes]
    return _used(X, 2.0 * codes - 1.0 if len(classes) == 2 else codes, s)


def _count(raw, loss):
    X, y, s = raw
    return count(X, np.asarray(y, dtype=loss.target_type), s, loss.quadratic)


def _shard(raw, means, loss, fit_intercept):
    X, y, s = raw
    design, _ = design_of(X, s, rows=True)
    if means is not None:
        design = Design(design.X, means) if design.is_sparse else Design(design.X - means)
    return RowShard(design, np.asarray(y, dtype=loss.target_type), s / s.sum(), loss, fit_intercept)


def _call(shard, name, *args):
    return getattr(shard, name)(*args)
