"""What the estimators share: one private fit, parameters of the asynchronous run, tags."""

import time
import warnings
from functools import partial
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from .._compat import CallbackSupportMixin, HasMethods, Interval, StrOptions
from ..executors.plan import WorkersLost
from ..problem import Problem
from ..solve import Options, solve
from ..solvers.base import Snapshot
from ..step_sizes import STEP_SIZES, StepSize

FORMATS = ["csc", "csr"]


class _ExecutorObject(HasMethods):
    """An object with an executor's methods, not its class."""

    def is_satisfied_by(self, val):
        return not isinstance(val, type) and super().is_satisfied_by(val)


class AsyncLinearModel(CallbackSupportMixin, BaseEstimator):
    """Base of the estimators: everything between validated data and fitted attributes."""

    _doc_link_module = "sk_asyncprox"

    _parameter_constraints = {
        "fit_intercept": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "solver": [StrOptions({"bcd", "piag"})],
        "step_size": [StrOptions({"auto", *STEP_SIZES}), StepSize],
        "n_jobs": [None, Integral],
        "executor": [StrOptions({"auto", "threads", "dask"}), _ExecutorObject(["plan", "run"])],
        "n_blocks": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "metric": [StrOptions({"gram", "lipschitz"})],
        "working_set": [StrOptions({"auto"}), "boolean"],
        "record": [StrOptions({"updates", "iterates"}), None],
        "max_time": [None, Interval(Real, 0, None, closed="neither")],
    }

    def _solve(self, X, y, loss, penalty, sample_weight, begin, watcher=None):
        """Solve on validated data; set what every estimator has; return what it has found."""
        self._check_n_jobs()
        if sample_weight is not None and not sample_weight.any():
            raise ValueError("All sample weights are zero; at least one must be positive.")
        problem = Problem(X, y, loss, penalty, sample_weight, self.fit_intercept, rows=self.solver == "piag")
        return self._run(problem, self._options(), begin, watcher)

    def _run(self, problem, options, begin, watcher=None):
        """The same, on a problem."""
        watch = None if watcher is None else partial(watcher, problem)
        try:
            solution = solve(problem, options, self._start(problem), watch=watch)
        except WorkersLost as lost:
            if lost.solution is None:
                raise
            # The last certified iterate is stored first, and the error raised after that.
            self._lost, solution = lost, lost.solution
        w, b = problem.canonical(solution.certificate.w), solution.certificate.b
        if solution.message:
            warnings.warn(solution.message, ConvergenceWarning, stacklevel=4)
        self.dual_gap_, self.objective_ = solution.gap, solution.certificate.objective
        self.n_updates_, self.history_ = solution.n_updates, solution.history
        self.fit_time_ = time.perf_counter() - begin
        return w, problem.intercept(w, b), solution.n_iter

    def _stored(self):
        """End of a fit, once its results are stored."""
        lost = vars(self).pop("_lost", None)
        if lost is not None:
            raise lost
        return self

    def _check_n_jobs(self):
        if self.n_jobs == 0:
            raise ValueError("n_jobs=0 has no meaning; use None, a positive number, or -1 for all cores.")

    def _options(self):
        """Options of the run."""
        return Options(
            **{name: getattr(self, name) for name in Options._fields if hasattr(self, name)}
            | {
                "cyclic": getattr(self, "selection", "cyclic") == "cyclic",
                "random_state": self._seed(),
            }
        )

    def _seed(self):
        if self.random_state is None or isinstance(self.random_state, Integral):
            return int(self.random_state or 0)
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def _start(self, problem):
        coef = getattr(self, "coef_", None) if self.warm_start else None
        if coef is None or np.size(coef) != problem.design.shape[1]:
            return None
        coef = np.maximum(coef, 0.0) if problem.penalty.positive else coef
        intercept = self.intercept_ if problem.loss.n_outputs > 1 else float(np.ravel(self.intercept_)[0])
        return Snapshot(*problem.start(np.ravel(coef), intercept))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
