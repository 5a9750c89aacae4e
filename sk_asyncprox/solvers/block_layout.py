"""How columns are cut into blocks, and which worker may take which."""

import numpy as np

from ..kernels.working_set import FIRST_COLUMNS, among, wanted_columns

WIDEST_FULL_BLOCK = 256
"""Columns of a dense block; its Gram matrix is kept."""

MOST_ENTRIES = 4_000_000
"""Stored entries of a sparse block: more blocks give a fresher point, fewer save work per entry."""


class Layout:
    """Blocks of columns, handed out to the workers: ``everything`` are those of all the columns, ``blocks``
    those of the active ones, each sorted, and ``generation`` counts the changes of these.

    With a ``working_set`` only columns that certificates call for are active; at first none is.
    ``fixed_cuts`` cuts the active columns where all the columns are cut, instead of into equal work.
    ``exclusive`` blocks are held by one worker at a time. ``random`` ones are drawn instead of taken in turn,
    by a stream of each worker, so that a replay draws the same.
    """

    def __init__(
        self, problem, n_workers, n_blocks, working_set, fixed_cuts, exclusive, random, random_state
    ):
        self._problem, self._exclusive, self._random = problem, exclusive, random
        self._sizes, self._fixed_cuts = problem.design.column_sizes(), fixed_cuts
        self._wanted, self._fewest = n_blocks, 2 * n_workers if n_workers > 1 else 1
        columns = np.arange(problem.design.shape[1])
        self.everything = self._partition(columns)
        self.blocks = [] if working_set else self.everything
        self._active = columns[:0] if working_set else columns
        self.generation, self._turn, self._held = 0, 0, {}
        self._random_state, self._streams = random_state, {}

    def _partition(self, columns):
        penalty, sizes, wanted = self._problem.penalty, self._sizes, self._wanted
        if wanted == "auto":
            full = self._problem.design.is_full() or penalty.widest is not None
            needed = len(columns) / WIDEST_FULL_BLOCK if full else sizes[columns].sum() / MOST_ENTRIES
            wanted = min(max(self._fewest, np.ceil(needed)), max(1, len(columns)))
        return cut_columns(penalty, columns, sizes, int(wanted))

    def take(self, worker):
        """Number of a block for the worker, or None when no block is free."""
        n = len(self.blocks)
        if any(generation != self.generation for generation in self._held.values()):
            # Blocks of the last layout may share columns with the present ones.
            return None
        free = [j for j in (*range(self._turn, n), *range(self._turn)) if j not in self._held]
        if not free:
            return None
        number = free[self._stream(worker).integers(len(free)) if self._random else 0]
        if not self._random:
            self._turn = (number + 1) % n
        if self._exclusive:
            self._held[number] = self.generation
        return number

    def _stream(self, worker):
        if worker not in self._streams:
            seed = np.random.SeedSequence(self._random_state, spawn_key=(worker,))
            self._streams[worker] = np.random.default_rng(seed)
        return self._streams[worker]

    def release(self, number):
        self._held.pop(number, None)

    def grow(self, w, certificate):
        """Activate the columns that a certificate calls for; return whether the blocks have changed."""
        penalty, c = self._problem.penalty, certificate.correlations
        active = wanted_columns(penalty, w, c, self._active, FIRST_COLUMNS, fewest=1)
        if among(active, self._active)[0].all():
            return False
        self._active, self._turn = active, 0
        self.generation += 1
        if self._fixed_cuts:
            parts = [block[among(block, active)[0]] for block in self.everything]
            self.blocks = [part for part in parts if len(part)]
        else:
            self.blocks = self._partition(active)
        return True


def cut_columns(penalty, index, sizes, n_blocks):
    """Cut the columns ``index`` into at most ``n_blocks`` runs of nearly equal work, which part no group of
    the penalty; ``sizes`` are the stored entries of all columns."""
    group = penalty.groups_of(index)
    if group is None:
        return equal_runs(index, sizes[index], n_blocks)
    sizes = np.bincount(group, sizes[index])
    runs = equal_runs(np.arange(len(sizes)), sizes, n_blocks)
    return [index[(group >= run[0]) & (group <= run[-1])] for run in runs]


def equal_runs(index, sizes, n_runs):
    """Cut an index into at most so many runs of nearly equal sums of ``sizes``."""
    n_runs = min(n_runs, len(index))
    if n_runs <= 1:
        return [index] if len(index) else []
    work = np.cumsum(sizes + 1.0)
    cuts = np.searchsorted(work, work[-1] * np.arange(1, n_runs) / n_runs, side="left") + 1
    # Every run keeps at least one entry, also where a single one outweighs a share.
    least = np.arange(1, n_runs)
    spare = np.clip(cuts - least, 0, len(index) - n_runs)
    return np.split(index, np.maximum.accumulate(spare) + least)
