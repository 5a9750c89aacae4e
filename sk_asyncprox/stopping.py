"""When a run ends: a certificate that is good enough, a budget that is spent, or divergence."""

import numpy as np

STALLED_CERTIFICATES = 5
STALLED_BELOW = 1e-9
RESOLVED_ABOVE = 1e-12
DIVERGED_ABOVE = 1e6
ROUNDING = 4 * np.finfo(float).eps


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
        self.scale = problem.scale
        self.target = options.tol * self.scale
        self.status, self.best = None, None
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
        if self.penalised:
            return max(self.target, ROUNDING * abs(certificate.objective))
        return self._largest_gradient

    def certified(self, event):
        """Take a certificate into account."""
        certificate, measure = event.certificate, self.measure(event.certificate, event.gap)
        if self._first is None:
            self._first = certificate
        ceiling = DIVERGED_ABOVE * max(self._first.objective, self.scale)
        if not certificate.objective <= ceiling:
            self.status = "diverged"
        self._count_stale(measure, certificate.objective)
        met = measure <= self.limit(certificate)
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
