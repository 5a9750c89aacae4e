"""Policies side by side: a table that says how every run ended."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_asyncprox import Lasso
from sk_asyncprox.comparison import compare_policies
from sk_asyncprox.executors import Simulated, Trace
from sk_asyncprox.metrics import neg_passes_scorer, neg_virtual_time_scorer, virtual_time
from sk_asyncprox.step_sizes import Adaptive1, ExactStep, FixedStep, NaiveStep

X, y = load_diabetes(return_X_y=True)
SLOW = Simulated(Trace.from_service_times([1.0] * 7 + [4.0]))
LOCKSTEP = Simulated(Trace.from_service_times(1.0, n_workers=8, distribution="deterministic"))


def test_the_table_says_what_the_runs_say():
    policies = {"exact": ExactStep(), "Adaptive 1": Adaptive1(), "fixed": FixedStep(max_delay=2000)}
    executors = {"slow": SLOW, "lockstep": LOCKSTEP}
    estimator = Lasso(alpha=0.5, n_blocks=10, max_iter=200)
    with pytest.warns(UserWarning, match="Not converged.*: fixed on slow, fixed on lockstep.") as caught:
        comparison = compare_policies(estimator, policies, X, y, executors=executors)
    assert len(caught) == 1
    assert not hasattr(estimator, "coef_")
    table = comparison.table
    assert list(zip(table["policy"], table["trace"], strict=True)) == list(comparison.histories)
    assert table["stopped"].tolist() == ["converged", "converged", "max_iter"] * 2
    for row in table:
        history = comparison.histories[row["policy"], row["trace"]]
        assert row["updates"] == len(history.updates)
        assert row["time"] == history.updates["time"][-1]
        assert row["zero_steps"] == np.mean(history.updates["step"] == 0)
    assert np.isnan(table["above_ceiling"][table["policy"] == "exact"]).all()
    assert (table["above_ceiling"][table["policy"] != "exact"] == 0).all()
    assert comparison.to_frame().shape == (6, 9)
    text = str(comparison).splitlines()
    assert len({len(line) for line in text}) == 1
    assert "max_iter" in text[3]


def test_steps_above_the_ceiling_are_counted():
    comparison = compare_policies(Lasso(alpha=0.5, executor=LOCKSTEP), {"naive": NaiveStep()}, X, y)
    assert comparison.table["above_ceiling"][0] > 0.5
    assert "trace" not in str(comparison)


@pytest.mark.filterwarnings("ignore:.*max_iter was reached", "ignore:.*non-finite")
@pytest.mark.parametrize("scorer", [neg_passes_scorer, neg_virtual_time_scorer])
def test_what_stopped_early_cannot_win(scorer):
    model = make_pipeline(StandardScaler(), Lasso(alpha=10.0, executor=SLOW, n_blocks=10, max_iter=100))
    policies = [FixedStep(max_delay=9000), Adaptive1(), ExactStep()]
    search = GridSearchCV(model, {"lasso__step_size": policies}, scoring=scorer, cv=2).fit(X, y)
    assert np.isnan(search.cv_results_["mean_test_score"][0])
    assert isinstance(search.best_params_["lasso__step_size"], ExactStep)


def test_costs_of_several_targets_are_summed():
    two = Lasso(alpha=0.5, executor=SLOW, n_blocks=8).fit(X, np.column_stack([y, -y]))
    one = Lasso(alpha=0.5, executor=SLOW, n_blocks=8).fit(X, y)
    assert virtual_time(two) == pytest.approx(2 * virtual_time(one))
    assert neg_passes_scorer(two) == pytest.approx(2 * neg_passes_scorer(one))
    assert neg_virtual_time_scorer(one) == -virtual_time(one) < 0
