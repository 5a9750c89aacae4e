"""Every solver in every order of its workers: one contract (``contract.py``) for all of them."""

from copy import deepcopy
from functools import cache
from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp
from contract import Watched, World, optimum
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from sk_asyncprox.executors import Dask, Machine, Processes, Simulated, Threads, Trace
from sk_asyncprox.losses import HuberLoss, LogisticLoss, MultinomialLoss, SquaredLoss
from sk_asyncprox.penalties import ElasticNetPenalty
from sk_asyncprox.problem import Problem
from sk_asyncprox.shards import worker_placement
from sk_asyncprox.solvers import (
    PIAG,
    AsyncBCD,
    ModelPIAG,
    RoundsBCD,
    block_layout,
    rounds,
    rounds_shared_products,
)
from sk_asyncprox.solvers.base import Snapshot
from sk_asyncprox.step_sizes import Adaptive1, Adaptive2, ExactStep, FixedStep

LOSSES = {
    "squared": SquaredLoss(),
    "huber": HuberLoss(0.5),
    "logistic": LogisticLoss(),
    "multinomial": MultinomialLoss(3),
}


def make_problem(loss, kind, rows):
    rng, sparse = np.random.default_rng(7), kind == "sparse"
    X = rng.standard_normal((14, 6)) + 0.5 * rng.standard_normal((14, 1))
    z = X[:, :2] @ [1.0, -2.0] + 0.3 * rng.standard_normal(14)
    labels = {"logistic": np.where(z > 0, 1.0, -1.0), "multinomial": np.digitize(z, [-1.0, 1.0])}
    y = labels.get(loss, z)
    if sparse:
        X[rng.random(X.shape) < 0.4] = 0.0
    penalty = ElasticNetPenalty(0.0 if kind == "ridge" else 0.03, 0.05)
    return Problem(sp.csr_matrix(X) if sparse else X, y, LOSSES[loss], penalty, rows=rows)


def of_kind(build, kind="full", rows=False, depth=1):
    """Solver and world by loss and number of workers."""
    problems = {}

    def make(loss, n_workers):
        if loss not in problems:
            problems[loss] = make_problem(loss, kind, rows)
        return build(problems[loss], n_workers), depth

    return make


def blocks(policy, metric="gram", working_set=False, more=1, **options):
    def build(problem, n):
        return AsyncBCD(
            problem, policy, n_workers=n, n_blocks=n + more, metric=metric, working_set=working_set, **options
        )

    return of_kind(build, "sparse" if working_set else "full")


def begins_far_off(machine):
    """The machine from a start where models promise too much, so that it has to go back."""

    class FarOff(machine):
        def _begin_at(self, w, b):
            self.w = 40.0 * np.random.default_rng(1).standard_normal(len(w))

    return FarOff


def servers(machine, policy, depth=1, more=1, **options):
    def build(problem, n):
        start = Snapshot(*problem.start())
        return machine(problem, policy, n_workers=n, n_blocks=n + more, start=start, **options)

    return of_kind(build, "full", True, depth)


MOVABLE = {"by_shards": True, "most_workers": np.inf}
MACHINES = {
    "blocks, adaptive 1": blocks(Adaptive1()),
    "blocks, adaptive 2, inline": blocks(Adaptive2(), inline=True),
    "blocks, exact": blocks(ExactStep()),
    "blocks, exact, working set": blocks(ExactStep(), working_set=True),
    "blocks, exact, as many as workers": blocks(ExactStep(), more=0),
    "prox, adaptive 1": blocks(Adaptive1(), "lipschitz"),
    "prox, fixed, working set": blocks(FixedStep(max_delay=20), "lipschitz", True),
    "rounds": of_kind(lambda problem, n: RoundsBCD(problem, ExactStep(), n_workers=n)),
    "rounds, sparse": of_kind(lambda problem, n: RoundsBCD(problem, ExactStep(), n_workers=n), "sparse"),
    "rounds, ridge": of_kind(lambda problem, n: RoundsBCD(problem, ExactStep(), n_workers=n), "ridge"),
    "server": servers(PIAG, Adaptive1()),
    "server, by shards": servers(PIAG, Adaptive2(), by_shards=True),
    "server, movable": servers(PIAG, Adaptive1(), 2, **MOVABLE),
    "models": servers(ModelPIAG, ExactStep()),
    "models, one shard each": servers(ModelPIAG, ExactStep(), more=0),
    "models, movable": servers(ModelPIAG, ExactStep(), 2, **MOVABLE),
    "models, far": servers(begins_far_off(ModelPIAG), ExactStep()),
    "models, far, movable": servers(begins_far_off(ModelPIAG), ExactStep(), 2, **MOVABLE),
    "metric, far": servers(begins_far_off(ModelPIAG), Adaptive1()),
    "metric": servers(ModelPIAG, Adaptive1()),
    "metric, movable": servers(ModelPIAG, Adaptive2(), 2, **MOVABLE),
}
each_machine = pytest.mark.parametrize("name", MACHINES)


@pytest.fixture(autouse=True)
def shared(monkeypatch):
    """Rounds share the smallest work, working sets grow column by column, and workers count as lost early, so
    that others take what they hold."""
    monkeypatch.setattr(rounds, "SMALL", 0)
    monkeypatch.setattr(rounds, "SMALL_FULL", 0)
    monkeypatch.setattr(rounds_shared_products, "SMALL_SHARE", 0)
    monkeypatch.setattr(block_layout, "FIRST_COLUMNS", 1)
    monkeypatch.setattr(worker_placement, "HUNG", 0.5)


@cache
def first(name, loss, n_workers):
    return MACHINES[name](loss, n_workers)


def solver_of(name, loss, n_workers):
    """A solver at its beginning, and how many tasks a worker may hold. It is a copy where it can be: its
    constants take longer than a schedule."""
    if name.startswith("rounds"):
        return MACHINES[name](loss, n_workers)
    solver, depth = first(name, loss, n_workers)
    shared = solver.problem, *getattr(solver, "_shards", ())
    return deepcopy(solver, {id(part): part for part in shared}), depth


def world_of(name, loss, n_workers):
    solver, depth = solver_of(name, loss, n_workers)
    world = World(solver, depth)
    world.history.solver = "bcd" if hasattr(solver, "at") else "piag"
    return world


def follow(world, word):
    """Go through a schedule, as far as every letter does something: a number is a worker's turn, ``n`` lets
    two and more tell together, and ``-1 - i`` loses what worker ``i`` holds. Return how far that is."""
    n = len(world.held)
    for place, letter in enumerate(word):
        if letter < 0:
            done = world.drop(-1 - letter)
        elif letter < n:
            done = world.act(letter)
        else:
            done = sum(map(bool, world.held.values())) > 1 and world.tell(range(n))
        if not done:
            return place
    return len(word)


def go_through(name, loss, n_workers, letters, length):
    """All schedules of a length."""
    dead = (None,)
    for word in product(letters, repeat=length):
        # The first to ask may as well be called worker 0. What does nothing is a shorter schedule.
        if word[: len(dead)] != dead:
            dead = word[: follow(world_of(name, loss, n_workers), (0, *word))]
            dead = dead if len(dead) < length else (None,)


ORDERS = {"two": (2, (0, 1, 2), 5), "two, losses": (2, (0, 1, -1), 4), "three": (3, (0, 1, 2), 5)}


@each_machine
@pytest.mark.parametrize(("n_workers", "letters", "length"), ORDERS.values(), ids=ORDERS)
def test_every_order(name, n_workers, letters, length):
    go_through(name, "logistic", n_workers, letters, length)


@pytest.mark.soak
@each_machine
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    ("n_workers", "letters", "length"), [(2, (0, 1, 2, -1, -2), 7), (3, (0, 1, 2, 3, -1), 6)]
)
def test_every_longer_order(name, loss, n_workers, letters, length):
    go_through(name, loss, n_workers, letters, length)


@each_machine
@pytest.mark.parametrize("place", range(5))
def test_what_is_lost_is_done_again(name, place):
    world = world_of(name, "logistic", 2)
    while len(world.seen) <= place:
        world.act(len(world.seen) % 2) or world.act(1 - len(world.seen) % 2)
    assert world.drop(0) + world.drop(1)
    world.finish(1e-2 * world.problem.scale, 3000)


@each_machine
def test_a_bound_on_the_optimum_is_kept(name):
    world = world_of(name, "logistic", 2)
    world.finish(np.inf)
    known = world.solver.ledger.lower_bound = max(optimum(world.problem), world.certificates[-1].dual)
    world.finish(np.inf, more=True)
    assert world.certificates[-1].dual >= known
    assert world.solver.lower_bound >= known


def searched(name):
    """A search for a long schedule that breaks the contract, with batches, lost tasks and late results."""

    class Schedules(RuleBasedStateMachine):
        world = None

        @initialize(loss=st.sampled_from(list(LOSSES)), n_workers=st.integers(2, 3))
        def begin(self, loss, n_workers):
            self.loss, self.n_workers = loss, n_workers
            self.world = world_of(name, loss, n_workers)

        @rule(turns=st.lists(st.integers(0, 2), min_size=1, max_size=8))
        def take_turns(self, turns):
            for worker in turns:
                self.world.act(worker % self.n_workers)

        @rule(worker=st.integers(0, 2))
        def ask_ahead(self, worker):
            worker %= self.n_workers
            if len(self.world.held[worker]) < self.world.depth:
                self.world.ask(worker)

        @rule(workers=st.permutations([0, 1, 2]), place=st.integers(0, 1))
        def tell_together(self, workers, place):
            self.world.tell([w for w in workers if w < self.n_workers], place)

        @rule(worker=st.integers(0, 2))
        def lose(self, worker):
            self.world.drop(worker % self.n_workers)

        def teardown(self):
            if self.world is None:
                return
            self.world.finish(1e-3 * self.world.problem.scale)
            # Shards that move follow a clock of asks, of which a history has only those that were answered.
            if self.world.in_turn and not name.endswith("movable"):
                self.world.check_replay(world_of(name, self.loss, self.n_workers).solver)

    return Schedules


def search(name, examples, steps, phases=tuple(Phase)):
    run_state_machine_as_test(
        searched(name),
        settings=settings(
            phases=phases,
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@each_machine
def test_long_schedules(name):
    search(name, 2, 20, [Phase.generate])


@pytest.mark.soak
@each_machine
def test_many_long_schedules(name):
    search(name, 300, 60)


# -- executors -------------------------------------------------------------------------------------

HERE = {
    "threads": Threads(),
    "simulated": Simulated(Trace.constant(2)),
    "machine": Machine(2, cost=lambda *_: 1.0),
}
ELSEWHERE = ["blocks, exact", "prox, adaptive 1", "rounds", "server, by shards", "models, movable", "metric"]
"""Machines whose tasks are sent to other processes: one of each kind."""


def drive(name, loss, executor):
    """A run by an executor, to a gap that proves that it was one."""
    solver, _ = solver_of(name, loss, 2)
    goal = 1e-3 * solver.problem.scale
    Watched(solver, lambda event: getattr(event, "gap", np.inf) <= goal).drive(executor)


@each_machine
@pytest.mark.parametrize("executor", HERE.values(), ids=HERE)
def test_every_executor_of_this_process(name, executor):
    drive(name, "logistic", executor)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_processes(name):
    drive(name, "squared", Processes())


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_a_cluster():
    distributed = pytest.importorskip("distributed")
    here = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "dashboard_address": ":0"}
    with distributed.LocalCluster(**here, silence_logs=50) as cluster, distributed.Client(cluster) as client:
        for name in ELSEWHERE:
            drive(name, "squared", Dask(client))
