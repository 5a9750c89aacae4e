"""A solver of one's own: proximal steps along gradients that are late."""

import numpy as np

from sk_asyncprox.delays import DelayTracker
from sk_asyncprox.solvers.base import Arrival, Certified, Snapshot, Solver, Task, Update
from sk_asyncprox.step_sizes import Setting


class LateGradients(Solver):
    """Every worker takes the gradient of all data; the server steps along it."""

    # Steps need no more of a penalty than its prox.
    plain = "gram", "lipschitz"

    def __init__(self, problem, step_size, *, n_workers, start, max_delay=None, **_):
        self.problem, self.step_size, self.n_workers = problem, step_size, n_workers
        self.w, self.b = problem.start() if start is None else start
        # The policy is to take the run for one of PIAG with one shard.
        setting = Setting("piag", 1.0, 1, max_delay)
        self._rule, bound = step_size.start(setting), step_size.delay_bound(setting)
        self._delay_bound = np.inf if bound is None else bound
        smoothness = problem.design.smoothness(problem.weights * problem.loss.curvature)
        self.step_unit = step_size.h / (smoothness or 1.0)
        self._tracker, self._clock = DelayTracker(), 0
        self.n_blocks, self.touched, self.over_bound = 1, 0, 0
        self.lower_bound = -np.inf

    def ask(self, worker):
        self._clock += 1
        stamp = self._tracker.stamp()
        return Task("gradient", worker, stamp, self._clock, 0, (self.w, self.b))

    def part(self, task):
        return self

    def __getstate__(self):
        # What work needs, where it is done elsewhere.
        return {"problem": self.problem}

    @staticmethod
    def work(part, task):
        # A certificate: with the best intercept, minus the gradient, and a bound.
        return part.problem.certify(*task.payload)

    def tell(self, arrivals):
        self._clock += 1
        return [event for arrival in arrivals for event in self._take(*arrival)]

    def _take(self, task, certificate):
        self._clock += 1
        self.touched += self.problem.pass_size
        self.lower_bound = max(self.lower_bound, certificate.dual)
        delay, window = self._tracker.measure(task.stamp)
        self.over_bound += delay > self._delay_bound
        step = self._rule(delay, window)
        length, index = step * self.step_unit, self._tracker.update
        late = self.w + length * certificate.correlations
        self.w, self.b = self.problem.penalty.prox(late, length), certificate.b
        self._tracker.advance(step)
        place = task.worker, 0, task.stamp.update, task.asked, self._clock
        yield Update(index, delay, length, "descent", (Arrival(*place),))
        read = task.stamp.update, task.worker, -1, -1
        yield Certified(certificate, self.lower_bound, *read)

    def drop(self, task):
        pass  # Nothing is held for a task.

    def snapshot(self):
        return Snapshot(self.w.copy(), self.b)


if __name__ == "__main__":
    from sklearn.datasets import make_regression

    from sk_asyncprox import Lasso
    from sk_asyncprox.executors import Simulated, Trace
    from sk_asyncprox.solvers import SOLVERS
    from sk_asyncprox.solvers.registry import Family

    SOLVERS["late"] = Family(LateGradients)
    X, y = make_regression(100, 20, noise=5.0, random_state=0)
    best = Lasso(1.0, tol=1e-10).fit(X, y)
    for options in ({}, {"n_jobs": 2}, {"executor": Simulated(Trace.constant(4))}):
        model = Lasso(1.0, solver="late", step_size="adaptive1", tol=1e-8, **options)
        model.fit(X, y)
        error = np.abs(model.coef_ - best.coef_).max()
        print(model.history_.stopped, error < 1e-2)
    del SOLVERS["late"]
