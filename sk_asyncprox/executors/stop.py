"""What ends threads together: a failure of one of them, or a signal."""

import signal
import threading
import time

from .._compat import surely

PATIENCE = 2.0
"""Seconds after a first signal from which on another one is raised at once."""


class Stopped(Exception):
    """A run was to end, as another one has failed or a signal has come."""


class Stop:
    """Asked for by the first of several threads that fails, or by a signal, and seen by the others."""

    def __init__(self):
        self.asked, self.error, self._threads = False, None, []

    def ask(self):
        """Takes no lock, so that the handler of a signal may call it."""
        self.asked = True

    def check(self):
        """Raise where the stop has been asked for."""
        if self.asked:
            raise Stopped

    def run(self, job, *args):
        """Do a job in this thread; what it raises is kept, and stops the others."""
        self._threads.append(threading.current_thread())
        try:
            return None if self.asked else job(*args)
        except BaseException as error:
            self.error = self.error or error
            self.ask()

    def join(self):
        """Wait, but not for ever, until joblib's pool has let the threads go."""
        deadline = time.monotonic() + PATIENCE
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))


class Deferred:
    """What handlers of signals raise stops the threads first, by ``stop``, and is raised when they have
    ended.

    Raised at any moment it could fall into joblib's start of the pool, whose threads would be left behind.
    Handlers run in the main thread only; elsewhere this does nothing.
    """

    def __init__(self, stop):
        self._stop, self._handlers = stop, {}
        self._raised, self._since = None, 0.0

    def __enter__(self):
        if threading.current_thread() is not threading.main_thread():
            return
        try:
            for number in signal.valid_signals():
                handler = signal.getsignal(number)
                if callable(handler):
                    self._handlers[number] = handler
                    signal.signal(number, self._handle)
        except BaseException:
            surely(self._restore)
            raise

    def _handle(self, number, frame):
        try:
            self._handlers[number](number, frame)
        except BaseException as error:
            self._stop.ask()
            if self._raised is None:
                self._raised, self._since = error, time.monotonic()
            elif time.monotonic() - self._since > PATIENCE:
                raise

    def __exit__(self, *error):
        surely(self._restore)
        if self._raised is not None:
            raise self._raised

    def _restore(self):
        while self._handlers:
            number, handler = next(iter(self._handlers.items()))
            signal.signal(number, handler)
            del self._handlers[number]
