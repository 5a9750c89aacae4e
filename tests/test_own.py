"""The files of the page on parts of one's own run, print what the page shows, and say all that it says."""

import re
import runpy
from textwrap import dedent

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import ROOT

from sk_asyncprox.losses import Loss
from sk_asyncprox.penalties import ElasticNetPenalty
from sk_asyncprox.problem import Problem
from sk_asyncprox.solve import Options, solve

OWN, PAGE = ROOT / "doc" / "own", (ROOT / "doc" / "extending.rst").read_text(encoding="utf-8")
PARTS = ["loss", "penalty", "policy", "solver"]


def test_the_page_shows_every_file():
    assert sorted(path.stem for path in OWN.glob("*.py")) == sorted(PARTS)
    included = re.findall(r"literalinclude:: own/(\w+)\.py", PAGE)
    assert list(dict.fromkeys(included)) == PARTS


def test_what_is_included_is_there():
    for name, options in re.findall(r"literalinclude:: (\S+)\n((?:   :.*\n)+)", PAGE):
        text = (ROOT / "doc" / name).read_text(encoding="utf-8")
        for option, value in re.findall(r":(pyobject|start-after|start-at|end-before): (.+)", options):
            assert (f"class {value}" if option == "pyobject" else value) in text


@pytest.mark.parametrize("part", PARTS)
def test_files_print_what_the_page_shows(part, capsys):
    runpy.run_path(str(OWN / f"{part}.py"), run_name="__main__")
    shown = re.findall(r"\.\. code-block:: text\n\n((?:    .+\n)+)", PAGE)
    assert capsys.readouterr().out == dedent(shown[PARTS.index(part)])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_loss_is_what_it_says(seed):
    rng, loss = np.random.default_rng(seed), runpy.run_path(str(OWN / "loss.py"))["LogCosh"]()
    y, z, other = 5 * rng.standard_normal((3, 20))
    gradient, eps = loss.gradient(y, z), 1e-5
    slope = (loss.value(y, z + eps) - loss.value(y, z - eps)) / (2 * eps)
    np.testing.assert_allclose(gradient, slope, atol=1e-8)
    parabola = loss.value(y, z) + gradient * (other - z) + 0.5 * loss.majorant(y, z) * (other - z) ** 2
    assert (parabola >= loss.value(y, other) - 1e-12).all()
    room = loss.value(y, z) - loss.dual_value(y, -gradient) - gradient * z
    np.testing.assert_allclose(room, 0.0, atol=1e-10)
    assert (loss.value(y, other) - loss.dual_value(y, -gradient) - gradient * other >= -1e-10).all()
    assert abs(loss.gradient(y, loss.best_intercept(y, np.full(20, 0.05))).sum()) <= 1e-9


class Poisson(Loss):
    """``exp(z) - y z``: its curvature has no bound."""

    length = 1.0

    def value(self, y, z):
        return np.exp(z) - y * z + y * np.log(np.maximum(y, 1e-300)) - y

    def gradient(self, y, z):
        return np.exp(z) - y

    def second_derivative(self, y, gradient):
        return gradient + y

    def majorant(self, y, z):
        return np.full_like(z, np.inf)

    def dual_value(self, y, theta):
        rest = np.maximum(y - theta, 1e-300)
        return rest - rest * np.log(rest) + y * np.log(np.maximum(y, 1e-300)) - y

    def best_intercept(self, y, weights):
        return float(np.log(weights @ y))

    def scale(self, y, weights, fit_intercept):
        return 2.0 * float(weights @ self.value(y, self.best_intercept(y, weights)))


@pytest.mark.parametrize(
    "options",
    [
        {"step_size": "adaptive1"},
        {"step_size": "adaptive1", "metric": "lipschitz"},
        {"solver": "piag"},
        {"solver": "piag", "step_size": "adaptive1", "metric": "lipschitz"},
    ],
    ids=str,
)
def test_steps_made_of_a_bound_that_there_is_not_are_refused(options):
    rng = np.random.default_rng(0)
    X = 0.3 * rng.standard_normal((100, 5))
    y = rng.poisson(np.exp(X[:, 0])).astype(float)
    problem = Problem(X, y, Poisson(), ElasticNetPenalty(0.01))
    best = solve(problem, Options(tol=1e-9))
    assert solve(problem, Options(tol=1e-6, n_blocks=2)).status == "converged"
    assert best.status == "converged"
    c = X.T @ (y - np.exp(X @ best.certificate.w + problem.intercept(*best.certificate[:2]))) / 100
    assert np.abs(c).max() == pytest.approx(0.01, abs=1e-6)
    with pytest.raises(ValueError, match="The curvature of Poisson has no bound"):
        solve(problem, Options(**options))
