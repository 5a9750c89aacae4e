"""Which columns are active, how they are cut into blocks, and who may take which block."""

import numpy as np

from .working_set import choose_columns, partition

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
        self._problem, self._n_workers, self._exclusive, self._random = problem, n_workers, exclusive, random
        self._sizes = problem.design.column_sizes()
        columns = np.arange(problem.design.shape[1])
        self._wanted = n_blocks
        self.everything = self._partition(columns)
        self._numbers = self._numbered(columns) if fixed_cuts else None
        self.blocks = [] if working_set else self.everything
        self._active = columns[:0] if working_set else columns
        self.generation, self._turn, self._held = 0, 0, {}
        self._random_state, self._streams = random_state, {}

    def _count(self, columns):
        if self._wanted != "auto":
            return int(self._wanted)
        full = self._problem.design.is_full() or self._problem.penalty.labels is not None
        entries = int(self._sizes[columns].sum())
        needed = len(columns) / WIDEST_FULL_BLOCK if full else entries / MOST_ENTRIES
        wanted = max(2 * self._n_workers if self._n_workers > 1 else 1, int(np.ceil(needed)))
        return min(wanted, max(1, len(columns)))

    def _partition(self, columns):
        return partition(columns, self._sizes, self._count(columns), self._problem.penalty.labels)

    def _numbered(self, columns):
        """Number of the block of every column."""
        numbers = np.empty_like(columns)
        for number, block in enumerate(self.everything):
            numbers[block] = number
        return numbers

    def take(self, worker):
        """Number of a block for the worker, or None when no block is free."""
        n = len(self.blocks)
        if any(generation != self.generation for generation in self._held.values()):
            # Blocks of the last layout may share columns with the present ones.
            return None
        free = [j for j in range(n) if j not in self._held]
        if not free:
            return None
        if self._random:
            number = free[self._stream(worker).integers(len(free))]
        else:
            number = min(free, key=lambda j: (j - self._turn) % n)
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
        """The block's task has been told or dropped."""
        self._held.pop(number, None)

    def grow(self, w, certificate):
        """Activate the columns that a certificate calls for; return whether the blocks have changed."""
        active = choose_columns(self._problem.penalty, w, certificate, self._active)
        if active is None:
            return False
        self._active, self._turn = active, 0
        self.generation += 1
        if self._numbers is None:
            self.blocks = self._partition(active)
        else:
            numbers = self._numbers[active]
            self.blocks = [active[numbers == number] for number in np.unique(numbers)]
        return True
