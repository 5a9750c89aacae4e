"""What a user is told of runs that have not met their tolerance, or whose steps are not proved safe."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .theory import satisfies_principle, window_sums

REMEDIES = {
    "max_iter": ("max_iter was reached", "Raise max_iter or tol"),
    "max_time": ("max_time was reached", "Raise max_time or tol"),
    "stalled": ("rounding allows no more", "Raise tol"),
    "exhausted": ("the trace of the executor ended", "Give a longer trace or raise tol"),
}
"""Why a run has ended, and what to do about it, in the words of the user's parameters."""


def advice(run, status, certificate, gap):
    """What to tell the user when the tolerance was not met, unless that was asked for; else empty."""
    if status in ("converged", "watch"):
        return ""
    units, solver, rule = run.problem.units, run.solver, run.rule
    what, shown = ("duality gap", units.value) if rule.penalised else ("largest gradient", units.slope)
    which, passes = f"solver={rule.options.solver!r}", f"{run.passes:.1f} passes"
    measure = f"{what} {shown(rule.measure(certificate, gap)):.3e}"
    if status == "diverged" and not solver.step_size.exact:
        reached = units.value(rule.last.certificate.objective)
        return (
            f"{which} with step_size {solver.step_size} diverged: the objective is {reached:.3g} after "
            f"{solver.n_updates} updates; this step size is not safe for the delays that happened, use "
            f"Adaptive1 or Adaptive2 (or ExactStep for solver 'bcd'). Returned is the best model seen, "
            f"{measure}."
        )
    if status == "diverged":
        return (
            f"{which} met numbers that are not finite, or far from any solution, after {passes}; "
            f"returned is the best model seen, {measure}. Scale the features and the targets."
        )
    why, remedy = REMEDIES[status]
    return (
        f"{which} did not converge: {measure}, tolerance {shown(rule.limit(certificate)):.3e}, after "
        f"{passes} ({why}). {remedy}, scale the features, or regularise more."
    )


def warn_of_steps(solver, history):
    """Warn if a fixed step has met delays that it is not made for, or a rule has not kept the principle."""
    policy, message = solver.step_size, ""
    if solver.over_bound:
        message = (
            f"{solver.over_bound} of {solver.n_updates} updates had a delay above max_delay of "
            f"{policy}: its step is not proved safe for them."
        )
    elif policy.warns_above_ceiling and solver.n_updates and history.record is not None:
        message = _above_ceiling(policy, history)
    if message:
        warnings.warn(message, RuntimeWarning, stacklevel=4)


def _above_ceiling(policy, history):
    delays, steps = history.updates["delay"], history.updates["step"] / history.largest_step
    kept = satisfies_principle(delays, steps)
    if kept.all():
        return ""
    k = int(np.argmin(kept))
    return (
        f"step_size {policy} broke the step-size principle at {np.sum(~kept)} of {len(kept)} updates, first "
        f"at update {k}, by the step {steps[k]:.3g} on a window of {window_sums(delays, steps)[k]:.3g}: "
        f"where no step is above max(0, 1 - window) convergence is proved, elsewhere it is left to the data."
    )


def warn_unless_converged(names, solutions_messages):
    """One warning for the runs of a path that have not met the tolerance, with the first one's message."""
    missed = [(name, message) for name, message in zip(names, solutions_messages, strict=True) if message]
    if missed:
        warnings.warn(
            f"{len(missed)} of {len(names)} fits did not reach the tolerance; the first, for "
            f"{missed[0][0]}: {missed[0][1]}",
            ConvergenceWarning,
            stacklevel=3,
        )


def warn_of_folds(name, n_folds, ratios, grids, messages):
    """The same for those of folds: for every share of the l1 part, if there are several to choose from, a
    grid of what is called that."""
    names = [
        f"fold {k}, {f'l1_ratio={ratio:.3g}, ' * (len(ratios) > 1)}{name}={value:.3g}"
        for k in range(n_folds)
        for ratio, grid in zip(ratios, grids, strict=True)
        for value in grid
    ]
    warn_unless_converged(names, messages)
