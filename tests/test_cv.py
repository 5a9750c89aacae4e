"""Cross-validated estimators: scikit-learn's choices and paths, and folds that share the workers."""

import threading

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import linear_model as peer
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer
from sklearn.model_selection import GroupKFold, KFold
from sklearn.utils.fixes import parse_version

from sk_asyncprox import ElasticNetCV, LassoCV, LogisticRegression, LogisticRegressionCV
from sk_asyncprox.executors import Simulated, Threads, Trace
from sk_asyncprox.linear_model._dask_cv import shared

NEW_SHAPES = parse_version(sklearn.__version__) >= parse_version("1.9")
KINDS = {"dense": np.asarray, "csr": sp.csr_matrix, "csc array": sp.csc_array}
ALL = [LassoCV(alphas=4), ElasticNetCV(alphas=4), LogisticRegressionCV(Cs=3, l1_ratios=(0.5, 1.0))]


def target(estimator, data):
    return data.labels if isinstance(estimator, LogisticRegressionCV) else data.y


# -- agreement with scikit-learn -----------------------------------------------------------------------

PEERS = {}
"""Scikit-learn's fits, each made once."""


def grid_of(n):
    """`n` automatic alphas: the parameter has another name in older scikit-learns."""
    return {"alphas": n} if NEW_SHAPES else {"n_alphas": n}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("how", [{}, {"fit_intercept": False}, {"positive": True}], ids=str)
def test_elastic_net_is_scikit_learns(data, kind, weighted, how):
    weights, how = data.weights if weighted else None, {"l1_ratio": [0.3, 0.9, 1.0], "cv": 4, **how}
    ours = ElasticNetCV(alphas=8, tol=1e-12, **how).fit(KINDS[kind](data.X), data.y, weights)
    if (weighted, str(how)) not in PEERS:
        theirs = peer.ElasticNetCV(tol=1e-12, max_iter=10**5, **grid_of(8), **how)
        PEERS[weighted, str(how)] = theirs.fit(data.X, data.y, weights)
    theirs = PEERS[weighted, str(how)]
    assert_allclose(ours.alphas_, theirs.alphas_, rtol=1e-10)
    assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-8)
    assert_allclose(ours.alpha_, theirs.alpha_, rtol=1e-10)
    assert ours.l1_ratio_ == theirs.l1_ratio_
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-9)
    assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-9)
    assert_allclose(ours.predict(data.X), theirs.predict(data.X), atol=1e-8)


@pytest.mark.parametrize("alphas", [8, [0.01, 1.0, 0.1]], ids=str)
def test_lasso_is_scikit_learns(data, alphas):
    theirs = peer.LassoCV(tol=1e-12, **(grid_of(8) if alphas == 8 else {"alphas": alphas}))
    ours, theirs = LassoCV(alphas=alphas, tol=1e-12).fit(data.X, data.y), theirs.fit(data.X, data.y)
    assert_allclose(ours.alphas_, theirs.alphas_, rtol=1e-10)
    assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-8)
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-9)
    assert not hasattr(ours, "l1_ratio_")
    assert ours.dual_gap_ <= 1e-12 * data.y.var()


def test_float32_stays(data):
    ours = LassoCV(alphas=5).fit(data.X.astype(np.float32), data.y)
    assert ours.coef_.dtype == np.float32


@pytest.mark.skipif(not NEW_SHAPES, reason="the peer has the shapes from 1.9 on")
@pytest.mark.parametrize("kind", ["dense", "csr"])
@pytest.mark.parametrize(
    "how",
    [
        {"l1_ratios": (0.0,)},
        {"l1_ratios": (0.0, 0.5, 1.0)},
        {"l1_ratios": (0.6,), "fit_intercept": False},
        {"l1_ratios": (0.0, 0.5), "class_weight": "balanced"},
        {"l1_ratios": (0.0, 1.0), "refit": False},
        {"l1_ratios": (1.0,), "scoring": "accuracy"},
        {"l1_ratios": (1.0,), "scoring": None, "class_weight": {0: 1.0, 1: 3.0}},
    ],
    ids=str,
)
def test_logistic_is_scikit_learns(data, kind, how):
    # Not so strong that all coefficients are zero: then saga ends before the intercept has moved.
    how = {"Cs": [10.0, 0.3, 1.0], "cv": 3, "scoring": "neg_log_loss", **how}
    ours = LogisticRegressionCV(tol=1e-12, **how).fit(KINDS[kind](data.X), data.labels, data.weights)
    how["l1_ratios"] = np.array(how["l1_ratios"])  # scikit-learn's average needs an array
    theirs = peer.LogisticRegressionCV(
        tol=1e-9, max_iter=10**5, solver="saga", random_state=0, use_legacy_attributes=False, **how
    ).fit(data.X, data.labels, data.weights)
    for name in ("coefs_paths_", "scores_", "C_", "l1_ratio_", "Cs_", "l1_ratios_", "coef_", "intercept_"):
        assert np.shape(getattr(ours, name)) == np.shape(getattr(theirs, name)), name
        assert_allclose(getattr(ours, name), getattr(theirs, name), atol=2e-5, err_msg=name)
    assert ours.n_iter_.shape == theirs.n_iter_.shape


def test_averages_without_refit(data):
    model = LogisticRegressionCV(Cs=[0.01, 1.0, 100.0], l1_ratios=(0.0, 1.0), refit=False).fit(
        data.X, data.labels
    )
    flat = model.scores_.swapaxes(1, 2).reshape(5, -1).argmax(axis=1)
    Cs, ratios = model.Cs_[flat // 2], model.l1_ratios_[flat % 2]
    assert Cs.mean() == model.C_
    assert model.l1_ratio_ == ratios.mean()
    picked = [model.coefs_paths_[k, f % 2, f // 2, 0] for k, f in enumerate(flat)]
    assert_allclose(np.append(model.coef_, model.intercept_), np.mean(picked, axis=0), rtol=1e-12)
    assert not hasattr(model, "dual_gap_")


def test_every_path_value_is_the_plain_fit(data):
    """Elastic net, weights and an intercept: a fold's coefficients are LogisticRegression's."""
    model = LogisticRegressionCV(Cs=[3.0, 0.1], l1_ratios=(0.3, 1.0), cv=KFold(3), tol=1e-12)
    model.fit(sp.csr_matrix(data.X), data.labels, data.weights)
    for k, (train, test) in enumerate(KFold(3).split(data.X)):
        for i, ratio in enumerate(model.l1_ratios_):
            for j, C in enumerate(model.Cs_):
                plain = LogisticRegression(C=C, l1_ratio=ratio, tol=1e-12)
                plain.fit(data.X[train], data.labels[train], data.weights[train])
                expected = np.append(plain.coef_, plain.intercept_)
                assert_allclose(model.coefs_paths_[k, i, j, 0], expected, atol=1e-6)
                score = get_scorer("neg_log_loss")(
                    plain, data.X[test], data.labels[test], sample_weight=data.weights[test]
                )
                assert model.scores_[k, i, j] == pytest.approx(score, abs=1e-6)
    scorer = get_scorer("neg_log_loss")
    assert model.score(data.X, data.labels) == scorer(model, data.X, data.labels)


# -- folds and workers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", ALL, ids=lambda e: type(e).__name__)
def test_workers_change_nothing(data, estimator, nothing_left):
    X, y = sp.csr_matrix(data.X), target(estimator, data)
    one = clone(estimator).set_params(n_jobs=1).fit(X, y, data.weights)
    two = clone(estimator).set_params(n_jobs=2).fit(X, y, data.weights)
    for name in ("mse_path_", "coefs_paths_", "scores_", "coef_", "intercept_"):
        if hasattr(one, name):
            assert_array_equal(getattr(one, name), getattr(two, name))


class Counting(Threads):
    """Counts the workers that run at once."""

    def __init__(self):
        super().__init__()
        self.lock, self.now, self.most, self.runs = threading.Lock(), 0, 0, 0

    def __sklearn_clone__(self):
        return self

    def run(self, solver, on_events):
        with self.lock:
            self.now, self.runs = self.now + solver.n_workers, self.runs + 1
            self.most = max(self.most, self.now)
        try:
            return super().run(solver, on_events)
        finally:
            with self.lock:
                self.now -= solver.n_workers


@pytest.mark.parametrize("n_jobs", [1, 2, 3])
def test_folds_times_workers_are_never_more_than_n_jobs(data, n_jobs):
    executor = Counting()
    LassoCV(alphas=20, n_blocks=3, n_jobs=n_jobs, executor=executor, cv=6).fit(data.X, data.y)
    assert executor.runs == 6 * 20 + 1
    assert executor.most <= n_jobs


def test_executors_with_workers_of_their_own_serve_fold_after_fold(data):
    model = LassoCV(alphas=3, cv=3, executor=Simulated(Trace.constant(3)), n_jobs=2, max_iter=10_000)
    model.fit(data.X, data.y)
    assert model.history_.n_workers == 3
    assert_allclose(model.mse_path_, LassoCV(alphas=3, cv=3).fit(data.X, data.y).mse_path_, rtol=1e-2)


# -- routing, warnings and bad input ---------------------------------------------------------------------


def test_groups_and_weights_are_routed(data):
    groups = np.arange(80) % 4
    with sklearn.config_context(enable_metadata_routing=True):
        model = LassoCV(alphas=4, cv=GroupKFold(4)).set_fit_request(sample_weight=True)
        model.fit(data.X, data.y, groups=groups)
        scoring = get_scorer("accuracy").set_score_request(sample_weight=True)
        classifier = LogisticRegressionCV(Cs=3, cv=GroupKFold(4), scoring=scoring)
        classifier.fit(data.X, data.labels, sample_weight=data.weights, groups=groups)
        weighted = classifier.score(data.X, data.labels, sample_weight=data.weights)
    folds = list(GroupKFold(4).split(data.X, groups=groups))
    assert_array_equal(model.mse_path_, LassoCV(alphas=4, cv=folds).fit(data.X, data.y).mse_path_)
    plain = LogisticRegressionCV(Cs=3, cv=folds, scoring="accuracy")
    plain.fit(data.X, data.labels, sample_weight=data.weights)
    assert_allclose(classifier.scores_, plain.scores_, rtol=1e-14)
    right = classifier.predict(data.X) == data.labels
    assert weighted == pytest.approx(np.average(right, weights=data.weights))


@pytest.mark.parametrize("estimator", ALL, ids=lambda e: type(e).__name__)
def test_params_without_routing_are_refused(data, estimator):
    with pytest.raises(ValueError, match="groups"):
        estimator.fit(data.X, target(estimator, data), groups=np.arange(80))


def test_one_warning_names_the_first_fit_that_did_not_converge(data):
    with pytest.warns(ConvergenceWarning) as caught:
        LassoCV(alphas=5, tol=1e-12, max_iter=1).fit(data.X, data.y)
    assert len(caught) == 2  # of the paths, and of the last fit
    assert "25 fits did not reach" in str(caught[0].message)
    assert "fold 0, alpha=" in str(caught[0].message)
    with pytest.warns(ConvergenceWarning) as caught:
        ElasticNetCV(alphas=5, l1_ratio=[0.5, 1.0], tol=1e-12, max_iter=1).fit(data.X, data.y)
    assert "fold 0, l1_ratio=0.5, alpha=" in str(caught[0].message)


@pytest.mark.parametrize(
    ("estimator", "wrong", "message"),
    [
        (ElasticNetCV(), {"l1_ratio": [0.0, 0.5]}, "Automatic alpha grid"),
        (LassoCV(), {"alphas": [0.1, -1.0]}, r"alphas\[1\] must be .*, got -1"),
        (LassoCV(), {"n_jobs": 0}, "'n_jobs' parameter"),
        (LassoCV(), {"cv": 1}, "'cv' parameter of LassoCV"),
        (LogisticRegressionCV(), {"l1_ratios": ()}, "l1_ratios must be"),
        (LogisticRegressionCV(), {"l1_ratios": (2.0,)}, "l1_ratios must be"),
        (LogisticRegressionCV(), {"Cs": [1.0, 0.0]}, r"Cs\[1\] must be .*, got 0"),
        (LogisticRegressionCV(), {"scoring": "nonsense"}, "scoring"),
    ],
    ids=str,
)
def test_bad_input_gets_one_clear_sentence(data, estimator, wrong, message):
    with pytest.raises(ValueError, match=message):
        clone(estimator).set_params(**wrong).fit(data.X, target(estimator, data))


@pytest.mark.parametrize(("most", "together"), [(2, 1), (5, 5), (32, 8)])
def test_parts_of_rows_are_put_to_the_same_use(most, together):
    """Folds that take rows any number of times, in training and in the test."""
    rng, n = np.random.default_rng(most), 30
    folds = [tuple(rng.integers(0, n, size) for size in (40, 10)) for _ in range(3)]
    folds += list(KFold(5).split(np.zeros(n)))
    groups = list(shared(iter(folds), n, most))
    assert all(len(uses) == 1 or parts.max() < most for parts, uses in groups)
    assert max(len(uses) for _, uses in groups) == together
    uses = [use[:, parts] for parts, uses in groups for use in uses]
    for use, fold in zip(uses, folds, strict=True):
        assert_array_equal(use, [np.bincount(index, minlength=n) for index in fold])


@pytest.mark.parametrize("estimator", ALL, ids=str)
def test_folds_of_shards_leave_the_data_as_they_are(data, estimator):
    X, y = data.X.copy(), target(estimator, data)
    clone(estimator).set_params(solver="piag", cv=3).fit(X, y)
    assert_array_equal(X, data.X)


@pytest.mark.parametrize("estimator", ALL, ids=str)
def test_folds_by_masks_and_by_numbers_from_the_end(data, estimator):
    n, y = len(data.X), target(estimator, data)
    mask = np.arange(n) < n - 20
    found = [
        clone(estimator).set_params(cv=[fold]).fit(data.X, y)
        for fold in [
            (np.flatnonzero(mask), np.flatnonzero(~mask)),
            (mask, ~mask),
            (np.arange(-n, -20), np.arange(-20, 0)),
        ]
    ]
    for model in found[1:]:
        assert_array_equal(model.coef_, found[0].coef_)
        errors = [m.scores_ if hasattr(m, "scores_") else m.mse_path_ for m in (model, found[0])]
        assert_array_equal(*errors)


def test_errors_at_the_default_tolerance_are_those_of_the_solutions():
    """No solution is made of its neighbours: that would move errors by up to a hundredth, and the choice."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((200, 20))
        y = X[:, :8] @ rng.standard_normal(8) + 3.0 * rng.standard_normal(200)
        found, fine = (LassoCV(tol=tol).fit(X, y) for tol in (1e-4, 1e-9))
        assert_allclose(found.mse_path_, fine.mse_path_, rtol=1e-3)
        assert found.alpha_ == fine.alpha_


def test_a_fold_without_weight_is_refused(data):
    weights = np.where(np.arange(80) < 16, 1.0, 0.0)
    with pytest.raises(ValueError, match="training fold are zero"):
        LassoCV(alphas=3).fit(data.X, data.y, weights)


def test_verbose_reports_on_the_last_fit(data, capsys):
    LogisticRegressionCV(Cs=2, cv=2, verbose=2).fit(data.X, data.labels)
    assert any(line.startswith("passes") for line in capsys.readouterr().out.splitlines())


@pytest.mark.skipif(not NEW_SHAPES, reason="the peer has the shapes from 1.9 on")
@pytest.mark.parametrize("refit", [True, False])
def test_three_classes_are_scikit_learns(refit):
    X, y = load_iris(return_X_y=True)
    how = {"Cs": [0.1, 10.0, 1.0], "l1_ratios": (0.0,), "scoring": "neg_log_loss", "refit": refit}
    ours = LogisticRegressionCV(tol=1e-12, **how).fit(X, y)
    peer_how = {"tol": 1e-10, "solver": "newton-cholesky", "use_legacy_attributes": False}
    theirs = peer.LogisticRegressionCV(**peer_how, **how | {"l1_ratios": np.zeros(1)}).fit(X, y)
    for name in ("coefs_paths_", "scores_", "C_", "l1_ratio_", "coef_", "intercept_"):
        assert np.shape(getattr(ours, name)) == np.shape(getattr(theirs, name)), name
        assert_allclose(getattr(ours, name), getattr(theirs, name), atol=1e-5, err_msg=name)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-6)
