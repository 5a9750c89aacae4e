"""What has to go on whatever signals raise, or whoever forks, meanwhile."""

import functools

import numpy as np
import sklearn

MOST_TRIES = 1000
"""Signals that are waited out before a step is given up."""


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
