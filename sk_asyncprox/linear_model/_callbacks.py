"""Scikit-learn's callbacks: one task per certificate or fold, told in the thread that called ``fit``."""

import contextlib

import numpy as np


class Watcher:
    """The callbacks' context of one fit, if any is set. Its subtasks are the certificates, of whose iterates
    ``fitted`` makes the attributes of an estimator; or, of a cross-validated fit, the folds that have ended,
    and the last fit, which hands its callbacks on: none of these ends it, as the choice needs all folds."""

    def __init__(self, estimator, X, y, sample_weight, n_tasks=None, fitted=None):
        self.is_watched = bool(getattr(estimator, "_skl_callbacks", None))
        self._fitted, self._shown = fitted, float("inf")
        if self.is_watched:
            metadata = None if sample_weight is None else {"sample_weight": sample_weight}
            self._told = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
            context = estimator._init_callback_context(max_subtasks=n_tasks)
            self._context = context.call_on_fit_task_begin(**self._told)

    def _task(self, name, n_tasks=0):
        """A subtask, which has begun."""
        task = self._context.subcontext(task_name=name, max_subtasks=n_tasks)
        return task.call_on_fit_task_begin(**self._told)

    def certificate(self, problem, complete, certified, passes):
        """Tell of a certificate; return whether a callback wants the fit to end. ``complete`` adds the other
        targets to coefficients, intercept and passes of one."""
        c, gap = certified.certificate, certified.gap
        # A task that may have subtasks has a progress bar of its own.
        shown = self._context.parent is None and gap <= 0.1 * self._shown
        if shown:
            self._shown = gap
        name = f"passes {passes:.1f}, objective {c.objective:.6e}, gap {gap:.2e}"

        def attributes():
            n_iter = max(1, int(np.ceil(passes)))
            found = complete((problem.canonical(c.w), problem.intercept(problem.canonical(c.w), c.b), n_iter))
            return self._fitted(*found) | {"dual_gap_": gap, "objective_": c.objective}

        task = self._task(name, None if shown else 0)
        return task.call_on_fit_task_end(**self._told, reconstruction_attributes=attributes)

    def ended(self, result):
        """Tell that a fold has ended; return its result."""
        if self.is_watched:
            self._task("fold").call_on_fit_task_end(**self._told)
        return result

    @contextlib.contextmanager
    def refit(self, model):
        """Context in which the model is fitted on all of the data."""
        if not self.is_watched:
            yield
            return
        task = self._task("refit")
        with task.propagate_callback_context(model):
            yield
        task.call_on_fit_task_end(**self._told)

    def end(self):
        """Tell that the estimator is fitted."""
        if self.is_watched:
            self._context.call_on_fit_task_end(**self._told, reconstruction_attributes=dict)
