"""When a run ends: a certificate that is good enough, a budget that is spent, or divergence."""

import numpy as np

from ._precision import EPS, LARGEST
from .problem.certificate import duality_gap

STALLED_CERTIFICATES = 5
STALLED_BELOW = 1e-9
STUCK_CERTIFICATES, STILL = 20, 1e-6
"""Certificates without any progress after which rounding is the cause at any gap, while the objective stands
still but for that share; where steps are too long it swings."""

RESOLVED_ABOVE = 1e-12
DIVERGED_ABOVE = 1e6
ROUNDING = 4 * EPS

LITTLE = 0.01
"""Share of the scale: where the optimum is better than the model without features by less, the gap asked for
is relative to that."""


def gap_wanted(tol, scale, gain):
    """The gap asked for where the optimum is better than the model without features by ``gain``, a number or
    an array."""
    return tol * np.where(gain >= LITTLE * scale, scale, np.maximum(gain, 0.0))


class StopRule:
    """Decides from certificates, passes and time when a run ends; ``guarded``: whether the solver goes back
    from points that are too high."""

    def __init__(self, problem, options, guarded=False):
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
        self._low, self._walked, self._stale, self._stuck = np.inf, np.inf, 0, 0
        self._guarded = guarded

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
        ceiling = LARGEST if self._guarded else DIVERGED_ABOVE * max(self._first.objective, self.scale)
        sound = certificate.objective <= min(ceiling, LARGEST)
        if not sound:
            self.status = "out of range" if self._strays() else "diverged"
        measure = self.measure(certificate, event.gap)
        self._count_stale(measure, certificate.objective, event.complete)
        if sound and (self.lowest is None or certificate.objective < self.lowest.objective):
            self.lowest = certificate
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
        lowest = np.inf if self.lowest is None else self.lowest.objective
        # A slow descent is not yet rounding: the objective must have ceased to fall as well.
        improved = objective < lowest * (1.0 - ROUNDING) or measure < 0.99 * self._low
        # While steps are zero or blocks are not written (a worker is late) nothing improves for no rounding.
        if improved or (complete and self._walked >= 1.0):
            still = objective - lowest <= STILL * abs(lowest)
            self._stale = 0 if improved else self._stale + 1
            self._stuck = self._stuck + 1 if still and not improved else 0
            self._walked = 0.0
        self._low = min(self._low, measure)

    def walked(self, share):
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
