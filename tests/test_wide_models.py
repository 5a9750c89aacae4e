"""PIAG of second order on wide data: models of a working set by shards."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from sk_asyncprox import ElasticNet, Lasso, LogisticRegression
from sk_asyncprox.data.design_matrix import Design
from sk_asyncprox.executors import Simulated, Threads, Trace
from sk_asyncprox.kernels import shard_surrogate
from sk_asyncprox.losses import LogisticLoss, MultinomialLoss, SquaredLoss
from sk_asyncprox.penalties import ElasticNetPenalty
from sk_asyncprox.problem import Problem
from sk_asyncprox.shards.shard import RowShard
from sk_asyncprox.shards.shard_counts import SURELY, count, facts_of, without_idle
from sk_asyncprox.shards.sharded_certificate import add_up, thin
from sk_asyncprox.solvers import WidePIAG, piag_wide, registry
from sk_asyncprox.step_sizes import ExactStep

LOSSES = {"squared": SquaredLoss(), "logistic": LogisticLoss(), "multinomial": MultinomialLoss(3)}


def text(n, p, words=40, seed=0):
    """Rows of words by Zipf's law, of norm one, and two classes that a tenth of the words tells apart."""
    rng = np.random.default_rng(seed)
    often = 1.0 / np.arange(1, p + 1)
    columns = np.minimum(np.searchsorted(np.cumsum(often / often.sum()), rng.random(n * words)), p - 1)
    X = sp.csr_matrix((np.ones(n * words), columns, words * np.arange(n + 1)), shape=(n, p))
    X.sum_duplicates()
    X = sp.csr_matrix(X @ sp.diags(np.log(1 + n / (1 + np.bincount(X.indices, minlength=p)))))
    X = sp.csr_matrix(sp.diags(1 / np.sqrt(np.asarray(X.multiply(X).sum(axis=1)).ravel())) @ X)
    z = X[:, : p // 10] @ (8 * rng.standard_normal(p // 10))
    return X, z - np.median(z) + 0.5 * rng.logistic(size=n)


def workers(n_workers, slow=1.0, seed=0):
    """Exponential service times, the first worker's so much longer."""
    return Simulated(Trace.from_service_times([slow] + [1.0] * (n_workers - 1), random_state=seed))


# -- shards ----------------------------------------------------------------------------------------


def shards(loss, seed=0, n=30, p=9):
    """The same rows, whole and with their own columns alone, and two columns without entries."""
    rng, loss = np.random.default_rng(seed), LOSSES[loss]
    X = np.where(rng.random((n, p)) < 0.4, rng.standard_normal((n, p)), 0.0)
    X[:, [2, p - 1]] = 0.0
    y = {1: np.sign(rng.standard_normal(n)), 3: rng.integers(0, 3, n)}[loss.n_outputs]
    y, weights, own = y.astype(loss.target_type), np.full(n, 1 / n), np.flatnonzero(X.any(axis=0))
    whole = RowShard(Design(sp.csr_matrix(X)), y, weights, loss, False)
    lean = RowShard(Design(sp.csr_matrix(X[:, own])), y, weights, loss, False, own, p)
    return whole, lean, (p * np.arange(loss.n_outputs)[:, None] + own).ravel()


@pytest.mark.parametrize("loss", LOSSES)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), share=st.floats(0.0, 1.0))
def test_own_columns_answer_as_all_do(loss, seed, share):
    whole, lean, own = shards(loss, seed % 50)
    rng, b = np.random.default_rng(seed), np.zeros(whole.loss.n_outputs)
    b = b if len(b) > 1 else 0.0
    w = np.where(rng.random(whole.design.shape[1]) < share, rng.standard_normal(whole.design.shape[1]), 0.0)
    assert_allclose(lean.margins(thin(w), b), whole.margins(w, b), atol=1e-14)
    assert_allclose(lean.gradient(thin(w), b).w, whole.gradient(w, b).w[own], atol=1e-14)
    assert_allclose(lean.look(thin(w), b).correlations, whole.look(w, b).correlations[:, own], atol=1e-14)
    index = np.flatnonzero((w != 0.0) | (rng.random(len(w)) < 0.3))
    for shard in (whole, lean):
        part = shard.on(index)
        assert part is shard.on(index.copy())
        part = shard.on(index)
        assert part.design.shape[1] == len(index)
        assert_allclose(part.margins(w[index], b), whole.margins(w, b), atol=1e-14)
        assert_allclose(part.gradient(w[index], b).w, whole.gradient(w, b).w[index], atol=1e-14)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), l1=st.floats(0.005, 0.5))
def test_no_slope_lets_an_idle_column_out_of_zero(seed, l1):
    rng, loss = np.random.default_rng(seed), LogisticLoss()
    X = sp.random(40, 12, 0.3, "csr", random_state=seed % 100)
    y, weights = np.sign(rng.standard_normal(40)), rng.random(40) + 0.1
    parts, counts = [slice(0, 15), slice(15, 40)], []
    for rows in parts:
        columns = np.unique(X[rows].indices)
        counts.append(count(X[rows][:, columns], y[rows], weights[rows], loss, columns, False))
    kept = np.unique(np.concatenate([c.columns for c in without_idle(counts, 12, l1)]))
    theta = rng.uniform(-1, 1, 40)
    correlations = np.abs(X.T @ (weights / weights.sum() * theta))
    assert np.all(np.delete(correlations, kept) <= SURELY * l1 * (1 + 1e-12))
    sizes = np.asarray(abs(X).T @ (weights / weights.sum()))
    assert_array_equal(kept, np.flatnonzero(sizes > SURELY * l1))
    assert_allclose(add_up(12, facts_of(counts, 12), [c.sizes for c in counts]), sizes, rtol=1e-12)


# -- fits ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("slow", "most"), [(1.0, 9), (10.0, 16)])
def test_passes_on_text(slow, most):
    X, z = text(4000, 2500)
    y = z > 0
    C = 10 / np.abs(X.T @ (y - y.mean())).max()
    model = LogisticRegression(C=C, l1_ratio=1.0, tol=1e-6, solver="piag", executor=workers(8, slow)).fit(
        X, y
    )
    assert model.history_.stopped == "converged"
    assert model.history_.step_size == "ExactStep()"
    assert model.n_iter_[0] <= most
    reference = LogisticRegression(C=C, l1_ratio=1.0, tol=1e-10).fit(X, y)
    assert_allclose(model.coef_, reference.coef_, atol=1e-3 * np.abs(reference.coef_).max())
    assert model.objective_ <= reference.objective_ + 1e-6


def variants():
    X, z = text(300, 60, 12)
    three, weights = np.digitize(z, [-1.0, 1.0]), np.arange(300) % 3 + 0.0
    yield "lasso", Lasso(0.003), X, z, None
    yield "weights", ElasticNet(0.004, l1_ratio=0.6), X, z, weights
    yield "positive", Lasso(0.001, positive=True, fit_intercept=False), X, z, None
    yield "l1", LogisticRegression(C=3.0, l1_ratio=1.0), X, z > 0, weights
    yield "no intercept", LogisticRegression(C=1.0, l1_ratio=0.5, fit_intercept=False), X, z > 0, None
    yield "three classes", LogisticRegression(C=3.0, l1_ratio=1.0), X, three, weights
    yield "filled", LogisticRegression(C=1.0, l1_ratio=1.0), X.toarray() + 1.0, z > 0, None
    yield "single", LogisticRegression(C=3.0, l1_ratio=1.0), X.astype(np.float32), z > 0, None
    yield "fewer rows", LogisticRegression(C=30.0, l1_ratio=1.0), X[:40], z[:40] > 0, None


def fitted_by_shards(case, executor, monkeypatch):
    """A variant's model fitted in rounds and by shards, which have found the same."""
    _, model, X, y, weights = case
    model.set_params(tol=1e-9)
    reference = model.fit(X, y, weights)
    monkeypatch.setattr(registry, "WIDEST", 20)
    other = type(model)(**model.get_params()).set_params(solver="piag", n_jobs=3, executor=executor)
    other.fit(X, y, weights)
    assert other.history_.stopped == "converged"
    assert_allclose(other.coef_, reference.coef_, atol=2e-4 * np.abs(reference.coef_).max())
    assert_allclose(other.intercept_, reference.intercept_, atol=5e-3)
    return reference, other


@pytest.mark.parametrize("case", list(variants()), ids=lambda case: case[0])
@pytest.mark.parametrize(
    "executor", [workers(5), workers(3, 20.0), Threads()], ids=["equal", "slow", "threads"]
)
def test_every_model_is_fitted(case, executor, monkeypatch):
    reference, other = fitted_by_shards(case, executor, monkeypatch)
    _, _, X, y, weights = case
    assert other.history_.step_size == "ExactStep()"
    warm = other.set_params(warm_start=True).fit(X, y, weights)
    assert np.ravel(warm.n_iter_)[0] <= 3
    assert_allclose(warm.coef_, reference.coef_, atol=2e-4 * np.abs(reference.coef_).max())


def test_fewer_rows_than_columns_and_a_slow_worker(monkeypatch):
    """No step is taken before all is known of a new working set."""
    monkeypatch.setattr(registry, "WIDEST", 10)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((75, 89))
    y = X[:, :20] @ rng.standard_normal(20) + rng.standard_normal(75)
    model = Lasso(0.02, tol=1e-7, solver="piag", n_blocks=13, executor=workers(2, 10.0)).fit(X, y)
    assert model.history_.stopped == "converged"
    assert np.diff(model.history_.certificates["objective"]).max() <= 0.0
    assert_allclose(model.coef_, Lasso(0.02, tol=1e-9).fit(X, y).coef_, atol=1e-3)


@pytest.mark.parametrize("case", list(variants()), ids=lambda case: case[0])
@pytest.mark.parametrize(
    "executor", [workers(3), workers(2, 20.0), Threads()], ids=["equal", "slow", "threads"]
)
def test_shards_solve_every_model_on_their_own(case, executor, monkeypatch):
    monkeypatch.setattr(piag_wide, "MOST_COLUMNS", 5)
    fitted_by_shards(case, executor, monkeypatch)


@pytest.mark.parametrize("squared", [False, True])
def test_more_coefficients_than_a_working_set_holds(squared, monkeypatch):
    """Shards answer with solutions of their own."""
    monkeypatch.setattr(registry, "WIDEST", 20)
    monkeypatch.setattr(piag_wide, "MOST_COLUMNS", 15)
    X, z = text(300, 60, 12)
    if squared:
        model, y = Lasso(2e-3, tol=1e-7), z
    else:
        model, y = LogisticRegression(C=4.0, l1_ratio=1.0, tol=1e-6), z > 0
    reference = model.fit(X, y)
    other = type(model)(**model.get_params()).set_params(solver="piag", executor=workers(4)).fit(X, y)
    assert np.count_nonzero(other.coef_) > 18
    assert other.history_.stopped == "converged"
    assert_allclose(other.coef_, reference.coef_, atol=1e-2 * np.abs(reference.coef_).max())
    assert np.ravel(other.set_params(warm_start=True).fit(X, y).n_iter_)[0] <= 3


def test_a_warm_start_with_more_coefficients_than_a_working_set_holds(monkeypatch):
    """What is held beside the first set is penalised as well: the start is no better than it is."""
    monkeypatch.setattr(registry, "WIDEST", 20)
    monkeypatch.setattr(piag_wide, "MOST_COLUMNS", 15)
    rng = np.random.default_rng(3)
    X = rng.standard_normal((60, 100))
    y = X[:, 0] + rng.standard_normal(60) > 0.0
    model = LogisticRegression(C=0.3, l1_ratio=1.0, tol=1e-6, warm_start=True, max_iter=100).fit(X, y)
    best = model.objective_
    model.coef_ = model.coef_ + 0.02 * rng.standard_normal(100)
    model.set_params(solver="piag", executor=workers(4)).fit(X, y)
    assert model.history_.stopped == "converged"
    assert model.objective_ <= best + 1e-6


def test_classes_that_are_nearly_separable(monkeypatch):
    """Where models promise far too much, secants to the point that was too far hold them back."""
    monkeypatch.setattr(registry, "WIDEST", 20)
    rng = np.random.default_rng(16)
    X = sp.random(173, 60, 0.3, "csr", random_state=16)
    y = np.digitize(X @ rng.standard_normal(60) + 0.1 * rng.standard_normal(173), [-0.5, 0.5])
    params = {"C": 300.0, "l1_ratio": 1.0, "tol": 1e-6}
    model = LogisticRegression(**params, solver="piag", executor=workers(4)).fit(X, y)
    assert model.history_.stopped == "converged"
    assert model.objective_ <= LogisticRegression(**params).fit(X, y).objective_ + 1e-6


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_threads_are_replayed(n_jobs):
    X, z = text(2000, 2500)
    params = {"C": 0.5, "l1_ratio": 1.0, "tol": 1e-7, "solver": "piag", "n_blocks": 7}
    live = LogisticRegression(**params, n_jobs=n_jobs).fit(X, z > 0)
    trace = Trace.from_history(live.history_)
    assert 20 < np.count_nonzero(live.coef_) < 200
    again = LogisticRegression(**params, executor=Simulated(trace)).fit(X, z > 0)
    assert_array_equal(again.coef_, live.coef_)
    assert_array_equal(again.history_.updates["delay"], live.history_.updates["delay"])
    assert_array_equal(again.history_.certificates["gap"], live.history_.certificates["gap"])


def test_solutions_of_shards_are_replayed(monkeypatch):
    monkeypatch.setattr(registry, "WIDEST", 20)
    monkeypatch.setattr(piag_wide, "MOST_COLUMNS", 5)
    X, z = text(2000, 60, 12)
    params = {"C": 3.0, "l1_ratio": 1.0, "tol": 1e-8, "solver": "piag", "n_blocks": 5}
    live = LogisticRegression(**params, n_jobs=3).fit(X, z > 0)
    again = LogisticRegression(**params, executor=Simulated(Trace.from_history(live.history_))).fit(X, z > 0)
    assert_array_equal(again.coef_, live.coef_)
    assert_array_equal(again.history_.certificates["gap"], live.history_.certificates["gap"])


@pytest.mark.parametrize(("n_blocks", "slow"), [(2, 1.0), (3, 1.0), (2, 10.0)])
def test_certificates_of_more_coefficients_than_matrices_are_made_of(n_blocks, slow):
    X, z = text(16000, 6000, 60)
    y = z > 0
    C = 150 / np.abs(X.T @ (y - y.mean())).max()
    params = {"C": C, "l1_ratio": 1.0, "tol": 1e-6}
    model = LogisticRegression(**params, solver="piag", executor=workers(n_blocks, slow)).fit(X, y)
    assert model.history_.stopped == "converged"
    assert np.count_nonzero(model.coef_) > piag_wide.MOST_COLUMNS
    assert len(model.history_.certificates) <= 18
    reference = LogisticRegression(**params | {"tol": 1e-9}).fit(X, y)
    assert_allclose(model.coef_, reference.coef_, atol=1e-3 * np.abs(reference.coef_).max())


@pytest.mark.parametrize("squared", [False, True])
def test_shards_of_few_rows_arrive_in_the_passes_allowed(squared, monkeypatch):
    """What they solve on their own lies far apart, and ends; models that they send arrive."""
    monkeypatch.setattr(registry, "WIDEST", 20)
    monkeypatch.setattr(piag_wide, "MOST_COLUMNS", 100)
    monkeypatch.setattr(piag_wide, "MOST_OF_FEW_ROWS", 150)
    monkeypatch.setattr(piag_wide, "AFFORDED", 0.02)
    passes, solve_apart = [], WidePIAG._solve_apart

    def counted(solver, *arguments):
        passes.append(solver.touched / solver.problem.pass_size)
        solve_apart(solver, *arguments)

    monkeypatch.setattr(WidePIAG, "_solve_apart", counted)
    X, z = text(400, 600, 30)
    y = z if squared else z > 0
    strength = np.abs(X.T @ (y - y.mean())).max() / 100
    model = Lasso(strength / 400) if squared else LogisticRegression(C=1 / strength, l1_ratio=1.0)
    model.set_params(solver="piag", executor=workers(8)).fit(X, y)
    assert model.history_.stopped == "converged"
    assert 10.0 < max(passes) <= 20.0 < np.ravel(model.n_iter_)[0]
    found, gap = model.objective_, model.dual_gap_
    model.set_params(solver="bcd", executor=Threads(), tol=1e-8).fit(X, y)
    assert np.ravel(found - model.objective_)[0] <= np.ravel(gap)[0]


def test_surrogates_are_held_after_rises(monkeypatch):
    """Shards of two rows for each coefficient lead too far: without, models had to come after 180 passes."""
    monkeypatch.setattr(registry, "WIDEST", 20)
    monkeypatch.setattr(piag_wide, "MOST_COLUMNS", 5)
    monkeypatch.setattr(piag_wide, "MOST_OF_FEW_ROWS", 5)
    rng = np.random.default_rng(0)
    columns = (500 * rng.random(1500 * 40) ** 3).astype(int)
    X = sp.csr_matrix((1.0 + rng.random(1500 * 40), columns, 40 * np.arange(1501)), shape=(1500, 500))
    X.sum_duplicates()
    z = X[:, :50] @ rng.standard_normal(50)
    y = rng.random(1500) < 1 / (1 + np.exp(z.mean() - z))
    model = LogisticRegression(
        l1_ratio=1.0, tol=1e-6, solver="piag", n_blocks=2, executor=workers(2), max_iter=600
    )
    assert model.fit(X, y).history_.stopped == "converged"
    assert model.n_iter_[0] <= 150
    reference = LogisticRegression(l1_ratio=1.0, tol=1e-9).fit(X, y)
    assert_allclose(model.coef_, reference.coef_, atol=1e-3 * np.abs(reference.coef_).max())


def test_where_a_step_to_the_mean_begins_the_objective_falls():
    """Whatever shards answer with, as long as their own surrogates are lower there."""
    rng, index, penalty = np.random.default_rng(0), np.arange(30), ElasticNetPenalty(0.01, 0.02)
    X, y = rng.standard_normal((60, 30)), np.sign(rng.standard_normal(60))
    y[:30], w, weights = 1.0, 0.1 * rng.standard_normal(30), np.full(30, 1 / 30)  # one of one class alone
    parts = [RowShard(Design(X[k : k + 30]), y[k : k + 30], weights, LogisticLoss(), True) for k in (0, 30)]
    gradients = [part.gradient(w, 0.0) for part in parts]
    gradient = tuple(0.5 * (a + b) for a, b in zip(*gradients, strict=True))
    wanted = shard_surrogate.Wanted(index, w, 0.0, gradient, np.zeros(30), penalty, 0.2)
    answers = [shard_surrogate.answer_locally(part, wanted)[1] for part in parts]

    def objective(length):
        v, b = (sum(0.5 * getattr(each, name) for each in answers) for name in ("w", "b"))
        v, b = w + length * (v - w), length * b
        return sum(0.5 * part.value(v, b) for part in parts) + penalty.value(v)

    assert objective(1e-3) < objective(0.0)


def run_with_losses(problem, seed, chance):
    """Two workers in random order, tasks and results by pickle, some of them lost; kinds that were lost."""
    solver = WidePIAG(problem, ExactStep(), n_workers=2, n_blocks=4, target=1e-8)
    rng, certified, held, kinds = np.random.default_rng(seed), [], {}, set()
    while not certified or (certified[-1].gap > 1e-8 and len(certified) < 200):
        worker = int(rng.integers(2))
        if worker not in held:
            task = solver.ask(worker)
            held |= {} if task is None else {worker: task}
            continue
        task = held.pop(worker)
        if rng.random() < chance:
            kinds.add(task.kind)
            solver.drop(task)
            continue
        task = pickle.loads(pickle.dumps(task))
        result = pickle.loads(pickle.dumps(solver.work(solver.part(task), task)))
        certified += [e for e in solver.tell([(task, result)]) if hasattr(e, "certificate")]
    return solver, certified, kinds


def test_lost_tasks_are_done_again():
    X, z = text(300, 60, 12)
    problem = Problem(X, np.sign(z), LogisticLoss(), ElasticNetPenalty(0.001), rows=True)
    kinds, ends = set(), []
    for seed in range(8):
        _, certified, lost = run_with_losses(problem, seed, 0.2)
        kinds |= lost
        ends.append(certified[-1].certificate.objective)
    assert kinds == {"model", "model look", "solve"}
    assert np.ptp(ends) <= 1e-7


def test_lost_solutions_are_made_again(monkeypatch):
    monkeypatch.setattr(piag_wide, "MOST_COLUMNS", 5)
    X, z = text(2000, 60, 12)
    problem = Problem(X, np.sign(z), LogisticLoss(), ElasticNetPenalty(0.001), rows=True)
    ends, kinds = [], set()
    for seed in range(4):
        _, certified, lost = run_with_losses(problem, seed, 0.2)
        kinds |= lost
        ends.append(certified[-1].certificate.objective)
    assert {"local", "look"} <= kinds
    assert np.ptp(ends) <= 1e-7


def test_a_step_that_raises_the_objective_is_taken_back(monkeypatch):
    """Shards that answer as if they had a tenth of their curvature go much too far."""
    monkeypatch.setattr(piag_wide, "MOST_COLUMNS", 5)
    scaled = shard_surrogate.Surrogate.__init__

    def overconfident(self, part, wanted):
        scaled(self, part, wanted)
        self.scale *= 0.1

    monkeypatch.setattr(shard_surrogate.Surrogate, "__init__", overconfident)
    X, z = text(2000, 60, 12)
    problem = Problem(X, np.sign(z), LogisticLoss(), ElasticNetPenalty(0.001), rows=True)
    _, certified, _ = run_with_losses(problem, 0, 0.0)
    objectives = np.array([event.certificate.objective for event in certified])
    assert np.diff(objectives).max() > 1e-6
    assert certified[-1].gap <= 1e-8


def test_only_the_working_set_travels():
    X, z = text(1000, 5000)
    problem = Problem(X, np.sign(z), LogisticLoss(), ElasticNetPenalty(0.003), rows=True)
    solver = WidePIAG(problem, ExactStep(), n_workers=1, n_blocks=4, target=1e-6, most_workers=1)
    looks, models, gap = [], [], np.inf
    while gap > 1e-6:
        task = solver.ask(0)
        result = solver.work(solver.part(task), task)
        (looks if task.kind == "model look" else models).append(len(pickle.dumps((task.payload, result))))
        gap = min([gap, *(e.gap for e in solver.tell([(task, result)]) if hasattr(e, "certificate"))])
    k = len(task.payload[0])
    assert k < 250
    # The correlations of both classes; and a matrix, two vectors, an index.
    assert max(looks) <= 8 * (2 * 5000 + k * (k + 5)) + 3000
    assert max(models) <= 8 * k * (k + 5) + 3000
