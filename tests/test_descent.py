"""Newton and quasi-Newton steps on full data, where the penalty makes no zeros, or few."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from scipy.optimize import approx_fprime
from sklearn.linear_model import LogisticRegression as PeerLogistic

from sk_asyncprox import ElasticNet, LogisticRegression
from sk_asyncprox.data import single_precision
from sk_asyncprox.data.block_diagonal import Copies
from sk_asyncprox.data.design_matrix import Design
from sk_asyncprox.data.single_precision import Single
from sk_asyncprox.kernels import quasi_newton_descent as descent
from sk_asyncprox.kernels.bcd_iterate import Point, Read
from sk_asyncprox.kernels.column_part import ColumnPart
from sk_asyncprox.kernels.hessian_solvers import gram_solver, newton_solver
from sk_asyncprox.kernels.lbfgs import Face, Memory
from sk_asyncprox.kernels.newton_cg import in_place
from sk_asyncprox.kernels.quasi_newton_descent import STEPS, DescentPoint, descend
from sk_asyncprox.losses import LogisticLoss, MultinomialLoss
from sk_asyncprox.penalties import ElasticNetPenalty
from sk_asyncprox.problem import Problem
from sk_asyncprox.solvers import rounds, rounds_all_columns, rounds_shared_products


def drawn(n=80, p=6, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + 1.0
    return X, (X @ rng.standard_normal((p, n_classes)) + rng.gumbel(size=(n, n_classes))).argmax(axis=1)


def problem_of(n_classes=3, fit_intercept=True, l2=1e-2, weighted=True, **kwargs):
    X, y = drawn(n_classes=n_classes, **kwargs)
    loss = MultinomialLoss(n_classes) if n_classes > 2 else LogisticLoss()
    weights = np.linspace(1.0, 3.0, len(y)) if weighted else None
    return Problem(
        X, y if n_classes > 2 else 2.0 * y - 1.0, loss, ElasticNetPenalty(0.0, l2), weights, fit_intercept
    )


def read_at(problem, w, b):
    z = problem.shifted(problem.design.mul(w), b)
    gradient = problem.loss.gradient(problem.y, z)
    correlations = problem.design.tmul(-problem.weights * gradient)
    return Read(
        ("support", -1, 0), np.arange(len(w)), w, Point(z, gradient), problem.penalty, True,
        correlations=correlations,
    )  # fmt: skip


def intercept_in(problem, x):
    b = x[problem.design.shape[1] :]
    return b if len(b) > 1 else b.sum()


def gradient_of(problem, x, z):
    """Gradient of the objective in coefficients and intercept, the long way."""
    p, g = problem.design.shape[1], problem.weights * problem.loss.gradient(problem.y, z)
    X = problem.features.X
    by_class = g.reshape(problem.loss.n_outputs, -1)
    own = (by_class @ X).ravel() + problem.penalty.l2 * x[:p]
    return np.append(own, by_class.sum(axis=1) if problem.fit_intercept else [])


@pytest.mark.parametrize("every", [0, 1, STEPS])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("n_classes", "p"), [(2, 6), (3, 6), (2, 90), (4, 25)])
def test_a_descent_ends_where_the_gradient_is_small(n_classes, p, fit_intercept, every):
    problem = problem_of(n_classes, fit_intercept, p=p)
    w, b = problem.start()
    read, memory, counts = read_at(problem, w, b), Memory(), []
    part = ColumnPart(problem, 1.0, True, None)
    for _ in range(4):
        generator = descend(part, read, memory, every, 1e-11)
        (place, memory), touched = in_place(generator, problem.design)
        counts.append(touched / problem.design.size)
        k = len(w)
        w, b = place.x[:k], b + intercept_in(problem, place.x)
        read = read_at(problem, w, b)
        assert_allclose(read.point.z, place.z, atol=1e-12)
    whole = gradient_of(problem, place.x, place.z)
    assert 0.5 * whole @ whole / problem.penalty.l2 <= 1e-9
    # One product with the design and one with its transpose a step.
    assert all(number % 2 == 0 for number in counts)
    if every == 1:
        assert counts[0] <= 2 * 14


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("n_classes", "p"), [(2, 3), (3, 3), (2, 60)])
def test_the_matrix_is_that_of_finite_differences(n_classes, p, fit_intercept):
    """Of more coefficients than samples by as many equations as these."""
    problem = problem_of(n_classes, fit_intercept, p=p, n=40)
    rng = np.random.default_rng(1)
    k = problem.design.shape[1]
    x = rng.standard_normal(k + (problem.loss.n_outputs if fit_intercept else 0))

    def margins(x):
        return problem.shifted(problem.design.mul(x[:k]), intercept_in(problem, x))

    H = approx_fprime(x, lambda x: gradient_of(problem, x, margins(x)), 1e-7)
    z = margins(x)
    place = DescentPoint(x, z, -problem.weights * problem.loss.gradient(problem.y, z), None)
    solve = newton_solver(ColumnPart(problem, 1.0, True, None), place, None, problem.penalty.l2)
    if n_classes > 2 and fit_intercept:
        H[k:, k:] += 1.0  # All intercepts together change nothing, and are held.
    slope = rng.standard_normal(len(x))
    assert_allclose(H @ solve(slope), slope, atol=1e-5)


def test_a_step_answers_what_the_last_move_has_told():
    """The matrix of L-BFGS takes the change of the slope to the move that has made it."""
    rng, memory = np.random.default_rng(2), Memory(solve=lambda b: 0.3 * b)
    A = rng.standard_normal((8, 8))
    A = A @ A.T + np.eye(8)
    for _ in range(14):
        move = rng.standard_normal(8)
        memory = memory.after(move, A @ move)
        assert_allclose(memory.step(A @ move), move, rtol=1e-9)
    assert len(memory.pairs) == 10
    # What has not lowered the slope tells nothing.
    assert memory.after(move, -move) is memory


@pytest.mark.parametrize(("n", "p"), [(100, 250), (150, 400), (300, 60)])
def test_weak_penalties_of_separable_classes_end_in_few_passes(n, p):
    """Shortened Newton steps teach the next ones what curvature they meet."""
    rng = np.random.default_rng(0)
    X = np.cumsum(rng.standard_normal((n, p)), axis=0)
    y = np.diff(X[:, :9].sum(axis=1), prepend=0.0) > 0.0
    model = LogisticRegression(C=1e3).fit(X, y)
    assert model.dual_gap_ <= 1e-4 * np.log(2.0)
    assert model.n_iter_[0] <= 110


@pytest.mark.parametrize("C", [1e-2, 30.0])
@pytest.mark.parametrize(("n", "p", "n_classes"), [(60, 5, 2), (60, 5, 3), (40, 120, 2), (60, 90, 3)])
def test_certificates_hold_against_the_peers_optimum(n, p, n_classes, C):
    X, y = drawn(n, p, n_classes)
    model = LogisticRegression(C=C).fit(X, y)
    peer = PeerLogistic(C=C, solver="lbfgs", tol=1e-10, max_iter=20_000).fit(X, y)
    probabilities = peer.predict_proba(X)[np.arange(n), y]
    optimum = -np.log(probabilities).mean() + 0.5 * (peer.coef_**2).sum() / (C * n)
    assert model.objective_ - optimum <= model.dual_gap_ + 1e-12
    assert model.dual_gap_ <= 1e-4 * np.log(n_classes)
    assert model.objective_ >= optimum - 1e-9


@pytest.mark.parametrize(("n", "cost"), [(200, 0.0), (200, 20.0), (10, 0.0)])
def test_slow_descents_are_helped(monkeypatch, n, cost):
    """Of columns of many scales: by the matrix of second derivatives, at once or after steps that have cost
    as much; or, where it is larger than the data, by conjugate gradients."""
    monkeypatch.setattr(rounds_all_columns, "CHEAP", 0)
    monkeypatch.setattr(rounds_all_columns, "MATRIX", cost)
    monkeypatch.setattr(descent, "_gram_pays", lambda *_: False)
    made, make = [], descent.newton_solver
    monkeypatch.setattr(descent, "newton_solver", lambda *args: made.append(1) or make(*args))
    X, y = drawn(n, 12, 2)
    model = LogisticRegression(C=100.0, tol=1e-12).fit(X * np.logspace(-3, 3, 12), y)
    peer = PeerLogistic(C=100.0, solver="newton-cholesky", tol=1e-12).fit(X * np.logspace(-3, 3, 12), y)
    assert_allclose(model.decision_function(X), peer.decision_function(X), rtol=1e-3, atol=1e-3)
    assert model.n_iter_[0] < 300
    assert bool(made) == (n == 200)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_where_samples_are_alike_the_gram_matrix_is_that_of_second_derivatives(n_classes, fit_intercept):
    """Up to what the classes share: at zero coefficients, to moves of which the classes' sum is zero."""
    problem = problem_of(n_classes, fit_intercept, p=5, n=40)
    loss, (n, p) = problem.loss, problem.features.shape
    z = np.zeros(n * loss.n_outputs)
    place = DescentPoint(None, z, -problem.weights * loss.gradient(problem.y, z), None)
    solve = gram_solver(problem, place, problem.penalty.l2)
    curvature = 0.25 if n_classes == 2 else 2.0 / 9.0
    X, weights = problem.features.X, problem.weights[:n]
    H = curvature * (X.T * weights) @ X + problem.penalty.l2 * np.eye(p)
    slope = np.random.default_rng(0).standard_normal((p + fit_intercept) * loss.n_outputs)
    answer = pickle.loads(pickle.dumps(solve))(slope)
    own, given = (x[: loss.n_outputs * p].reshape(loss.n_outputs, p) for x in (answer, slope))
    assert_allclose(own @ H, given, rtol=1e-7)
    assert_allclose(answer[own.size :] * curvature, slope[own.size :])


@pytest.mark.parametrize("n_classes", [2, 4])
def test_columns_that_are_alike_cost_few_steps_more(n_classes):
    """Mixed and scaled columns, next to the same apart: the Gram matrix takes them apart."""
    rng = np.random.default_rng(0)
    X, y = drawn(4000, 30, n_classes)
    mixed = X @ (np.eye(30) + 0.15 * rng.standard_normal((30, 30))) * rng.lognormal(size=30)
    apart, alike = (LogisticRegression(tol=1e-6).fit(Z, y) for Z in (X, mixed))
    assert alike.n_iter_[0] <= 2 * apart.n_iter_[0] + 10
    assert alike.dual_gap_ <= 1e-6 * np.log(n_classes)


def test_the_gram_matrix_is_made_where_many_steps_are_left():
    problem = problem_of(3, p=60, n=400)
    cost = 60 * (1.0 + 60 / 400) / 18
    answers = [descent._gram_pays(problem, 4, 10.0, 1.0, 10.0**-k) for k in range(1, 12)]
    assert answers == [4 * k > 4.0 + 2.0 * cost for k in range(1, 12)]
    assert set(answers) == {True, False}
    assert descent._gram_pays(problem, 4, 0.9, 1.0, 0.0)
    assert descent._gram_pays(problem, 8, 0.9, 1.0, 0.0)
    assert not any(descent._gram_pays(problem, k, 0.9, 1.0, 0.0) for k in (0, 3, 5))
    assert not descent._gram_pays(problem_of(3, p=60, n=40), 4, 0.9, 1.0, 1e-9)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_products_are_shared_by_workers(monkeypatch, n_classes):
    monkeypatch.setattr(rounds, "SMALL_FULL", 0)
    monkeypatch.setattr(rounds_shared_products, "SMALL_SHARE", 0)
    X, y = drawn(200, 30, n_classes, seed=3)
    one, two = (LogisticRegression(n_jobs=k, tol=1e-9).fit(X, y) for k in (1, 2))
    assert_allclose(two.coef_, one.coef_, atol=1e-4)
    assert two.dual_gap_ <= 1e-9 * np.log(n_classes)
    assert "rows_product" in two.history_.shares["kind"]


def test_wide_rows_are_not_copied_in_another_order():
    X, y = drawn(30, 600, 2)
    penalty = ElasticNetPenalty(0.0, 0.1)
    target = 2.0 * y - 1.0
    assert Problem(X, target, LogisticLoss(), penalty).features.X.flags.c_contiguous
    assert Problem(X[:, :20].copy(), target, LogisticLoss(), penalty).features.X.flags.f_contiguous
    assert Problem(X, target, LogisticLoss(), ElasticNetPenalty(0.1, 0.1)).features.X.flags.f_contiguous


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("shape", [(300, 40), (60, 90)], ids=str)
@pytest.mark.parametrize("single", [False, True])
def test_rows_that_lie_together_are_not_copied(n_classes, shape, single, monkeypatch):
    X, y = drawn(*shape, n_classes)
    monkeypatch.setattr(rounds_all_columns, "CHEAP", 0)
    monkeypatch.setattr(rounds_all_columns, "LEAST_SINGLE", 0 if single else np.inf)
    copied = LogisticRegression(C=0.1, tol=1e-10).fit(X, y)
    monkeypatch.setattr("sk_asyncprox.problem.in_memory.SMALL", 0)
    monkeypatch.setattr("sk_asyncprox.data.design_matrix.IN_CACHE", 0)
    before = X.copy()
    there = LogisticRegression(C=0.1, tol=1e-10).fit(X, y)
    assert_allclose(there.coef_, copied.coef_, atol=1e-4)
    assert abs(there.objective_ - copied.objective_) <= 1e-10 * np.log(n_classes)
    assert there.dual_gap_ <= 1e-10 * np.log(n_classes)
    assert ("seen" in there.history_.shares["kind"]) == (n_classes == 2)
    assert np.array_equal(X, before)
    loss, target = (MultinomialLoss(3), y) if n_classes > 2 else (LogisticLoss(), 2.0 * y - 1.0)
    assert Problem(X, target, loss, ElasticNetPenalty(0.0, 0.1)).features.X is X
    assert Problem(X + 1e3, target, loss, ElasticNetPenalty(0.0, 0.1)).features.centre is None


@pytest.mark.parametrize("n_classes", [2, 3])
def test_what_rounding_hides_is_not_looked_for(n_classes):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 4))
    y = np.digitize(X[:, 0] + rng.standard_normal(300), [0.0, 0.7][: n_classes - 1])
    model = LogisticRegression(C=1.0, l1_ratio=0.0, tol=1e-14).fit(X, y)
    assert model.n_iter_.max() < 50
    assert np.max(model.dual_gap_) < 1e-14


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("centred", [False, True])
def test_products_in_single_precision(monkeypatch, order, n_outputs, centred):
    """They are those in double precision to its rounding, also in runs of rows, and as far from zero as
    columns lie that are centred in the products."""
    monkeypatch.setattr(single_precision, "ENTRIES_AT_ONCE", 100)
    rng = np.random.default_rng(0)
    X = np.asarray(rng.standard_normal((50, 7)) + (10.0 if centred else 0.0), order=order)
    design = Design(X, X.mean(axis=0) if centred else None)
    design = Copies(design, n_outputs) if n_outputs > 1 else design
    single = Single(design)
    w, u = rng.standard_normal(7 * n_outputs), rng.standard_normal(50 * n_outputs)
    for ours, exact in ((single.mul(w), design.mul(w)), (single.tmul(u), design.tmul(u))):
        assert_allclose(ours, exact, atol=1e-4 if centred else 1e-5)
    assert single.size == design.size
    # What losses of several outputs are evaluated at is as rough as the products.
    assert single.mul(w).dtype == (np.float32 if n_outputs > 1 else np.float64)
    assert single.tmul(u).dtype == np.float64


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("far", [0.0, 100.0])
def test_entries_given_in_single_precision_are_not_rounded_into_it_again(order, centred, far):
    rng = np.random.default_rng(0)
    X = np.asarray(rng.standard_normal((50, 7)) + far, np.float32, order=order)
    design = Problem(X, np.sign(X[:, 0]), LogisticLoss(), ElasticNetPenalty(0.0, 0.1), None, centred).features
    assert (design.given is not None and design.given.X is X) == (far == 0.0)
    single, before = Single(design), X.copy()
    w, u = rng.standard_normal(7), rng.standard_normal(50)
    assert_allclose(single.mul(w), design.mul(w), rtol=1e-5, atol=1e-5)
    assert_allclose(single.tmul(u), design.tmul(u), rtol=1e-5, atol=1e-5)
    assert np.array_equal(X, before)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("tol", [1e-4, 1e-12])
def test_steps_in_single_precision_end_as_well(monkeypatch, n_classes, tol):
    X, y = drawn(300, 40, n_classes)
    monkeypatch.setattr(rounds_all_columns, "CHEAP", 0)
    double = LogisticRegression(C=10.0, tol=tol).fit(X, y)
    monkeypatch.setattr(rounds_all_columns, "LEAST_SINGLE", 0)
    single = LogisticRegression(C=10.0, tol=tol).fit(X, y)
    assert (single.coef_ != double.coef_).any()
    assert max(single.dual_gap_, double.dual_gap_) <= tol * np.log(n_classes)
    assert abs(single.objective_ - double.objective_) <= max(single.dual_gap_, double.dual_gap_) + 1e-15
    assert single.n_iter_[0] <= 1.1 * double.n_iter_[0] + 10


@pytest.mark.parametrize("factor", [1e-50, 1e45])
def test_what_single_precision_cannot_hold(monkeypatch, factor):
    """Steps that it makes nothing of are made in double precision."""
    X, y = drawn(100, 8, 2)
    monkeypatch.setattr(rounds_all_columns, "CHEAP", 0)
    monkeypatch.setattr(rounds_all_columns, "LEAST_SINGLE", 0)
    model = LogisticRegression(C=1.0 / factor / factor).fit(X * factor, y)
    assert model.dual_gap_ <= 1e-4 * np.log(2.0)
    assert_allclose(model.coef_ * factor, LogisticRegression(tol=1e-10).fit(X, y).coef_, atol=1e-2)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("params", [{}, {"tol": 1e-14, "C": 1e6}, {"penalty_weights": [0.3, 0.01]}], ids=str)
def test_what_one_descent_leaves_to_the_next_travels_between_processes(n_classes, params, monkeypatch):
    X, y = drawn(40, 2, n_classes)
    model = LogisticRegression(**{"tol": 1e-13} | params)
    right, work, kinds = model.fit(X, y).coef_, rounds.RoundsBCD.work, []

    def carried(part, task):
        kinds.append(task.kind)
        return pickle.loads(pickle.dumps(work(part, pickle.loads(pickle.dumps(task)))))

    monkeypatch.setattr(rounds.RoundsBCD, "work", staticmethod(carried))
    monkeypatch.setattr(descent, "STEPS", 1)
    monkeypatch.setattr(descent, "TENTH", 0.0)
    assert_allclose(model.fit(X, y).coef_, right, rtol=1e-5)
    assert kinds.count("descent") > 1


@pytest.mark.parametrize("positive", [False, True])
def test_steps_on_a_face_cross_no_zero_and_descend(positive):
    rng, p = np.random.default_rng(0), 40
    penalty, memory = ElasticNetPenalty(0.3, 0.1, positive), Memory()
    H = rng.standard_normal((p, 2 * p))
    H, q = H @ H.T / p + 0.1 * np.eye(p), rng.standard_normal(p)
    x, values = np.zeros(p), []
    for _ in range(60):
        values.append(0.5 * x @ H @ x - q @ x + 0.3 * np.abs(x).sum())
        face = Face(x, q - H @ x, penalty, p - 1)
        step = face.step(memory)
        step = step if step @ face.slope > 0.0 else face.slope
        assert not face.slope[:-1][(x == 0)[:-1] & (np.abs(q - H @ x) < 0.3)[:-1]].any()
        length = min(face.longest(step), face.slope @ step / (step @ H @ step))
        new = x + length * step
        assert (new[:-1] * x[:-1] >= -1e-12).all()
        assert not positive or (new[:-1] >= -1e-12).all()
        memory, x = memory.after(new - x, H @ (new - x)), np.where(np.abs(new) < 1e-12, 0.0, new)
    # The last coefficient is an intercept, which nothing penalises.
    c, w = q - H @ x, x[:-1]
    assert np.abs(c[-1]) < 1e-5
    assert_allclose(c[:-1][w != 0], 0.3 * np.sign(w[w != 0]), atol=1e-4)
    assert ((c if positive else np.abs(c))[:-1][w == 0] <= 0.3 + 1e-4).all()
    assert 0 < np.count_nonzero(w) < p - 1
    assert values[-1] < values[0]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("tol", [1e-4, 1e-9])
def test_elastic_nets_of_many_coefficients_descend(n_classes, tol, monkeypatch):
    """As many working sets do, to the same optimum, in fewer rounds; also from where another ended."""
    X, y = drawn(n=400, p=150, n_classes=n_classes)
    weights = np.linspace(0.5, 2.0, 150)
    model = LogisticRegression(C=0.5, l1_ratio=0.5, tol=tol, warm_start=True, penalty_weights=weights)
    found = model.fit(X, y).coef_, model.objective_, model.n_updates_
    again = model.set_params(C=0.4).fit(X, y).objective_
    assert model.dual_gap_ <= tol * np.log(n_classes)
    monkeypatch.setattr("sk_asyncprox.solvers.rounds_all_columns.MANY", 1.0)
    peer = LogisticRegression(C=0.5, l1_ratio=0.5, tol=1e-11, penalty_weights=weights).fit(X, y)
    assert 0 <= found[1] - peer.objective_ <= tol * np.log(n_classes)
    assert found[2] < peer.n_updates_
    assert 0.2 < np.mean(found[0] != 0) < 0.95
    assert_allclose(again, peer.set_params(C=0.4).fit(X, y).objective_, atol=tol)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize(("loss", "l1_ratio"), [("squared", 0.5), ("logistic", 1.0), ("logistic", 0.5)])
def test_what_no_descent_would_heed_is_not_looked_for(sparse, loss, l1_ratio, monkeypatch):
    """Whether many coefficients are called for costs products: once a look, none where nothing descends."""
    asked, calls, (X, y) = [], rounds_all_columns._calls_for_many, drawn(n=400, p=150, n_classes=2)
    monkeypatch.setattr(rounds_all_columns, "_calls_for_many", lambda *of: asked.append(of) or calls(*of))
    monkeypatch.setattr(rounds_all_columns, "CHEAP_STEPS", 0)
    monkeypatch.setattr(rounds_all_columns, "DEAR_STEPS", 1e8 if l1_ratio < 1.0 else 0)
    model = ElasticNet(1e-3) if loss == "squared" else LogisticRegression(C=0.05, l1_ratio=l1_ratio, tol=1e-6)
    model.fit(sp.csr_matrix(X) if sparse else X, y)
    looks = [id(certificate) for _, _, certificate in asked]
    assert len(set(looks)) == len(looks)
    assert bool(looks) == (loss == "logistic" and l1_ratio < 1.0 and not sparse)


def test_columns_unlike_each_other_need_no_gram_matrix(monkeypatch):
    """However large the gap is at zero, of which a small l2 part makes almost anything."""
    rng, made = np.random.default_rng(0), []
    X = rng.standard_normal((2000, 300))
    y = (X @ rng.standard_normal((300, 2)) / 8.66 + rng.gumbel(size=(2000, 2))).argmax(axis=1)
    monkeypatch.setattr(descent, "gram_solver", lambda *_: made.append(1))
    monkeypatch.setattr(descent, "newton_solver", lambda *_: made.append(2))
    assert LogisticRegression(l1_ratio=0.0).fit(X, y).dual_gap_ <= 1e-4
    assert not made
