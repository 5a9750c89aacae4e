"""Losses: derivatives, majorants and the dual side, against definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar
from scipy.special import expit

from sk_asyncprox.losses import LOSSES

real = st.floats(-20, 20, allow_nan=False)
sign = st.sampled_from([-1.0, 1.0])

# Targets of the loss, and dual points of its domain made from a number in [0, 1] and a target.
CASES = {
    "squared": (real, lambda share, y: 40 * share - 20),
    "logistic": (sign, lambda share, y: share * y),
}

some = settings(max_examples=40, deadline=None)
each_loss = pytest.mark.parametrize("name", LOSSES)


def drawn_targets(name, rng, n):
    return rng.standard_normal(n) * 3 if name == "squared" else np.where(rng.random(n) < 0.4, 1.0, -1.0)


def test_every_loss_is_tested():
    assert set(CASES) == set(LOSSES)


@each_loss
@some
@given(data=st.data())
def test_gradient_is_the_derivative_of_value(name, data):
    loss, y, z = LOSSES[name](), data.draw(CASES[name][0]), data.draw(real)
    eps = 1e-5
    slope = (loss.value(y, np.array([z + eps])) - loss.value(y, np.array([z - eps]))) / (2 * eps)
    assert loss.gradient(y, np.array([z])) == pytest.approx(slope, rel=1e-6, abs=1e-7)


@each_loss
@some
@given(data=st.data())
def test_second_derivative_is_the_derivative_of_gradient(name, data):
    loss, y, z = LOSSES[name](), data.draw(CASES[name][0]), data.draw(real)
    eps = 1e-5
    bend = (loss.gradient(y, np.array([z + eps])) - loss.gradient(y, np.array([z - eps]))) / (2 * eps)
    found = loss.second_derivative(loss.gradient(y, np.array([z])))
    assert found == pytest.approx(bend, rel=1e-5, abs=1e-9)
    assert found <= loss.curvature * (1 + 1e-15)


@each_loss
def test_curvature_is_attained(name):
    loss = LOSSES[name]()
    z = np.linspace(-3, 3, 601)
    bends = loss.second_derivative(loss.gradient(1.0, z))
    assert bends.max() == pytest.approx(loss.curvature, rel=1e-12)
    assert loss.quadratic == (np.ptp(bends) == 0)


@each_loss
@some
@given(data=st.data())
def test_majorant_touches_and_lies_above(name, data):
    loss, y = LOSSES[name](), data.draw(CASES[name][0])
    z, u = np.array([data.draw(real)]), np.array([data.draw(st.floats(-1000, 1000))])
    bend = loss.majorant(z)
    model = loss.value(y, z) + loss.gradient(y, z) * (u - z) + 0.5 * bend * (u - z) ** 2
    assert model >= loss.value(y, u) - 1e-11 * (1 + np.abs(model))
    assert 0 < bend <= loss.curvature


def test_logistic_majorant_is_the_tightest():
    """The quadratic of Jaakkola and Jordan touches the loss again at ``-z``, so nothing below it will do."""
    loss, z, y = LOSSES["logistic"](), np.array([-4.0, -0.3, 0.7, 6.0]), 1.0
    model = loss.value(y, z) + loss.gradient(y, z) * (-2 * z) + 0.5 * loss.majorant(z) * (2 * z) ** 2
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


@each_loss
@some
@given(seed=st.integers(0, 10**6), n=st.integers(2, 30))
def test_dual_balance(name, seed, n):
    rng, loss = np.random.default_rng(seed), LOSSES[name]()
    y, weights = drawn_targets(name, rng, n), rng.random(n) ** 4
    weights /= weights.sum()
    theta = -loss.gradient(y, 5 * rng.standard_normal(n))
    balanced = loss.dual_balance(y, theta, weights)
    assert weights @ balanced == pytest.approx(0, abs=1e-15 * n * (1 + np.abs(theta).max()))
    if name == "logistic":
        assert np.all((y * balanced >= 0) & (y * balanced <= 1))
        # one of the classes is left alone
        assert np.array_equal(balanced[y > 0], theta[y > 0]) or np.array_equal(balanced[y < 0], theta[y < 0])
    np.testing.assert_allclose(loss.dual_balance(y, balanced, weights), balanced, rtol=0, atol=1e-13)


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
    y, weights = drawn_targets(name, rng, 8), np.full(8, 1 / 8)
    theta = -loss.gradient(y, rng.standard_normal(8))
    factor = loss.dual_scale(y, theta, weights, limit)
    assert 0 <= factor <= limit
    if loss.quadratic:
        others = np.linspace(0, min(limit, 10), 101)
        best = max(weights @ loss.dual_value(y, s * theta) for s in others)
        assert weights @ loss.dual_value(y, factor * theta) >= best - 1e-12 * (1 + abs(best))
    else:
        assert factor == min(limit, 1)
    assert np.isfinite(loss.dual_scale(y, 0 * theta, weights, limit))


@each_loss
@some
@given(seed=st.integers(0, 10**6))
def test_best_intercept_is_optimal(name, seed):
    rng, loss = np.random.default_rng(seed), LOSSES[name]()
    y, weights = drawn_targets(name, rng, 12), rng.random(12)
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
            loss.second_derivative(gradient),
            loss.majorant(z),
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
