"""Walks of logistic losses along penalties: certified as a fit alone is, and left where they would not be."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import f1_score, get_scorer, make_scorer
from sklearn.model_selection import KFold

from sk_asyncprox import LogisticRegression, LogisticRegressionCV
from sk_asyncprox.kernels import proximal_newton
from sk_asyncprox.linear_model._cv_scores import Scores
from sk_asyncprox.losses import LogisticLoss, MultinomialLoss
from sk_asyncprox.penalties import ElasticNetPenalty
from sk_asyncprox.problem import Problem
from sk_asyncprox.solve import Options, solve
from sk_asyncprox.solve_path import solutions_along
from sk_asyncprox.solvers import rounds_worker_tasks

OPTIONS = Options(record=None)
STRENGTHS = np.geomspace(0.3, 1e-5, 5)


def drawn(n_classes, n=90, p=6, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) @ rng.standard_normal((p, p)) + 3.0
    return X, (X @ rng.standard_normal((p, n_classes)) + 4.0 * rng.gumbel(size=(n, n_classes))).argmax(axis=1)


def posed(n_classes, fit_intercept=True, weights=None, **data):
    X, codes = drawn(n_classes, **data)
    loss = LogisticLoss() if n_classes == 2 else MultinomialLoss(n_classes)
    y = 2.0 * codes - 1.0 if n_classes == 2 else codes
    return Problem(X, y, loss, None, weights, fit_intercept)


def penalties_of(l1_ratio, strengths=STRENGTHS):
    return [ElasticNetPenalty(s * l1_ratio, s * (1.0 - l1_ratio)) for s in strengths]


def walked(solutions):
    return [solution.solver is None for solution in solutions]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("tol", [1e-3, 1e-7])
def test_gaps_hold_for_the_data(n_classes, l1_ratio, fit_intercept, tol):
    """Each computed from the coefficients and the data alone; and none above the tolerance."""
    problem = posed(n_classes, fit_intercept, np.linspace(0.5, 2.0, 90))
    found = list(solutions_along(problem, penalties_of(l1_ratio), OPTIONS._replace(tol=tol)))
    assert all(walked(found))
    for penalty, solution in zip(penalties_of(l1_ratio), found, strict=True):
        alone = problem.with_penalty(penalty).certify(solution.certificate.w, solution.certificate.b)
        assert 0.0 <= solution.gap <= tol * problem.scale
        # One move of the intercept is left, which both bounds tell.
        assert solution.gap <= 1.1 * alone.gap + 1e-12
        assert -1e-15 <= solution.certificate.objective - alone.objective <= 0.1 * solution.gap + 1e-15
        optimum = solve(problem.with_penalty(penalty), OPTIONS._replace(tol=1e-11)).certificate.objective
        assert -1e-12 <= solution.certificate.objective - optimum <= solution.gap + 1e-12
        assert (solution.status, solution.message) == ("converged", "")


def test_little_to_be_gained_is_gained():
    """Where the zero model all but meets the tolerance, the gap is small against what the optimum gains."""
    problem = posed(2)
    penalty = ElasticNetPenalty(0.0, 300.0)
    [solution] = solutions_along(problem, [penalty], OPTIONS)
    gain = problem.null - solution.certificate.objective
    assert 0.0 < gain < 1e-2 * problem.scale
    assert solution.gap <= 1.01 * OPTIONS.tol * gain


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_separable_classes_under_a_vanishing_penalty(l1_ratio):
    X = np.random.default_rng(0).standard_normal((30, 12))
    problem = Problem(X, np.where(X[:, 0] > 0.0, 1.0, -1.0), LogisticLoss(), None)
    for solution in solutions_along(problem, penalties_of(l1_ratio, np.geomspace(1.0, 1e-9, 10)), OPTIONS):
        assert solution.gap <= OPTIONS.tol * problem.scale


def test_a_step_too_long_is_shortened():
    """From far off, where the curvature is next to nothing, the full step leads further still."""
    problem = posed(2, fit_intercept=False)
    w, penalty = np.full(6, 40.0), ElasticNetPenalty(0.0, 1e-3)
    walk = proximal_newton.ProximalNewton(problem, (w, 0.0))
    start = problem.with_penalty(penalty)
    places = [walk.seen(start)]
    for _ in range(4):
        places.append(walk._step(start, places[-1], 0.0))
    objectives = [place.objective for place in places]
    assert all(np.diff(objectives) < 0.0)


@pytest.mark.parametrize("name", ["STEPS", "HALVINGS"])
def test_where_no_step_is_left_rounds_go_on(monkeypatch, name):
    problem, options = posed(3), OPTIONS._replace(tol=1e-8)
    right = list(solutions_along(problem, penalties_of(0.5), options))
    monkeypatch.setattr(proximal_newton, name, 0)
    found = list(solutions_along(problem, penalties_of(0.5), options))
    assert all(walked(right))
    assert not walked(found)[-1]
    for a, b in zip(found, right, strict=True):
        assert_allclose(a.certificate.objective, b.certificate.objective, rtol=3e-8)


@pytest.mark.parametrize(
    "options",
    [{"max_iter": 1}, {"verbose": 1}, {"solver": "piag"}, {"step_size": "adaptive1"}, {"tol": 1e-11}],
    ids=str,
)
def test_who_asks_for_more_gets_runs_of_their_own(options, recwarn):
    found = list(solutions_along(posed(2), penalties_of(0.0, [1e-2]), OPTIONS._replace(**options)))
    assert walked(found) == [False]


def test_curvature_that_has_hardly_changed_serves_again(monkeypatch):
    made, gram_of = [], proximal_newton.gram_of
    monkeypatch.setattr(proximal_newton, "gram_of", lambda *problem: made.append(1) or gram_of(*problem))
    found = list(solutions_along(posed(2), penalties_of(0.0, np.geomspace(1.0, 0.5, 20)), OPTIONS))
    assert all(walked(found))
    assert len(made) < sum(solution.n_updates for solution in found) / 2


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("l1_ratio", [0.3, 1.0])
def test_one_sample_of_each_label_stands_for_all_at_the_zero_model(n_classes, l1_ratio):
    """Beside it, where all samples are looked at, the certificate is the same."""
    problem = posed(n_classes, weights=np.linspace(0.5, 2.0, 90))
    problem = problem.with_penalty(ElasticNetPenalty(0.05 * l1_ratio, 0.05 * (1.0 - l1_ratio)))
    w, b = problem.start()
    zero, beside = problem.certify(w, b), problem.certify(np.full_like(w, 1e-100), b)
    assert_allclose(zero[2:4], beside[2:4], rtol=1e-13)
    assert_allclose(zero.correlations, beside.correlations, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_what_many_samples_weigh_together_is_not_rounded_by_each(n_classes):
    problem = posed(n_classes, n=30_001, p=1).with_penalty(ElasticNetPenalty(1.0))
    w, b = problem.start()
    assert_allclose(problem.certify(w, b).objective, problem.objective(w, b), rtol=1e-14)


# -- scores of many models at once -----------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("scoring", ["neg_log_loss", "accuracy", None, "f1_macro"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix])
def test_scores_are_the_scorers(n_classes, scoring, weighted, kind):
    """Also of probabilities beside 0 and 1, and of test rows without one of the classes."""
    X, codes = drawn(n_classes)
    rng, m = np.random.default_rng(1), 3
    classes, n_outputs = np.array(["d", "a", "c", "b"])[:n_classes], n_classes if n_classes > 2 else 1
    coefs = rng.standard_normal((m, n_outputs, 6)) * np.array([0.1, 1.0, 60.0])[:, None, None]
    intercepts, labels = rng.standard_normal((m, n_outputs)), np.sort(classes)[codes]
    test = np.flatnonzero((codes < n_classes - 1) | (n_classes == 2))[::2]
    params = {"sample_weight": np.linspace(0.0, 2.0, 90)} if weighted else {}
    scores = Scores(scoring, params, np.sort(classes), kind(X), labels, codes, None, 0)
    model, right = LogisticRegression(), []
    model.classes_ = np.sort(classes)
    some = {name: values[test] for name, values in params.items()}
    for model.coef_, model.intercept_ in zip(coefs, intercepts, strict=True):
        if scoring == "neg_log_loss":
            p = model.predict_proba(X[test])[np.arange(len(test)), codes[test]]
            p = np.clip(p, np.finfo(float).eps, 1.0 - np.finfo(float).eps)
            right.append(np.average(np.log(p), weights=some.get("sample_weight")))
        else:
            right.append(get_scorer(scoring or "accuracy")(model, X[test], labels[test], **some))
    assert_allclose(scores(coefs, intercepts, np.ones(m), test), right, rtol=1e-12)


def test_log_losses_are_scikit_learns():
    X, codes = drawn(3)
    model = LogisticRegressionCV(Cs=4, cv=[(np.arange(60), np.arange(60, 90))]).fit(X, codes)
    one = LogisticRegression()
    one.classes_ = model.classes_
    for coefs, score in zip(model.coefs_paths_[0, 0], model.scores_[0, 0], strict=True):
        one.coef_, one.intercept_ = coefs[:, :-1], coefs[:, -1]
        assert score == pytest.approx(get_scorer("neg_log_loss")(one, X[60:], codes[60:]), rel=1e-13)


@pytest.mark.parametrize("scoring", ["neg_log_loss", "accuracy"])
def test_test_rows_without_weight_are_refused(scoring):
    X, codes = drawn(2)
    weights = np.where(np.arange(90) < 60, 1.0, 0.0)
    model = LogisticRegressionCV(Cs=2, cv=[(np.arange(60), np.arange(60, 90))], scoring=scoring)
    with pytest.raises(ValueError, match="All sample weights of a test fold are zero"):
        model.fit(X, codes, weights)
    assert not hasattr(model, "scores_")


def test_strings_and_callables_of_scoring_agree():
    X, codes = drawn(3)
    for scoring in ("neg_log_loss", "accuracy"):
        named = LogisticRegressionCV(Cs=3, cv=KFold(4), scoring=scoring).fit(X, codes)
        called = LogisticRegressionCV(Cs=3, cv=KFold(4), scoring=get_scorer(scoring)).fit(X, codes)
        assert_allclose(named.scores_, called.scores_, rtol=1e-13)
        assert_array_equal(named.coef_, called.coef_)


def test_what_a_scorer_was_told_stays():
    X, codes = drawn(2)
    labels = np.array(["no", "yes"])[codes]
    for pos_label in ("no", "yes"):
        scoring = make_scorer(f1_score, pos_label=pos_label)
        model = LogisticRegressionCV(Cs=[1.0], cv=[(np.arange(60), np.arange(60, 90))], scoring=scoring)
        one = model.fit(X, labels).coefs_paths_[0, 0, 0, 0]
        found = np.where(X[60:] @ one[:-1] + one[-1] > 0.0, "yes", "no")
        assert model.scores_.item() == pytest.approx(f1_score(labels[60:], found, pos_label=pos_label))


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
def test_small_fits_step_on_one_matrix(monkeypatch, n_classes, l1_ratio):
    """One task makes the steps; without them rounds find the same optimum."""
    tasks = []
    monkeypatch.setitem(
        rounds_worker_tasks.WORK,
        "steps",
        lambda part, payload: tasks.append(1) or proximal_newton.newton_steps(part, payload),
    )
    problem = posed(n_classes).with_penalty(ElasticNetPenalty(l1_ratio * 0.01, (1.0 - l1_ratio) * 0.01))
    solution = solve(problem, OPTIONS._replace(tol=1e-10))
    assert len(tasks) == 1
    monkeypatch.setitem(rounds_worker_tasks.WORK, "steps", lambda part, payload: (None, 0))
    other = solve(problem, OPTIONS._replace(tol=1e-10))
    assert other.status == solution.status == "converged"
    assert solution.gap <= 1e-10 * problem.scale
    assert_allclose(solution.certificate.w, other.certificate.w, atol=1e-4)
    assert_allclose(solution.certificate.objective, other.certificate.objective, rtol=3e-10)
    assert problem.recertify(solution.certificate).objective == pytest.approx(
        solution.certificate.objective, rel=1e-14
    )


@pytest.mark.parametrize("shape", [(40, 50), (12_000, 100)])
def test_wide_and_large_data_have_working_sets(monkeypatch, shape):
    monkeypatch.setitem(rounds_worker_tasks.WORK, "steps", None)
    n, p = shape
    problem = posed(2, n=n, p=p).with_penalty(ElasticNetPenalty(0.05))
    assert solve(problem, OPTIONS).status == "converged"
