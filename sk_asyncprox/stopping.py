"""When a run ends: a certificate that is good enough, a budget that is spent, or divergence."""

import numpy as np

from .certificate import target_near_null

STALLED_CERTIFICATES = 5
STALLED_BELOW = 1e-9
RESOLVED_ABOVE = 1e-12
DIVERGED_ABOVE = 1e6
ROUNDING = 4 * np.finfo(float).eps

CRUMB = 1e-3
"""Size, relative to the largest coefficient, below which one may be what a shortened step has left."""


class StopRule:
    """Decides from certificates, passes and time when a run ends.

    Parameters
    ----------
    problem : Problem
    options : Options
        Of which ``tol``, ``max_iter`` and ``max_time`` count.
    """

    def __init__(self, problem, options):
        self.options, self.penalised = options, not problem.penalty.is_zero
        self._problem = problem
        self.scale = problem.scale
        self.target = options.tol * self.scale
        self.status, self.best, self.last = None, None, None
        self._penalty, self._first = problem.penalty, None
        self._largest_gradient = self.options.tol * self._gradient_unit(problem)
        self._low, self._lowest_objective, self._stale = np.inf, np.inf, 0
        self._walked = np.inf

    def _gradient_unit(self, problem):
        """Without penalty the gradient is asked to be small: against 1, or against that of the zero model."""
        if self.penalised or not problem.loss.quadratic:
            return 1.0
        return float(np.abs(problem.certify(*problem.start()).correlations).max(initial=0.0))

    def measure(self, certificate, gap):
        """What is compared with the target: the gap, or without penalty the largest gradient."""
        if self.penalised:
            return gap
        return float(self._penalty.violation(certificate.w, certificate.correlations).max(initial=0.0))

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
        intercept = np.abs(problem.start()[1]).max()
        rounding = RESOLVED_ABOVE * self.scale + ROUNDING * np.sqrt(self.scale) * intercept
        return float(target_near_null(self.options.tol, self.scale, null - self.last.dual, rounding))

    def certified(self, event):
        """Take a certificate into account."""
        self.last = event
        certificate, measure = event.certificate, self.measure(event.certificate, event.gap)
        if self._first is None:
            self._first = certificate
        ceiling = DIVERGED_ABOVE * max(self._first.objective, self.scale)
        if not certificate.objective <= ceiling:
            self.status = "diverged"
        self._count_stale(measure, certificate.objective)
        met = measure <= self.limit(certificate)
        # Where rounding hides what there is to be gained, the scale has to do.
        met |= self._stale >= STALLED_CERTIFICATES and measure <= self.target
        if met and self.status is None:
            self.best = certificate
            # The gap is a square of the error and cannot resolve so small a target: go on until it
            # improves no more.
            if self.target > RESOLVED_ABOVE * self.scale or self._stale >= STALLED_CERTIFICATES:
                self.status = "converged"
        if self._stale >= STALLED_CERTIFICATES and self._low <= STALLED_BELOW * self.scale:
            self.status = self.status or "stalled"

    def _count_stale(self, measure, objective):
        # A slow descent is not yet rounding: the objective must have ceased to fall as well.
        fell = objective < self._lowest_objective * (1.0 - ROUNDING)
        improved = fell or measure < 0.99 * self._low
        # While all steps are zero (a worker is late) nothing can improve: that is not rounding.
        if improved or self._walked >= 1.0:
            self._stale = 0 if improved else self._stale + 1
            self._walked = 0.0
        self._low = min(self._low, measure)
        self._lowest_objective = min(self._lowest_objective, objective)

    def walked(self, share):
        """Take the step of an update, as a share of the largest, into account."""
        self._walked += share

    def spent(self, passes, seconds):
        """Take the work and the time spent into account."""
        if self.status is not None:
            return
        if passes >= self.options.max_iter:
            self.status = "max_iter"
        elif self.options.max_time is not None and seconds >= self.options.max_time:
            self.status = "max_time"
        if self.status is not None and self.best is not None:
            # The tolerance was met before; the run only went on because the target is so small.
            self.status = "converged"


def tidy(problem, certificate, gap, lower_bound, limit):
    """Set to zero what shortened steps have left of coefficients on their way to zero, if the
    certificate of the result is still good enough."""
    w, penalty = certificate.w, problem.penalty
    crumbs = (w != 0) & (np.abs(w) <= CRUMB * np.abs(w).max(initial=0.0))
    crumbs &= penalty.pull(certificate.correlations) < penalty.l1
    if not crumbs.any():
        return certificate, gap
    tidied = problem.certify(np.where(crumbs, 0.0, w), certificate.b)
    if tidied.gap > max(certificate.gap, limit):
        return certificate, gap
    return tidied, max(0.0, tidied.objective - max(tidied.dual, lower_bound))


def advice(solver, rule, status, certificate, gap, passes):
    """What to tell the user when the tolerance was not met, unless that was asked for; else empty."""
    if status in ("converged", "watch"):
        return ""
    name = type(solver).__name__
    if status == "diverged":
        return (
            f"{name} with {solver.step_size} diverged: the objective is {certificate.objective:.3g} after "
            f"{solver.n_updates} updates; this step size is not safe for the delays that happened, "
            f"use Adaptive1 or Adaptive2 (or ExactStep for solver 'bcd')."
        )
    what = "duality gap" if rule.penalised else "largest gradient"
    why = {
        "max_iter": "max_iter was reached",
        "max_time": "max_time was reached",
        "stalled": "rounding allows no more",
        "exhausted": "the trace ended",
    }[status]
    return (
        f"{name} did not converge: {what} {rule.measure(certificate, gap):.3e}, tolerance "
        f"{rule.limit(certificate):.3e}, after {passes:.1f} passes ({why}). Raise max_iter or tol, scale "
        f"the features, or regularise more."
    )
