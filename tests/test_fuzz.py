"""Random fits of every kind, judged in extended precision; see ``fuzzing.py``. The long run is a soak."""

import os
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from fuzz_fits import Claim, best_found, data, estimator
from fuzz_judge import dishonest
from fuzz_objective import Objective
from fuzzing import Case, draw, judge, main, shrunk
from sklearn.exceptions import ConvergenceWarning

ROOT = Path(__file__).resolve().parents[1]
MINUTES = float(os.environ.get("SOAK_MINUTES", 60))


@pytest.mark.beside
def test_a_minute_of_cases(random_fits):
    done = re.search(r"^(\d+) cases from 0: 0 failures", random_fits, re.M)
    assert done, random_fits
    assert int(done[1]) > 20


@pytest.mark.soak
@pytest.mark.timeout(60 * (MINUTES + 30))
def test_many_cases(tmp_path):
    seed = int(os.environ.get("SOAK_SEED", 1_000_000))
    found = ["--minutes", str(MINUTES), "--cases", "1000000000", "--seed", str(seed)]
    assert main([*found, "--scripts", str(tmp_path)]) == 0


def test_cases_of_every_kind_are_drawn():
    cases = [draw(seed) for seed in range(3000)]
    for field, values in {
        "way": ["fit", "path", "cv"],
        "workers": ["threads", "processes", "constant", "times", "slow", "dask"],
        "penalty_weights": ["none", "random", "spread", "far", "zeros"],
        "groups": ["none", "size", "sizes", "lists", "labels"],
        "storage": ["array", "fortran", "csr", "csc", "coo", "int64", "chunks"],
        "n_targets": [1, 2, 3],
        "warm": ["no", "same", "far"],
        "n_jobs": [None, 2, 3, 4, 5, 6, 7, 8],
    }.items():
        assert {getattr(case, field) for case in cases} == set(values), field
    assert min(case.scale for case in cases) < 1e-200
    assert max(case.scale for case in cases) > 1e200
    assert sum(case.max_time is not None for case in cases) > 100
    assert max(case.n for case in cases) > 300
    assert {case.way for case in cases if case.n_classes and case.workers == "dask"} == {"fit", "cv"}


def test_numbers_out_of_range_are_not_warned_of_one_by_one():
    """A collection whose correlations overflow: the run says so, and nobody else."""
    pytest.importorskip("dask.array")
    pytest.importorskip("distributed")
    shape = {"seed": 2008656, "n": 4, "p": 2, "storage": "chunks", "l1_ratio": 0.0}
    assert judge(Case(**shape, column_spread=3e282, target_scale=4e131)) is None


def test_squares_of_steps_of_groups_may_vanish():
    shape = {"n": 4, "p": 3, "groups": "sizes", "solver": "piag", "seed": 3004875}
    assert judge(Case(**shape, column_spread=5.527517215912996e147)) is None


def test_curvature_out_of_range_makes_no_warnings():
    """A step along which slopes are alike to rounding goes as far as it may."""
    shape = {"n": 4, "l1_ratio": 0.0, "fit_intercept": False, "warm": "far", "seed": 1120114}
    assert judge(Case(**shape, column_spread=6.205175669646064e215, threshold=7.053444624982548)) is None


# -- the judge ---------------------------------------------------------------------------------------------

CLAIMS = {
    "gap": (0.0, "a model is better"),
    "value": (0.0, "objective_ is"),
    "coef": (np.full(4, np.nan), "coefficients"),
    "converged": (True, "converged, and a model is better"),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_the_judge_sees_what_is_not_true(name):
    value, says = CLAIMS[name]
    case = Case(n=30, strength=0.01, max_iter=1, tol=1e-12, step_size="adaptive1", solver="piag")
    X, y, weights = data(case)
    objective = Objective(case, X, y, weights)
    model = estimator(case, objective)
    with pytest.warns(ConvergenceWarning, match="did not converge"):
        model.fit(X, y)
    claim = Claim(objective, model.coef_, model.intercept_, model.objective_, model.dual_gap_, False)
    assert dishonest(case, claim) is None
    assert says in dishonest(case, claim._replace(**{name: value}))
    assert "dtype" in dishonest(case, claim._replace(coef=np.zeros(4, int)))
    assert dishonest(case, claim._replace(gap=np.nan)) == "dual_gap_ is nan"


MODELS = [
    {},
    {"positive": True},
    {"n_classes": 2},
    {"n_classes": 4},
    {"penalty_weights": "spread", "n_classes": 4},
    {"penalty_weights": "zeros", "n_classes": 3},
    {"penalty_weights": "zeros", "n_classes": 2},
    {"penalty_weights": "zeros", "positive": True},
    {"penalty_weights": "zeros", "threshold": 0.5},
    {"threshold": 0.3},
    {"groups": "lists"},
    {"groups": "sizes", "seed": 4},
]


def solved(kind, **options):
    """A case, its objective and a model that is the best to rounding."""
    shape = {"n": 60, "p": 6, "seed": 3, "strength": 0.05, "weights": "random", "tol": 1e-13} | options
    case = Case(**shape | kind)
    X, y, weights = data(case)
    objective = Objective(case, X, y, weights)
    model = estimator(case, objective, max_iter=10**5, tol=1e-15)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y, sample_weight=weights)
    return case, objective, model


@pytest.mark.parametrize("kind", MODELS, ids=str)
def test_the_judge_sees_a_wrong_coefficient(kind):
    """In what is said of a model, and in what it could be: one is moved by a part in a hundred thousand."""
    case, objective, model = solved(kind, l1_ratio=1.0 if "groups" in kind else 0.5)
    said = Claim(objective, model.coef_, model.intercept_, model.objective_, model.dual_gap_, True)
    assert dishonest(case, said) is None
    for j in np.argsort(-abs(np.atleast_2d(model.coef_)[0]))[:2]:
        coef = model.coef_.copy()
        np.atleast_2d(coef)[0, j] *= 1 + 1e-5
        wrong = said._replace(coef=coef)
        assert "better" in dishonest(case, wrong._replace(value=float(objective(coef, model.intercept_))))
        penalty = objective.l1 * 1e-5 * abs(np.atleast_2d(coef)[0, j])
        assert "objective_ is" in dishonest(case, said._replace(value=model.objective_ + float(penalty)))


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("kind", MODELS, ids=str)
def test_the_bound_is_below_every_model_and_meets_the_best(kind, l1_ratio, fit_intercept):
    l1_ratio = 1.0 if "groups" in kind else l1_ratio
    case, objective, model = solved(kind, l1_ratio=l1_ratio, fit_intercept=fit_intercept)
    best = objective(model.coef_, model.intercept_)
    assert abs(best - objective.bound(model.coef_, model.intercept_)) < 1e-11 * objective.scale()
    assert best <= best_found(case, objective) + 1e-12
    rng = np.random.default_rng(0)
    for size in (1e-4, 1e-2, 1.0):
        coef = model.coef_ + size * rng.standard_normal(model.coef_.shape)
        coef = np.maximum(coef, 0.0) if case.positive else coef
        intercept = model.intercept_ + (size * rng.standard_normal() if fit_intercept else 0.0)
        assert objective.bound(coef, intercept) <= best + 1e-15
        # Beside free coefficients that have to be positive there may be none.
        assert objective.bound(coef, intercept) > -np.inf or (case.positive and not objective.v.all())


# -- what fails --------------------------------------------------------------------------------------------


@pytest.fixture
def spoilt(tmp_path):
    """A copy of the package in which fits with `n_jobs` lose a digit of their gap."""
    for name in ("sk_asyncprox", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    path = tmp_path / "sk_asyncprox" / "linear_model" / "_base.py"
    told = "        facts = [(s.gap, "
    text = path.read_text(encoding="utf-8")
    assert text.count(told) == 1
    lost = told.replace("s.gap", "s.gap / 10 if self.n_jobs else s.gap")
    path.write_text(text.replace(told, lost), encoding="utf-8")
    return tmp_path


def run(folder, *args):
    return subprocess.run(
        [sys.executable, *map(str, args)],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        cwd=folder,
    )


def test_a_fault_gives_a_short_script_that_fails_by_itself(spoilt, tmp_path):
    fuzz = run(spoilt, "tests/fuzzing.py", "--failures", 1, "--scripts", "found")
    assert fuzz.returncode == 1, fuzz.stderr
    [found] = (tmp_path / "found").iterdir()
    text = found.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 25
    assert f"Case {found.stem.removeprefix('case_')}: dual_gap_ is" in text
    assert "n_jobs" in text
    again = run(spoilt, found)
    assert again.returncode == 1, again.stderr
    assert "a model is better" in again.stderr
    assert run(ROOT, found).returncode == 0


def test_cases_are_shrunk(monkeypatch):
    """To the plainest one that fails alike."""
    seen = []

    def fails(case):
        seen.append(case)
        return f"too wide: {case.p}" if case.p > 7 and case.storage == "csr" else None

    monkeypatch.setattr("fuzzing.judge", fails)
    case = Case(seed=5, n=50, p=30, storage="csr", tol=1e-7, solver="piag", n_classes=3)
    assert shrunk(case) == Case(seed=5, n=4, p=8, storage="csr")
    assert len(seen) < 200
