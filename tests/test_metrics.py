"""Searches over step policies, with scorers that read how the models were trained."""

import pickle

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_asyncprox import Lasso, LogisticRegression
from sk_asyncprox.executors import Simulated, Trace
from sk_asyncprox.metrics import neg_fit_time_scorer, neg_objective_scorer, neg_updates_scorer
from sk_asyncprox.step_sizes import Adaptive1, Adaptive2, ExactStep, FixedStep

POLICIES = [Adaptive1(), Adaptive2(), FixedStep(max_delay=20), ExactStep()]
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*max_iter was reached:sklearn.exceptions.ConvergenceWarning",
    "ignore:.*had a delay above max_delay:RuntimeWarning",
)


def data(n=100, p=40):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p)) + rng.standard_normal((n, 1))
    return X, X[:, :5].sum(axis=1) + rng.standard_normal(n)


def simulated():
    return Simulated(Trace.from_service_times([1.0] * 7 + [4.0]))


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_the_exact_step_needs_the_fewest_updates(backend):
    X, y = data()
    model = make_pipeline(StandardScaler(), Lasso(alpha=0.3, executor=simulated(), n_blocks=20, max_iter=60))
    search = GridSearchCV(model, {"lasso__step_size": POLICIES}, scoring=neg_updates_scorer, cv=2, n_jobs=2)
    with parallel_config(backend):
        search.fit(X, y)
    assert isinstance(search.best_params_["lasso__step_size"], ExactStep)
    scores = dict(
        zip([type(p).__name__ for p in POLICIES], search.cv_results_["mean_test_score"], strict=True)
    )
    assert scores["FixedStep"] == min(scores.values())
    assert search.best_estimator_[-1].n_updates_ > 0
    assert isinstance(pickle.loads(pickle.dumps(search)).best_params_["lasso__step_size"], ExactStep)


def test_the_objective_within_a_budget_ranks_the_policies():
    X, y = data()
    model = Lasso(alpha=0.05, executor=simulated(), n_blocks=20, max_iter=20, tol=1e-12)
    search = GridSearchCV(model, {"step_size": POLICIES}, scoring=neg_objective_scorer, cv=2).fit(X, y)
    assert isinstance(search.best_params_["step_size"], ExactStep)
    assert search.best_score_ == pytest.approx(search.cv_results_["mean_test_score"].max())
    assert isinstance(POLICIES[np.argmin(search.cv_results_["mean_test_score"])], FixedStep)


def test_parameters_of_a_policy_are_searched():
    X, y = data()
    model = LogisticRegression(
        C=0.1, l1_ratio=0.5, step_size=Adaptive1(), executor=simulated(), n_blocks=20, max_iter=30, tol=1e-12
    )
    grid = {"step_size__alpha": [0.05, 0.9], "step_size__h": [0.2, 0.99]}
    search = GridSearchCV(model, grid, scoring=neg_objective_scorer, cv=2).fit(X, y > 0)
    assert search.best_params_ == {"step_size__alpha": 0.9, "step_size__h": 0.99}
    assert model.step_size.alpha == 0.9


def test_scorers_read_the_last_step():
    X, y = data()
    model = make_pipeline(StandardScaler(), Lasso(alpha=0.1)).fit(X, y)
    assert neg_objective_scorer(model, X, y) == -model[-1].objective_
    assert neg_updates_scorer(model, X) == -model[-1].n_updates_
    assert neg_fit_time_scorer(model[-1]) == -model[-1].fit_time_ < 0
