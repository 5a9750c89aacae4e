"""Products with many columns that the workers share, and how, decided from the seconds they have taken.

A product is cut into *pieces*, more than there are workers; a *share* is a run of pieces that one worker
multiplies in one task. Three ways:

``alone``
    One share. Nobody waits for anybody.
``split``
    One share per worker, in proportion to the speeds measured so far: fewest hand-overs.
``dynamic``
    Every piece is a share; who is free takes the next one. A worker that is held up holds up one piece.

The rule: the way with the least measured seconds per entry. The others are tried again after 8, 16, 32, ...
products, since machines change while a fit runs.
"""

from itertools import pairwise

import numpy as np

from .._interrupts import cached_property
from .block_layout import WIDEST_FULL_BLOCK, cut_columns, equal_runs
from .rounds_script import Phase

SMALL_SHARE = 1_000_000
"""Stored entries of a working set below which its columns stay together: handing over a share costs
about as much as a product with a hundred thousand entries."""

PIECES = 2
"""Pieces per worker."""

FIRST_TRIAL, LATEST_TRIAL = 8, 256
HAND_OVER = 1.05
"""What sharing costs beyond the products themselves: it has to be faster by that much."""

MEMORY = 0.3
"""Weight of the newest measurement."""

SLOW = 0.6
"""Speed, relative to the fastest, below which a worker gets no work that others wait for."""

WAYS = ("split", "dynamic", "alone")


class Sharing:
    """Speeds of the workers, and the way to share that has been fastest, of those allowed."""

    def __init__(self, n_workers, ways=WAYS):
        self.n_workers, self.ways = n_workers, ways if n_workers > 1 else ("alone",)
        self._seconds = np.full(n_workers, np.nan)
        self._cost = dict.fromkeys(self.ways, 0.0)
        if n_workers > 1:
            self._cost["alone"] = np.inf  # tried after the others: runs of few products are too short for it
        self._tried = dict.fromkeys(self.ways, 0)
        self._wait = dict.fromkeys(self.ways, FIRST_TRIAL)
        self._products = 0

    def choose(self):
        """The way of the next product."""
        self._products += 1
        best = self.best()
        for way in self.ways:
            if way != best and self._products - self._tried[way] >= self._wait[way]:
                # A way that lost again is tried half as often.
                self._wait[way] = min(LATEST_TRIAL, 2 * self._wait[way])
                best = way
                break
        return best

    def best(self):
        """The way with the least seconds per entry; one that was never tried comes first."""
        return min(self.ways, key=lambda way: self._cost[way] * (1.0 if way == "alone" else HAND_OVER))

    def prefers_alone(self):
        """Whether all ways have been tried, and one worker alone was fastest."""
        return self.best() == "alone" and (self.n_workers == 1 or all(self._cost.values()))

    def shared(self, way, seconds, entries):
        """A product of so many entries has taken so long."""
        if seconds > 0.0:
            old, new = self._cost[way], seconds / entries
            self._cost[way] = old + MEMORY * (new - old) if 0.0 < old < np.inf else new
            if way == self.best():
                self._wait[way] = FIRST_TRIAL
        self._tried[way] = self._products

    def worked(self, worker, seconds, entries):
        """A worker has needed so long for a share."""
        if seconds > 0.0:
            old, new = self._seconds[worker], seconds / entries
            self._seconds[worker] = old + MEMORY * (new - old) if old > 0 else new

    def speeds(self):
        """Speeds relative to the fastest; 1 where nothing is known."""
        if np.isnan(self._seconds).all():
            return np.ones(self.n_workers)
        return np.nan_to_num(np.nanmin(self._seconds) / self._seconds, nan=1.0)

    def is_slow(self, worker):
        """Whether others would wait for the worker."""
        return self.n_workers > 1 and self.speeds()[worker] < SLOW

    def group(self, way, n_pieces):
        """Runs of pieces of equal size: begin and end, one run per share."""
        if way == "alone":
            return [(0, n_pieces)]
        if way == "dynamic":
            return [(i, i + 1) for i in range(n_pieces)]
        speeds = self.speeds()
        cuts = np.rint(n_pieces * np.cumsum(speeds) / speeds.sum()).astype(int)
        return list(pairwise([0, *cuts]))


class Products:
    """Products with the columns of a part, in phases that the workers share: its generators are parts of a
    script. ``speeds`` is what is known of the workers."""

    def __init__(self, part, n_workers):
        self._part, self.n_workers, self._ways, self._looked = part, n_workers, {}, False
        self.speeds = Sharing(n_workers)

    @cached_property
    def sizes(self):
        """Stored entries of the columns."""
        return self._part.problem.design.column_sizes()

    @cached_property
    def runs(self):
        return self._part.problem.design.cut_rows(PIECES * self.n_workers)

    @cached_property
    def _everything(self):
        return equal_runs(np.arange(len(self.sizes)), self.sizes, PIECES * self.n_workers)

    def _product(self, ways, kind, pieces, common, again=True):
        """A product whose pieces the workers share, in one of the `ways` (a :class:`Sharing`): the answers,
        and the entries touched. Only if it was made before does its time say anything of the way."""
        way = ways.choose() if again else "split"
        shares = self.speeds.group(way, len(pieces))
        phase = Phase(
            kind,
            [i for i, (a, b) in enumerate(shares) if a < b],
            lambda i: (pieces[slice(*shares[i])], *common),
            timed=True,
            dynamic=way == "dynamic",
        )
        results = yield phase
        done = [result for result in results if result is not None]
        entries = sum(size for _, size in done)
        if again:
            ways.shared(way, phase.seconds, entries)
        return [answer for share, _ in done for answer in share], entries

    def correlations(self, pull):
        """Product of all columns with ``pull``."""
        pieces = [(("all", 0, i), index) for i, index in enumerate(self._everything)]
        again, self._looked = self._looked, True
        answers, _ = yield from self._product(self._ways_for("look"), "product", pieces, (pull,), again)
        return np.concatenate(answers)

    def by_rows(self, steps, read, model):
        """What a generator of products returns, and the entries touched."""
        part, touched, answer = self._part, 0, None
        rows = RowShares(self.runs, model, part.problem.loss.n_outputs, read.key)
        while True:
            try:
                operation, *vectors = steps.send(answer)
            except StopIteration as stop:
                return stop.value, touched
            if operation == "curve" and part.follows and rows.sums is None:
                rows.sums = []
                for column in model.intercepts():
                    answer, size = yield from self._rows_product(rows, read.index, "tmul", [column])
                    rows.sums.append(answer)
                    touched += size
            answer, size = yield from self._rows_product(rows, read.index, operation, vectors)
            touched += size

    def _rows_product(self, rows, index, operation, vectors):
        """A product that the workers share by rows: the answer, and the entries touched."""
        common, again = (index, operation, vectors), operation == "curve"
        ways = self._ways_for(self._octave(index))
        answers, size = yield from self._product(ways, "rows_product", rows.pieces, common, again)
        return rows.join(operation, vectors, answers), size

    def pay(self, index):
        """Whether work on the columns is worth sharing."""
        if self.n_workers == 1:
            return False
        octave = self._octave(index)
        return octave >= SMALL_SHARE and not self.alone(octave)

    def _octave(self, index):
        """Stored entries of the columns, rounded down to a power of two."""
        return 1 << max(1, int(self.sizes[index].sum())).bit_length() - 1

    def _ways_for(self, what):
        """Ways to share products of one kind or size: what is best for large ones is not for small ones."""
        if what not in self._ways:
            self._ways[what] = Sharing(self.n_workers)
        return self._ways[what]

    def alone(self, what="look"):
        """Whether one worker had better make such products."""
        return self.n_workers == 1 or self._ways_for(what).prefers_alone()

    def cut(self, index):
        """The columns ``index``, cut into the workers' blocks where that pays; who is slow gets none, as
        the others would wait for it."""
        penalty, n_blocks = self._part.problem.penalty, 1
        if penalty.widest is not None:
            n_blocks = 1 if len(index) <= penalty.widest else -(-len(index) // WIDEST_FULL_BLOCK)
        elif self.pay(index):
            n_blocks = sum(not self.speeds.is_slow(worker) for worker in range(self.n_workers))
        return cut_columns(penalty, index, self.sizes, n_blocks)


class RowShares:
    """The runs of rows that a Newton step is cut into, and how their products are joined.

    ``key`` is the name under which the workers keep their rows of the columns; ``pieces`` are tuples ``(key,
    run, model)``, and ``sums`` the ``X' M e`` for the column ``e`` of every intercept: what centring takes
    that no run of rows knows.
    """

    def __init__(self, runs, model, n_outputs, key):
        self.sums = None
        self.pieces = [(("rows", key[:2], i), run, model.rows(*run)) for i, run in enumerate(runs)]
        self._model, self._n_outputs = model, n_outputs

    def join(self, operation, vectors, answers):
        """The product, from those with the runs."""
        if operation == "mul":
            return self._margins(answers)
        if operation != "curve":
            return sum(answers)
        margins, images = zip(*answers, strict=True)
        along, image = self._margins(margins), sum(images)
        if vectors[-1]:
            shift = np.atleast_1d(self._model.shift(along))
            for size, column in zip(shift, self.sums, strict=True):
                image = image + size * column
        return along, image

    def _margins(self, answers):
        parts = [answer.reshape(self._n_outputs, -1) for answer in answers]
        return np.concatenate(parts, axis=1).ravel()
