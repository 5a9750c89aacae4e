"""Losses: derivatives, majorants and the dual side, against definitions."""

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize_scalar
from scipy.special import expit

from sk_asyncprox.losses import LOSSES, HuberLoss, LogisticLoss, Loss, MultinomialLoss, SquaredLoss
from sk_asyncprox.losses.curvature import secants

real = st.floats(-20, 20, allow_nan=False)
sign = st.sampled_from([-1.0, 1.0])

# Targets of the loss, and dual points of its domain made from a number in [0, 1] and a target.
CASES = {
    "squared": (real, lambda share, y: 40 * share - 20),
    "logistic": (sign, lambda share, y: share * y),
    "huber": (real, lambda share, y: 2 * share - 1),
}

some = settings(max_examples=40, deadline=None)
each_loss = pytest.mark.parametrize("name", LOSSES)


def drawn_targets(loss, rng, n):
    return np.where(rng.random(n) < 0.4, 1.0, -1.0) if loss.labelled else rng.standard_normal(n) * 3


def test_every_loss_is_tested():
    assert set(CASES) == set(LOSSES)


@each_loss
@some
@given(data=st.data())
def test_gradient_is_the_derivative_of_value(name, data):
    loss, y, z = LOSSES[name](), data.draw(CASES[name][0]), data.draw(real)
    eps = 1e-5
    assume(abs(abs(z - y) - getattr(loss, "threshold", np.inf)) > eps)
    slope = (loss.value(y, np.array([z + eps])) - loss.value(y, np.array([z - eps]))) / (2 * eps)
    assert loss.gradient(y, np.array([z])) == pytest.approx(slope, rel=1e-6, abs=1e-7)


@each_loss
@some
@given(data=st.data())
def test_second_derivative_is_the_derivative_of_gradient(name, data):
    loss, y, z = LOSSES[name](), data.draw(CASES[name][0]), data.draw(real)
    eps = 1e-5
    # Where the slope has a kink there are two.
    assume(abs(abs(z - y) - getattr(loss, "threshold", np.inf)) > 2 * eps)
    bend = (loss.gradient(y, np.array([z + eps])) - loss.gradient(y, np.array([z - eps]))) / (2 * eps)
    found = loss.second_derivative(y, loss.gradient(y, np.array([z])))
    assert found == pytest.approx(bend, rel=1e-5, abs=1e-9)
    assert found <= loss.curvature * (1 + 1e-15)


@each_loss
def test_curvature_is_attained(name):
    loss = LOSSES[name]()
    z = np.linspace(-3, 3, 601)
    bends = loss.second_derivative(1.0, loss.gradient(1.0, z))
    assert bends.max() == pytest.approx(loss.curvature, rel=1e-12)
    assert loss.quadratic == (np.ptp(bends) == 0)


@each_loss
@some
@given(data=st.data())
def test_majorant_touches_and_lies_above(name, data):
    loss, y = LOSSES[name](), data.draw(CASES[name][0])
    z, u = np.array([data.draw(real)]), np.array([data.draw(st.floats(-1000, 1000))])
    bend = loss.majorant(y, z)
    model = loss.value(y, z) + loss.gradient(y, z) * (u - z) + 0.5 * bend * (u - z) ** 2
    assert model >= loss.value(y, u) - 1e-11 * (1 + np.abs(model))
    assert 0 < bend <= loss.curvature


def test_logistic_majorant_is_the_tightest():
    """The quadratic of Jaakkola and Jordan touches the loss again at ``-z``, so nothing below it will do."""
    loss, z, y = LOSSES["logistic"](), np.array([-4.0, -0.3, 0.7, 6.0]), 1.0
    model = loss.value(y, z) + loss.gradient(y, z) * (-2 * z) + 0.5 * loss.majorant(y, z) * (2 * z) ** 2
    np.testing.assert_allclose(model, loss.value(y, -z), rtol=1e-12)


@each_loss
@some
@given(data=st.data(), share=st.floats(0, 1))
def test_fenchel_young(name, data, share):
    targets, dual_point = CASES[name]
    loss, y, z = LOSSES[name](), data.draw(targets), np.array([data.draw(real)])
    theta = np.array([dual_point(share, y)])
    # value(z) + conjugate(-theta) >= -theta z, with equality where -theta is the gradient
    room = loss.value(y, z) - loss.dual_value(y, theta) + theta * z
    assert room >= -1e-12 * (1 + loss.value(y, z) + np.abs(theta * z))
    theta = -loss.gradient(y, z)
    room = loss.value(y, z) - loss.dual_value(y, theta) + theta * z
    assert room == pytest.approx(0, abs=1e-12 * (1 + loss.value(y, z) + np.abs(theta * z)).item())


def test_dual_values_by_hand():
    squared, logistic = LOSSES["squared"](), LOSSES["logistic"]()
    assert squared.dual_value(3.0, np.array([2.0])) == 4.0
    u = np.array([0.0, 0.5, 1.0])
    np.testing.assert_allclose(logistic.dual_value(-1.0, -u), [0.0, np.log(2), 0.0], rtol=1e-15)


@pytest.mark.parametrize("outputs", [1, 3])
@some
@given(seed=st.integers(0, 10**6), size=st.sampled_from([0.0, 1.0, 30.0, 1000.0]))
def test_entropies_along_a_dual_point_are_sums_of_dual_values(outputs, seed, size):
    rng, factors, n = np.random.default_rng(seed), np.array([0.0, 1e-3, 0.4, 1 - 1e-6, 1.0]), 20
    loss = LogisticLoss() if outputs == 1 else MultinomialLoss(outputs)
    y = rng.choice([-1.0, 1.0], n) if outputs == 1 else rng.integers(0, outputs, n)
    theta, weights = -loss.gradient(y, size * rng.standard_normal(n * outputs)), rng.random(n)
    each = [loss.dual_value(y, t * theta).reshape(outputs, n).sum(axis=0) @ weights for t in factors]
    assert_allclose(loss.dual_along(y, theta, weights, factors), each, rtol=1e-13, atol=1e-14)


@each_loss
@some
@given(seed=st.integers(0, 10**6), n=st.integers(2, 30))
def test_dual_balance(name, seed, n):
    rng, loss = np.random.default_rng(seed), LOSSES[name]()
    y, weights = drawn_targets(loss, rng, n), rng.random(n) ** 4
    weights /= weights.sum()
    theta = -loss.gradient(y, 5 * rng.standard_normal(n))
    balanced = loss.dual_balance(y, theta, weights)
    assert weights @ balanced == pytest.approx(0, abs=1e-15 * n * (1 + np.abs(theta).max()))
    if name == "logistic":
        assert np.all((y * balanced >= 0) & (y * balanced <= 1))
        # one of the classes is left alone
        assert np.array_equal(balanced[y > 0], theta[y > 0]) or np.array_equal(balanced[y < 0], theta[y < 0])
    again = loss.dual_balance(y, balanced, weights)
    assert_allclose(weights * again, weights * balanced, rtol=0, atol=1e-15 * (1 + np.abs(theta).max()))


def test_dual_balance_by_hand():
    logistic = LOSSES["logistic"]()
    y, theta, weights = np.array([1.0, 1.0, -1.0]), np.array([0.8, 0.4, -0.3]), np.array([0.25, 0.25, 0.5])
    np.testing.assert_allclose(logistic.dual_balance(y, theta, weights), [0.4, 0.2, -0.3], rtol=1e-15)
    one_class = logistic.dual_balance(np.ones(2), np.array([0.5, 0.2]), np.array([0.5, 0.5]))
    assert np.array_equal(one_class, [0.0, 0.0])
    nothing = np.zeros(3)
    assert np.array_equal(logistic.dual_balance(y, nothing, weights), nothing)


@each_loss
@some
@given(seed=st.integers(0, 10**6), limit=st.sampled_from([0.0, 0.3, 1.0, 4.0, np.inf]))
def test_dual_scale_is_allowed_and_good(name, seed, limit):
    rng, loss = np.random.default_rng(seed), LOSSES[name]()
    y, weights = drawn_targets(loss, rng, 8), np.full(8, 1 / 8)
    theta = -loss.gradient(y, rng.standard_normal(8))
    factor = loss.dual_scale(y, theta, weights, limit)
    assert 0 <= factor <= limit
    assert np.abs(factor * theta).max() <= loss.steepest * (1 + 1e-15)
    if loss.labelled:
        assert factor == min(limit, 1)
    else:
        others = np.linspace(0, min(limit, 10, loss.steepest / np.abs(theta).max()), 101)
        best = max(weights @ loss.dual_value(y, s * theta) for s in others)
        assert weights @ loss.dual_value(y, factor * theta) >= best - 1e-12 * (1 + abs(best))
    assert np.isfinite(loss.dual_scale(y, 0 * theta, weights, limit))


@each_loss
@some
@given(seed=st.integers(0, 10**6))
@example(seed=24782)
def test_best_intercept_is_optimal(name, seed):
    rng, loss = np.random.default_rng(seed), LOSSES[name]()
    y, weights = drawn_targets(loss, rng, 12), rng.random(12)
    y[:2] = 1.0, -1.0
    weights /= weights.sum()
    b = loss.best_intercept(y, weights)
    assert weights @ loss.gradient(y, np.full(12, b)) == pytest.approx(0, abs=1e-14)
    found = minimize_scalar(lambda t: weights @ loss.value(y, np.full(12, t)), bracket=(-1, 1), tol=1e-10)
    assert b == pytest.approx(found.x, abs=1e-6)


def test_best_intercept_of_one_class_is_finite():
    loss, weights = LOSSES["logistic"](), np.array([0.5, 0.5, 0.0])
    for y in (np.array([1.0, 1.0, -1.0]), np.array([-1.0, -1.0, 1.0])):
        assert np.isfinite(loss.best_intercept(y, weights))


def test_the_huber_loss_by_hand():
    loss, y = HuberLoss(2.0), 1.0
    z = y + np.array([-5.0, -2.0, -1.0, 0.0, 1.0, 3.0])
    assert_array_equal(loss.value(y, z), [8.0, 2.0, 0.5, 0.0, 0.5, 4.0])
    assert_array_equal(loss.gradient(y, z), [-2.0, -2.0, -1.0, 0.0, 1.0, 2.0])
    assert_array_equal(loss.second_derivative(y, loss.gradient(y, z)), [0.0, 0.0, 1.0, 1.0, 1.0, 0.0])
    assert_array_equal(loss.majorant(y, z), [0.4, 1.0, 1.0, 1.0, 1.0, 2.0 / 3.0])
    assert_array_equal(loss.dual_value(y, np.array([2.0, -1.0])), [0.0, -1.5])


@some
@given(seed=st.integers(0, 10**6))
def test_no_flatter_parabola_lies_above_the_huber_loss(seed):
    """On the other side of the target it touches the loss again."""
    rng, loss = np.random.default_rng(seed), HuberLoss(0.7)
    y, r = rng.standard_normal(5), 0.7 + 10 * rng.random(5)
    model = loss.value(y, y + r) - 2 * r * loss.gradient(y, y + r) + 2 * r * r * loss.majorant(y, y + r)
    assert_allclose(model, loss.value(y, y - r), rtol=1e-12)


@some
@given(seed=st.integers(0, 10**6), threshold=st.sampled_from([1e-3, 0.5, 3.0, 1e9]))
def test_the_huber_loss_balances_exactly(seed, threshold):
    """One step of its intercept is the way to the best one, and its dual point the nearest balanced one."""
    rng, loss = np.random.default_rng(seed), HuberLoss(threshold)
    y, z, weights = 100 * rng.standard_cauchy(9), rng.standard_normal(9), rng.random(9) ** 3
    weights /= weights.sum()
    slope = weights @ loss.gradient(y, z)
    move = loss.intercept_move(y, z, loss.gradient(y, z), slope, weights)
    rounding = 1e-14 * (1 + np.abs(y).max())
    assert abs(weights @ loss.gradient(y, z + move)) <= min(threshold, rounding) + 1e-16
    theta = -loss.gradient(y, z)
    balanced = loss.dual_balance(y, theta, weights)
    assert np.abs(balanced).max() <= threshold
    # The nearest in the sense of the weights: what is not at a bound is shifted by the same.
    moved = (balanced - theta)[np.abs(balanced) < threshold]
    assert len(moved) == 0 or np.ptp(moved) <= rounding


@some
@given(seed=st.integers(0, 10**6), exponent=st.integers(-60, 60))
def test_units_of_targets_change_no_digit_of_the_huber_loss(seed, exponent):
    rng, loss = np.random.default_rng(seed), HuberLoss(1.3)
    y, z = 3 * rng.standard_normal((2, 6))
    small, there = loss.in_units(exponent), [np.ldexp(a, -exponent) for a in (y, z)]
    assert_array_equal(np.ldexp(small.value(*there), 2 * exponent), loss.value(y, z))
    assert_array_equal(np.ldexp(small.gradient(*there), exponent), loss.gradient(y, z))
    assert_array_equal(small.majorant(*there), loss.majorant(y, z))


def test_drift_of_curvatures_by_hand():
    loss, y = HuberLoss(1.0), np.zeros(4)
    z, known = np.array([0.5, 0.9, 3.0, -8.0]), np.array([0.6, 2.0, 2.0, 0.0])
    assert loss.drift(y, z, known) == pytest.approx(np.log(8.0))
    assert loss.drift(y[:1], z[:1], known[:1]) == 0.0
    assert LogisticLoss().drift(y, z, known) == 8.0
    assert SquaredLoss().drift(y, z, known) == 0.0


@each_loss
@pytest.mark.parametrize("n", [5, 3000])
def test_a_few_targets_stand_for_all(name, n):
    rng, loss = np.random.default_rng(0), LOSSES[name]()
    y, weights = drawn_targets(loss, rng, n), rng.random(n) + 0.1
    if not loss.labelled:
        y[:3] = 1e6, -1e5, 1e4
    values, masses = loss.outline(y, weights)
    assert len(values) <= 256
    assert masses.sum() == pytest.approx(1.0)
    for b in (-2.0, 0.0, 0.5):
        found = masses @ loss.value(values, np.full(len(values), b))
        assert found == pytest.approx(np.average(loss.value(y, np.full(n, b)), weights=weights), rel=1e-5)


class OwnLoss(Loss):
    """The logistic loss, by what a loss has to say alone."""

    length = 1.0
    value, gradient = LogisticLoss.value, LogisticLoss.gradient
    second_derivative, dual_value = LogisticLoss.second_derivative, LogisticLoss.dual_value


@some
@given(seed=st.integers(0, 10**6))
def test_what_a_loss_does_not_say_follows(seed):
    rng, own, loss = np.random.default_rng(seed), OwnLoss(), LogisticLoss()
    y, z, weights = drawn_targets(loss, rng, 8), 3 * rng.standard_normal(8), np.full(8, 1 / 8)
    gradient = loss.gradient(y, z)
    theta = -gradient
    balanced = [a.dual_balance(y, theta, weights) for a in (own, loss)]
    assert_allclose(*balanced, rtol=1e-11)
    assert_array_equal(own.groups(y, theta)[0], loss.groups(y, theta)[0])
    assert own.dual_scale(y, theta, weights, 0.5) == 0.5
    slope = weights @ gradient
    moves = [a.intercept_move(y, z, gradient, slope, weights) for a in (own, loss)]
    assert moves[0] == moves[1]
    assert abs(moves[0]) <= 1.0
    assert own.curvature == own.steepest == np.inf


def test_scale():
    y, weights = np.array([1.0, 4.0]), np.array([0.75, 0.25])
    squared = LOSSES["squared"]()
    assert squared.scale(y, weights, False) == pytest.approx(0.75 + 4.0)
    assert squared.scale(y, weights, True) == pytest.approx(0.75 * 0.75**2 + 0.25 * 2.25**2)
    assert LOSSES["logistic"]().scale(y, weights, True) == pytest.approx(np.log(2), rel=1e-15)


@each_loss
@some
@given(size=st.sampled_from([700.0, 1000.0, 1e5]), y=sign)
def test_large_margins(name, size, y):
    loss, z = LOSSES[name](), np.array([-size, size])
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        gradient = loss.gradient(y, z)
        answers = [
            loss.value(y, z),
            gradient,
            loss.second_derivative(y, gradient),
            loss.majorant(y, z),
            loss.dual_value(y, -gradient),
            loss.dual_balance(np.array([y, -y]), -gradient, np.array([0.5, 0.5])),
        ]
    assert np.all(np.isfinite(answers))
    if name == "logistic":
        np.testing.assert_allclose(answers[0], np.maximum(-y * z, 0), rtol=1e-15, atol=1e-300)
        np.testing.assert_allclose(gradient, np.where(y * z < 0, -y, 0), rtol=1e-15, atol=1e-300)


def test_the_logistic_loss_is_precise_at_any_margin():
    loss, z = LOSSES["logistic"](), np.array([-1e4, -700.0, -40.0, -1e-9, 0.0, 1e-9, 40.0, 690.0])
    y = np.ones(len(z))
    with np.errstate(all="raise", under="ignore"):
        assert_allclose(loss.gradient(y, z), -expit(-z), rtol=1e-14)
        assert_allclose(loss.value(y, z), np.logaddexp(0.0, -z), rtol=1e-14)
        entropies = loss.dual_value(np.ones(3), np.array([0.0, 0.5, 1.0]))
    assert_allclose(entropies, [0.0, np.log(2.0), 0.0])


def test_what_moves_by_rounding_alone_has_no_secant():
    """A gradient off by rounding, over a move far smaller, would be a curvature beyond any bound."""
    loss, y, z = LogisticLoss(), np.array([-1.0, 1.0]), np.array([0.5, -0.5])
    gradient = loss.gradient(y, z) - 1e-16
    assert_array_equal(secants(loss, y, z, gradient, np.full(2, 1e-30)), 0.0)
    assert secants(loss, y, z, gradient, np.full(2, 1e-3)).min() > 0.2
