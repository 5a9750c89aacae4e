"""Gram matrices of sparse columns: their rows, when they pay, and the ill-conditioned data they are for."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.preprocessing import PolynomialFeatures

from sk_asyncprox import ElasticNet, Lasso, LogisticRegression
from sk_asyncprox._compat import block_cd
from sk_asyncprox.kernels import gram_matrix
from sk_asyncprox.kernels import gram_matrix_banded as bands_module
from sk_asyncprox.kernels.gram_cost import bands_cost, rows_cost
from sk_asyncprox.kernels.gram_matrix import add_filled, add_sparse
from sk_asyncprox.kernels.gram_matrix_banded import BandedGram, banded
from sk_asyncprox.kernels.working_set import is_settled
from sk_asyncprox.losses.curvature import DiagonalCurvature, SoftmaxCurvature
from sk_asyncprox.penalties import ElasticNetPenalty
from sk_asyncprox.solvers import rounds_worker_tasks
from sk_asyncprox.solvers.rounds_gram_steps import GramRule

seeds = st.integers(0, 2**32 - 1)


def curvature(rng, n_outputs, n):
    weights = rng.random(n) + 0.1
    if n_outputs == 1:
        return DiagonalCurvature(weights)
    return SoftmaxCurvature(rng.dirichlet(np.ones(n_outputs), n).T, weights, 0.1 * rng.random(n))


@given(seeds, st.sampled_from([1, 3]))
def test_the_squares_add_up_to_the_curvature(seed, n_outputs):
    rng, n = np.random.default_rng(seed), 7
    model, v = curvature(rng, n_outputs, n), rng.standard_normal(n_outputs * n)
    V, out = v.reshape(n_outputs, n), np.zeros((n_outputs, n))
    for rows in (slice(0, 4), slice(4, n)):
        for sign, outputs, scales in model.squares(rows):
            out[outputs, rows] += sign * scales * (scales * V[outputs, rows]).sum(axis=0)
    assert_allclose(out.ravel(), model.times(v), atol=1e-14)


@pytest.mark.parametrize("heavy", [1.0, 0.1, -1.0], ids=["sparse", "in two parts", "filled"])
@given(seed=seeds, n_outputs=st.sampled_from([1, 3]), share=st.sampled_from([0.0, 0.2, 0.6, 1.0]))
@settings(max_examples=30, deadline=None)
def test_rows_of_sparse_columns_are_those_of_dense_ones(heavy, seed, n_outputs, share):
    rng, n = np.random.default_rng(seed), 300
    model = curvature(rng, n_outputs, n)
    blocks = []
    for _ in range(n_outputs):
        k = rng.integers(0, 12)
        block = rng.standard_normal((k, n)) * (rng.random((k, n)) < rng.choice([0.02, 0.5], (k, 1)))
        blocks.append(block)
    k = sum(len(block) for block in blocks)
    wanted = np.flatnonzero(rng.random(k) <= share)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gram_matrix, "HEAVY", heavy)
        patch.setattr(gram_matrix, "AT_ONCE", 500)
        found = np.ones((len(wanted), k)), np.ones((k, n_outputs))
        add_sparse([sp.csr_matrix(block) for block in blocks], model, "float64", wanted, *found)
        single = np.ones((len(wanted), k)), np.ones((k, n_outputs))
        add_sparse([sp.csr_matrix(block) for block in blocks], model, "float32", wanted, *single)
    expected = np.ones((len(wanted), k)), np.ones((k, n_outputs))
    add_filled([block.copy() for block in blocks], model, slice(None), wanted, *expected)
    for own, rough, right in zip(found, single, expected, strict=True):
        assert_allclose(own, right, atol=1e-11)
        assert_allclose(rough, right, atol=1e-3)


def test_the_cost_is_that_of_both_parts():
    sizes, n = np.array([900, 1000, 10, 20, 30]), 100_000
    assert rows_cost(sizes, n, 5) == pytest.approx(8 * 1960 + 10 * 1960**2 / n)
    sizes[:2] *= 10
    both = 10 * 60**2 / n + 0.4 * 60 * 2 + 0.03 * n * 2 * 2
    assert rows_cost(sizes, n, 5) == pytest.approx(8 * 19_060 + 2 * n * 2 + both)
    assert rows_cost(sizes, n, 1) == pytest.approx(8 * 19_060 + 2 * n * 2 + both / 5)


def test_after_slow_rounds_a_matrix_may_cost_more():
    rule, sizes, n = GramRule(10**7), np.full(1000, 500), 10_000
    rule.counted(10, False)
    assert rule.choose(sizes, n, 1000) is None
    for _ in range(8):
        rule.counted(10, True)
    assert rule.choose(sizes, n, 1000) == "filled"
    assert rule.choose(np.full(3000, 500), n, 3000) is None
    rule.counted(10, False)
    assert rule.choose(sizes, n, 1000) is None


def test_a_crowded_working_set_that_loses_columns_is_not_settled():
    assert is_settled(100, 99, 150)
    assert not is_settled(100, 90, 150)
    assert is_settled(100, 90, 500)
    assert not is_settled(100, 130, 500)


def test_what_rounds_have_read_decides():
    rule, sizes, n = GramRule(10**7), np.full(1000, 500), 10_000
    rule.counted(10_000, False)
    assert rule.choose(sizes, n, 1000) == "filled"
    rule.counted(10, False)
    assert rule.choose(sizes, n, 1000) is None
    assert GramRule(1000).choose(np.full(30, 100), 300, 30) == "filled"


def test_columns_that_seldom_meet_may_be_banded():
    rule, sizes, n = GramRule(10**7), np.full(4000, 5), 10_000
    assert rule.choose(sizes, n, 4000) is None
    for _ in range(6):
        rule.counted(32, True)
    assert rule.choose(sizes, n, 4000) == "banded"
    assert rule.choose(sizes, n, 4000, bands_allowed=False) is None
    rule.bands = False
    assert rule.choose(sizes, n, 4000) is None
    assert bands_cost(sizes, n) == 8 * 20_000 + 10 * 20_000**2 / n
    assert bands_cost(np.full(200, 5), n) == bands_cost(np.full(4000, 500), n) == np.inf


# -- banded matrices -----------------------------------------------------------------------------------


def band(rng, n=80, k=70, width=6):
    """Columns that are banded once they are sorted."""
    X = np.zeros((n, k))
    for j in range(k):
        X[j : j + width, j] = rng.standard_normal(min(width, n - j))
    return X[:, rng.permutation(k)]


@given(seed=seeds, centred=st.booleans())
@settings(max_examples=30, deadline=None)
def test_a_banded_matrix_does_what_an_array_does(seed, centred):
    rng = np.random.default_rng(seed)
    X = band(rng)
    model = curvature(rng, 1, len(X))
    Q = banded(sp.csr_matrix(X.T), model, centred)
    X = X - np.average(X, axis=0, weights=model.diagonal) if centred else X
    right = X.T @ (model.diagonal[:, None] * X)
    w, rows = rng.standard_normal(70), rng.standard_normal((3, 70))
    assert_allclose(Q @ w, right @ w, atol=1e-12)
    assert_allclose(rows @ Q, rows @ right, atol=1e-12)
    assert_allclose(Q.diagonal(), right.diagonal(), atol=1e-12)
    at = np.flatnonzero(rng.random(70) < 0.6)
    part, own = Q[at[:, None], at], right[np.ix_(at, at)]
    assert_allclose(rows[:, at] @ Q[at], rows[:, at] @ right[at], atol=1e-12)
    inverse = np.linalg.inv(own + 0.1 * np.eye(len(at)))
    assert_allclose(part.factored(0.1)(w[at]), inverse @ w[at], atol=1e-10)
    assert_allclose(part.factored(0.1)(np.eye(len(at))), inverse, atol=1e-10)


@given(seed=seeds, positive=st.booleans(), l2=st.sampled_from([0.0, 0.05]))
@settings(max_examples=30, deadline=None)
def test_sweeps_of_a_banded_matrix_are_those_of_an_array(seed, positive, l2):
    rng = np.random.default_rng(seed)
    X, penalty = band(rng), ElasticNetPenalty(0.1, l2, positive)
    model, q, start = curvature(rng, 1, len(X)), rng.standard_normal(70), np.abs(rng.standard_normal(70))
    right, Q = X.T @ (model.diagonal[:, None] * X), banded(sp.csr_matrix(X.T), model, False)
    order, found = np.argsort(Q._rank), Q.sweep(start, q, penalty, 5, 1e-12)
    own = right[np.ix_(order, order)]
    expected = block_cd(start[order], 0.1, l2, 5, Q=own, q=q[order], positive=positive)
    assert_allclose(found[order], expected, atol=1e-6)
    # Where an intercept follows, the objective falls all the same.
    Q = banded(sp.csr_matrix(X.T), model, True)

    def objective(w):
        return w @ (Q @ w) / 2 - q @ w + penalty.value(w)

    before = objective(start)
    for _ in range(4):
        start = Q.sweep(start, q, penalty, 3, 1e-12)
        now = objective(start)
        assert now <= before + 1e-12 * abs(before)
        before = now


def test_what_is_no_band_is_none(monkeypatch):
    rng = np.random.default_rng(0)
    model = curvature(rng, 1, 200)
    blocks = sp.csr_matrix(sp.block_diag([np.ones((5, 10))] * 20))
    assert banded(blocks, model, False).size == 20 * 25
    widened = blocks.tolil()
    widened[7] = 1.0
    with monkeypatch.context() as patch:
        patch.setattr(bands_module, "scaled", None)  # before any product
        assert banded(widened.tocsr(), model, False) is None
    # Each column meets few others, which are near in no order.
    scattered = sp.random_array((200, 200), density=0.01, rng=0) + sp.eye_array(200)
    assert banded(sp.csr_matrix(scattered), model, False) is None
    monkeypatch.setattr(bands_module, "MOST_MEETINGS", 100)
    assert banded(blocks, model, False) is None


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("estimator", [Lasso(0.1), LogisticRegression(C=100.0, l1_ratio=1.0)])
def test_blurs_are_solved_on_banded_matrices(estimator, fit_intercept, monkeypatch):
    X, y = blurred(600)
    y = y if isinstance(estimator, Lasso) else np.where(y > np.median(y), 1, 0)
    model = clone(estimator).set_params(fit_intercept=fit_intercept, tol=1e-6)
    dense, solved = clone(model).fit(X, y), []

    def counted(part, payload):
        solved.append(type(payload[1]))
        return rounds_worker_tasks.model(part, payload)

    monkeypatch.setitem(rounds_worker_tasks.WORK, "model", counted)
    monkeypatch.setattr(GramRule, "choose", lambda _, sizes, *__: "banded" if len(sizes) > 100 else "filled")
    model.fit(sp.csr_array(X), y)
    assert BandedGram in solved
    assert model.history_.stopped == dense.history_.stopped == "converged"
    assert model.objective_ == pytest.approx(dense.objective_, abs=2e-6 * max(1.0, y @ y / len(y)))
    assert np.max(model.n_iter_) <= 5 * np.max(dense.n_iter_)


def test_columns_without_a_band_are_tried_once(monkeypatch):
    tried = []
    monkeypatch.setitem(
        rounds_worker_tasks.WORK, "bands", lambda part, payload: tried.append(payload) or (None, 1)
    )
    monkeypatch.setattr(GramRule, "choose", lambda self, *_: "banded" if self.bands else None)
    X, y = blurred(600)
    model = Lasso(0.1).fit(sp.csr_array(X), y)
    assert len(tried) == 1
    assert {"descent", "newton"} <= set(model.history_.updates["phase"])


# -- data that conjugate gradients creep on ------------------------------------------------------------


def one_hot(n, levels, n_variables, n_classes, seed=0):
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, levels, (n, n_variables))
    X = np.hstack([np.eye(levels)[column] for column in drawn.T])
    z = X @ rng.standard_normal((X.shape[1], n_classes)) + rng.gumbel(size=(n, n_classes))
    return X, z.argmax(axis=1)


def few_rows(n_classes):
    rng = np.random.default_rng(3)
    X = (10.0 + rng.standard_normal((40, 25))) * (rng.random((40, 25)) < 0.2)
    return X, rng.integers(0, n_classes, 40)


def repeated_words(n_classes):
    rng = np.random.default_rng(1)
    X = rng.poisson(0.05, (200, 120)).astype(float)
    X = np.hstack([X, X[:, :60], X[:, :20] + X[:, 20:40]])
    return X, np.digitize(X[:, :9] @ rng.standard_normal(9) + rng.gumbel(size=200), range(n_classes - 1))


def polynomials(n_classes):
    rng = np.random.default_rng(2)
    X = rng.random((200, 8)) * (rng.random((200, 8)) < 0.4)
    X = PolynomialFeatures(3, include_bias=False).fit_transform(X)
    z = X @ (rng.standard_normal(X.shape[1]) * (rng.random(X.shape[1]) < 0.1))
    return X, np.digitize(z, np.quantile(z, np.arange(1, n_classes) / n_classes))


def blurred(n=300, width=3):
    rng = np.random.default_rng(4)
    shape = np.exp(-0.5 * (np.arange(-4 * width, 4 * width + 1) / width) ** 2)
    X = sp.diags_array(
        [np.full(n - abs(d), s) for d, s in enumerate(shape, -4 * width)],
        offsets=range(-4 * width, 4 * width + 1),
    ).toarray()
    spikes = 100.0 * rng.random(n) * (rng.random(n) < 0.1)
    return X, X @ spikes + rng.standard_normal(n)


CLASSES = {
    "one-hot": lambda k: one_hot(300, 8, 4, k),
    "many levels": lambda k: one_hot(800, 25, 3, k),
    "few rows": few_rows,
    "repeated words": repeated_words,
    "polynomials": polynomials,
}


def compare(model, X, y):
    sparse, dense = (
        model.fit(A, y) and (model.n_iter_, model.objective_, model.history_.stopped)
        for A in (sp.csr_array(X), X)
    )
    assert sparse[2] == dense[2] == "converged"
    assert np.max(sparse[0]) <= 5 * np.max(dense[0])
    assert sparse[1] == pytest.approx(dense[1], abs=2 * model.tol)


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("C", [1.0, 100.0, 1e4])
def test_sparse_classes_take_no_more_passes_than_the_dense_copy(kind, n_classes, C):
    compare(LogisticRegression(C=C, l1_ratio=1.0), *CLASSES[kind](n_classes))


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_other_penalties_of_sparse_classes_take_no_more_passes_either(l1_ratio):
    compare(LogisticRegression(C=1e3, l1_ratio=l1_ratio), *one_hot(300, 8, 4, 3))


@pytest.mark.parametrize("model", [Lasso(1e-2), ElasticNet(1e-2, l1_ratio=0.5), Lasso(1e-2, positive=True)])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("kind", ["blurred", "repeated words", "polynomials"])
def test_sparse_regressions_take_no_more_passes_than_the_dense_copy(kind, model, fit_intercept):
    X, y = blurred() if kind == "blurred" else CLASSES[kind](9)
    scale = y @ y / len(y)
    model.set_params(fit_intercept=fit_intercept, alpha=1e-4 * scale)
    sparse, dense = (model.fit(A, y) and (model.n_iter_, model.objective_) for A in (sp.csr_array(X), X))
    assert sparse[0] <= 7 * max(2, dense[0])  # sweeps on second moments read no data
    assert sparse[1] == pytest.approx(dense[1], abs=2e-4 * scale)
