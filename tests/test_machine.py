"""The simulated machine: its clock against sums done by hand, and what lifting a limit may do."""

import numpy as np
import pytest
import scipy.sparse as sp

from sk_asyncprox.delays import Stamp
from sk_asyncprox.executors import Machine
from sk_asyncprox.losses import SquaredLoss
from sk_asyncprox.penalties import ElasticNetPenalty
from sk_asyncprox.problem import Problem
from sk_asyncprox.solvers import PIAG, AsyncBCD
from sk_asyncprox.solvers.base import Solver, Task, Update
from sk_asyncprox.step_sizes import Adaptive1, Adaptive2, ExactStep, FixedStep


class Jobs(Solver):
    """A solver whose tasks are seconds: each worker has its own list of them."""

    def __init__(self, *seconds):
        self.todo, self.n_workers = [list(mine) for mine in seconds], len(seconds)

    def ask(self, worker):
        todo = self.todo[worker]
        return Task("job", worker, Stamp(0, 0.0), 0, -1, todo.pop(0)) if todo else None

    def part(self, task):
        return None

    def work(self, part, task):
        return task.payload

    def tell(self, arrivals):
        return [task for task, _ in arrivals]


def ends(jobs, speeds, **limits):
    """Pairs of worker and time, in the order of the results."""
    found, n_tasks = [], sum(map(len, jobs.todo))

    def on_events(events, now):
        found.extend((task.worker, now) for task in events)
        return len(found) == n_tasks

    machine = Machine(speeds, cost=lambda task, result: result, **{"lock": 0.0, **limits})
    machine.run(jobs, on_events)
    return found


def test_tasks_end_after_their_seconds_at_their_workers_speeds():
    assert ends(Jobs([1, 1], [3]), [1.0, 0.5]) == [(0, 1.0), (0, 2.0), (1, 6.0)]
    assert ends(Jobs([1], [1], [1]), 3) == [(0, 1.0), (1, 1.0), (2, 1.0)]


def test_memory_slows_those_who_are_at_work():
    # Half speed for two until the first is done, full speed for the other after that.
    assert ends(Jobs([1], [3]), 2, streams=1.0) == [(0, 2.0), (1, 4.0)]
    # The third begins, with 2 of 4 left to the second, when the first is done.
    assert ends(Jobs([2, 2], [4]), 2, streams=1.0) == [(0, 4.0), (0, 8.0), (1, 8.0)]


def test_results_queue_for_the_lock():
    # The asks: the first at once, the others' together; then every result for half a second.
    found = ends(Jobs([1, 1], [1]), 2, lock=0.5)
    assert found == [(0, 1.5), (1, 2.0), (0, 3.0)]


def test_sleepers_wake_late():
    # The first begins in the calling thread.
    assert ends(Jobs([1, 1], [1]), 2, wake=0.25) == [(0, 1.0), (1, 1.25), (0, 2.0)]


def problem(rows=False):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 120)) * (rng.random((200, 120)) < 0.2)
    y = X[:, :8].sum(axis=1) + rng.standard_normal(200)
    X = sp.csr_matrix(X) if rows else sp.csc_matrix(X)
    return Problem(X, y, SquaredLoss(), ElasticNetPenalty(0.02), None, False, rows=rows)


def steps(policy, n=6, most=200, **limits):
    """Delays, steps and times of so many writes of plain block steps or shard gradients."""
    found = []

    def on_events(events, now):
        found.extend((e.delay, e.step, now) for e in events if isinstance(e, Update))
        return len(found) >= most

    if isinstance(policy, str):
        solver = PIAG(problem(rows=True), Adaptive1(), n_workers=n, by_shards=True)
    else:
        solver = AsyncBCD(problem(), policy, n_workers=n, n_blocks=2 * n, working_set=False, max_delay=3 * n)
    jitter = np.random.default_rng(1).lognormal(0.0, 0.2, 64)
    machine = Machine(n, lambda task, result: jitter[task.asked % 64], **{"lock": 0.05, **limits})
    machine.run(solver, on_events)
    return found


@pytest.mark.parametrize(
    "policy", [Adaptive1(), Adaptive2(), FixedStep(), ExactStep(), "piag"], ids=lambda policy: str(policy)[:9]
)
def test_curves_of_given_costs_are_repeatable(policy):
    limited = steps(policy, streams=3.5)
    assert limited == steps(policy, streams=3.5)
    # As many writes, sooner: without the lock, with more memory, without both.
    end = limited[-1][-1]
    assert steps(policy, streams=3.5, lock=0.0)[-1][-1] <= end
    assert steps(policy)[-1][-1] <= end
    assert steps(policy, lock=0.0)[-1][-1] <= end
    assert max(delay for delay, _, _ in limited) >= 5
