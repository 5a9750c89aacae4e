"""Dask collections as shards: built where their chunks lie, never brought home."""

import weakref
from itertools import chain

import numpy as np
import scipy.sparse as sp

from ..data.design_matrix import Design
from ..data.moments import is_far_in_some
from ..data.preprocessing import design_of
from ..executors.base import SHARDS_PER_WORKER, WorkersLost
from ..executors.dask_tasks import GONE, Lying, RollCall, next_batch, raise_if_lost, release, tell_released
from ..solvers.registry import WIDEST
from .dask_chunks import join, piece, rows_of, survey
from .shard import RowShard
from .shard_counts import centre, check_targets, count, without_idle
from .sharded_problem import ShardedProblem

SMALL = 32_000_000
"""Bytes of a shard of wide data below which the cost of its tasks outweighs their work."""

NOTHING = "X has no rows, or all sample weights are zero; at least one must be positive."
LOST = "The Dask cluster has lost the data, or cannot be reached any more."


class Rows:
    """Rows of a dask collection, gathered into shards on the cluster; their ``dtype`` is float32 where all of
    `X` is, else float64."""

    def __init__(self, client):
        self.client, self._made, self._roll = client, [], RollCall(client)

    def read(self, X, y, sample_weight, labelled=False):
        """Compute the chunks and validate them, each for itself; workers may come meanwhile.

        Chunks are of rows, of any and of unknown length; `y` and `sample_weight` are cut like `X`, and anew
        where all know the lengths of their chunks. ``labelled`` says whether `y` are labels, to be counted,
        and replaced when the pieces are joined.
        """
        from dask import delayed

        tell_released(self.client)
        build = delayed(piece, pure=False)
        rows = rows_of(X, {"y": y, "sample_weight": sample_weight}, self._compute)
        self.take(self._keep(self.client.compute([build(*row) for row in rows])), labelled)

    def take(self, pieces, labelled=False):
        """Take pieces, on their way, for the chunks."""
        self._wait(pieces)
        self._pieces = pieces
        groups = self._groups(len(self._roll.slots()) or 1)
        found = self._submit(survey, [[pieces[i] for i in group] for group in groups], labelled)
        found = list(chain.from_iterable(self._gather(found)))
        self._surveys = told = [found[i] for i in np.argsort(np.concatenate(groups))]
        if not any(each.used for each in told):
            raise ValueError(NOTHING)
        self.n_rows, self.n_features = sum(each.rows for each in told), told[0].n_features
        self.dtype = np.result_type(*(each.dtype for each in told if each.used))

    def enough_shards(self, n_workers):
        """How many shards to begin with. All workers have equally many; but wide data, which take few and
        short tasks, are not cut smaller than pays, though only two workers have one."""
        most, size = SHARDS_PER_WORKER * n_workers, sum(each.size for each in self._surveys)
        if self.n_features <= WIDEST:
            return most
        pays = -(-size // SMALL)
        if pays < n_workers:
            return min(n_workers, max(2, pays))
        return min(most, n_workers * -(-pays // n_workers))

    def join(self, n_shards, classes=None, factors=None):
        """Join the pieces to shards, so many at most: those that lie on one worker to the same shards. Of two
        ``classes`` labels become -1 and +1, of more their places, and weights are multiplied by the classes'
        ``factors``."""
        groups = [[self._pieces[i] for i in group] for group in self._groups(n_shards)]
        outputs = len(classes) if classes is not None and len(classes) > 2 else 1
        # Sparse shards of wide data keep the columns with entries alone.
        self._wide = outputs * self.n_features > WIDEST and all(each.is_sparse for each in self._surveys)
        self._raw, self._pieces = self._submit(join, groups, classes, factors, self._wide), None

    def _groups(self, most):
        """Numbers of the pieces in so many groups at most, of neighbours and those on one worker."""
        places = self._places(self._pieces)
        order = sorted(range(len(places)), key=lambda i: str(places[i]))
        return np.array_split(order, min(most, len(order)))

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
        release(future for future in (ref() for ref in self._made) if future is not None)
        tell_released(self.client)

    def census(self):
        """Labels, sorted, and the sum of the sample weights of each."""
        labels, mass = (
            np.concatenate([getattr(each, name) for each in self._surveys]) for name in ("labels", "mass")
        )
        classes, codes = np.unique(labels, return_inverse=True)
        return classes, np.bincount(codes, mass)

    def count(self, loss, fit_intercept):
        """Numbers of every shard, those without rows left out; returns the sum of the sample weights."""
        means = fit_intercept and (loss.quadratic or not self._wide)
        counts = self._gather(self._submit(_count, self._raw, loss, means))
        kept = [i for i, c in enumerate(counts) if c is not None]
        if not kept:
            raise ValueError(NOTHING)
        self._raw, self.counts = [self._raw[i] for i in kept], [counts[i] for i in kept]
        if not loss.labelled:
            check_targets(self.counts)
        return sum(c.weight for c in self.counts)

    def problem(self, loss, penalty, fit_intercept):
        """The problem over the shards, centred where they lie, or not at all if they are wide and sparse.
        What they were made of is let go."""
        centred = fit_intercept and isinstance(self.counts[0].columns, slice)
        means = centre(self.counts, self.n_features) if centred else None
        if penalty is not None:
            self.counts = without_idle(self.counts, self.n_features, penalty.l1s)
        columns = [c.columns for c in self.counts]
        shards = self._keep(
            [
                self.client.submit(_shard, *of_one, means, self.n_features, loss, fit_intercept, pure=False)
                for of_one in zip(self._raw, columns, strict=True)
            ]
        )
        # Nobody waits for them: they are made where these lie, before their first visits.
        places, self._raw = self._places(self._raw), None

        def each(name, *args):
            return self._gather(self._submit(_call, shards, name, *args))

        lying = [Lying(f, place) for f, place in zip(shards, places, strict=True)]
        slots, turn, homes = self._roll.slots(), {}, []
        for place in places:
            mine = [i for i, address in enumerate(slots) if address == place] or [0]
            turn[place] = turn.get(place, -1) + 1
            homes.append(mine[turn[place] % len(mine)])
        known = self.counts, np.array(homes), self.n_features
        return ShardedProblem(lying, each, *known, loss, penalty, fit_intercept)

    def _places(self, futures):
        where = self.client.who_has(futures)
        return [next(iter(where.get(f.key, ())), None) for f in futures]


class FoldedRows(Rows):
    """Rows of a dask collection with labels, of which folds take some."""

    _fold = None

    def codes(self, classes):
        return np.concatenate(self.each(_codes, np.arange(self.n_rows), classes))

    def each(self, function, index, *args):
        """What a function says to the rows ``index`` of every chunk, where it has any: of the tuple ``(X, y,
        weights)``."""
        some = [(piece, rows) for piece, rows in self._some(index) if len(rows)]
        return self._gather(self._submit(_of_some, some, function, *args))

    def fold(self, index, n_shards, classes, factors, loss, fit_intercept):
        """The problem of the rows ``index``, without penalty, and the sum of their weights; the last one's
        shards are let go."""
        self._let_go()
        self._fold = fold = Rows(self.client)
        fold.take(self._submit(_of_some, self._some(index), tuple))
        fold.join(n_shards, classes, factors)
        total = fold.count(loss, fit_intercept)
        return fold.problem(loss, None, fit_intercept), total

    def release(self):
        self._let_go()
        super().release()

    def _let_go(self):
        if self._fold is not None:
            self._fold.release()
            self._fold = None

    def _some(self, index):
        """Chunks, and which of their rows are among those; sorted, each as often as it is there."""
        lengths, index = [each.rows for each in self._surveys], np.sort(index)
        ends = np.cumsum(lengths)
        cuts = np.split(index, np.searchsorted(index, ends[:-1]))
        begins = ends - lengths
        return [(piece, rows - begin) for piece, rows, begin in zip(self._pieces, cuts, begins, strict=True)]


# -- on the workers --------------------------------------------------------------------------------


def _count(raw, loss, means):
    Xs, columns, y, s = raw
    return count(Xs, np.asarray(y, dtype=loss.target_type), s, loss, columns, means) if len(y) else None


def _shard(raw, columns, means, n_features, loss, fit_intercept):
    Xs, there, y, s = raw
    own = (None, None) if isinstance(columns, slice) else (columns, n_features)
    if own[0] is not None and len(columns) < len(there):
        Xs = [Xs[0][:, np.isin(there, columns)]]
    y = np.asarray(y, dtype=loss.target_type)
    return RowShard(_joined(Xs, s, means), y, s / s.sum(), loss, fit_intercept, *own)


def _joined(Xs, s, means):
    """Design of all the rows, the means taken out. Dense rows stay as they lie where they can, else they are
    copied once."""
    X, begin = Xs[0], 0
    if any(map(sp.issparse, Xs)):
        design, _ = design_of(sp.vstack(Xs, format="csr") if len(Xs) > 1 else X, s, rows=True)
        return Design(design.X, means)
    fits = len(Xs) == 1 and X.dtype == np.float64 and X.flags.c_contiguous
    if fits and (means is None or not is_far_in_some(X, s)):
        return Design(X, means)
    out = np.empty((len(s), X.shape[1]))
    for X in Xs:
        rows = out[begin : begin + len(X)]
        np.subtract(X, 0.0 if means is None else means, out=rows)
        begin += len(X)
    return Design(out)


def _call(shard, name, *args):
    # As in the caller's thread: what is not finite is left to the certificate that is made of it.
    with np.errstate(over="ignore", invalid="ignore"):
        return getattr(shard, name)(*args)


def _of_some(some, function, *args):
    (X, y, weights), rows = some
    whole = len(rows) == len(y) and (np.diff(rows) == 1).all()
    return function((X, y, weights) if whole else (X[rows], y[rows], weights[rows]), *args)


def _codes(rows, classes):
    return np.searchsorted(classes, rows[1]).astype(np.min_scalar_type(len(classes)))
