"""What has to go on whatever signals raise, or whoever forks, meanwhile; and what ends threads together: a
failure of one, or a signal."""

import functools
import signal
import threading
import time

import numpy as np
import sklearn

MOST_TRIES = 1000
"""Signals that are waited out before a step is given up."""

PATIENCE = 2.0
"""Seconds after a first signal from which on another one is raised at once."""


def surely(step):
    """Take a step that may be taken twice, whatever signals raise in its middle; that is raised after it."""
    raised = None
    for _ in range(MOST_TRIES):
        try:
            step()
            break
        except BaseException as error:
            raised = error
    if raised is not None:
        raise raised


def leaves_settings(function):
    """Function that raises with this thread's settings of scikit-learn and NumPy as they were (decorator): a
    signal can cut the exits of their contexts in two."""

    @functools.wraps(function)
    def call(*args, **kwargs):
        config, errors = sklearn.get_config(), np.geterr()
        try:
            return function(*args, **kwargs)
        except BaseException:
            surely(lambda: (sklearn.set_config(**config), np.seterr(**errors)))
            raise

    return call


class cached_property:
    """As that of functools from Python 3.12 on: before, it has a lock, which a process that is forked while
    another thread computes the value inherits as it is, and waits for without end."""

    def __init__(self, function):
        self._function, self.__doc__ = function, function.__doc__

    def __set_name__(self, owner, name):
        self._name = name

    def __get__(self, instance, owner=None):
        if instance is None:
            return self
        value = vars(instance)[self._name] = self._function(instance)
        return value


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
