"""Scikit-learn's callbacks: one task per certificate, told in the thread that called ``fit``."""

import contextlib

import numpy as np


def watch(estimator, X, y, sample_weight, fitted):
    """Watcher of a fit; None where no callback is set. ``fitted`` turns coefficients, intercept and passes
    into the attributes of a fitted estimator."""
    if not getattr(estimator, "_skl_callbacks", None):
        return None
    return Watcher(estimator, X, y, sample_weight, fitted)


def _begun(estimator, X, y, sample_weight, n_tasks):
    """What callbacks are told of a fit, and its context, which has told that the fit begins."""
    metadata = None if sample_weight is None else {"sample_weight": sample_weight}
    data = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
    context = estimator._init_callback_context(max_subtasks=n_tasks)
    context.call_on_fit_task_begin(**data)
    return data, context


class Watcher:
    """The callbacks' context of one fit.

    The root task is the fit, its subtasks are the certificates: looks at all of the data, each with a
    consistent iterate. A certificate whose gap is a tenth of the last one shown has a progress bar of its own
    (it says it may have subtasks, which is what makes scikit-learn's ``ProgressBar`` show a task), unless the
    fit is itself a task of another estimator. Where there are several targets, ``complete`` adds the others
    to coefficients, intercept and passes of one.
    """

    def __init__(self, estimator, X, y, sample_weight, fitted):
        self._fitted, self._shown, self.complete = fitted, float("inf"), tuple
        self._data, self._context = _begun(estimator, X, y, sample_weight, None)

    def __call__(self, problem, certified, passes):
        """Tell of a certificate; return whether a callback wants the fit to end."""
        certificate, gap = certified.certificate, certified.gap
        shown = self._context.parent is None and gap <= 0.1 * self._shown
        if shown:
            self._shown = gap
        task = self._context.subcontext(
            task_name=f"passes {passes:.1f}, objective {certificate.objective:.6e}, gap {gap:.2e}",
            max_subtasks=None if shown else 0,
        )
        task.call_on_fit_task_begin(**self._data)
        return task.call_on_fit_task_end(
            **self._data, reconstruction_attributes=lambda: self._attributes(problem, certified, passes)
        )

    def _attributes(self, problem, certified, passes):
        c = certified.certificate
        w, n_iter = problem.canonical(c.w), max(1, int(np.ceil(passes)))
        found = self._fitted(*self.complete((w, problem.intercept(w, c.b), n_iter)))
        return found | {"dual_gap_": certified.gap, "objective_": c.objective}

    def end(self):
        """Tell that the estimator is fitted."""
        self._context.call_on_fit_task_end(**self._data, reconstruction_attributes=dict)


class FoldsWatcher:
    """The callbacks' context of a cross-validated fit: a task for every fold, told when it has ended, and one
    for the last fit, which hands its callbacks on. A callback cannot end it: the choice needs all folds."""

    def __init__(self, estimator, X, y, sample_weight, n_tasks):
        self.is_watched = bool(getattr(estimator, "_skl_callbacks", None))
        if self.is_watched:
            self._data, self._context = _begun(estimator, X, y, sample_weight, n_tasks)

    def fold(self):
        """Tell that a fold has ended."""
        if self.is_watched:
            task = self._context.subcontext(task_name="fold")
            task.call_on_fit_task_begin(**self._data)
            task.call_on_fit_task_end(**self._data)

    @contextlib.contextmanager
    def refit(self, model):
        """Context in which the model is fitted on all of the data."""
        if not self.is_watched:
            yield
            return
        task = self._context.subcontext(task_name="refit")
        task.call_on_fit_task_begin(**self._data)
        with task.propagate_callback_context(model):
            yield
        task.call_on_fit_task_end(**self._data, reconstruction_attributes=None)

    def end(self):
        """Tell that the estimator is fitted."""
        if self.is_watched:
            self._context.call_on_fit_task_end(**self._data, reconstruction_attributes=dict)
