"""Second moments: those of the rows themselves, or what other rows leave, and when they are not trusted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from sk_asyncprox import Lasso, LassoCV
from sk_asyncprox.data import moments
from sk_asyncprox.data import preprocessing as rows
from sk_asyncprox.data.moments import few_rows, joined, moments_of, point_of
from sk_asyncprox.losses import SquaredLoss
from sk_asyncprox.problem import Problem


def direct(X, y, weights, centred):
    """Gram matrix, products with the target and its square, by their definitions."""
    weights = np.ones(len(y)) if weights is None else weights
    weights = weights / weights.sum()
    X, y = X.astype(np.float64), y.astype(np.float64)
    if centred:
        X, y = X - weights @ X, y - weights @ y
    return (X * weights[:, None]).T @ X, X.T @ (weights * y), weights @ y**2


def drawn(seed=0, n=60, p=7, mean=0.0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * np.geomspace(1.0, 1e3, p) + mean
    return X, X @ rng.standard_normal(p) + rng.standard_normal(n), rng.integers(1, 5, n).astype(float)


def assert_is(quadratic, X, y, weights, centred, rtol=1e-10):
    Q, q, square = direct(X, y, weights, centred)
    norms = np.sqrt(np.append(Q.diagonal(), square))
    for found, expected, size in [
        (quadratic.Q, Q, np.outer(norms[:-1], norms[:-1])),
        (quadratic.q, q, norms[:-1] * norms[-1]),
        (quadratic.square, square, square),
    ]:
        assert np.all(np.abs(found - expected) <= rtol * size)
        assert np.all(np.abs(found - expected) <= quadratic.error * size)


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("mean", [0.0, 1e6])
@pytest.mark.parametrize("form", [np.asarray, np.asfortranarray, np.float32], ids=lambda f: f.__name__)
@pytest.mark.parametrize("entries", [7 * 9, 10**6])
def test_moments_are_those_of_the_definition(centred, weighted, mean, form, entries, monkeypatch):
    """In one piece, and in pieces of nine rows, the last of which is shorter."""
    monkeypatch.setattr(moments, "ENTRIES_AT_ONCE", entries)
    monkeypatch.setattr(moments, "SQUARE", 1)
    X, y, weights = drawn(mean=mean)
    X, weights = form(X), weights if weighted else None
    found = moments_of(X, y, weights, point_of(X, y, weights, centred)).quadratic(centred)
    assert_is(found, X, y, weights, centred)


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("away", [slice(0, 1), slice(10, 30), np.array([3, 50, 7])], ids=str)
def test_a_fold_is_what_its_rows_leave(centred, weighted, away):
    X, y, weights = drawn(mean=3.0)
    weights = weights if weighted else None
    train = np.delete(np.arange(len(y)), away)
    whole = Problem(X, y, SquaredLoss(), None, weights, centred)
    fold = whole.fold(train)
    _ = whole.moments
    assert not fold.knows_moments  # what another fold has needed meanwhile changes nothing
    whole.share_moments([np.arange(len(y))[away]])
    assert fold.knows_moments
    some = None if weights is None else weights[train]
    assert_is(fold.quadratic, X[train], y[train], some, centred)
    alone = Problem(X[train], y[train], SquaredLoss(), None, some, centred)
    assert_allclose(fold.offset, alone.offset, rtol=1e-12)
    assert_allclose(fold.weights, alone.weights, rtol=1e-12)
    assert fold.scale == pytest.approx(alone.scale, rel=1e-12)
    assert_allclose(fold.design.X, alone.design.X, atol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_parts_that_are_all_rows_are_read_once(weighted, monkeypatch):
    X, y, weights = drawn(n=200)
    weights, read, make = weights * (weights > 1) if weighted else None, [], rows.moments_of
    monkeypatch.setattr(rows, "moments_of", lambda X, *rest: read.append(len(X)) or make(X, *rest))
    whole, parts = Problem(X, y, SquaredLoss(), None, weights, True), np.split(np.arange(200), 5)
    whole.share_moments(parts)
    for part in parts:
        train = np.setdiff1d(np.arange(200), part)
        some = None if weights is None else weights[train]
        assert_is(whole.fold(train).quadratic, X[train], y[train], some, True)
        own = None if weights is None else weights[part]
        assert_is(whole.kept_moments(part).quadratic(True), X[part], y[part], own, True)
    assert sum(read) == (200 if weights is None else np.count_nonzero(weights))
    for others in (parts[1:], [*parts, parts[0]], np.split(np.arange(200), 100)):
        whole.share_moments(others)
        assert whole.fold(np.arange(40, 200)).knows_moments
        assert whole.kept_moments(parts[0]) is None


@pytest.mark.parametrize("weighted", [False, True])
def test_the_last_fit_knows_what_folds_have_read(weighted, monkeypatch):
    """By any number of workers, with the same results but for rounding, as BLAS has threads of its own;
    without moments the last fit's own would be too dear."""
    X, y, weights = drawn(n=3000, p=150)
    weights, read, make = weights if weighted else None, [], rows.moments_of
    monkeypatch.setattr(rows, "moments_of", lambda X, *rest: read.append(len(X)) or make(X, *rest))
    monkeypatch.setattr(Problem, "design", property(lambda self: 1 // 0))
    first, second = (LassoCV(n_jobs=n_jobs, tol=1e-8).fit(X, y, weights) for n_jobs in (1, 2))
    assert sum(read) == 2 * len(X)
    assert_allclose(first.mse_path_, second.mse_path_, rtol=1e-10)
    assert_allclose(first.coef_, second.coef_, rtol=1e-8, atol=1e-10)
    monkeypatch.undo()
    plain = Lasso(first.alpha_, tol=1e-10).fit(X, y, weights)
    assert_allclose(X @ first.coef_ + first.intercept_, plain.predict(X), atol=1e-3 * y.std())
    assert first.objective_ == pytest.approx(plain.objective_, abs=1e-8 * y.var())


@pytest.mark.parametrize("centred", [False, True])
def test_what_cancels_is_made_from_the_rows(centred):
    """A column whose entries lie nearly all in the rows that are taken away."""
    X, y, _ = drawn(n=200)
    X[:40, 2] *= 1e8
    whole = Problem(X, y, SquaredLoss(), None, None, centred)
    some = moments_of(X[:40], y[:40], None, whole.moments.about)
    assert whole.moments.less(some) is None
    assert_is(whole.fold(np.arange(40, 200)).quadratic, X[40:], y[40:], None, centred)


def test_rows_that_come_twice_are_counted_twice():
    X, y, _ = drawn()
    train = np.repeat(np.arange(30), 2)
    whole = Problem(X, y, SquaredLoss(), None, None, True)
    _ = whole.moments
    assert_is(whole.fold(train).quadratic, X[train], y[train], None, True)


def test_rows_of_weight_zero_are_not_there():
    X, y, weights = drawn()
    weights[::3] = 0.0
    whole = Problem(X, y, SquaredLoss(), None, weights, True)
    _ = whole.moments
    train = np.arange(15, 60)
    assert_is(whole.fold(train).quadratic, X[train], y[train], weights[train], True)
    assert_array_equal(whole.fold(np.arange(len(y)) >= 15).y, whole.fold(train).y)
    with pytest.raises(ValueError, match="training fold are zero"):
        whole.fold(np.arange(0, 60, 3))


@pytest.mark.parametrize("value", [1.0, 0.1, 1e8, -3e-7])
def test_constant_columns_are_zero(value):
    X, y, _ = drawn()
    X[:, 4] = value
    quadratic = Problem(X, y, SquaredLoss(), None, None, True).quadratic
    assert_array_equal(quadratic.Q[4], 0.0)
    assert_array_equal(quadratic.Q[:, 4], 0.0)
    assert quadratic.q[4] == 0.0


@given(st.integers(0, 1000), st.booleans(), st.floats(-6, 6))
def test_the_bound_on_rounding_holds_for_the_objective(seed, centred, scale):
    X, y, weights = drawn(seed, mean=10.0)
    w = np.random.default_rng(seed).standard_normal(7) * 10.0**scale
    problem = Problem(X, y, SquaredLoss(), None, weights, centred)
    found = problem.quadratic
    value = 0.5 * (found.square - 2.0 * found.q @ w + w @ found.Q @ w)
    b = problem.loss.best_intercept(y, problem.weights) if centred else 0.0
    residuals = (problem.design.filled().X.astype(np.longdouble) @ w + b - y).astype(np.longdouble)
    assert abs(value - float(problem.weights @ residuals**2) / 2) <= found.rounding(w)


@given(st.integers(0, 10**6), st.booleans())
@settings(max_examples=30, deadline=None)
def test_parts_together_and_few_rows_are_the_whole(seed, centred):
    """Columns far from zero, of any scale, copied and constant ones, more columns than rows, parts that count
    several times."""
    rng = np.random.default_rng(seed)
    n, p = rng.integers(3, 40), rng.integers(1, 12)
    shift, scale = 10.0 ** rng.integers(-2, 4, p), 10.0 ** rng.integers(-3, 3, p)
    X = scale * (rng.standard_normal((n, p)) + shift)
    X[:, rng.integers(p)] = X[:, 0]
    y, weights = X[:, 0] / scale[0] + rng.standard_normal(n) + 100.0, rng.uniform(0.1, 2.0, n)
    times, codes, parts = rng.integers(0, 3, 3), rng.integers(0, 3, n), {}
    times[codes[0]] = 1
    for part in np.unique(codes):
        rows = codes == part
        own = weights[rows] @ X[rows] / weights[rows].sum() if centred else np.zeros(p)
        about = np.append(own, np.average(y[rows], weights=weights[rows]) if centred else 0.0)
        parts[part] = moments_of(X[rows], y[rows], weights[rows], about)
    found = joined(list(parts.values()), [times[part] for part in parts]).quadratic(centred)
    counted = weights * times[codes] / (weights @ times[codes])
    means, mean_y = (counted @ X, counted @ y) if centred else (0.0, 0.0)
    Z, t = X - means, y - mean_y
    Q, size = Z.T @ (counted[:, None] * Z), np.sqrt(counted @ X**2)
    assert_allclose(found.means, means + np.zeros(p), rtol=1e-12)
    assert (np.abs(found.Q - Q) <= 1e-12 * np.outer(size, size)).all()
    assert (np.abs(found.q - counted * t @ Z) <= 1e-11 * size * np.sqrt(counted @ y**2)).all()
    few, target = few_rows(found)
    assert len(few) <= min(p, max(1, np.count_nonzero(counted))) + 1
    units = np.sqrt(found.Q.diagonal())
    assert (np.abs(few.T @ few / len(few) - found.Q) <= 1e-12 * np.outer(units, units)).all()
    assert (np.abs(target @ few / len(few) - found.q) <= 1e-12 * units * np.sqrt(found.square)).all()
    assert target @ target / len(few) == pytest.approx(found.square, rel=1e-12)


@pytest.mark.parametrize("constant", [0.1, 1e8 / 3.0])
def test_constant_columns_are_zero_about_the_means_of_parts(constant):
    X = np.column_stack([np.arange(9.0), np.full(9, constant)])
    parts = [(part, part[:, 0], None, np.append(part.mean(axis=0), 0.0)) for part in np.split(X, 3)]
    quadratic = joined([moments_of(*part) for part in parts]).quadratic(True)
    assert_array_equal(quadratic.Q, [[quadratic.Q[0, 0], 0.0], [0.0, 0.0]])
    assert (few_rows(quadratic)[0][:, 1] == 0.0).all()


@pytest.mark.parametrize("start", [1e160, -1e300])
def test_a_start_far_worse_than_zero_is_left_where_moments_do_not_serve(start):
    """So small a gap they are too coarse for."""
    X = np.random.default_rng(0).standard_normal((50, 3))
    model = Lasso(alpha=0.1, tol=1e-12, warm_start=True).fit(X, X[:, 0])
    model.coef_ = np.full(3, start)
    assert model.fit(X, X[:, 0]).history_.stopped == "converged"
