"""Dask: the executor on real processes, collections as X, faults."""

import gc
import itertools
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import warnings

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import linear_model
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sk_asyncprox import ElasticNet, GroupLasso, Lasso, LogisticRegression, lasso_path
from sk_asyncprox.data.design_matrix import Design
from sk_asyncprox.executors import Dask, Simulated, Trace
from sk_asyncprox.executors.base import WorkersLost
from sk_asyncprox.executors.dask_tasks import Crew, RollCall
from sk_asyncprox.losses import LogisticLoss, MultinomialLoss, SquaredLoss
from sk_asyncprox.penalties import ElasticNetPenalty
from sk_asyncprox.problem import Problem
from sk_asyncprox.shards.dask_chunks import piece
from sk_asyncprox.shards.dask_shards import _shard
from sk_asyncprox.shards.shard import RowShard, cut_rows
from sk_asyncprox.shards.sharded_certificate import balance_of, conclude
from sk_asyncprox.shards.worker_placement import Placement
from sk_asyncprox.solve import Options, solve
from sk_asyncprox.solvers.base import Update

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")
da = pytest.importorskip("dask.array")

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")

N, P = 1200, 30


def make(seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((N, P)) + 2.0
    X[rng.random(X.shape) < 0.3] = 0.0
    y = X[:, :5].sum(axis=1) + 0.5 * rng.standard_normal(N) + 3.0
    return X, y, rng.uniform(0.2, 2.0, N) * (np.arange(N) % 7 > 0)


X, Y, WEIGHTS = make()
LABELS = np.where(np.median(Y) < Y, "yes", "no")
THREE = np.array(["low", "middle", "top"])[np.searchsorted(np.quantile(Y, [0.3, 0.8]), Y)]
MODELS = [
    Lasso(alpha=0.05, tol=1e-10),
    ElasticNet(alpha=0.5, positive=True, tol=1e-11),
    LogisticRegression(C=0.002, l1_ratio=0.2, tol=1e-11, class_weight="balanced"),
]


def target(model):
    return LABELS if isinstance(model, LogisticRegression) else Y


@pytest.fixture(scope="module")
def client():
    """Two worker processes."""
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        # The client starts threads of its own with its first tasks.
        Lasso(solver="piag", executor=Dask(client), tol=0.1).fit(X, Y)
        yield client


@pytest.fixture
def nothing_kept(client):
    """The test leaves no future on the cluster."""
    yield
    deadline = time.monotonic() + 5.0
    while client.futures and time.monotonic() < deadline:
        gc.collect()  # errors caught by the test hold their frames
        time.sleep(0.05)
    assert not client.futures


def same(model, reference, atol=2e-5):
    scale = np.abs(reference.coef_).max()
    assert_allclose(model.coef_, reference.coef_, atol=atol * scale)
    assert_allclose(model.intercept_, reference.intercept_, atol=10 * atol * scale)
    assert model.objective_ == pytest.approx(reference.objective_, rel=1e-8)
    assert model.dual_gap_ <= 2 * model.tol * Y.var()
    assert model.history_.stopped == "converged"


# -- shares of certificates ------------------------------------------------------------------------


LOSSES = [SquaredLoss(), LogisticLoss(), MultinomialLoss(3)]


def problem_of(loss, penalty, intercept):
    y = Y if loss.quadratic else np.where(LABELS == "yes", 1.0, -1.0)
    if loss.n_outputs > 1:
        y = np.unique(THREE, return_inverse=True)[1]
    return Problem(X, y, loss, penalty, WEIGHTS, intercept, rows=True)


@pytest.mark.parametrize("loss", LOSSES, ids=["squared", "logistic", "multinomial"])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("penalty", [(0.02, 0.0), (0.01, 0.02), (0.0, 0.05), (0.0, 0.0)])
@pytest.mark.parametrize("n_shards", [1, 5])
def test_certificates_of_shares_are_those_of_the_whole(loss, intercept, penalty, n_shards):
    problem = problem_of(loss, ElasticNetPenalty(*penalty), intercept)
    shards, facts = cut_rows(problem, n_shards)
    rng = np.random.default_rng(1)
    size = problem.design.shape[1]
    for w in (np.zeros(size), 0.3 * rng.standard_normal(size)):
        _, b, _ = problem.settle(problem.design.mul(w), 0.0 * problem.start()[1])
        whole = problem.certify(w, b)
        looks = [pickle.loads(pickle.dumps(shard)).look(w, b) for shard in shards]
        found = conclude(problem, w, b, looks, facts)
        assert found.objective == pytest.approx(whole.objective, rel=1e-12)
        assert found.b == pytest.approx(whole.b, rel=1e-9, abs=1e-9)
        assert_allclose(found.correlations, whole.correlations, atol=1e-9)
        # Chords of the concave dual lie below it, and meet it where nothing is scaled.
        assert found.dual <= whole.dual + 1e-12
        assert found.dual == pytest.approx(whole.dual, abs=1e-9 if loss.quadratic else 0.01)
        gradient = sum(f.share * s.gradient(w, b).w for f, s in zip(facts, shards, strict=True))
        assert_allclose(
            gradient, sum(f.share * k.gradient.w for f, k in zip(facts, looks, strict=True)), atol=1e-12
        )


@pytest.mark.parametrize("loss", LOSSES[1:], ids=["logistic", "multinomial"])
def test_certificates_of_shares_with_any_intercept(loss):
    problem = problem_of(loss, ElasticNetPenalty(0.0, 0.05), True)
    best = solve(problem, Options(tol=1e-12)).certificate
    shards, facts = cut_rows(problem, 3)
    rng, gaps = np.random.default_rng(0), []
    for size in (1.0, 1e-2, 1e-4):
        w, b = (v + size * rng.standard_normal(np.shape(v)) for v in best[:2])
        found = conclude(problem, w, b, [shard.look(w, b) for shard in shards], facts)
        # Feasible with a free intercept: a bound, as near as the square of the distance.
        assert found.dual <= best.objective + 1e-12
        gaps.append(found.objective - found.dual)
    assert gaps[1] < 1e-2 * gaps[0]
    assert gaps[2] < 1e-3 * gaps[1]


def test_balanced_classes_give_what_they_receive():
    # 0 gives 0.2 to 1, which gives 0.1 to 2, which gives 0.4 to 0: factors like 1/0.2, 1/0.1 and 1/0.4.
    chain = np.array([[9.0, 0.2, 0.0], [0.0, 9.0, 0.1], [0.4, 0.0, 9.0]])
    assert_allclose(balance_of(chain), [0.5, 1.0, 0.25], rtol=1e-15)
    given = np.random.default_rng(0).exponential(size=(6, 6)) ** 8
    factors, away = balance_of(given / given.sum()), given - np.diag(np.diag(given))
    assert_allclose(factors @ away, factors * away.sum(axis=1), rtol=1e-12)
    assert factors.max() == 1.0
    # A class that gives nothing away is alone; where nobody does, anything goes.
    assert_allclose(balance_of(np.array([[0, 0.2, 0.1], [0.1, 0, 0.1], [0, 0, 0]])), [0, 0, 1], atol=1e-200)
    assert np.isfinite(balance_of(np.zeros((4, 4)))).all()


def test_the_squared_certificate_moves_the_intercept():
    shard = RowShard(
        Design(np.array([[1.0], [-1.0]])), np.array([3.0, 1.0]), np.full(2, 0.5), SquaredLoss(), True
    )
    problem = Problem(
        np.array([[1.0], [-1.0]]), [3.0, 1.0], SquaredLoss(), ElasticNetPenalty(0.5), None, True
    )
    _, facts = cut_rows(problem, 1)
    found = conclude(problem, np.zeros(1), 0.0, [shard.look(np.zeros(1), 0.0)], facts)
    # Residuals 1 and -1 about the mean 2: objective 1/2; theta scaled by 1/2 gives 1/2 - 1/8.
    assert (found.b, found.objective, found.dual) == pytest.approx((2.0, 0.5, 0.375))


# -- placement -------------------------------------------------------------------------------------


def serve(speeds, n_shards, n_tasks, placement=None):
    """Tasks served in virtual time; idle workers ask again and again. Returns the placement, and the last
    tasks as pairs of worker and shard."""
    placement = placement or Placement(np.arange(n_shards) % len(speeds), movable=True)
    for worker, shard in list(placement.flights):
        placement.dropped(worker, shard)
    ends, served, now = {}, [], 0.0
    while len(served) < n_tasks:
        for worker in set(range(len(speeds))) - set(ends):
            shard = placement.take(worker)
            if shard is not None:
                ends[worker] = (now + speeds[worker], shard)
        worker = min(ends, key=ends.get)
        if ends[worker][0] > now + 1000.0:
            now += 1.0
            continue
        now, shard = ends.pop(worker)
        placement.told(worker, shard)
        served.append((worker, shard))
    return placement, served[-200:]


def test_equal_workers_keep_their_shards():
    placement, _ = serve([1.0, 1.01, 0.99, 1.0], 16, 2000)
    assert_array_equal(placement.homes, np.arange(16) % 4)


@pytest.mark.parametrize(("slowness", "kept"), [(3.0, [1, 2]), (10.0, [0])])
def test_a_slow_worker_keeps_what_it_is_not_too_slow_for(slowness, kept):
    placement, served = serve([1.0, 1.0, 1.0, slowness], 16, 600)
    assert np.bincount(placement.homes, minlength=4)[3] in kept
    assert len({shard for _, shard in served}) == 16


def test_a_worker_that_has_been_slow_comes_back():
    speeds = [1.0, 1.0, 1.0, 10.0]
    placement, served = serve(speeds, 16, 600)
    trials = sum(worker == 3 for worker, _ in served)
    assert 0 < trials < 10
    speeds[3] = 1.0
    placement, _ = serve(speeds, 16, 2000, placement)
    assert np.count_nonzero(placement.homes == 3) >= 2


def test_a_queued_task_takes_as_long_as_its_worker_has_it_to_itself():
    placement = Placement(np.arange(4) % 2, movable=True)
    first, second = placement.take(0), placement.take(0)
    for _ in range(3):
        placement.told(1, placement.take(1))
    placement.told(0, first)
    placement.told(0, second)
    assert list(placement._times[0]) == [8, 1]


def test_a_new_worker_is_given_shards():
    placement, _ = serve([1.0, 1.0, 1.0], 16, 10)
    before = placement.homes.copy()
    for _ in range(300):
        for worker in (0, 1, 2, 3):
            shard = placement.take(worker)
            if shard is not None:
                placement.told(worker, shard)
    assert not np.any(before == 3)
    assert 2 <= np.count_nonzero(placement.homes == 3) <= 5


def test_shards_of_a_hung_worker_are_served_by_others():
    _, served = serve([1.0, 1.0, 1e9], 12, 1000)
    assert {worker for worker, _ in served} == {0, 1}
    assert len({shard for _, shard in served}) == 12


# -- data in memory --------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS[::2], ids=str)
def test_in_memory_piag(client, nothing_kept, nothing_left, model):
    fitted = clone(model).set_params(solver="piag", executor=Dask(client)).fit(X, target(model), WEIGHTS)
    same(fitted, clone(model).set_params(tol=1e-13).fit(X, target(model), WEIGHTS))
    history = fitted.history_
    assert (history.executor, history.n_workers, history.n_blocks) == ("Dask", 2, 8)
    assert set(history.arrivals["worker"]) == {0, 1}
    assert history.updates["delay"].max() >= 1


@pytest.mark.parametrize(
    "settings",
    [{}, {"n_blocks": 4}, {"n_blocks": 4, "metric": "lipschitz", "step_size": "adaptive1"}],
    ids=str,
)
def test_in_memory_bcd(client, nothing_kept, nothing_left, settings):
    with joblib.parallel_config(backend="dask"):
        fitted = ElasticNet(alpha=0.1, tol=1e-8, **settings).fit(X - X.mean(axis=0), Y)
    same(fitted, ElasticNet(alpha=0.1, tol=1e-13).fit(X - X.mean(axis=0), Y), atol=1e-3)
    assert fitted.history_.executor == "Dask"
    assert fitted.history_.n_workers == (2 if settings else 1)


def test_rounds_share_their_products(client, nothing_kept):
    rng = np.random.default_rng(0)
    wide = sp.random(4000, 6000, density=0.21, format="csc", random_state=0)
    y = wide @ (np.arange(6000) < 20) + rng.standard_normal(4000)
    fitted = Lasso(alpha=0.02, executor=Dask(client)).fit(wide, y)
    assert fitted.history_.n_workers == 2
    assert_allclose(fitted.coef_, Lasso(alpha=0.02).fit(wide, y).coef_, atol=0.02)


def test_executor_is_cloned_shared_and_pickled_without_its_client(client):
    model = Lasso(executor=Dask(client))
    assert clone(model).executor.client is client
    assert clone(clone(model)).executor is not model.executor
    again = pickle.loads(pickle.dumps(model))
    assert again.executor.client is None
    assert again.executor.connect() is client


def test_n_jobs_limits_the_workers(client):
    assert [Dask(client).plan(n).n_workers for n in (None, 1, 2, 9, -1, -2)] == [2, 1, 2, 2, 2, 1]


def test_inside_a_worker_one_loop_runs(client):
    def fit():
        model = Lasso(alpha=0.05, executor="dask", n_jobs=2, n_blocks=4).fit(X, Y)
        with joblib.parallel_config(backend="threading"):
            other = Lasso(alpha=0.05, solver="piag", executor=Dask()).fit(X, Y)
        return [m.history_.n_workers for m in (model, other)], model.coef_

    workers, coef = client.submit(fit, pure=False).result()
    assert workers == [1, 1]
    assert_allclose(coef, Lasso(alpha=0.05, tol=1e-8).fit(X, Y).coef_, atol=1e-2)


# -- collections -----------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_dask_arrays(client, nothing_kept, nothing_left, model):
    y = target(model)
    reference = clone(model).set_params(tol=1e-13).fit(X, y, WEIGHTS)
    dense = da.from_array(X, chunks=((500, 3, 697), 20))
    fitted = clone(model).fit(dense, da.from_array(y, chunks=400), da.from_array(WEIGHTS, chunks=N))
    same(fitted, reference)
    assert fitted.n_features_in_ == P
    assert fitted.coef_.shape == reference.coef_.shape
    answers = fitted.predict(dense)
    assert isinstance(answers, da.Array)
    assert answers.chunks == ((500, 3, 697),)
    assert_array_equal(answers.compute() == y, fitted.predict(X) == y)


def test_dense_chunks_are_copied_only_where_they_must_be():
    rng, loss, s = np.random.default_rng(0), LogisticLoss(), np.full(300, 1.0 / 300)
    whole = np.empty(300 * 4 * 8 + 1, dtype=np.uint8)
    odd = whole[1:].view(float).reshape(300, 4)  # as a message may leave it
    odd[:] = rng.standard_normal((300, 4))
    plain = piece(odd, np.zeros(300))[0]
    assert plain.flags.aligned
    assert not odd.flags.aligned
    assert_array_equal(plain, odd)
    assert piece(plain, np.zeros(300))[0] is plain
    halves, y = [plain[:100], plain[100:]], np.sign(plain[:, 0])
    cases = [([plain], True), ([np.asfortranarray(plain)], False), ([plain + 1e6], False)]
    for Xs, stays in [*cases, (halves, False), ([plain.astype(np.float32)], False)]:
        X = np.concatenate(Xs).astype(float)
        shard = _shard((Xs, slice(None), y, s), slice(None), X.mean(axis=0), 4, loss, True)
        assert np.shares_memory(shard.features.X, Xs[0]) == stays
        w = np.arange(4.0)
        assert_allclose(shard.read(w, 0.5)[0], (X - X.mean(axis=0)) @ w + 0.5, atol=1e-13)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Lasso(alpha=0.05), linear_model.Lasso(alpha=0.05, max_iter=10**6)),
        (ElasticNet(alpha=0.5), linear_model.ElasticNet(alpha=0.5, max_iter=10**6)),
        (LogisticRegression(C=0.01), linear_model.LogisticRegression(C=0.01, solver="newton-cholesky")),
        (
            LogisticRegression(C=0.01, l1_ratio=0.5),
            linear_model.LogisticRegression(C=0.01, l1_ratio=0.5, solver="saga", max_iter=10**5),
        ),
    ],
    ids=["lasso", "elastic net", "ridge logistic", "elastic logistic"],
)
def test_coefficients_are_those_of_scikit_learn(client, nothing_kept, ours, theirs):
    y = target(ours)
    with warnings.catch_warnings():
        # Before scikit-learn 1.8, l1_ratio wanted a penalty beside it.
        warnings.simplefilter("ignore")
        theirs = theirs.set_params(tol=1e-14).fit(X[:, :8], y)
    fitted = clone(ours).set_params(tol=1e-12, max_iter=10**5)
    fitted.fit(da.from_array(X[:, :8], chunks=(N // 2, -1)), da.from_array(y, chunks=N // 2))
    assert fitted.history_.executor == "Dask"
    scale = np.abs(theirs.coef_).max()
    assert_allclose(fitted.coef_, theirs.coef_, rtol=0, atol=1e-9 * scale)
    assert_allclose(fitted.intercept_, theirs.intercept_, rtol=1e-9)


@pytest.mark.parametrize("step_size", ["exact", "adaptive1"])
def test_groups_on_a_cluster(client, nothing_kept, step_size):
    groups = [[0, 7, 3], [1, 2], [4, 5, 6]]
    here = GroupLasso(alpha=1.0, groups=groups, tol=1e-12).fit(X[:, :8], Y)
    there = GroupLasso(alpha=1.0, groups=groups, tol=1e-10, step_size=step_size, max_iter=10**5)
    there.fit(da.from_array(X[:, :8], chunks=(N // 2, -1)), da.from_array(Y, chunks=N // 2))
    assert there.history_.executor == "Dask"
    assert_allclose(there.coef_, here.coef_, rtol=0, atol=1e-4 * np.abs(here.coef_).max())
    assert 0 < np.count_nonzero(there.coef_) < 8
    with pytest.raises(ValueError, match="groups=3 does not divide the 8 features"):
        there.set_params(groups=3).fit(
            da.from_array(X[:, :8], chunks=N // 2), da.from_array(Y, chunks=N // 2)
        )


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_three_classes(client, nothing_kept, nothing_left, l1_ratio):
    # Sorted, so that neither half has all the labels.
    order = np.argsort(THREE, kind="stable")
    data, y, weights = X[order, :5], THREE[order], WEIGHTS[order]
    dX = da.from_array(data, chunks=(N // 2, -1))
    if l1_ratio == 0.0:
        atol, how = 1e-6, {"C": 0.0005, "class_weight": {"low": 2.0, "top": 0.5}}
        model = LogisticRegression(tol=1e-12, **how)
        reference = linear_model.LogisticRegression(solver="newton-cholesky", tol=1e-14, **how)
    else:
        atol, model = 1e-4, LogisticRegression(C=0.002, l1_ratio=0.5, class_weight="balanced", tol=1e-11)
        reference = clone(model).set_params(tol=1e-13)
    fitted = model.fit(dX, da.from_array(y, chunks=N // 2), weights)
    reference.fit(data, y, weights)
    assert fitted.history_.executor == "Dask"
    assert_array_equal(fitted.classes_, ["low", "middle", "top"])
    scale = np.abs(reference.coef_).max()
    assert_allclose(fitted.coef_, reference.coef_, rtol=0, atol=atol * scale)
    assert_allclose(fitted.intercept_, reference.intercept_, rtol=0, atol=10 * atol * scale)
    for method in ("predict", "predict_proba", "decision_function"):
        ours, theirs = getattr(fitted, method)(dX), getattr(fitted, method)(data)
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
        assert ours.chunks == ((N // 2, N // 2), (3,))[: ours.ndim]
        assert_array_equal(ours.compute(), theirs)


def test_sparse_chunks_of_unknown_length(client, nothing_kept):
    few = X[:, :10]
    model = Lasso(alpha=0.05, tol=1e-10)
    blocks = da.from_array(few, chunks=(600, -1)).map_blocks(sp.csr_matrix)
    fitted = model.fit(blocks, Y)
    same(fitted, clone(model).set_params(tol=1e-13).fit(few, Y))
    dense = da.from_array(few, chunks=(600, -1))
    keep = da.from_array(np.arange(N) % 3 > 0, chunks=600)
    half, y = dense[keep], da.from_array(Y, chunks=600)[keep]
    assert np.isnan(half.chunks[0]).all()
    rows = np.arange(N) % 3 > 0
    reference = clone(model).set_params(tol=1e-13).fit(few[rows], Y[rows])
    same(clone(model).fit(half, y), reference)
    model.set_params(tol=1e-8)
    same(clone(model).fit(half, Y[rows]), reference)


def test_dataframes(client, nothing_kept):
    dd, pd = pytest.importorskip("dask.dataframe"), pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=[f"c{i}" for i in range(P)])
    model = LogisticRegression(C=0.01, tol=1e-10)
    parts = dd.from_pandas(frame, npartitions=2)
    fitted = model.fit(parts, dd.from_pandas(pd.Series(LABELS), npartitions=2))
    same(fitted, clone(model).set_params(tol=1e-13).fit(frame, LABELS))
    assert_array_equal(fitted.feature_names_in_, frame.columns)
    assert_array_equal(fitted.predict(parts).compute(), fitted.predict(frame))
    for method in ("predict_proba", "predict_log_proba", "decision_function"):
        ours = getattr(fitted, method)(parts)
        assert isinstance(ours, da.Array)
        assert_allclose(ours.compute(), getattr(fitted, method)(frame), rtol=1e-12)


def test_float32_no_penalty_and_warm_start(client):
    single = da.from_array(X.astype(np.float32), chunks=(400, -1))
    model = Lasso(alpha=0.05, warm_start=True, tol=1e-8, step_size="adaptive1").fit(single, Y)
    assert model.coef_.dtype == np.float32
    first = model.n_updates_
    assert model.fit(single, Y).n_updates_ < first / 2
    few = X[:, :8]
    with pytest.warns(UserWarning, match="With alpha=0"):
        free = Lasso(alpha=0.0, tol=1e-6).fit(da.from_array(few, chunks=(400, -1)), Y)
    assert free.dual_gap_ == np.inf
    assert_allclose(free.coef_, np.linalg.lstsq(few - few.mean(0), Y - Y.mean(), rcond=None)[0], atol=1e-4)


def test_what_collections_refuse(client, nothing_kept, monkeypatch):
    dX, dy = da.from_array(X, chunks=(400, -1)), da.from_array(Y, chunks=400)
    with pytest.raises(ValueError, match="executor='threads' cannot work there"):
        Lasso(executor="threads").fit(dX, dy)
    with pytest.raises(ValueError, match="cannot work there"):
        Lasso(executor=Simulated(Trace.constant(2))).fit(dX, dy)
    with pytest.raises(ValueError, match="X has 1200 rows, and y has 1199"):
        Lasso().fit(dX, dy[1:])
    with pytest.raises(ValueError, match="X has 1200 rows, and y has 7"):
        Lasso().fit(dX, Y[:7])
    unknown = da.from_array(Y, chunks=600)[da.from_array(Y, chunks=600) > -np.inf]
    with pytest.raises(ValueError, match="X has 3 chunks of rows, and y has 2"):
        Lasso().fit(dX, unknown)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        Lasso().fit(da.where(dX > 5.0, np.nan, dX), dy)
    with pytest.raises(ValueError, match="Input y contains infinity"):
        Lasso().fit(dX, da.where(dy > 9.0, np.inf, dy))
    with pytest.raises(ValueError, match="Negative values in data passed to `sample_weight`"):
        Lasso().fit(dX, dy, sample_weight=-Y)
    with pytest.raises(ValueError, match="at least one must be positive"):
        Lasso().fit(dX, dy, sample_weight=np.zeros(N))
    for y in (da.stack([dy, dy], axis=1), np.ones((N, 2))):
        with monkeypatch.context() as patch:
            # No worker has to be asked, nor logs an error.
            patch.delattr(distributed.Client, "compute")
            with pytest.raises(ValueError, match="several targets are not offered on dask collections"):
                Lasso().fit(dX, y)
    with pytest.raises(ValueError, match=r"needs samples of 2 classes in the data.*only one class: 0\.0"):
        LogisticRegression().fit(dX, da.zeros(N, chunks=400))
    with pytest.raises(ValueError, match=r"all those of \['middle'\] have weight zero"):
        LogisticRegression().fit(dX, da.from_array(THREE, chunks=400), THREE != "middle")
    with pytest.raises(ValueError, match="keeps matrices of all coefficients where no l1 part"):
        ElasticNet(l1_ratio=0.0, step_size="exact").fit(da.zeros((N, 2001), chunks=(400, 2001)), dy)


# -- faults ----------------------------------------------------------------------------------------


def worker_pids(client):
    return client.run(os.getpid)


HARD = {"alpha": 0.001, "tol": 1e-9, "max_iter": 100_000}


class Steered(Dask):
    """Runs until ``steer(events)`` says stop, in the calling thread."""

    def __init__(self, client=None, steer=None):
        super().__init__(client)
        self.steer = steer

    def run(self, solver, on_events):
        return super().run(solver, lambda events, now: on_events(events, now) or self.steer(events))


@pytest.mark.parametrize(("where", "step_size"), [("memory", "adaptive1"), ("collection", "exact")])
def test_a_worker_is_killed(client, nothing_kept, nothing_left, where, step_size):
    pid, killed = next(iter(worker_pids(client).values())), []

    def steer(events):
        """Kill as soon as something has arrived."""
        if not killed:
            killed.append(os.kill(pid, signal.SIGKILL))

    data = (X, Y) if where == "memory" else (da.from_array(X, chunks=(200, -1)), da.from_array(Y, chunks=200))
    fitted = Lasso(**HARD, solver="piag", step_size=step_size, executor=Steered(client, steer)).fit(*data)
    assert killed
    same(fitted, Lasso(**HARD).fit(X, Y))
    client.wait_for_workers(2, timeout=20)
    assert pid not in worker_pids(client).values()


def test_a_task_that_raises(client, nothing_kept, nothing_left, monkeypatch):
    def explode(self, w, b):
        raise ArithmeticError("a gradient failed")

    monkeypatch.setattr(RowShard, "gradient", explode)
    # The workers have their own class: ship ours with the shard.
    monkeypatch.setattr(
        "sk_asyncprox.solvers.piag.PIAG.work", staticmethod(lambda part, task: explode(part, 0, 0))
    )
    with pytest.raises(ArithmeticError, match="a gradient failed"):
        Lasso(solver="piag", executor=Dask(client)).fit(X, Y)


def test_a_failed_fit_of_a_collection_leaves_the_estimator_as_it_was(client, nothing_kept):
    rows, fewer = da.from_array(X, chunks=(300, -1)), da.from_array(X[:, :7], chunks=(300, -1))
    model = LogisticRegression(C=0.01)
    for _ in range(2):
        before = vars(model).copy()
        with pytest.raises(ValueError, match="only one class"):
            model.fit(fewer, da.ones(N, chunks=300))
        assert vars(model) == before
        model.fit(rows, da.from_array(LABELS, chunks=300))


@pytest.mark.parametrize("where", ["memory", "collection"])
def test_workers_come_and_go(where):
    seen, left = set(), []
    # Columns so much alike that it takes far longer.
    data = X + 50.0 * X[:, :1], Y
    if where == "collection":
        data = da.from_array(data[0], chunks=(N // 8, -1)), da.from_array(Y, chunks=N // 8)

    def steer(events):
        """Two workers come after ten updates, and two go when all three have been seen."""
        for update in (event for event in events if isinstance(event, Update)):
            seen.update(arrival.worker for arrival in update.arrivals)
            if update.index == 10:
                cluster.scale(3)
            if len(seen) == 3 and not left:
                cluster.scale(1)
                left.append(None)
            if left and len(client.nthreads()) == 1:
                left.append({arrival.worker for arrival in update.arrivals})
        return len(left) > 100

    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0", silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        model = Lasso(alpha=0.0005, tol=0.0, max_iter=10**7, max_time=100, executor=Steered(client, steer))
        with pytest.warns(ConvergenceWarning, match="did not converge"):
            model.set_params(solver="piag", step_size="adaptive1").fit(*data)
        arrivals = model.history_.arrivals
        assert set(arrivals["worker"][arrivals["update"] <= 10]) == {0}
        assert seen == {0, 1, 2}
        assert len(set().union(*left[-50:])) == 1


CLUSTER = """
import sys, time, distributed
with distributed.LocalCluster(
    n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=":0"
) as cluster:
    print(cluster.scheduler_address, flush=True)
    time.sleep(300)
"""


@pytest.fixture
def elsewhere():
    """A cluster in a process of its own; yields the process and a client."""
    process = subprocess.Popen(
        [sys.executable, "-c", CLUSTER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        address = process.stdout.readline().strip()
        with distributed.Client(address, timeout=3) as client:
            yield process, client
    finally:
        process.kill()
        process.communicate()


def test_the_scheduler_goes_away(elsewhere):
    scheduler, client = elsewhere
    Lasso(tol=0.1, solver="piag", executor=Dask(client)).fit(X, Y)
    killed = []

    def steer(events):
        """Kill as soon as there is a model to keep."""
        if not killed and any(getattr(event, "gap", np.inf) < 0.9 * Y.var() for event in events):
            killed.append(scheduler.kill())

    endless = {
        "alpha": 0.0005,
        "tol": 1e-15,
        "max_iter": 10**7,
        "step_size": "adaptive1",
        "metric": "lipschitz",
    }
    model = Lasso(**endless, solver="piag", executor=Steered(client, steer))
    begin = time.monotonic()
    with pytest.raises(WorkersLost, match="scheduler cannot be reached"):
        model.fit(X, Y)
    assert time.monotonic() - begin < 10
    assert model.history_.stopped == "workers lost"
    assert 0 < model.dual_gap_ < Y.var()
    assert model.predict(X).shape == (N,)


# -- wide data -------------------------------------------------------------------------------------


def hashed(n=900, p=5000, k=12, seed=0):
    """Sparse rows of few words, some frequent and most nearly unique, and targets."""
    rng = np.random.default_rng(seed)
    columns = np.minimum((rng.pareto(0.7, (n, k)) * 8).astype(int), p - 1)
    X = sp.csr_matrix((rng.uniform(0.5, 1.5, n * k), columns.ravel(), k * np.arange(n + 1)), shape=(n, p))
    X.sum_duplicates()
    y = X[:, :40] @ rng.standard_normal(40) + 0.3 * rng.standard_normal(n) + 2.0
    return X, y


def in_chunks(X, n_chunks=4):
    cuts = np.linspace(0, X.shape[0], n_chunks + 1).astype(int)
    blocks = [dask.delayed(X[a:b]) for a, b in itertools.pairwise(cuts)]
    meta = sp.csr_matrix((0, X.shape[1]), dtype=X.dtype)
    shapes = [(b - a, X.shape[1]) for a, b in itertools.pairwise(cuts)]
    pieces = [da.from_delayed(block, shape, meta=meta) for block, shape in zip(blocks, shapes, strict=True)]
    return da.concatenate(pieces)


WIDE = {
    "lasso": Lasso(0.05),
    "without": ElasticNet(0.05, l1_ratio=0.8, fit_intercept=False),
    "two": LogisticRegression(C=0.05, l1_ratio=1.0),
    "three": LogisticRegression(C=0.05, l1_ratio=1.0, class_weight="balanced"),
    "first order": LogisticRegression(C=0.05, l1_ratio=1.0, step_size="adaptive1"),
}


@pytest.mark.parametrize("case", WIDE)
def test_wide_sparse_rows_stay_where_they_lie(client, nothing_kept, case):
    X, y = hashed()
    y = {"two": y > 2, "three": np.digitize(y, [1.5, 2.5]), "first order": y > 2}.get(case, y)
    rows, model = in_chunks(X), clone(WIDE[case]).set_params(tol=0.2 if case == "first order" else 1e-8)
    reference = clone(model).set_params(step_size="auto", tol=1e-10).fit(X, y)
    model.fit(rows, y)
    assert model.history_.stopped == "converged"
    above = model.objective_ - reference.objective_
    assert -1e-9 * reference.objective_ <= above <= 1.1 * model.dual_gap_ + 1e-9 * reference.objective_
    if case != "first order":
        assert model.history_.step_size == "ExactStep()"
        assert_allclose(model.coef_, reference.coef_, atol=2e-3 * np.abs(reference.coef_).max())
        assert_allclose(model.intercept_, reference.intercept_, atol=2e-3)
        # Coefficients of columns that cannot matter are no obstacle.
        model.coef_ = model.coef_ + 0.01
        model.set_params(warm_start=True).fit(rows, y)
        assert model.objective_ == pytest.approx(reference.objective_, rel=1e-7)


def test_nothing_as_long_as_the_coefficients_travels(client, nothing_kept, monkeypatch):
    sizes, submit, unpack = [], Crew._submit, Crew._unpack

    def sent(self, task, address):
        sizes.append(len(pickle.dumps(task.payload)))
        return submit(self, task, address)

    def received(self, answer):
        pair = unpack(self, answer)
        sizes.append(0 if pair is None else len(pickle.dumps(pair[1])))
        return pair

    monkeypatch.setattr(Crew, "_submit", sent)
    monkeypatch.setattr(Crew, "_unpack", received)
    X, y = hashed(p=200_000)
    model = LogisticRegression(C=0.05, l1_ratio=1.0, tol=1e-6).fit(in_chunks(X), y > 2)
    assert model.history_.stopped == "converged"
    assert np.count_nonzero(model.coef_) > 5
    assert max(sizes) < 200_000


def test_a_collection_with_targets_of_any_size(client, nothing_kept):
    """Their squares are in range, or one sentence says that they are not."""
    rows = da.from_array(X, chunks=(400, P))
    plain = Lasso(alpha=0.05, tol=1e-8).fit(rows, Y)
    for size in (2.0**-400, 2.0**400):
        model = Lasso(alpha=0.05 * size, tol=1e-8).fit(rows, Y * size)
        assert_allclose(model.coef_ / size, plain.coef_, atol=1e-4)
    for size in (1e-300, 1e-160, 1e160, 1e300):
        with pytest.raises(ValueError, match="squares of y are too large or too small"):
            Lasso(alpha=0.05 * size).fit(rows, Y * size)
    assert_array_equal(Lasso(alpha=0.05).fit(rows, 0.0 * Y).coef_, 0.0)


@pytest.mark.parametrize("error", [KeyError("gone"), OSError("gone")])
def test_another_worker_takes_the_place_of_one_that_goes_while_data_are_sent(
    client, monkeypatch, nothing_kept, error
):
    first, second = client.nthreads()
    there, scatter = [first], client.scatter

    def send(*args, workers, **options):
        if workers == [first]:
            there[:] = [second]
            raise error
        return scatter(*args, workers=workers, **options)

    monkeypatch.setattr(RollCall, "slots", lambda self: list(there))
    monkeypatch.setattr(client, "scatter", send)
    model = LogisticRegression(C=0.002, l1_ratio=0.2, tol=1e-8, executor=Dask(client)).fit(X, LABELS)
    plain = LogisticRegression(C=0.002, l1_ratio=0.2, tol=1e-8).fit(X, LABELS)
    assert_allclose(model.coef_, plain.coef_, atol=1e-5)


@pytest.mark.skipif(os.name == "nt", reason="os.kill(SIGINT) ends a Windows process outright")
def test_an_interrupt_while_data_are_sent_leaves_nothing_on_the_scheduler(client, monkeypatch, nothing_kept):
    scatter, handler = client.scatter, signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupted(*args, **options):
        killer = threading.Timer(0.005, os.kill, (os.getpid(), signal.SIGINT))
        killer.start()
        try:
            return scatter(*args, **options)
        finally:
            killer.join()

    monkeypatch.setattr(client, "scatter", interrupted)
    try:
        with pytest.raises(KeyboardInterrupt):
            Lasso(alpha=0.05, solver="piag", executor=Dask(client)).fit(np.tile(X, (40, 1)), np.tile(Y, 40))
    finally:
        signal.signal(signal.SIGINT, handler)
    deadline = time.monotonic() + 5.0
    while client.run_on_scheduler(wanted) and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.05)
    assert client.run_on_scheduler(wanted) == []


def wanted(dask_scheduler):
    return list(map(str, dask_scheduler.tasks))


def test_penalty_weights(client, nothing_kept):
    weights = np.linspace(0.3, 2.0, X.shape[1])
    options = {"alpha": 0.02, "tol": 1e-9, "penalty_weights": weights}
    rows = da.from_array(X, chunks=(40, -1))
    same(
        Lasso(executor=Dask(client), **options).fit(rows, da.from_array(Y, chunks=40)),
        Lasso(**options).fit(X, Y),
    )
    weights[:2] = 0.0
    with pytest.raises(ValueError, match="penalty_weights of 0 are not offered where X is a dask collection"):
        Lasso(executor=Dask(client), **options).fit(rows, da.from_array(Y, chunks=40))
    # In memory they are, and so they are along paths of collections, which few rows stand for.
    same(Lasso(solver="piag", executor=Dask(client), **options).fit(X, Y), Lasso(**options).fit(X, Y))
    found = lasso_path(rows, da.from_array(Y, chunks=40), alphas=3, tol=1e-9, penalty_weights=weights)
    assert_allclose(found[1], lasso_path(X, Y, alphas=3, tol=1e-9, penalty_weights=weights)[1], atol=1e-5)
