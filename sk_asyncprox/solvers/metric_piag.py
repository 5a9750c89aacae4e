"""PIAG in the metric of the aggregated curvature.

The plain algorithm with another inner product: steps along the sum of the newest gradients, whose length
the policy chooses, measured by the sum ``A`` of the shards' curvatures. After the change of variables
``u = A^(1/2) w`` it is the plain algorithm, with a smoothness constant of its own: one, however the shards
differ, as any of the shards' curvatures together are at most ``A``. For the squared loss ``A`` never changes.
For the logistic losses it follows the points where shards are read, and certificates guard the steps.
"""

from .model_piag import ENOUGH, ModelPIAG
from .piag_work import minimised

ROUGHLY = 0.01
"""Share of its gap to which a step's model is solved: more costs time, and saves no pass."""


class MetricPIAG(ModelPIAG):
    """Aggregated gradients in the metric of aggregated curvatures, as a state machine of ask, work and tell.

    Parameters are those of :class:`ModelPIAG`. The length of a step is known when it is written only, so the
    server takes it.
    """

    def __init__(self, problem, step_size, **options):
        super().__init__(problem, step_size, **options)
        self._solves, self._due = True, not self.inline

    def _unit(self):
        return self.step_size.h

    def _step(self):
        batch = self._batch()
        delay, window = self._tracker.measure(batch.oldest)
        if self._delay_bound is not None and delay > self._delay_bound:
            self.over_bound += 1
        step = self._rule(delay, window)
        if step == 0.0:
            self._begin()
            return self._counted(batch, 0.0)
        w, penalty = self.w, self.problem.penalty
        proximal = self._sum.proximal(self._joint(w, self.b), step * self.step_unit)
        enough = max(ENOUGH * self._wanted, ROUGHLY * proximal.gap(w, penalty))
        return self._write(batch, *minimised(proximal, w, penalty, enough), step)

    def _useful(self, worker):
        # A schedule's delays are those of workers that never rest.
        return True

    def _promise(self, gap, step):
        return gap

    def _is_stuck(self, certificate, gap):
        # Steps may be as short as delays want them.
        return False
