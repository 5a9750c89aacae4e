"""Families of solvers: which form serves a run, and what is refused before the first task."""

import numpy as np
import pytest
from conftest import make_data
from numpy.testing import assert_allclose

from sk_asyncprox import Lasso
from sk_asyncprox.executors import Threads
from sk_asyncprox.losses import SquaredLoss
from sk_asyncprox.penalties import ElasticNetPenalty, Penalty
from sk_asyncprox.problem import Problem
from sk_asyncprox.solve import SOLVERS, Options, solve
from sk_asyncprox.solvers import PIAG, AsyncBCD, ModelPIAG, RoundsBCD
from sk_asyncprox.solvers.base import Solver
from sk_asyncprox.solvers.registry import Family
from sk_asyncprox.step_sizes import StepSize

FORMS = {
    ("bcd", "exact", "gram"): RoundsBCD,
    ("bcd", "exact", "lipschitz"): AsyncBCD,
    ("bcd", "adaptive1", "gram"): AsyncBCD,
    ("bcd", "adaptive1", "lipschitz"): AsyncBCD,
    ("piag", "exact", "gram"): ModelPIAG,
    ("piag", "adaptive1", "gram"): ModelPIAG,
    ("piag", "adaptive1", "lipschitz"): PIAG,
}
PLAIN = [key for key in FORMS if key[1:] == ("adaptive1", "lipschitz")]


class Bounded(Penalty):
    """The lasso's penalty by another name: a prox, and what certificates ask for."""

    def __init__(self, l1):
        self.l1 = l1

    def value(self, w):
        return self.l1 * np.abs(w).sum()

    def prox(self, x, step):
        return x - np.clip(x, -step * self.l1, step * self.l1)

    def pull(self, c):
        return np.abs(c)

    def dual_limit(self, c):
        return self.l1 / np.abs(c).max()

    def conjugate(self, c):
        return 0.0


def problem(solver, penalty):
    data = make_data(40, 6)
    return Problem(data.X, data.y, SquaredLoss(), penalty, None, True, SOLVERS[solver].rows)


def options(solver, step_size, metric, **others):
    return Options(solver=solver, step_size=step_size, metric=metric, **others)


@pytest.mark.parametrize("key", FORMS, ids="-".join)
def test_form(key):
    chosen, posed = options(*key), problem(key[0], ElasticNetPenalty(0.1))
    family = SOLVERS[key[0]]
    policy = family.policy(chosen.step_size, posed)
    form, _ = family.serve(posed, policy, chosen, Threads().plan(1))
    assert form is FORMS[key]
    assert family.in_rounds(posed, chosen, Threads().plan(1), policy) == (form is RoundsBCD)
    assert type(solve(posed, chosen).solver) is form


@pytest.mark.parametrize("form", dict.fromkeys(FORMS.values()), ids=lambda form: form.__name__)
def test_forms_have_all_that_is_asked_of_a_solver(form):
    assert issubclass(form, Solver)
    asked = [
        name for name, value in vars(Solver).items() if callable(getattr(Solver, name)) and value.__doc__
    ]
    assert {"ask", "tell", "drop", "work", "part", "snapshot", "rest"} <= set(asked)
    for name in set(asked) - {"rest"}:
        assert getattr(form, name) is not getattr(Solver, name)


@pytest.mark.parametrize("key", [key for key in FORMS if key not in PLAIN], ids="-".join)
def test_a_penalty_that_does_not_fit_is_refused_before_the_first_task(key):
    says = (
        rf"The penalty Bounded cannot be served by solver '{key[0]}' with metric='{key[2]}' and step_size \w+"
    )
    with pytest.raises(ValueError, match=says):
        solve(problem(key[0], Bounded(0.1)), options(*key))


@pytest.mark.parametrize("key", PLAIN, ids="-".join)
def test_a_penalty_with_a_prox_is_served_by_plain_steps(key):
    chosen = options(*key, tol=1e-8, max_iter=100_000)
    found = solve(problem(key[0], Bounded(0.1)), chosen._replace(working_set=False))
    best = solve(problem("bcd", ElasticNetPenalty(0.1)), Options(tol=1e-12))
    assert found.status == "converged"
    assert found.certificate.objective == pytest.approx(best.certificate.objective, rel=1e-7)


def test_a_solver_of_ones_own_is_a_family_of_one_form(monkeypatch):
    class Mine(AsyncBCD):
        """Block steps by another name."""

    data = make_data(40, 6)
    with pytest.raises(ValueError, match="The 'solver' parameter of Lasso must be a str among"):
        Lasso(solver="mine").fit(data.X, data.y)
    monkeypatch.setitem(SOLVERS, "mine", Family(Mine))
    monkeypatch.setattr(StepSize, "solvers", ("mine", "bcd"))
    model = Lasso(0.1, solver="mine", tol=1e-10).fit(data.X, data.y)
    assert (model.history_.solver, model.history_.stopped) == ("mine", "converged")
    assert_allclose(model.coef_, Lasso(0.1, tol=1e-10).fit(data.X, data.y).coef_, atol=1e-5)
