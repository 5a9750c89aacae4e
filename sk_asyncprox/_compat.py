"""The one door to scikit-learn's private helpers, its compiled kernels and joblib; the limit of BLAS; and
what has to go on whatever signals raise, or whoever forks, meanwhile. What is not used here is handed on."""

import functools
import inspect
import os
import sys
import threading
import warnings

import joblib
import numpy as np
import sklearn
from sklearn.base import _fit_context  # noqa: F401
from sklearn.linear_model import _cd_fast
from sklearn.linear_model._base import LinearClassifierMixin, LinearModel, SparseCoefMixin  # noqa: F401
from sklearn.metrics import make_scorer
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions, validate_parameter_constraints  # noqa: F401
from sklearn.utils.fixes import parse_version
from sklearn.utils.metadata_routing import _raise_for_params, _routing_enabled  # noqa: F401
from sklearn.utils.validation import _check_method_params, _check_sample_weight  # noqa: F401
from threadpoolctl import ThreadpoolController

# Screening inside the kernel trusts the dual gap, which a dummy y makes meaningless: it is switched off
# there, in the versions that have it.
_SCREENS = parse_version("1.8") <= parse_version(sklearn.__version__)
_SCREENING, _UNSCREENED = ((True,), (False,)) if _SCREENS else ((), ())

_ANY_TARGET = np.ones(1)

# In cyclic order the kernel makes no use of it; the global generator, its default, is the user's.
_RANDOM_STATE = np.random.RandomState(0)


def block_cd(w, l1, l2, sweeps, *, X=None, target=None, weights=None, Q=None, q=None, positive=False):
    """Coordinate-descent sweeps on one block, by scikit-learn's compiled kernel (GIL released); the new
    coefficients, ``w`` is left as it is.

    Residual form, with columns ``X`` in Fortran order, or CSC with int32 indices: lowers ``sum(weights *
    (target - X w)^2) / 2 + l1 |w|_1 + (l2/2) |w|_2^2``; ``weights`` go with a sparse ``X`` only. Gram form,
    with ``Q`` and ``q``: lowers ``w'Qw/2 - q'w + l1 |w|_1 + (l2/2) |w|_2^2``.
    """
    if Q is not None:
        # The kernel's own gap test would need |y|; any non-zero y serves, as tol=-1 never stops it.
        kernel, data = _cd_fast.enet_coordinate_descent_gram, (np.ascontiguousarray(Q), q, _ANY_TARGET)
    elif isinstance(X, np.ndarray):
        kernel, data = _cd_fast.enet_coordinate_descent, (X, target)
    else:
        kernel, means = _cd_fast.sparse_enet_coordinate_descent, np.zeros(X.shape[1])
        data = X.data, X.indices, X.indptr, target, weights, means
    return _swept(kernel, w, l1, l2, data, sweeps, -1.0, positive, _UNSCREENED)[0]


def _swept(kernel, w, l1, l2, data, sweeps, tol, positive, screening):
    """Coefficients, gap and number of sweeps; the kernel is called without what prepares its arguments, which
    takes longer than small blocks do."""
    new = w.copy()
    _KERNEL_WARNINGS.quiet = True
    try:
        _, gap, _, n = kernel(new, l1, l2, *data, sweeps, tol, _RANDOM_STATE, False, positive, *screening)
    finally:
        _KERNEL_WARNINGS.quiet = False
    return new, gap, n


def gram_cd(w, penalty, sweeps, Q, q, square, goal):
    """At most so many sweeps in Gram form, as those of :func:`block_cd`, until the duality gap is at most
    ``goal``: new coefficients, gap and number of sweeps. ``square`` is twice the objective at zero, positive.
    """
    kernel, data = (
        _cd_fast.enet_coordinate_descent_gram,
        (np.ascontiguousarray(Q), q, np.array([square**0.5])),
    )
    tol = goal / square
    return _swept(kernel, w, penalty.l1, penalty.l2, data, sweeps, tol, penalty.positive, _SCREENING)


def columns_cd(w, penalty, sweeps, X, target, goal):
    """Sweeps over columns in Fortran order, as those of :func:`gram_cd`, with an l1 part; the loss is
    ``|target - X w|^2 / (2 n)``, the target not zero."""
    kernel, n, tol = _cd_fast.enet_coordinate_descent, len(target), len(target) * goal / (target @ target)
    l1, l2 = n * penalty.l1, n * penalty.l2
    new, gap, n_sweeps = _swept(kernel, w, l1, l2, (X, target), sweeps, tol, penalty.positive, _SCREENING)
    return new, gap / n, n_sweeps


def with_labels(scorer, classes):
    """The same scorer, told all the classes where it asks for them and has not been told: a fold may lack
    some."""
    function = getattr(scorer, "_score_func", None)
    names = {} if function is None else inspect.signature(function).parameters
    if "labels" not in names:
        return scorer
    known = {"labels": classes}
    if len(classes) == 2 and "pos_label" in names:
        known["pos_label"] = classes[-1]
    return make_scorer(
        function,
        greater_is_better=scorer._sign == 1,
        response_method=scorer._response_method,
        **{**known, **getattr(scorer, "_kwargs", {})},
    )


try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # before scikit-learn 1.9

    class CallbackSupportMixin:
        """Nothing: this scikit-learn has no callbacks."""


class _KernelWarnings(threading.local):
    """The kernel module's ``warnings``, silent in the threads that have said so: filters belong to the
    process, and a few sweeps never "converge"."""

    quiet = False

    def __getattr__(self, name):
        return getattr(warnings, name)

    def warn(self, message, category=None, stacklevel=1, **kwargs):
        if not self.quiet:
            warnings.warn(message, category, stacklevel + 1, **kwargs)


_KERNEL_WARNINGS = _cd_fast.warnings = _KernelWarnings()


def granted_workers(n_jobs):
    """Number of workers that :func:`thread_parallel` will really run."""
    backend, around = joblib.parallel.get_active_backend(require="sharedmem")
    wanted = around if n_jobs is None else n_jobs
    return backend.effective_n_jobs(backend.default_n_jobs if wanted is None else int(wanted))


def runs_threads():
    """Whether joblib runs threads where it is told that they are preferred."""
    backend, _ = joblib.parallel.get_active_backend(prefer="threads")
    return getattr(backend, "supports_sharedmem", False)


def thread_parallel(n_jobs, return_as="list"):
    """``joblib.Parallel`` whose workers share memory."""
    return joblib.Parallel(
        n_jobs=n_jobs, require="sharedmem", pre_dispatch="all", batch_size=1, return_as=return_as
    )


def joblib_dask_client():
    """Client of the surrounding ``joblib.parallel_config(backend="dask")``, or None."""
    if "joblib._dask" not in sys.modules:
        return None
    backend, _ = joblib.parallel.get_active_backend()
    return backend.client if type(backend).__module__ == "joblib._dask" else None


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
