"""The problem: objective, weights, intercept, and certificates against an independent reference optimum."""

import warnings
from typing import NamedTuple

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet

from sk_asyncprox.losses import LOSSES
from sk_asyncprox.penalties import ElasticNetPenalty
from sk_asyncprox.problem import Problem

each_loss = pytest.mark.parametrize("loss", LOSSES)
each_intercept = pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "none"])


# -- an independent reference ----------------------------------------------------------------------


class Case(NamedTuple):
    """A problem in its own coordinates, with nothing shared with the package."""

    loss: str
    X: np.ndarray
    y: np.ndarray
    weights: np.ndarray
    l1: float
    l2: float
    positive: bool
    fit_intercept: bool

    def objective(self, w, b):
        """Sample by sample."""
        value = self.l1 * sum(abs(v) for v in w) + 0.5 * self.l2 * sum(v * v for v in w)
        for x, target, weight in zip(self.X, self.y, self.weights / self.weights.sum(), strict=True):
            z = float(np.dot(x, w)) + b
            if self.loss == "squared":
                value += weight * 0.5 * (target - z) ** 2
            elif self.loss == "huber":
                far = abs(target - z)
                value += weight * (0.5 * far**2 if far <= 1.0 else far - 0.5)
            else:
                value += weight * float(np.logaddexp(0, -target * z))
        return value

    def problem(self, X=None, **changes):
        penalty = ElasticNetPenalty(self.l1, self.l2, self.positive)
        options = {"sample_weight": self.weights, "fit_intercept": self.fit_intercept} | changes
        return Problem(self.X if X is None else X, self.y, LOSSES[self.loss](), penalty, **options)


def drawn(seed, loss=None, shift=0.0):
    """A random problem; the seed decides its kind."""
    rng = np.random.default_rng(seed)
    names = list(LOSSES)
    loss = loss or names[seed % len(names)]
    n, p = int(rng.integers(6, 40)), int(rng.integers(1, 16))
    X = rng.standard_normal((n, p)) * (rng.random((n, p)) < rng.choice([0.3, 1.0])) + shift
    y = X[:, : max(1, p // 3)].sum(axis=1) + rng.standard_normal(n) - shift * max(1, p // 3)
    if loss == "logistic":
        y = np.where(y > 0, 1.0, -1.0)
        y[:2] = 1.0, -1.0
    weights = [np.ones(n), rng.random(n) + 1e-3, rng.integers(0, 3, n).astype(float)][rng.integers(3)]
    weights[:2] = 1.0
    share = weights / weights.sum()
    centre = 0.0 if loss == "logistic" else share @ y
    lambda_max = np.abs((X - share @ X).T @ (share * (y - centre))).max() + 1e-3
    l1 = lambda_max * 10 ** rng.uniform(-2, 0.1)
    l1, l2 = [(l1, 0.0), (0.7 * l1, 0.3 * l1), (0.0, l1 + 1e-2)][rng.integers(3)]
    return Case(loss, X, y, weights, l1, l2, bool(rng.integers(2)), bool(rng.integers(2)))


def smooth(case, Z, w, b):
    """Loss and ridge parts with gradient and Hessian in ``(w, b)``, for data ``Z``."""
    s, y, z = case.weights / case.weights.sum(), case.y, Z @ w + b
    if case.loss == "squared":
        value, slope, bend = 0.5 * (z - y) ** 2, z - y, np.ones_like(z)
    elif case.loss == "huber":
        far, bend = np.abs(z - y), (np.abs(z - y) < 1.0).astype(float)
        value, slope = np.where(far <= 1.0, 0.5 * far**2, far - 0.5), np.clip(z - y, -1.0, 1.0)
    else:
        u = expit(-y * z)
        value, slope, bend = np.logaddexp(0, -y * z), -y * u, u * (1 - u)
    A = np.column_stack([Z, np.full(len(y), float(case.fit_intercept))])
    ridge = np.r_[np.full(len(w), case.l2), 0.0]
    gradient = A.T @ (s * slope) + ridge * np.r_[w, b]
    return s @ value + 0.5 * case.l2 * (w @ w), gradient, A.T @ ((s * bend)[:, None] * A) + np.diag(ridge)


def reference(case):
    """Minimiser in the coordinates of centred columns, by L-BFGS-B on the two signs of ``w``.

    Finished by Newton steps on the support, so that it is good to rounding where they succeed.
    """
    share = case.weights / case.weights.sum()
    Z = case.X - share @ case.X if case.fit_intercept else case.X
    p = Z.shape[1]
    signs = np.r_[np.ones(p), -np.ones(0 if case.positive else p)]

    def fold(v):
        return v[:p] if case.positive else v[:p] - v[p:-1]

    def value(v):
        f, g, _ = smooth(case, Z, fold(v), v[-1])
        both = g[:p] if case.positive else np.r_[g[:p], -g[:p]]
        return f + case.l1 * v[:-1].sum(), np.r_[both + case.l1, g[-1]]

    bounds = [(0, None)] * len(signs) + [(None, None)]
    options = {"maxiter": 5000, "maxfun": 20_000, "ftol": 0.0, "gtol": 1e-11, "maxcor": 30}
    start = np.zeros(len(signs) + 1)
    for _ in range(3 if case.loss == "huber" else 1):  # A kink may end a search along a line.
        start = minimize(value, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    w, b = fold(start), start[-1]

    def total(w, b):
        return smooth(case, Z, w, b)[0] + case.l1 * np.abs(w).sum()

    support = np.r_[np.abs(w) > 1e-7, True]
    new, new_b, sign = np.where(support[:-1], w, 0.0), b, np.sign(w)
    for _ in range(10):
        _, g, H = smooth(case, Z, new, new_b)
        g = (g + np.r_[case.l1 * sign, 0.0])[support]
        move = np.zeros(p + 1)
        move[support] = np.linalg.lstsq(H[np.ix_(support, support)], -g, rcond=None)[0]
        new, new_b = new + move[:-1], new_b + move[-1]
    if np.all(sign * new >= 0) and total(new, new_b) <= total(w, b) + 1e-14:
        w, b = new, new_b
    return w, b, total(w, b)


def stored(seed, X):
    """The same data, dense or sparse by turns."""
    return [X, sp.csc_matrix(X), np.asfortranarray(X), sp.csr_array(X)][seed // 2 % 4]


# -- objective, weights, intercept -----------------------------------------------------------------


@pytest.mark.parametrize("seed", range(24))
def test_objective_against_the_formula(seed):
    case, rng = drawn(seed), np.random.default_rng(seed)
    for rows in (False, True):
        problem = case.problem(stored(seed, case.X), rows=rows)
        coef = rng.standard_normal(case.X.shape[1])
        w, b = problem.start(coef, 0.7 if case.fit_intercept else 0.0)
        expected = case.objective(coef, problem.intercept(w, b))
        assert problem.objective(w, b) == pytest.approx(expected, rel=1e-12)
        assert problem.objective(w, b, problem.design.mul(w) + b) == pytest.approx(expected, rel=1e-12)


@each_intercept
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_start_and_intercept_are_inverse(fit_intercept, sparse):
    rng = np.random.default_rng(0)
    X, coef, weights = rng.standard_normal((20, 4)) + 5, rng.standard_normal(4), rng.random(20)
    data = sp.csr_matrix(X) if sparse else X
    problem = Problem(data, X[:, 0], LOSSES["squared"](), ElasticNetPenalty(1.0), weights, fit_intercept)
    w, b = problem.start(coef, 3.0 if fit_intercept else 0.0)
    np.testing.assert_array_equal(w, coef)
    assert w is not coef
    expected = 3.0 if fit_intercept else 0.0
    assert problem.intercept(w, b) == pytest.approx(expected, abs=1e-13)
    np.testing.assert_allclose(problem.design.mul(w) + b, X @ coef + expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(
        problem.offset, weights @ X / weights.sum() if fit_intercept else 0, rtol=1e-13
    )


@each_loss
@each_intercept
def test_start_from_nothing_is_the_best_constant(loss, fit_intercept):
    case = drawn(3, loss)._replace(fit_intercept=fit_intercept)
    problem = case.problem()
    w, b = problem.start()
    np.testing.assert_array_equal(w, np.zeros(case.X.shape[1]))
    if fit_intercept:
        values = [case.objective(w, b + move) for move in (0.0, -1e-3, 1e-3)]
        assert min(values) == values[0]
    else:
        assert b == problem.intercept(w, b) == 0.0


@each_loss
@each_intercept
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_weights_are_repetitions(loss, fit_intercept, sparse):
    rng = np.random.default_rng(5)
    case = drawn(8, loss)._replace(fit_intercept=fit_intercept, l1=0.05, l2=0.01)
    counts = rng.integers(0, 4, len(case.y))
    counts[:2] = 1, 2
    again = case._replace(
        X=np.repeat(case.X, counts, axis=0), y=np.repeat(case.y, counts), weights=np.ones(counts.sum())
    )
    case = case._replace(weights=counts.astype(float))
    one, many = (c.problem(sp.csc_matrix(c.X) if sparse else c.X) for c in (case, again))
    assert many.uniform
    assert not one.uniform
    assert one.scale == pytest.approx(many.scale, rel=1e-12)
    assert one.weights.sum() == pytest.approx(1, rel=1e-14)
    for _ in range(5):
        w, b = rng.standard_normal(case.X.shape[1]), rng.standard_normal() * fit_intercept
        assert one.objective(w, b) == pytest.approx(many.objective(w, b), rel=1e-12)
        a, c = one.certify(w, b), many.certify(w, b)
        assert (a.b, a.objective, a.dual) == pytest.approx((c.b, c.objective, c.dual), rel=1e-10)
        np.testing.assert_allclose(a.correlations, c.correlations, rtol=1e-10, atol=1e-13)


def test_weights_may_have_any_scale():
    case, w = drawn(4), np.ones(drawn(4).X.shape[1])
    for factor in (1e-200, 1e-3, 1e200):
        scaled = case._replace(weights=case.weights * factor)
        assert scaled.problem().certify(w, 0.0).gap == pytest.approx(
            case.problem().certify(w, 0.0).gap, rel=1e-9
        )


@pytest.mark.parametrize("seed", range(30))
def test_settled_intercept(seed):
    """No intercept is better, and the gradient is that of the margins."""
    case = drawn(seed)
    problem = case.problem(fit_intercept=True)
    w = np.random.default_rng(seed).standard_normal(case.X.shape[1])
    z, b, gradient = problem.settle(problem.design.mul(w) + 3.0, 3.0)
    np.testing.assert_allclose(z, problem.design.mul(w) + b, rtol=1e-10, atol=1e-10)
    np.testing.assert_array_equal(gradient, problem.loss.gradient(problem.y, z))
    assert abs(problem.intercept_slope(gradient)) <= 1e-12 * (1.0 + np.abs(problem.y).max())


def test_scale_belongs_to_the_target():
    targets = Problem(
        np.eye(3), np.arange(6.0).reshape(3, 2) ** 2, LOSSES["squared"](), ElasticNetPenalty(1.0)
    )
    one, other = targets.targets()
    before = one.scale
    assert (one.scale, other.scale) == (before, np.var([1.0, 9.0, 25.0]))
    assert one._altered(y=other.y).scale == other.scale


def test_scale_of_a_constant_target():
    problem = Problem(np.eye(3), np.full(3, 2.0), LOSSES["squared"](), ElasticNetPenalty(1.0))
    assert problem.scale == 1.0
    assert problem.pass_size == 18


# -- certificates ----------------------------------------------------------------------------------


def assert_proof(case, problem, w, b, optimum):
    """The certificate's claims about ``(w, b)``, all of them."""
    proof = problem.certify(w, b)
    rounding = 1e-12 * (1 + abs(optimum) + problem.scale + proof.objective)
    assert proof.gap >= proof.objective - optimum - rounding
    assert proof.dual <= optimum + rounding
    assert proof.objective == pytest.approx(problem.objective(w, proof.b), rel=1e-12)
    assert proof.objective <= problem.objective(w, b) + rounding
    if not case.fit_intercept:
        assert proof.b == b == 0.0
    return proof


@pytest.mark.parametrize("group", range(10))
def test_certificates_of_200_problems(group):
    for seed in range(20 * group, 20 * group + 20):
        case, rng = drawn(seed), np.random.default_rng(seed)
        best, best_b, optimum = reference(case)
        problem = case.problem(stored(seed, case.X), rows=bool(seed % 3))
        for spread in (10.0, 1.0, 1e-2, 1e-5):
            move = spread * rng.standard_normal(len(best)) * (rng.random(len(best)) < 0.7)
            w = np.maximum(best + move, 0) if case.positive else best + move
            assert_proof(case, problem, w, best_b, optimum)
            w = np.abs(move) if case.positive else move
            assert_proof(case, problem, w, spread * case.fit_intercept, optimum)
        proof = assert_proof(case, problem, best, best_b, optimum)
        assert proof.gap <= 1e-9 * problem.scale, seed
        assert proof.objective == pytest.approx(
            case.objective(best, problem.intercept(best, proof.b)), rel=1e-11
        )


@each_loss
@pytest.mark.parametrize(("l1", "l2"), [(0.05, 0.0), (0.03, 0.1), (0.0, 0.2)])
def test_gap_goes_to_zero_with_the_error(loss, l1, l2):
    case = drawn(12, loss)._replace(l1=l1, l2=l2, positive=False)
    best, best_b, _ = reference(case)
    problem, direction = case.problem(), np.random.default_rng(0).standard_normal(len(best))
    gaps = [problem.certify(best + size * direction, best_b).gap for size in (1e-1, 1e-3, 1e-5, 1e-7)]
    assert gaps == sorted(gaps, reverse=True)
    assert all(gap <= 50 * size for gap, size in zip(gaps, (1e-1, 1e-3, 1e-5, 1e-7), strict=True))


@pytest.mark.parametrize("seed", range(8))
def test_columns_of_large_mean(seed):
    near, far = drawn(seed), drawn(seed, shift=1e3)
    near, far = (c._replace(X=c.X, y=near.y, fit_intercept=True, l1=near.l1, l2=near.l2) for c in (near, far))
    best, best_b, optimum = reference(near)
    problem = far.problem(stored(seed, far.X))
    proof = assert_proof(far, problem, best, best_b, optimum)
    assert proof.gap <= 1e-8 * problem.scale
    coef, intercept = best, problem.intercept(best, proof.b)
    assert far.objective(coef, intercept) == pytest.approx(optimum, rel=1e-8)


@pytest.mark.parametrize("rare", [1e-2, 1e-5, 1e-9])
@pytest.mark.parametrize("l2", [0.0, 1e-3])
def test_one_class_has_nearly_all_the_weight(rare, l2):
    case = drawn(3, "logistic")
    weights = np.where(case.y > 0, 1.0, rare)
    case = case._replace(weights=weights, fit_intercept=True, l1=1e-2 * rare, l2=l2 * rare, positive=False)
    problem = case.problem()
    best, best_b, optimum = reference(case)
    assert_proof(case, problem, best, best_b, optimum)
    # at zero the optimum must still be told from the rest of the gap
    w, b = problem.start()
    proof = assert_proof(case, problem, w, b, optimum)
    assert 0 <= proof.gap <= proof.objective


def test_one_class_only():
    """Without the other class the infimum is 0 and the certificate must not claim more."""
    X, y = np.random.default_rng(0).standard_normal((10, 3)), np.ones(10)
    problem = Problem(X, y, LOSSES["logistic"](), ElasticNetPenalty(0.1))
    proof = problem.certify(np.zeros(3), 0.0)
    assert proof.dual <= 0
    assert np.isfinite(proof.objective)


@each_loss
def test_no_penalty_has_no_finite_gap(loss):
    case = drawn(2, loss)._replace(l1=0.0, l2=0.0)
    proof = case.problem().certify(np.zeros(case.X.shape[1]), 0.0)
    assert proof.gap == np.inf
    assert proof.dual == -np.inf


@each_loss
@each_intercept
@pytest.mark.parametrize("size", [1.0, 30.0, 300.0, 708.0, 720.0, 745.0, 1000.0])
def test_huge_margins(loss, fit_intercept, size):
    """Around 708 the correlations are numbers too small to divide by."""
    X, y = np.array([[1e-3], [-1e-3]]), np.array([1.0, -1.0])
    problem = Problem(X, y, LOSSES[loss](), ElasticNetPenalty(0.5), fit_intercept=fit_intercept)
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        for w in (np.array([1e3 * size]), np.array([-1e3 * size])):
            proof = problem.certify(w, 0.0)
            assert proof.gap >= 0
            assert np.isfinite([proof.objective, proof.dual, proof.b]).all()


@pytest.mark.parametrize("seed", range(6))
def test_agrees_with_scikit_learn(seed):
    """Guards the reference of this file too."""
    case = drawn(seed, "squared")
    case = case._replace(l1=case.l1 + 1e-2)
    alpha = case.l1 + case.l2
    model = ElasticNet(
        alpha=alpha,
        l1_ratio=case.l1 / alpha,
        positive=case.positive,
        fit_intercept=case.fit_intercept,
        tol=1e-14,
        max_iter=100_000,
    )
    with warnings.catch_warnings():
        # at this tolerance it may stop at rounding
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(case.X, case.y, sample_weight=case.weights)
    problem = case.problem()
    w, b = problem.start(model.coef_, model.intercept_)
    proof = problem.certify(w, b)
    assert proof.gap <= 1e-9 * problem.scale
    assert reference(case)[2] == pytest.approx(proof.objective, rel=1e-9)
    assert problem.intercept(w, proof.b) == pytest.approx(model.intercept_, abs=1e-8)


def test_a_certificate_with_its_objective_from_the_coefficients_alone():
    rng = np.random.default_rng(4)
    X, y = rng.standard_normal((50, 8)), np.where(rng.random(50) < 0.4, 1.0, -1.0)
    problem = Problem(X, y, LOSSES["logistic"](), ElasticNetPenalty(0.0, 0.1))
    w = rng.standard_normal(8)
    exact = problem.certify(w, 0.0)
    again = problem.recertify(exact._replace(objective=exact.objective + 1.0))
    assert again.objective == pytest.approx(exact.objective)
    assert again.dual == exact.dual
