"""The one door to scikit-learn's private helpers and its compiled kernels, whatever its version. What is not
used here is handed on."""

import inspect
import threading
import warnings

import numpy as np
import sklearn
from sklearn.base import _fit_context as fit_context  # noqa: F401
from sklearn.linear_model import _cd_fast
from sklearn.linear_model._base import LinearClassifierMixin, LinearModel, SparseCoefMixin  # noqa: F401
from sklearn.metrics import make_scorer
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions, validate_parameter_constraints  # noqa: F401
from sklearn.utils.fixes import parse_version
from sklearn.utils.metadata_routing import _raise_for_params as raise_for_params  # noqa: F401
from sklearn.utils.metadata_routing import _routing_enabled as routing_enabled  # noqa: F401
from sklearn.utils.validation import _check_method_params as check_method_params  # noqa: F401
from sklearn.utils.validation import _check_sample_weight as check_sample_weight  # noqa: F401

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
    kernel, tol = _cd_fast.enet_coordinate_descent_gram, goal / square
    data = np.ascontiguousarray(Q), q, np.array([square**0.5])
    return _swept(kernel, w, penalty.l1, penalty.l2, data, sweeps, tol, penalty.positive, _SCREENING)


def columns_cd(w, penalty, sweeps, X, target, goal):
    """Sweeps over columns in Fortran order, as those of :func:`gram_cd`, with an l1 part; the loss is
    ``|target - X w|^2 / (2 n)``, the target not zero."""
    kernel, n, tol = _cd_fast.enet_coordinate_descent, len(target), len(target) * goal / (target @ target)
    l1, l2, w, target = n * penalty.l1, n * penalty.l2, w.astype(X.dtype), target.astype(X.dtype)
    new, gap, n_sweeps = _swept(kernel, w, l1, l2, (X, target), sweeps, tol, penalty.positive, _SCREENING)
    return new.astype(np.float64), gap / n, n_sweeps


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
