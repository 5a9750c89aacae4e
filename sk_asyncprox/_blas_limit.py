"""One BLAS thread, for the whole process, while any fit is running."""

import os
import threading

from threadpoolctl import ThreadpoolController

from ._interrupts import surely


class _BlasLimit:
    """Limits BLAS, for the whole process, to one thread while any fit is running; the last one out restores
    it. Signals may raise between any two steps: each can be taken again, and what was is forgotten last of
    all."""

    def __init__(self):
        # A signal's handler may fit in the thread that holds the lock.
        self._lock, self._users = threading.RLock(), set()
        self._libraries, self._before = None, None
        if hasattr(os, "register_at_fork"):
            # No other thread is in here, or holds threadpoolctl's lock, while a process forks.
            os.register_at_fork(
                before=self._lock.acquire, after_in_parent=self._lock.release, after_in_child=self._forked
            )

    def add(self, user):
        with self._lock:
            if user in self._users:
                return
            self._users.add(user)
            if self._libraries is None:
                self._libraries = ThreadpoolController().select(user_api="blas").lib_controllers
            if self._before is None:
                self._before = [library.num_threads for library in self._libraries]
            if len(self._users) == 1:
                for library in self._libraries:
                    library.set_num_threads(1)

    def remove(self, user):
        with self._lock:
            self._users.discard(user)
            if not self._users and self._before is not None:
                self._restore()

    def _restore(self):
        # threadpoolctl 3.8 heeds only the thread that set the limit, which need not be the last one out,
        # and remembers it until told.
        self._release()
        for library, number in zip(self._libraries, self._before, strict=True):
            library.set_num_threads(number)
        self._release()
        self._before = None

    def _release(self):
        for library in self._libraries:
            if hasattr(library, "clear_controlling_thread"):
                library.clear_controlling_thread(force=True)

    def _forked(self):
        """In a forked process no fit is running."""
        self._users.clear()
        if self._before is not None:
            self._restore()
        self._lock.release()


_BLAS_LIMIT = _BlasLimit()


class one_blas_thread:
    """Context in which BLAS runs one thread per call. Entered twice in a row, its first exit counts, and the
    second is there for when a signal raises before the first has begun."""

    def __enter__(self):
        try:
            _BLAS_LIMIT.add(self)
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *error):
        surely(lambda: _BLAS_LIMIT.remove(self))
