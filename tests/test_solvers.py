"""The solvers as state machines: equivalence with proximal gradient, the step-size principle, the seam."""

import pickle
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from multiprocessing import get_context

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning

from sk_asyncprox import Lasso
from sk_asyncprox.executors import Simulated, Threads, Trace
from sk_asyncprox.losses import LogisticLoss, SquaredLoss
from sk_asyncprox.penalties import ElasticNetPenalty, Penalty
from sk_asyncprox.problem import Problem
from sk_asyncprox.solvers import PIAG, AsyncBCD, RoundsBCD
from sk_asyncprox.solvers.base import Certified, Update
from sk_asyncprox.solvers.block_layout import cut_columns
from sk_asyncprox.step_sizes import Adaptive1, Adaptive2, ExactStep, FixedStep, NaiveStep


def make_problem(loss="squared", n=60, p=24, l1=0.02, l2=0.01, sparse=False, seed=0, rows=False, **kwargs):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + 0.4 * rng.standard_normal((n, 1))
    z = X[:, :4] @ np.array([1.0, -2.0, 0.5, 1.0]) + 0.3 * rng.standard_normal(n)
    y = z if loss == "squared" else np.where(z > 0, 1.0, -1.0)
    if sparse:
        X[rng.random((n, p)) > 0.2] = 0.0
        X = sp.csr_matrix(X)
    loss = SquaredLoss() if loss == "squared" else LogisticLoss()
    return Problem(X, y, loss, ElasticNetPenalty(l1, l2), rows=rows, **kwargs)


def build(name, problem, policy, **kwargs):
    return {"bcd": AsyncBCD, "piag": PIAG, "rounds": RoundsBCD}[name](problem, policy, **kwargs)


def drive(solver, executor, n_updates, gap=None):
    """Run until a number of updates, or a gap; return updates and certificates."""
    updates, certificates = [], []

    def on_events(events, now):
        updates.extend(e for e in events if isinstance(e, Update))
        certificates.extend(e for e in events if isinstance(e, Certified))
        reached = gap is not None and certificates and certificates[-1].gap <= gap
        return reached or len(updates) >= n_updates

    executor.run(solver, on_events)
    return updates, certificates


@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("name", ["bcd", "piag"])
def test_zero_delays_and_one_block_are_proximal_gradient(name, loss):
    problem = make_problem(loss, fit_intercept=False, rows=name == "piag")
    policy = FixedStep(max_delay=0, rule="principle")
    options = {"metric": "lipschitz", "working_set": False} if name == "bcd" else {}
    solver = build(name, problem, policy, n_blocks=1, inline=True, **options)
    w, X = np.zeros(problem.design.shape[1]), problem.design.X
    for _ in range(50):
        drive(solver, Simulated(Trace.constant(1)), 1)
        gradient = X.T @ (problem.weights * problem.loss.gradient(problem.y, X @ w))
        w = problem.penalty.prox(w - solver.step_unit * gradient, solver.step_unit)
        assert_allclose(solver.snapshot().w, w, rtol=1e-12, atol=1e-14)
    largest = np.linalg.norm(X * np.sqrt(problem.weights)[:, None], 2) ** 2 * problem.loss.curvature
    assert 0.9 * policy.h / largest <= solver.step_unit <= policy.h / largest


def check_principle(updates, largest):
    """Every positive step and the steps since the oldest read it rests on stay within ``largest``."""
    steps = np.array([u.step for u in updates])
    total = np.concatenate([[0.0], np.cumsum(steps)])
    for k, update in enumerate(updates):
        assert update.index == k
        assert update.delay >= k - min(a.stamp for a in update.arrivals)
        if update.step > 0:
            assert total[k + 1] - total[k - update.delay] <= largest * (1 + 1e-9)


@pytest.mark.parametrize("policy", [Adaptive1(), Adaptive2()])
@pytest.mark.parametrize(
    ("name", "options"),
    [("bcd", {"metric": "gram"}), ("bcd", {"metric": "lipschitz", "working_set": False}), ("piag", {})],
)
@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_principle_and_convergence_with_random_delays(name, options, policy, loss):
    problem = make_problem(loss, rows=name == "piag")
    trace = Trace.from_service_times([1.0, 1.0, 2.0, 5.0], random_state=3)
    solver = build(name, problem, policy, n_workers=4, inline=True, **options)
    target = 1e-7 * problem.scale
    updates, certificates = drive(solver, Simulated(trace), 20_000, gap=target)
    check_principle(updates, solver.step_unit)
    assert certificates[-1].gap <= target
    assert any(u.delay > 6 for u in updates)


@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("metric", ["gram", "lipschitz"])
@pytest.mark.parametrize("sparse", [False, True])
def test_exact_step_never_raises_the_objective(loss, metric, sparse):
    problem = make_problem(loss, n=80, p=40, sparse=sparse)
    trace = Trace.from_delays(np.random.default_rng(1).integers(0, 12, 200))
    solver = AsyncBCD(
        problem, ExactStep(), n_workers=trace.n_workers, n_blocks=20, metric=metric, working_set=False,
        inline=True,
    )  # fmt: skip
    values = [problem.objective(*solver.snapshot())]

    def on_events(events, now):
        values.append(problem.objective(*solver.snapshot()))
        return len(values) > 300

    Simulated(trace).run(solver, on_events)
    values = np.array(values)
    assert np.all(np.diff(values) <= 1e-13 * values[0])
    assert values[-1] < 0.95 * values[0]


@pytest.mark.parametrize("policy", [ExactStep(), Adaptive1()])
def test_threads_lose_no_update_and_measure_the_delays(policy):
    problem = make_problem(n=400, p=64)
    for _ in range(40):
        solver = AsyncBCD(problem, policy, n_workers=4, n_blocks=16)
        updates, _ = drive(solver, Threads(), 60)
        margins = problem.design.mul(solver.at.w) + solver.at.b
        assert np.abs(margins - solver.at.z).max() <= 1e-9 * np.abs(margins).max()
        if not policy.exact:
            check_principle(updates, solver.step_unit)


def test_mean_delay_is_one_less_than_the_workers():
    problem = make_problem(n=2000, p=256)
    solver = AsyncBCD(problem, Adaptive1(), n_workers=4, n_blocks=16, working_set=False)
    updates, _ = drive(solver, Threads(), 4000)
    assert all(u.delay == u.index - u.arrivals[0].stamp for u in updates)
    assert np.mean([u.delay for u in updates]) == pytest.approx(3.0, rel=0.1)


@pytest.mark.parametrize("metric", ["gram", "lipschitz"])
def test_blocks_are_exclusive_in_the_theta_form_only(metric):
    problem = make_problem()
    trace = Trace.from_delays(np.random.default_rng(0).integers(0, 5, 300))
    solver = AsyncBCD(
        problem, Adaptive1(), n_workers=trace.n_workers, n_blocks=6, metric=metric, working_set=False,
        inline=True,
    )  # fmt: skip
    held, doubles = {}, 0
    ask, tell = solver.ask, solver.tell

    def watched_ask(worker):
        nonlocal doubles
        task = ask(worker)
        if task is not None:
            doubles += task.block in held.values()
            held[worker] = task.block
        return task

    def watched_tell(arrivals):
        for task, _ in arrivals:
            del held[task.worker]
        return tell(arrivals)

    solver.ask, solver.tell = watched_ask, watched_tell
    drive(solver, Simulated(trace), 300)
    assert (doubles > 0) == (metric == "lipschitz")


def deep_copy(obj):
    return pickle.loads(pickle.dumps(obj))


@pytest.mark.parametrize("name", ["bcd", "piag"])
@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_work_changes_nothing_it_was_given(name, loss):
    problem = make_problem(loss, rows=name == "piag")
    policy = ExactStep() if name == "bcd" else Adaptive1()
    solver = build(name, problem, policy, n_workers=2)
    for worker in (0, 1, 0, 1, 0, 1):
        task = solver.ask(worker)
        if task is None:
            continue
        before = deep_copy(task)
        part = deep_copy(solver.part(task))
        result = solver.work(part, task)
        assert_array_equal(pickle.dumps(deep_copy(task)), pickle.dumps(deep_copy(before)))
        assert_array_equal(pickle.dumps(part), pickle.dumps(deep_copy(solver.part(task))))
        solver.tell([(task, deep_copy(result))])
    assert solver.n_updates > 0


def _work_elsewhere(work, part, task):
    return task, work(part, task)


class Processes:
    """A small executor whose work runs in other processes."""

    def __init__(self, pool):
        self.pool = pool

    def run(self, solver, on_events):
        pending, waiting, stop = set(), set(range(solver.n_workers)), False
        while not stop:
            for worker in sorted(waiting):
                task = solver.ask(worker)
                if task is not None:
                    pending.add(self.pool.submit(_work_elsewhere, solver.work, solver.part(task), task))
                    waiting.discard(worker)
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            arrivals = [future.result() for future in done]
            waiting |= {task.worker for task, _ in arrivals}
            stop = on_events(solver.tell(arrivals), 0.0)


@pytest.fixture(scope="module")
def processes():
    """An executor of two processes, which take seconds to start."""
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        yield Processes(pool)


@pytest.mark.parametrize("name", ["bcd", "piag", "rounds"])
def test_the_seam_carries_over_processes(name, processes, monkeypatch):
    monkeypatch.setattr("sk_asyncprox.solvers.rounds.SMALL", 0)
    monkeypatch.setattr("sk_asyncprox.solvers.rounds_shared_products.SMALL_SHARE", 0)
    problem = make_problem("logistic", rows=name == "piag", sparse=name != "piag")
    policy = Adaptive1() if name == "piag" else ExactStep()
    target = 1e-10 * problem.scale
    found = []
    for executor in (processes, Threads()):
        solver = build(name, problem, policy, n_workers=2)
        _, certificates = drive(solver, executor, 100_000, gap=target)
        assert certificates[-1].gap <= target
        found.append(certificates[-1].certificate.w)
    assert_allclose(found[0], found[1], atol=1e-4 * np.abs(found[1]).max())


@pytest.mark.parametrize("policy", [Adaptive1(), Adaptive2(), FixedStep()])
def test_safe_policies_converge_where_the_naive_one_diverges(policy):
    # f(w) = (1 - w)^2 / 2; in every period of T updates all reads are made at its beginning.
    trace = Trace.from_delays(np.arange(50))
    model = Lasso(alpha=0.0, fit_intercept=False, metric="lipschitz", n_blocks=1, executor=Simulated(trace))
    with pytest.warns(UserWarning, match="With alpha=0"):
        model.set_params(step_size=policy).fit([[1.0]], [1.0])
    assert model.coef_[0] == pytest.approx(1.0, abs=1e-3)
    with (
        pytest.warns(UserWarning, match="With alpha=0"),
        pytest.warns(ConvergenceWarning, match=r"NaiveStep\(c=1.0, b=1.0\) diverged.*not safe"),
    ):
        model.set_params(step_size=NaiveStep()).fit([[1.0]], [1.0])
    assert model.history_.stopped == "diverged"
    assert model.history_.certificates["objective"][-1] > 1e5
    # What is returned is the best that was seen.
    assert model.objective_ <= model.history_.certificates["objective"].min()


def test_piag_waits_for_its_whole_table():
    problem = make_problem(rows=True)
    solver = PIAG(problem, Adaptive1(), n_workers=3, inline=True)
    tasks = [solver.ask(i) for i in range(3)]
    results = [solver.work(solver.part(t), t) for t in tasks]
    assert solver.tell([(tasks[0], results[0])]) == []
    assert solver.ask(0) is None
    assert solver.tell([(tasks[1], results[1])]) == []
    (update, *_) = solver.tell([(tasks[2], results[2])])
    assert (update.index, update.delay) == (0, 0)
    again = solver.ask(0)
    (update, *_) = solver.tell([(again, solver.work(solver.part(again), again))])
    assert (update.index, update.delay) == (1, 1)


def test_many_shards_on_one_worker_have_delays():
    problem = make_problem(rows=True)
    solver = PIAG(problem, Adaptive1(), n_workers=1, n_blocks=5, inline=True)
    updates, certificates = drive(solver, Simulated(Trace.constant(1)), 5000, gap=1e-8 * problem.scale)
    assert max(u.delay for u in updates) == 4
    assert certificates[-1].gap <= 1e-8 * problem.scale


def test_a_dropped_task_frees_its_block():
    problem = make_problem()
    solver = AsyncBCD(problem, ExactStep(), n_workers=2, n_blocks=2, working_set=False, inline=True)
    first, second = solver.ask(0), solver.ask(1)
    assert {first.block, second.block} == {0, 1}
    assert solver.ask(0) is None
    solver.drop(first)
    assert solver.ask(0).block == first.block


def test_over_bound_delays_warn_once_and_are_counted():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((50, 8)), rng.standard_normal(50)
    model = Lasso(
        alpha=0.1, step_size=FixedStep(max_delay=1), n_blocks=4, executor=Simulated(Trace.constant(4))
    )
    with pytest.warns(RuntimeWarning, match="had a delay above max_delay") as caught:
        model.fit(X, y)
    assert len(caught) == 1
    assert model.history_.n_over_bound == np.sum(model.history_.updates["delay"] > 1) > 0


@pytest.mark.parametrize("n_blocks", [1, 2, 7, 30, 31, 100])
@pytest.mark.parametrize("heavy", [None, 0, 15, 29])
def test_partition_gives_runs_that_are_not_empty(n_blocks, heavy):
    index, sizes = np.arange(0, 60, 2), np.ones(60)
    if heavy is not None:
        sizes[index[heavy]] = 1e6
    blocks = cut_columns(Penalty(), index, sizes, n_blocks)
    assert_array_equal(np.concatenate(blocks), index)
    assert len(blocks) == min(n_blocks, 30)
    assert all(len(block) for block in blocks)
    if heavy is None:
        assert max(map(len, blocks)) <= -(-30 // len(blocks)) + 1
