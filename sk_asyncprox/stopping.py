"""When a run ends: a certificate that is good enough, a budget that is spent, or divergence."""

import warnings

import numpy as np

from .problem.certificate import duality_gap
from .theory import satisfies_principle, window_sums

STALLED_CERTIFICATES = 5
STALLED_BELOW = 1e-9
STUCK_CERTIFICATES, STILL = 20, 1e-6
"""Certificates without any progress after which rounding is the cause at any gap, while the objective stands
still but for that share; where steps are too long it swings."""

RESOLVED_ABOVE = 1e-12
DIVERGED_ABOVE = 1e6
ROUNDING = 4 * np.finfo(float).eps
LARGEST = np.finfo(float).max

LITTLE = 0.01
"""Share of the scale: where the optimum is better than the model without features by less, the gap asked for
is relative to that."""


def gap_wanted(tol, scale, gain):
    """The gap asked for where the optimum is better than the model without features by ``gain``, a number or
    an array."""
    return tol * np.where(gain >= LITTLE * scale, scale, np.maximum(gain, 0.0))


class StopRule:
    """Decides from certificates, passes and time when a run ends."""

    def __init__(self, problem, options):
        self.options, self.penalised = options, not problem.penalty.is_zero
        self.scale = problem.scale
        self.target = options.tol * self.scale
        self.status, self.best, self.last, self.lowest = None, None, None, None
        self._problem, self._first = problem, None
        self._largest_gradient = options.tol
        if not (self.penalised or problem.loss.labelled):
            # Without penalty the gradient is asked to be small against that of the zero model.
            c = problem.certify(*problem.start()).correlations
            self._largest_gradient *= float(np.abs(c).max(initial=0.0))
        self._low, self._lowest_objective, self._stale, self._stuck = np.inf, np.inf, 0, 0
        self._walked = np.inf
        self.guarded = False
        """Whether the solver goes back from points that are too high."""

    def gap(self, certificate):
        bound = -np.inf if self.last is None else self.last.dual
        return duality_gap(certificate.objective, max(bound, certificate.dual))

    def measure(self, certificate, gap):
        """What is compared with the target: the gap, or without penalty the largest gradient."""
        if self.penalised:
            return gap
        violation = self._problem.penalty.violation(certificate.w, certificate.correlations)
        return float(violation.max(initial=0.0))

    def limit(self, certificate):
        """The target, but not below what rounding leaves of the objective."""
        if not self.penalised:
            return self._largest_gradient
        target = self.target
        if self.last is not None and certificate.objective - self.last.dual <= target:
            target = min(target, self._target_near_null())
        return max(target, ROUNDING * abs(certificate.objective))

    def _target_near_null(self):
        """The target relative to what is to be gained on the model without features, where that is little;
        but not below what rounding leaves of a gap there."""
        first, problem = self._first, self._problem
        null = problem.null if first.w.any() else first.objective
        gain = null - self.last.dual
        if gain >= LITTLE * self.scale:
            return self.target
        intercept = problem.start()[1]
        rounding = RESOLVED_ABOVE * self.scale + ROUNDING * (self.scale * np.dot(intercept, intercept)) ** 0.5
        return max(float(gap_wanted(self.options.tol, self.scale, gain)), rounding)

    def meets(self, certificate, gap):
        """Whether the tolerance is met; what is not finite meets none."""
        return self.measure(certificate, gap) <= min(self.limit(certificate), LARGEST)

    def certified(self, event):
        self.last, certificate = event, event.certificate
        if self._first is None:
            self._first = certificate._replace(correlations=None)
            if self._problem.looks_stray(certificate.correlations) and self._strays():
                self.status = "out of range"
        ceiling = LARGEST if self.guarded else DIVERGED_ABOVE * max(self._first.objective, self.scale)
        if not certificate.objective <= min(ceiling, LARGEST):
            self.status = "out of range" if self._strays() else "diverged"
        elif self.lowest is None or certificate.objective < self.lowest.objective:
            self.lowest = certificate
        measure = self.measure(certificate, event.gap)
        self._count_stale(measure, certificate.objective, event.complete)
        # Where rounding hides what there is to be gained, the scale has to do.
        met = self.meets(certificate, event.gap)
        met |= self._stale >= STALLED_CERTIFICATES and measure <= self.target
        if met and self.status is None:
            self.best = certificate
            # The gap is a square of the error and cannot resolve so small a target: go on until it
            # improves no more.
            if self.target > RESOLVED_ABOVE * self.scale or self._stale >= STALLED_CERTIFICATES:
                self.status = "converged"
        small = self._low <= STALLED_BELOW * self.scale
        if (self._stale >= STALLED_CERTIFICATES and small) or self._stuck >= STUCK_CERTIFICATES:
            self.status = self.status or "stalled"

    def exhausted(self):
        """Without a certificate nothing has told of numbers out of range: a log made in other units, replayed
        in these, has its certificates elsewhere."""
        if self._first is None and self._strays():
            self.status = "out of range"

    def _strays(self):
        return self._problem.in_range(features=True) is not self._problem

    def _count_stale(self, measure, objective, complete):
        # A slow descent is not yet rounding: the objective must have ceased to fall as well.
        fell = objective < self._lowest_objective * (1.0 - ROUNDING)
        improved = fell or measure < 0.99 * self._low
        # While steps are zero or blocks are not written (a worker is late) nothing improves for no rounding.
        if improved or (complete and self._walked >= 1.0):
            self._stale = 0 if improved else self._stale + 1
            still = objective - self._lowest_objective <= STILL * abs(self._lowest_objective)
            self._stuck = self._stuck + 1 if still and not improved else 0
            self._walked = 0.0
        self._low = min(self._low, measure)
        self._lowest_objective = min(self._lowest_objective, objective)

    def walked(self, share):
        """Take the step of an update, as a share of the largest, into account."""
        self._walked += share

    def spent(self, passes, seconds):
        if self.status is not None:
            return
        if passes >= self.options.max_iter:
            self.status = "max_iter"
        elif self.options.max_time is not None and seconds >= self.options.max_time:
            self.status = "max_time"
        if self.status is not None and self.best is not None:
            # The tolerance was met before; the run only went on because the target is so small.
            self.status = "converged"


def returned(problem, solver, rule):
    """Certificate of what a run returns, computed from the coefficients alone: of its last iterate, or of the
    lowest that was certified where that is better; of the zero model where neither is finite."""
    if rule.best is not None:
        return rule.best if solver.certifies_afresh else problem.recertify(rule.best)
    last = solver.snapshot()
    certificate, lowest = problem.certify(last.w, last.b), rule.lowest
    if lowest is not None and not certificate.objective <= lowest.objective * (1.0 + ROUNDING):
        certificate = problem.certify(lowest.w, lowest.b)
    return certificate if np.isfinite(certificate.objective) else problem.certify(*problem.start())


def held(problem, certificate, target):
    """The certificate of what numbers hold of the model in the units of the problem as it was given; one of
    which they hold too little, by more than ``target``, is refused."""
    units = problem.units
    if units.own:
        return certificate
    given = units.certificate(certificate)
    left = units.point(given)
    if np.array_equal(left.w, certificate.w):
        return certificate
    left = problem.certify(left.w, left.b)
    if not left.objective <= certificate.objective + target:
        large = np.isinf(given.w).any() or np.isinf(given.b).any()
        raise ValueError(
            f"The coefficients are too {'large' if large else 'small'} for dtype('float64'): scale X or y."
        )
    return left


def tidy(problem, certificate, limit):
    """Set to zero what shortened steps have left of coefficients on their way to zero, if the
    certificate of the result is still good enough."""
    w = certificate.w
    crumbs = problem.penalty.crumbs(w, certificate.correlations)
    if not crumbs.any():
        return certificate
    w = np.where(crumbs, 0.0, w)
    tidied = problem.certify_on_moments(w) if problem.is_on_moments else problem.certify(w, certificate.b)
    return certificate if tidied.gap > max(certificate.gap, limit) else tidied


REMEDIES = {
    "max_iter": ("max_iter was reached", "Raise max_iter or tol"),
    "max_time": ("max_time was reached", "Raise max_time or tol"),
    "stalled": ("rounding allows no more", "Raise tol"),
    "exhausted": ("the trace of the executor ended", "Give a longer trace or raise tol"),
}
"""Why a run has ended, and what to do about it, in the words of the user's parameters."""


def advice(problem, solver, rule, status, certificate, gap, passes):
    """What to tell the user when the tolerance was not met, unless that was asked for; else empty."""
    if status in ("converged", "watch"):
        return ""
    units = problem.units
    shown = units.value if rule.penalised else units.slope
    what = "duality gap" if rule.penalised else "largest gradient"
    measure = f"{what} {shown(rule.measure(certificate, gap)):.3e}"
    run = f"solver={rule.options.solver!r}"
    if status == "diverged" and not solver.step_size.exact:
        reached = units.value(rule.last.certificate.objective)
        return (
            f"{run} with step_size {solver.step_size} diverged: the objective is {reached:.3g} after "
            f"{solver.n_updates} updates; this step size is not safe for the delays that happened, use "
            f"Adaptive1 or Adaptive2 (or ExactStep for solver 'bcd'). Returned is the best model seen, "
            f"{measure}."
        )
    if status == "diverged":
        return (
            f"{run} met numbers that are not finite, or far from any solution, after {passes:.1f} passes; "
            f"returned is the best model seen, {measure}. Scale the features and the targets."
        )
    why, remedy = REMEDIES[status]
    return (
        f"{run} did not converge: {measure}, tolerance {shown(rule.limit(certificate)):.3e}, after "
        f"{passes:.1f} passes ({why}). {remedy}, scale the features, or regularise more."
    )


def warn_of_steps(solver, history):
    """Warn if a fixed step has met delays that it is not made for, or a rule has not kept the principle."""
    policy, message = solver.step_size, ""
    if solver.over_bound:
        message = (
            f"{solver.over_bound} of {solver.n_updates} updates had a delay above max_delay of {policy}: "
            f"its step is not proved safe for them."
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
