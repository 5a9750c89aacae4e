"""Near the model without features the gap asked for is relative to what is to be gained on it."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from sklearn import linear_model as peer
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from sk_asyncprox import ElasticNet, Lasso, LogisticRegression, LogisticRegressionCV, lasso_path


def few_samples(seed, n=20, p=4, n_classes=2):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    z = X @ rng.standard_normal(p) + rng.logistic(size=n)
    return X, z, np.digitize(z, np.quantile(z, np.arange(1, n_classes) / n_classes))


def null_objective(y):
    share = np.unique(y, return_counts=True)[1] / len(y)
    return -(share @ np.log(share))


@pytest.mark.parametrize("C", [1e-7, 1e-4, 1e-3, 1e-2])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
def test_strong_ridge_penalties_of_classifiers(C, n_classes, form):
    for seed in range(4):
        X, _, y = few_samples(seed, n_classes=n_classes)
        model = LogisticRegression(C=C).fit(form(X), y)
        exact = peer.LogisticRegression(C=C, tol=1e-14, solver="newton-cholesky", max_iter=1000).fit(X, y)
        assert_allclose(model.coef_, exact.coef_, rtol=0, atol=0.02 * np.abs(exact.coef_).max())
        gain = null_objective(y) - model.objective_
        assert gain > 0
        assert model.dual_gap_ <= max(1.01e-4 * gain, 1e-12)


@pytest.mark.parametrize("solver", ["bcd", "piag"])
@pytest.mark.parametrize("alpha", [1e2, 1e4])
@pytest.mark.parametrize("mean", [0.0, 1e3])
def test_strong_ridge_penalties_of_regressions(solver, alpha, mean):
    X, z, _ = few_samples(0, n=40)
    y = z + mean
    model = ElasticNet(alpha=alpha, l1_ratio=0.0, solver=solver).fit(X, y)
    exact = peer.Ridge(alpha=alpha * len(y), solver="cholesky").fit(X, y)
    assert_allclose(model.coef_, exact.coef_, rtol=0, atol=0.02 * np.abs(exact.coef_).max())


def test_a_little_of_l1_beside_a_strong_ridge_penalty():
    X, z, _ = few_samples(1, n=40)
    how = {"alpha": 1e4, "l1_ratio": 2e-5}
    model, exact = ElasticNet(**how).fit(X, z), peer.ElasticNet(tol=1e-14, max_iter=10_000, **how).fit(X, z)
    assert 0 < np.count_nonzero(exact.coef_) < 4
    assert_allclose(model.coef_, exact.coef_, rtol=0, atol=0.02 * np.abs(exact.coef_).max())


@pytest.mark.parametrize("tol", [1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("strength", [1e-2, 0.5, 0.9, 0.999])
def test_the_gap_is_small_against_both(tol, strength):
    X, z, _ = few_samples(2, n=50)
    alpha = strength * np.abs((X - X.mean(axis=0)).T @ (z - z.mean())).max() / 50
    model = Lasso(alpha=alpha, tol=tol).fit(X, z)
    optimum = Lasso(alpha=alpha, tol=1e-14).fit(X, z).objective_
    gain = z.var() / 2 - optimum
    assert model.dual_gap_ <= tol * z.var()
    assert model.objective_ - optimum <= max(100 * tol * gain, 1e-12 * z.var())
    if gain < 0.005 * z.var():
        assert model.dual_gap_ <= max(tol * gain * (1 + 2 * tol), 1e-11 * z.var())


@pytest.mark.parametrize("mean", [0.0, 1e4, 1e8])
@pytest.mark.parametrize("factor", [1.0, 1.0000001, 3.0])
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("solver", ["bcd", "piag"])
def test_where_no_feature_helps_one_certificate_is_enough(mean, factor, form, solver):
    X, z, _ = few_samples(3, n=200)
    y = z + mean
    alpha = factor * np.abs((X - X.mean(axis=0)).T @ (y - y.mean())).max() / 200
    model = Lasso(alpha=alpha, solver=solver).fit(form(X), y)
    # At the largest penalty itself rounding decides whether models by shards give zero.
    assert np.abs(model.coef_).max() < (1e-12 if solver == "piag" and factor == 1.0 else np.finfo(float).tiny)
    assert len(model.history_.certificates["gap"]) == 1


def test_the_first_model_of_a_path_is_none():
    X, z, _ = few_samples(4, n=60)
    _, coefs, _, n_iters = lasso_path(X, z - z.mean(), alphas=20, return_n_iter=True)
    assert not coefs[:, 0].any()
    assert n_iters[0] == 1
    assert coefs[:, 1:].any(axis=0).all()


@pytest.mark.parametrize("seed", range(6))
def test_scores_of_strong_penalties_do_not_tie(seed):
    X, _, y = few_samples(seed, p=3)
    ours = LogisticRegressionCV(scoring="roc_auc").fit(X, y)
    folds, last = (
        StratifiedKFold(5).split(X, y),
        {"tol": 1e-12, "solver": "newton-cholesky", "max_iter": 1000},
    )
    for scores, (train, test) in zip(ours.scores_, folds, strict=True):
        for score, C in zip(scores[0], ours.Cs_, strict=True):
            exact = peer.LogisticRegression(C=C, **last).fit(X[train], y[train])
            right = roc_auc_score(y[test], exact.decision_function(X[test]))
            if C < 1e-2:
                assert score == right


@pytest.mark.parametrize("p", [3, 8])
def test_paths_of_tall_data_begin_as_fits_do(p):
    X, z, _ = few_samples(6, n=300, p=p)
    z = z - z.mean()
    top = np.abs(X.T @ z).max() / 300
    alphas, coefs, gaps = lasso_path(X, z, alphas=top * np.array([1.0, 0.999, 0.99, 0.95] + [0.9] * 20))
    assert not coefs[:, 0].any()
    for alpha, w, gap in zip(alphas[1:], coefs.T[1:], gaps[1:], strict=True):
        exact = peer.Lasso(alpha=alpha, fit_intercept=False, tol=1e-14).fit(X, z).coef_
        assert_allclose(w, exact, rtol=0, atol=0.02 * np.abs(exact).max())
        gain = 0.5 * (z @ z - ((z - X @ w) ** 2).sum()) / 300 - alpha * np.abs(w).sum()
        assert gap <= max(1.01e-4 * gain, 2e-12 * (z @ z) / 300)
