"""Memory that a process keeps for its next task, where it has been told to return all of it.

Dask's nannies set ``MALLOC_TRIM_THRESHOLD_`` for their workers: what is freed goes back to the system at
once, and every array of more than 128 kB is made of new pages, which takes as long as what is done with it.
"""

import ctypes
import multiprocessing
import os
import threading
import weakref
from contextlib import suppress

MOST_KEPT = 256_000_000
"""Bytes that are kept at the end of a process's memory, and of that of each of its threads, at most."""

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Numbers by which ``mallopt`` of the GNU C library knows what it sets."""

APART, USUALLY_APART = 32 << 20, 128 << 10
"""Bytes from which on arrays get pages of their own: the most that can be set, and what is usual."""


class _KeptMemory:
    """What is freed is kept while any of some objects lives; then all is as it was told at first."""

    def __init__(self):
        self._lock, self._users = threading.RLock(), set()
        # In the process that starts them nannies change the environment too, which its library never reads.
        environment = {} if multiprocessing.parent_process() is None else os.environ
        told = [environment.get(f"MALLOC_{name}_THRESHOLD_", "") for name in ("TRIM", "MMAP")]
        trim, apart = (int(number) if number.isdecimal() else None for number in told)
        self._told = trim, USUALLY_APART if apart is None else apart
        # Told nothing, the library learns for itself what to keep.
        library = ctypes.CDLL(None) if os.name == "posix" and trim is not None and trim < MOST_KEPT else None
        self._library = library if hasattr(library, "malloc_trim") else None

    def add(self, user):
        if self._library is None or id(user) in self._users:
            return
        with self._lock, suppress(TypeError):  # of tuples and the like nobody hears when they go
            weakref.finalize(user, self._let_go, id(user)).atexit = False
            self._users.add(id(user))
            self._set(MOST_KEPT, APART)

    def _let_go(self, user):
        with self._lock:
            self._users.discard(user)
            if not self._users:
                self._set(*self._told)
                self._library.malloc_trim(0)

    def _set(self, trim, apart):
        self._library.mallopt(TRIM_THRESHOLD, trim)
        self._library.mallopt(MMAP_THRESHOLD, apart)


KEPT_MEMORY = _KeptMemory()
