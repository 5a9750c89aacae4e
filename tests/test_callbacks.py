"""Scikit-learn's callbacks: consistent snapshots, one thread, a stop, and nothing where nobody looks."""

import threading

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from sk_asyncprox import ElasticNet, ElasticNetCV, Lasso, LassoCV, LogisticRegression, LogisticRegressionCV
from sk_asyncprox.solvers import rounds

callback = pytest.importorskip("sklearn.callback", reason="callbacks are of scikit-learn 1.9 and later")


class Recorder:
    """Keeps what it is told; stops the fit at a certificate of a given number."""

    def __init__(self, stop_at=None):
        self.stop_at, self.tasks, self.threads, self.torn_down = stop_at, [], set(), 0

    def setup(self, estimator, context):
        self.tasks.clear()

    def teardown(self, estimator, context):
        self.torn_down += 1

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None):
        self.threads.add(threading.current_thread())

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None, metadata=None):
        self.threads.add(threading.current_thread())
        self.tasks.append((context.task_name, fitted_estimator, X, y, metadata))
        return context.parent is not None and len(self.tasks) == self.stop_at


RUNS = {
    "rounds": {},
    "plain, three workers": {"n_blocks": 6, "n_jobs": 3},
    "piag, two workers": {"solver": "piag", "n_jobs": 2},
}


@pytest.mark.parametrize("how", RUNS)
@pytest.mark.parametrize("estimator", [Lasso(alpha=0.05), LogisticRegression(C=0.3, l1_ratio=0.5)], ids=str)
def test_snapshots_are_consistent_and_told_in_one_thread(data, estimator, how, nothing_left):
    """Each snapshot's objective is that of its own coefficients, so they are of one iterate."""
    labels = isinstance(estimator, LogisticRegression)
    y, recorder = data.labels if labels else data.y, Recorder()
    model = clone(estimator).set_params(tol=1e-6, max_iter=100_000, **RUNS[how]).set_callbacks(recorder)
    model.fit(data.X, y, data.weights)
    assert recorder.threads == {threading.current_thread()}
    assert recorder.torn_down == 1
    *certificates, (name, last, *_) = recorder.tasks
    assert (name, last.coef_ is model.coef_) == ("fit", True)
    assert len(certificates) == len(model.history_.certificates)
    for (name, fitted, X, target, metadata), row in zip(
        certificates, model.history_.certificates, strict=True
    ):
        assert_array_equal(target, y)
        assert_array_equal(metadata["sample_weight"], data.weights)
        assert fitted.objective_ == row["objective"]
        assert f"gap {row['gap']:.2e}" in name
        z, s = fitted.decision_function(X) if labels else fitted.predict(X), data.weights
        loss = np.logaddexp(0, -(2 * y - 1) * z) if labels else 0.5 * (y - z) ** 2
        w = fitted.coef_.ravel()
        l1, l2 = (0.5 / (0.3 * s.sum()),) * 2 if labels else (0.05, 0.0)
        expected = np.average(loss, weights=s) + l1 * np.abs(w).sum() + 0.5 * l2 * w @ w
        assert fitted.objective_ == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("how", RUNS)
def test_a_callback_stops_the_fit(data, how, nothing_left):
    # Models of the shards are solved so soon that there may be no second certificate.
    slow = {"metric": "lipschitz", "step_size": "adaptive1"} if "piag" in how else {}
    model = ElasticNet(alpha=1e-3, tol=1e-12, max_iter=100_000, **RUNS[how] | slow)
    model.set_callbacks(Recorder(stop_at=2)).fit(data.X, data.y)
    assert model.history_.stopped == "watch"
    assert len(model.history_.certificates) < 300
    assert np.isfinite(model.dual_gap_)
    loss = 0.5 * np.mean((data.y - model.predict(data.X)) ** 2)
    w = model.coef_
    assert model.objective_ == pytest.approx(loss + 5e-4 * np.abs(w).sum() + 2.5e-4 * w @ w, rel=1e-9)


def test_shared_rounds_are_told_in_the_callers_thread(monkeypatch, nothing_left):
    """Rounds whose products two workers share from the start: both report through the caller."""
    monkeypatch.setattr(rounds, "SMALL", 0)
    monkeypatch.setattr("sk_asyncprox.solvers.rounds_shared_products.SMALL_SHARE", 0)
    monkeypatch.setattr(rounds.RoundsBCD, "head_start", 0.0)
    X, recorder = sp.random(500, 900, 0.1, format="csc", random_state=0), Recorder()
    model = Lasso(1e-3, n_jobs=2).set_callbacks(recorder).fit(X, X @ np.repeat([1.0, 0.0], [20, 880]))
    assert set(model.history_.shares["worker"]) == {0, 1}
    assert recorder.threads == {threading.current_thread()}
    assert len(recorder.tasks) == len(model.history_.certificates) + 1


@pytest.mark.parametrize("how", RUNS)
def test_an_error_in_a_callback_ends_the_fit(data, how, nothing_left):
    class Broken(Recorder):
        def on_fit_task_end(self, estimator, context):
            raise ZeroDivisionError("broken callback")

    recorder = Broken()
    model = Lasso(1e-3, tol=1e-12, max_iter=10_000, **RUNS[how]).set_callbacks(recorder)
    with pytest.raises(ZeroDivisionError, match="broken callback"):
        model.fit(data.X, data.y)
    assert recorder.torn_down == 1
    assert not hasattr(model, "coef_")


def test_snapshots_are_lazy(data, monkeypatch):
    class Blind(Recorder):
        def on_fit_task_end(self, estimator, context):
            self.tasks.append(context.task_name)

    made = []
    fitted = Lasso._fitted
    monkeypatch.setattr(Lasso, "_fitted", lambda *args: made.append(1) or fitted(*args))
    Lasso(0.01).set_callbacks(Blind()).fit(data.X, data.y)
    assert len(made) == 1  # the fit's own
    Lasso(0.01).set_callbacks(Recorder()).fit(data.X, data.y)
    assert len(made) > 2


def test_a_watched_fit_finds_the_same(data):
    plain = Lasso(0.01).fit(data.X, data.y)
    watched = Lasso(0.01).set_callbacks(Recorder()).fit(data.X, data.y)
    assert_array_equal(plain.coef_, watched.coef_)
    assert "_callback_fit_ctx" not in vars(watched)


def test_scoring_monitor(data):
    monitor = callback.ScoringMonitor(scoring=["neg_log_loss", "accuracy"])
    model = LogisticRegression(C=5.0, l1_ratio=1.0, tol=1e-8, n_blocks=4).set_callbacks(monitor)
    model.fit(data.X, data.labels, data.weights)
    scores = [row["neg_log_loss"] for row in monitor.get_logs().data]
    assert len(scores) == len(model.history_.certificates) + 1
    assert max(scores) > min(scores) + 0.1
    accuracy = monitor.get_logs().data[0]["accuracy"]
    assert accuracy == pytest.approx(model.score(data.X, data.labels, data.weights))


def test_progress_bar_shows_passes_objective_and_gap(data, capsys):
    pytest.importorskip("rich")
    LogisticRegression(tol=1e-8).set_callbacks(callback.ProgressBar()).fit(data.X, data.labels)
    shown = capsys.readouterr().out
    assert "LogisticRegression - fit" in shown
    assert "LogisticRegression - passes " in shown


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("cls", [LassoCV, ElasticNetCV, LogisticRegressionCV])
def test_folds_are_told_in_one_thread(data, cls, n_jobs, nothing_left):
    recorder, logistic = Recorder(stop_at=1), cls is LogisticRegressionCV
    model = cls(n_jobs=n_jobs, **({"Cs": 3} if logistic else {"alphas": 4})).set_callbacks(recorder)
    model.fit(data.X, data.labels if logistic else data.y)
    names = [name for name, *_ in recorder.tasks]
    assert names == ["fold"] * 5 + ["refit", "fit"]
    assert recorder.threads == {threading.current_thread()}
    assert_allclose(recorder.tasks[-1][1].coef_, model.coef_)


def test_progress_bar_goes_through_searches_and_cross_validation(data, capsys):
    pytest.importorskip("rich")
    LassoCV(alphas=4).set_callbacks(callback.ProgressBar()).fit(data.X, data.y)
    search = GridSearchCV(Lasso(), {"alpha": [0.1, 0.01]}, cv=2).set_callbacks(callback.ProgressBar())
    search.fit(data.X, data.y)
    shown = capsys.readouterr().out
    assert "LassoCV - refit" in shown
    assert "GridSearchCV" in shown
    assert "passes" not in shown  # a fit that is a task of another takes one line
