"""Random fits of every kind, judged in extended precision; see ``fuzzing.py``. The long run is a soak."""

import dataclasses
import os

import numpy as np
import pytest
from fuzzing import Case, Objective, _dishonest, data, draw, estimator, judge

SLICE = 120
CASES = int(os.environ.get("FUZZ_CASES", 20_000))


@pytest.mark.parametrize("part", range(4))
def test_a_slice_of_cases(part):
    wrong = {seed: judge(draw(seed)) for seed in range(part, SLICE, 4)}
    assert not {draw(seed).script(): said for seed, said in wrong.items() if said}


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
def test_many_cases():
    wrong = {seed: judge(draw(seed)) for seed in range(CASES)}
    assert not {draw(seed).script(): said for seed, said in wrong.items() if said}


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("dual_gap_", 0.0, "a model is better"),
        ("dual_gap_", np.nan, "dual_gap_ is"),
        ("objective_", 0.0, "objective_ is"),
        ("coef_", np.full(4, np.nan), "coefficients"),
        ("coef_", np.zeros(4, int), "dtype"),
    ],
)
def test_the_judge_sees_what_is_not_true(name, value, says):
    case = Case(n=30, strength=0.01, max_iter=1, tol=1e-12)
    X, y, weights = data(case)
    objective = Objective(case, X, y, weights)
    model = estimator(dataclasses.replace(case, step_size="adaptive1", solver="piag"), objective)
    with pytest.warns(UserWarning, match="did not converge"):
        model.fit(X, y)
    assert _dishonest(case, objective, model, X, y, weights) is None
    setattr(model, name, value)
    assert says in _dishonest(case, objective, model, X, y, weights)
