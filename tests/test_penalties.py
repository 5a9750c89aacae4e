"""Penalties: proximal map, conjugate and violation, against brute force and optimality conditions."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sk_asyncprox.penalties import ElasticNetPenalty

SETTINGS = [(1.0, 0.0), (0.7, 0.0), (0.0, 2.0), (0.0, 0.5), (0.6, 0.8), (1.5, 0.1), (0.0, 0.0)]

PENALTIES = [
    pytest.param(ElasticNetPenalty(l1, l2, positive), id=f"{l1}-{l2}{'-positive' if positive else ''}")
    for l1, l2 in SETTINGS
    for positive in (False, True)
]

some = settings(max_examples=20, deadline=None)
numbers = st.lists(st.one_of(st.just(0.0), st.floats(-5, 5)), min_size=1, max_size=6).map(np.array)
steps = st.floats(0.01, 10)


each_penalty = pytest.mark.parametrize("penalty", PENALTIES)


def feasible(penalty, w):
    return np.abs(w) if penalty.positive else w


def supremum(penalty, c):
    """``sup_w  c w - penalty(w)`` by a grid, one coordinate at a time; needs a finite conjugate."""
    grid = feasible(penalty, np.linspace(-12, 12, 48_001))
    values = np.array([penalty.value(np.array([v])) for v in grid[::100]])
    direct = penalty.l1 * np.abs(grid) + 0.5 * penalty.l2 * grid**2
    np.testing.assert_allclose(direct[::100], values, rtol=1e-12)
    return sum((t * grid - direct).max() for t in c)


def test_values_by_hand():
    penalty = ElasticNetPenalty(l1=2.0, l2=3.0)
    assert penalty.value(np.array([1.0, -2.0])) == 2 * 3 + 1.5 * 5
    assert [ElasticNetPenalty(*p).is_zero for p in ((0, 0), (1, 0), (0, 1))] == [True, False, False]
    x = np.array([-3.0, -1.0, 0.0, 0.5, 3.0])
    np.testing.assert_allclose(penalty.prox(x, 0.5), np.array([-2, 0, 0, 0, 2]) / 2.5)
    positive = ElasticNetPenalty(l1=2.0, l2=3.0, positive=True)
    np.testing.assert_allclose(positive.prox(x, 0.5), np.array([0, 0, 0, 0, 2]) / 2.5)


@each_penalty
@some
@given(x=numbers, step=steps, data=st.data())
def test_prox_three_point_inequality(penalty, x, step, data):
    p = penalty.prox(x, step)
    if penalty.positive:
        assert np.all(p >= 0)
    for spread in (1e-3, 1.0, 10.0):
        moves = data.draw(st.lists(st.floats(-1, 1), min_size=len(x), max_size=len(x)))
        u = feasible(penalty, p + spread * np.array(moves))
        at_p = step * penalty.value(p) + 0.5 * np.sum((p - x) ** 2)
        at_u = step * penalty.value(u) + 0.5 * np.sum((u - x) ** 2)
        assert at_u >= at_p + 0.5 * np.sum((u - p) ** 2) - 1e-12 * (1 + at_p + at_u)


@each_penalty
def test_prox_of_step_zero_is_the_projection(penalty):
    x = np.array([-2.0, 0.0, 3.0])
    np.testing.assert_array_equal(penalty.prox(x, 0.0), np.maximum(x, 0) if penalty.positive else x)


@each_penalty
def test_conjugate_is_the_supremum(penalty):
    rng = np.random.default_rng(0)
    for _ in range(5):
        c = rng.uniform(-2, 2, 3)
        if penalty.l2 == 0:
            c *= min(1.0, penalty.dual_limit(c))
        elif penalty.l2 < 0.5:
            # the maximiser must lie on the grid
            c = np.clip(c, -penalty.l1 - 1, penalty.l1 + 1)
        sup = supremum(penalty, c)
        assert sup - 1e-12 <= penalty.conjugate(c) <= sup + 1e-6


@each_penalty
@some
@given(c=numbers)
@example(c=np.array([-5.0, 1e-308]))
@example(c=np.array([-5.0, 5e-324]))
def test_dual_limit_is_the_largest_feasible_factor(penalty, c):
    limit = penalty.dual_limit(c)
    # Only the entry that decides: times a huge limit the others may overflow, towards where nothing pulls.
    deciding = c[np.argmax(penalty.pull(c))]
    if np.isinf(limit):
        assert penalty.pull(deciding) == pytest.approx(0, abs=1e-300)
    else:
        assert penalty.pull(limit * deciding) == pytest.approx(penalty.l1, rel=1e-12)


def test_rounding_costs_nothing_at_the_dual_limit_beside_the_least_l2_part():
    rng = np.random.default_rng(0)
    for weights in (None, *rng.uniform(0.1, 1.1, (200, 3))):
        penalty, c = ElasticNetPenalty(1.0, 1e-100, weights=weights), rng.standard_normal(3)
        assert penalty.conjugate(penalty.dual_limit(c) * c) == 0.0


@each_penalty
def test_pull(penalty):
    assert penalty.pull(np.array([-2.0, 3.0])).tolist() == ([0.0, 3.0] if penalty.positive else [2.0, 3.0])


@each_penalty
@some
@given(data=st.data(), step=steps)
def test_violation_is_zero_exactly_at_fixed_points(penalty, data, step):
    size = data.draw(st.integers(1, 5))
    places = st.one_of(st.just(0.0), st.floats(0.1, 3), st.floats(-3, -0.1))
    w = feasible(penalty, np.array(data.draw(st.lists(places, min_size=size, max_size=size))))
    shares = np.array(data.draw(st.lists(st.floats(-1, 1), min_size=size, max_size=size)))
    inside = np.minimum(shares, 1) * penalty.l1 - (penalty.positive * 5 * np.maximum(-shares, 0))
    c = penalty.l2 * w + np.where(w != 0, penalty.l1 * np.sign(w), inside)
    np.testing.assert_allclose(penalty.violation(w, c), 0, atol=1e-14)
    np.testing.assert_allclose(penalty.prox(w + step * c, step), w, rtol=0, atol=1e-13 * (1 + step))

    errors = np.array(data.draw(st.lists(st.floats(-2, 2), min_size=size, max_size=size)))
    c = c + errors
    violation = penalty.violation(w, c)
    move = np.abs(penalty.prox(w + step * c, step) - w)
    slack = 1e-13 * (1 + step)
    # A prox step moves at most step * violation, and at least as far as the curvature lets it.
    assert np.all(move <= step * violation + slack)
    least = step * violation / (1 + step * penalty.l2)
    assert np.all(move >= np.where(w != 0, np.minimum(least, np.abs(w)), least) - slack)
