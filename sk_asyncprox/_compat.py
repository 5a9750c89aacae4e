"""The one door to scikit-learn's private helpers, its compiled kernels, joblib and the BLAS limit.

What is imported and not used here is handed on.
"""

import inspect
import sys
import threading
import warnings

import joblib
import numpy as np
import sklearn
from sklearn.base import _fit_context  # noqa: F401
from sklearn.linear_model import _cd_fast, enet_path
from sklearn.linear_model._base import LinearClassifierMixin, LinearModel, SparseCoefMixin  # noqa: F401
from sklearn.metrics import make_scorer
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions, validate_parameter_constraints  # noqa: F401
from sklearn.utils.fixes import parse_version
from sklearn.utils.metadata_routing import _raise_for_params, _routing_enabled  # noqa: F401
from sklearn.utils.validation import _check_method_params, _check_sample_weight  # noqa: F401

from ._blas import _BLAS_LIMIT, cached_property, leaves_settings, one_blas_thread, surely  # noqa: F401

_VERSION = parse_version(sklearn.__version__)

# Screening inside the kernel trusts the dual gap, which a dummy y makes meaningless: switch it off
# where the version has it.
_NO_SCREENING = {"do_screening": False} if parse_version("1.8") <= _VERSION else {}
_SCREENING, _UNSCREENED = ((True,), (False,)) if parse_version("1.8") <= _VERSION else ((), ())

_ANY_TARGET = np.ones(1)

# In cyclic order the kernel makes no use of it; the global generator, its default, is the user's.
_RANDOM_STATE = np.random.RandomState(0)


def block_cd(w, l1, l2, sweeps, *, X=None, target=None, weights=None, Q=None, q=None, positive=False):
    """Coordinate-descent sweeps on one block, by scikit-learn's compiled kernel (GIL released); the new
    coefficients, ``w`` is left as it is.

    Residual form, with columns ``X`` in Fortran order, or CSC with int32 indices: lowers ``sum(weights *
    (target - X w)^2) / 2 + l1 |w|_1 + (l2/2) |w|_2^2``; ``weights`` go with a sparse ``X`` only. Gram form,
    with ``Q`` and ``q`` in C order: lowers ``w'Qw/2 - q'w + l1 |w|_1 + (l2/2) |w|_2^2``; the kernel is called
    without what prepares its arguments, which takes longer than small blocks do.
    """
    if Q is not None:
        # The kernel's own gap test would need |y|; any non-zero y serves, as tol=-1 never stops it.
        return _gram_kernel(w, l1, l2, sweeps, Q, q, _ANY_TARGET, -1.0, positive, _UNSCREENED)[0]
    total = l1 + l2
    _, coefs, _ = _quietly(
        enet_path,
        X,
        target,
        alphas=[total / X.shape[0]],
        l1_ratio=l1 / total if total > 0 else 1.0,
        coef_init=w.copy(),
        check_input=False,
        max_iter=sweeps,
        tol=-1.0,
        random_state=_RANDOM_STATE,
        positive=positive,
        precompute=False,
        sample_weight=weights,
        **_NO_SCREENING,
    )
    return coefs[:, 0]


def _quietly(kernel, *args, **settings):
    _KERNEL_WARNINGS.quiet = True
    try:
        return kernel(*args, **settings)
    finally:
        _KERNEL_WARNINGS.quiet = False


def _gram_kernel(w, l1, l2, sweeps, Q, q, y, tol, positive, screening):
    """Coefficients, gap and number of sweeps."""
    new, Q = w.copy(), np.ascontiguousarray(Q)
    kernel, more = _cd_fast.enet_coordinate_descent_gram, (_RANDOM_STATE, False, positive, *screening)
    _, gap, _, n_sweeps = _quietly(kernel, new, l1, l2, Q, q, y, sweeps, tol, *more)
    return new, gap, n_sweeps


def gram_cd(w, penalty, sweeps, Q, q, square, goal):
    """At most so many sweeps in Gram form, as those of :func:`block_cd`, until the duality gap is at most
    ``goal``: new coefficients, gap and number of sweeps. ``square`` is twice the objective at zero, positive.
    """
    norm, tol = np.array([square**0.5]), goal / square
    return _gram_kernel(w, penalty.l1, penalty.l2, sweeps, Q, q, norm, tol, penalty.positive, _SCREENING)


def columns_cd(w, penalty, sweeps, X, target, goal):
    """Sweeps over columns in Fortran order, as those of :func:`gram_cd`, with an l1 part; the loss is
    ``|target - X w|^2 / (2 n)``, the target not zero."""
    n, new = len(target), w.copy()
    settings = n * penalty.l1, n * penalty.l2, X, target, sweeps, n * goal / (target @ target)
    more = _RANDOM_STATE, False, penalty.positive, *_SCREENING
    _, gap, _, n_sweeps = _quietly(_cd_fast.enet_coordinate_descent, new, *settings, *more)
    return new, gap / n, n_sweeps


def routing_owner(estimator):
    """What a metadata router calls its owner: the estimator, before scikit-learn 1.7 its name."""
    return estimator if parse_version("1.7") <= _VERSION else type(estimator).__name__


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


class fast_calls:
    """Context in which the kernel is called without parameter validation (this thread only).

    No generator as scikit-learn's own: one that a signal cuts off is ended whenever Python collects it, and
    then sets what it has found.
    """

    def __enter__(self):
        self._before = sklearn.get_config()["skip_parameter_validation"]
        sklearn.set_config(skip_parameter_validation=True)

    def __exit__(self, *error):
        sklearn.set_config(skip_parameter_validation=self._before)


try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # before scikit-learn 1.9

    class CallbackSupportMixin:
        """Nothing: this scikit-learn has no callbacks."""


class _KernelWarnings(threading.local):
    """The kernel module's ``warnings``, silent in the threads that have said so.

    A few sweeps never "converge", so the kernel warns at each call. ``warnings.filters`` belongs to the
    process: a change is seen by other threads, undone by theirs, and shipped to scikit-learn's workers.
    """

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
