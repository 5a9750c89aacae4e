"""A solver of one's own: proximal steps along gradients that are late."""

import numpy as np

from sk_asyncprox.solvers.base import Ledger, Snapshot, Solver
from sk_asyncprox.step_sizes import Setting


class LateGradients(Solver):
    """Every worker takes the gradient of all data; the server steps along it."""

    # Steps need no more of a penalty than its prox.
    plain = "gram", "lipschitz"

    def __init__(self, problem, step_size, *, n_workers, start, max_delay=None, **_):
        self.problem, self.step_size, self.n_workers = problem, step_size, n_workers
        self.w, self.b = problem.start() if start is None else start
        # The policy is to take the run for one of PIAG with one shard.
        self.ledger = Ledger(step_size, Setting("piag", 1.0, 1, max_delay))
        smoothness = problem.design.smoothness(problem.weights * problem.loss.curvature)
        self.step_unit = step_size.h / (smoothness or 1.0)
        self.n_blocks, self.touched = 1, 0

    def ask(self, worker):
        return self.ledger.task("gradient", worker, 0, (self.w, self.b))

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
        for task, certificate in self.ledger.told(arrivals):
            self.touched += self.problem.pass_size
            delay, step = self.ledger.measure(task.stamp)
            length = step * self.step_unit
            late = self.w + length * certificate.correlations
            self.w, self.b = self.problem.penalty.prox(late, length), certificate.b
            self.ledger.written(delay, step, length, "descent")
            self.ledger.certified(certificate, task.stamp.update)
        return self.ledger.report()

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
