"""What the estimators share: one private fit, parameters of the asynchronous run, tags."""

import time
import warnings
from functools import partial, wraps
from numbers import Integral
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from .._blas_limit import one_blas_thread
from .._compat import CallbackSupportMixin, fit_context, validate_parameter_constraints
from .._interrupts import leaves_settings
from ..executors.base import WorkersLost
from ..history import History
from ..problem import Problem
from ..solve import SOLVERS, Options, solve
from ..solvers.base import Snapshot
from ._callbacks import Watcher
from ._constructors import no_defaults
from ._validation import check_entries, check_range, is_read_first, threads_for

DOCUMENTATION = "https://sk-asyncprox.readthedocs.io/en/stable"


def _stacked(before, n_targets, found):
    """Coefficients, intercept and passes of a target, together with those of the targets before it, and
    with nothing for those to come."""
    if n_targets == 1:
        return found
    w, intercept, _ = found
    nothing = np.zeros_like(w), 0.0 * intercept, 1
    ws, intercepts, passes = zip(*before, found, *[nothing] * (n_targets - len(before) - 1), strict=True)
    return np.array(ws), np.array(intercepts), list(passes)


def all_or_nothing(fit):
    """Method ``fit`` that validates the parameters and, where it raises, leaves the estimator as it was
    (decorator)."""
    validated = leaves_settings(fit_context(prefer_skip_nested_validation=True)(fit))

    @wraps(fit)
    def fit_or_leave(self, *args, **kwargs):
        before = vars(self).copy()
        try:
            validated(self, *args, **kwargs)
        except BaseException:
            # One assignment and no call, at which a signal could raise once more.
            self.__dict__ = before
            raise
        if self._lost is not None:
            raise vars(self).pop("_lost")
        return self

    return fit_or_leave


class AsyncLinearModel(CallbackSupportMixin, BaseEstimator):
    """Base of the estimators: everything between validated data and fitted attributes."""

    # What a fit leaves; with several targets histories and numbers are lists and arrays.
    coef_: np.ndarray
    intercept_: Any
    n_features_in_: int
    n_iter_: Any
    dual_gap_: Any
    objective_: Any
    n_updates_: Any
    fit_time_: float
    history_: History

    # While one runs: second moments that a cross-validation hands over to its last fit, whether the entries
    # are still to be checked, and what has ended a run whose last certified iterate is stored.
    _moments: Any = None
    _unchecked: bool = False
    _lost: WorkersLost | None = None

    # Scikit-learn's HTML representation links to this page.
    _doc_link_module = "sk_asyncprox"
    _doc_link_template = DOCUMENTATION + "/generated/sk_asyncprox.{estimator_name}.html"

    def _solve(self, X, y, loss, penalty, weights, begin, fitted, given):
        """Solve on validated data, for every column of ``y``, and set what is found: ``fitted`` makes
        attributes of coefficients, intercept and passes; ``given`` are what callbacks are told, ``X, y,
        sample_weight``."""
        rows, overwrite = SOLVERS[self.solver].rows, not getattr(self, "copy_X", True)
        watcher = Watcher(self, *given, fitted=fitted)
        problem = Problem(X, y, loss, penalty, weights, self.fit_intercept, rows, overwrite)
        if self._moments is not None:
            problem.moments = vars(self).pop("_moments")
            check_entries(self, X, is_finite=True)
        elif is_read_first(X, loss):
            with one_blas_thread(), np.errstate(over="ignore", invalid="ignore"):
                problem.prepare(threads_for(self, X))
            check_entries(self, X, problem.is_finite)
        found = self._run(problem.targets(), self._options(), begin, X.dtype, watcher)
        vars(self).update(fitted(*found))
        watcher.end()
        return self

    def _run(self, targets, options, begin, dtype, watcher=None):
        """Solve the problems of the targets and set what every estimator has; coefficients, of that `dtype`,
        intercept and passes, of several targets an entry or a row each."""
        solutions, found = [], []
        for t, problem in enumerate(targets):
            watch = None
            if watcher is not None and watcher.is_watched:
                watch = partial(watcher.certificate, problem, partial(_stacked, found, len(targets)))
            start = self._start(problem, t, len(targets))
            try:
                # The clock of the first has run since the data were handed over.
                solution = solve(problem, options, start, watch=watch, begin=None if t else begin)
            except WorkersLost as lost:
                if lost.solution is None or len(targets) > 1:
                    raise
                # The last certified iterate is stored first; `all_or_nothing` raises the error after that.
                self._lost, solution = lost, lost.solution
            w, b = problem.canonical(solution.certificate.w), solution.certificate.b
            solutions.append(solution)
            intercept = problem.intercept(w, b)
            found.append((w, intercept, solution.n_iter))
            if dtype != np.float64:
                check_range(dtype, options.tol, problem, w, b, intercept)
            if solution.message:
                warnings.warn(solution.message, ConvergenceWarning, stacklevel=4)
        facts = [(s.gap, s.certificate.objective, s.n_updates, s.history) for s in solutions]
        if len(targets) > 1:
            *numbers, histories = zip(*facts, strict=True)
            facts = [(*map(np.array, numbers), list(histories))]
        [(self.dual_gap_, self.objective_, self.n_updates_, self.history_)] = facts
        self.fit_time_ = time.perf_counter() - begin
        return _stacked(found[:-1], len(targets), found[-1])

    def _validate_params(self):
        validate_parameter_constraints(
            self._parameter_constraints, no_defaults(self, vars(self)), type(self).__name__
        )

    def _options(self):
        """Options of the run."""
        known = {name: getattr(self, name) for name in Options._fields if hasattr(self, name)}
        cyclic = getattr(self, "selection", "cyclic") == "cyclic"
        seed = self.random_state or 0
        if not isinstance(seed, Integral):
            seed = check_random_state(seed).randint(np.iinfo(np.int32).max)
        return Options(**known | {"cyclic": cyclic, "random_state": int(seed)})

    def _start(self, problem, target, n_targets):
        coef = getattr(self, "coef_", None) if self.warm_start else None
        coef, intercept = coef.toarray() if sp.issparse(coef) else coef, getattr(self, "intercept_", 0.0)
        if coef is None or np.size(coef) != n_targets * problem.n_coefs:
            return None
        if not (np.isfinite(coef).all() and np.isfinite(intercept).all()):
            return None
        coef = np.reshape(coef, (n_targets, -1))[target]
        coef = np.maximum(coef, 0.0) if problem.penalty.positive else coef
        outputs = problem.loss.n_outputs
        intercept = np.resize(intercept, (n_targets, outputs))[target]
        return Snapshot(*problem.start(coef, intercept if outputs > 1 else float(intercept[0])))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
