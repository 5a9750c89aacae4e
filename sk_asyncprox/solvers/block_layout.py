"""How active columns are cut into blocks, who may take which, and when a certificate is worth its cost."""

import numpy as np

from ..kernels.working_set import FIRST_COLUMNS, among, wanted_columns

SHARE_OF_SLOPES, LONGEST_WAIT = 0.01, 20.0
"""Slopes that are left, relative to those there were, at which a certificate is due; and passes between two
certificates, at most."""

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
        return penalty.cut(columns, sizes, int(wanted))

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
        """The block's task has been told or dropped."""
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


class Gate:
    """Decides when a certificate is worth a pass over the data.

    The predicted falls of the blocks (``slopes``) tell when the active problem is nearly solved. A step of
    length zero leaves its slope as large as it was, so it never looks like convergence. After a certificate
    that has neither ended the run nor changed the working set, the next one waits for twice the work.
    """

    def __init__(self, pass_size, n_blocks):
        self._pass_size, self._wait = pass_size, 0.0
        self.reset(n_blocks, grown=True)
        self.due = True

    def reset(self, n_blocks, grown, complete=False):
        """A certificate has arrived, with or without a new working set, of a ``complete`` point or not."""
        if grown or complete:
            self._late = np.ones(n_blocks, bool)
        self._slopes = np.full(n_blocks, np.inf)
        self._first = self._since = 0.0
        self._wait = 0.0 if grown else min(max(0.25, 2.0 * self._wait), LONGEST_WAIT)
        self.due = n_blocks == 0

    @property
    def complete(self):
        """Whether every block was moved since a certificate found that so, or new columns."""
        return not self._late.any()

    def visit(self, block, slope, touched, moved):
        """A block was written, with its predicted fall and the entries touched."""
        self._late[block] &= not moved
        self._since += touched / self._pass_size
        if np.isinf(self._slopes[block]):
            self._first += max(slope, 0.0)
        self._slopes[block] = max(slope, 0.0)
        left = self._slopes.sum()
        # Where nothing at all is left to gain, work that touches nothing would wait for ever.
        small = left == 0.0 or (self._since >= self._wait and left <= SHARE_OF_SLOPES * self._first)
        # A certificate says something new only when every block has had its turn, however late the
        # worker that holds it; it is not waited for beyond reason.
        everywhere = np.isfinite(self._slopes).all() or self._since >= 2 * LONGEST_WAIT
        self.due = self.due or small or (everywhere and self._since >= LONGEST_WAIT)
