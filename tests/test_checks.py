"""What is handed over besides the data: lists of numbers, weights of any scale, types of every kind."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import linear_model as peer
from sklearn.base import clone
from sklearn.model_selection import KFold

from sk_asyncprox import (
    ElasticNet,
    ElasticNetCV,
    Lasso,
    LassoCV,
    LogisticRegression,
    LogisticRegressionCV,
    enet_path,
    lasso_path,
)
from sk_asyncprox.linear_model._parameters import POSITIVE_OR_INFINITE
from sk_asyncprox.linear_model._validation import check_numbers, classes_of
from sk_asyncprox.linear_model._weights import scaled, strength_of

CLASSIFIERS = LogisticRegression, LogisticRegressionCV


def target(model, data):
    return data.labels if isinstance(model, CLASSIFIERS) else data.y


def refused(model, data, match, error=ValueError, y=None, weights=None, **params):
    model = clone(model).set_params(**params)
    with pytest.raises(error, match=match):
        model.fit(data.X, target(model, data) if y is None else y, weights)
    assert not hasattr(model, "coef_")


# -- lists of numbers -----------------------------------------------------------------------------------

LISTS = [
    ([np.nan], ValueError, r"\[0\] must be a float in the range .*, got nan"),
    ([0.5, -0.5], ValueError, r"\[1\] must be a float in the range .*, got -0.5"),
    ([], ValueError, "is empty; give at least one"),
    ([[0.5, 0.1]], ValueError, r"\[0\] must be a float .*, got \[0.5, 0.1\]"),
    (np.ones((2, 2)), ValueError, r"\[0\] must be a float .*, got array"),
    (["0.5"], ValueError, r"\[0\] must be a float .*, got '0.5'"),
    ([0.5, None], ValueError, r"\[1\] must be a float .*, got None"),
    ([0.5j], ValueError, r"\[0\] must be a float .*, got 0.5j"),
    ({0.5: 1}, ValueError, "must be a list of numbers, got {0.5: 1}"),
]


@pytest.mark.parametrize(("values", "error", "says"), LISTS, ids=str)
@pytest.mark.parametrize(
    ("model", "name"),
    [(LassoCV(), "alphas"), (ElasticNetCV(), "alphas"), (LogisticRegressionCV(), "Cs")],
    ids=str,
)
def test_lists_to_choose_from(data, model, name, values, error, says):
    refused(model, data, name + (says if says[0] == "\\" else f" {says}"), error, **{name: values})


@pytest.mark.parametrize(("values", "error", "says"), LISTS, ids=str)
def test_alphas_of_a_path(data, values, error, says):
    with pytest.raises(error, match=says):
        lasso_path(data.X, data.y, alphas=values)


def test_infinite_strengths(data):
    refused(LassoCV(), data, r"alphas\[1\] must be .* \[0.0, inf\), got inf", alphas=[1.0, np.inf])
    with pytest.raises(ValueError, match=r"alphas\[0\] must be .* \[0.0, inf\), got inf"):
        enet_path(data.X, data.y, alphas=[np.inf])
    assert_array_equal(check_numbers([1, np.inf], "Cs", POSITIVE_OR_INFINITE), [1.0, np.inf])


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ([0.5, 2.0], r"l1_ratio\[1\] must be .* \[0.0, 1.0\], got 2.0"),
        ([-0.1], r"l1_ratio\[0\] must be .* \[0.0, 1.0\], got -0.1"),
        (np.array([np.nan, 0.5]), r"l1_ratio\[0\] must be .*, got .*nan"),
        ((), "l1_ratio is empty"),
    ],
    ids=str,
)
def test_shares_of_l1(data, values, says):
    refused(ElasticNetCV(alphas=3), data, says, l1_ratio=values)
    wrong = r"l1_ratios must be an array-like of numbers between 0 and 1; got \(l1_ratios="
    refused(LogisticRegressionCV(Cs=2), data, wrong, l1_ratios=values)


def test_one_share_of_l1_in_an_array(data):
    model = ElasticNetCV(l1_ratio=np.array(0.7), alphas=3).fit(data.X, data.y)
    assert model.l1_ratio_ == 0.7
    assert model.mse_path_.shape == (3, 5)


@pytest.mark.parametrize("alphas", [None, 0.5, "many"])
def test_alphas_that_are_no_list(data, alphas):
    says = "The 'alphas' parameter of {} must be an"
    with pytest.raises(ValueError, match=says.format("lasso_path")):
        lasso_path(data.X, data.y, alphas=alphas)
    with pytest.raises(ValueError, match=says.format("enet_path")):
        enet_path(data.X, data.y, alphas=alphas)
    refused(LassoCV(), data, says.format("LassoCV"), alphas=alphas)


@pytest.mark.parametrize("eps", [1.0, 2.0, 0.0, -1e-3, np.nan, np.inf])
def test_a_path_goes_down(data, eps):
    refused(LassoCV(), data, "The 'eps' parameter of LassoCV", eps=eps)
    with pytest.raises(ValueError, match="The 'eps' parameter of lasso_path"):
        lasso_path(data.X, data.y, eps=eps)


# -- what else a path takes -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("Xy", "says"),
    [
        (np.ones(3), r"Xy has shape \(3,\), but X has 12 features"),
        (np.ones((1, 12)), r"Xy has shape \(1, 12\), but X has 12 features"),
        (np.full(12, np.nan), "Xy contains NaN"),
        (2.0, "The 'Xy' parameter of lasso_path must be an array-like or None"),
    ],
)
@pytest.mark.parametrize("alphas", [3, [0.1]])
def test_wrong_products_with_the_target(data, Xy, says, alphas):
    with pytest.raises(ValueError, match=says):
        lasso_path(data.X, data.y, Xy=Xy, alphas=alphas)


def test_products_with_the_target_of_a_column(data):
    column = data.y[:, None]
    ours = lasso_path(data.X, column, Xy=data.X.T @ column, alphas=3)
    for a, b in zip(ours, lasso_path(data.X, column, alphas=3), strict=True):
        assert_allclose(a, b, rtol=1e-12)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_coefficients_to_begin_with_are_finite(data, value):
    with pytest.raises(ValueError, match="coef_init contains"):
        lasso_path(data.X, data.y, coef_init=np.full(12, value), alphas=3)


def test_coefficients_to_begin_with_meet_the_constraint(data):
    free = enet_path(data.X, data.y, alphas=[0.01])[1][:, 0]
    assert (free < 0).any()
    _, [*coefs], _ = enet_path(data.X, data.y, alphas=[0.01], positive=True, coef_init=free, tol=10.0)
    assert np.min(coefs) >= 0


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["coef_", "intercept_"])
@pytest.mark.parametrize("model", [Lasso(0.1), LogisticRegression(l1_ratio=1.0)], ids=str)
def test_a_warm_start_from_no_number_is_cold(data, model, name, value):
    y = target(model, data)
    cold, warm = clone(model).fit(data.X, y), clone(model).set_params(warm_start=True).fit(data.X, y)
    setattr(warm, name, np.full_like(getattr(warm, name), value))
    warm.fit(data.X, y)
    assert_array_equal(warm.coef_, cold.coef_)
    assert warm.dual_gap_ == cold.dual_gap_


# -- targets --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [sp.csr_matrix, sp.coo_array])
@pytest.mark.parametrize(
    "model", [Lasso(0.1), LassoCV(alphas=3), LogisticRegression(), LogisticRegressionCV(Cs=2)], ids=str
)
def test_sparse_targets(data, form, model):
    y = form(target(model, data)[:, None])
    refused(model, data, "Sparse data was passed.*dense data is required", TypeError, y=y)
    with pytest.raises(TypeError, match=r"Sparse data was passed.*dense data is required"):
        lasso_path(data.X, form(data.y[:, None]))


@pytest.mark.parametrize("model", [Lasso(0.1), LassoCV(alphas=3)], ids=str)
def test_words_for_targets(data, model):
    refused(model, data, "could not convert string to float", y=np.full(80, "word"))


def test_no_target_of_a_path(data):
    with pytest.raises(ValueError, match="The 'y' parameter of enet_path must be an array-like"):
        enet_path(data.X, None)


# -- scores ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrap", [np.array, lambda s: np.array([s]), lambda s: [[s]], np.float32, float])
def test_a_score_may_be_an_array_of_one_entry(data, wrap):
    def scoring(model, X, y):
        return wrap(model.score(X, y))

    ours = LogisticRegressionCV(Cs=3, scoring=scoring).fit(data.X, data.labels)
    plain = LogisticRegressionCV(Cs=3, scoring="accuracy").fit(data.X, data.labels)
    assert ours.scores_.shape == (5, 1, 3)
    assert_allclose(ours.scores_, plain.scores_, rtol=1e-6)
    assert ours.C_ == plain.C_


@pytest.mark.parametrize("score", [np.ones(2), None, "good", {"score": 1.0}, 1j, []], ids=str)
def test_a_score_is_a_number(data, score):
    refused(LogisticRegressionCV(Cs=2), data, "scoring must return a number", scoring=lambda *given: score)


# -- weights --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e300, 1e308, 1e155, 1e-155, 1e-300, 3e-322])
def test_sample_weights_of_any_scale(data, scale):
    y, weights = data.y + 1e4, np.full(80, scale)
    assert_allclose(
        lasso_path(data.X, y, alphas=3, sample_weight=weights)[0], lasso_path(data.X, y, alphas=3)[0]
    )
    for model in (LassoCV(cv=3, alphas=4), Lasso(0.05)):
        plain, weighted = clone(model).fit(data.X, y), clone(model).fit(data.X, y, weights)
        assert_allclose(weighted.coef_, plain.coef_, rtol=1e-9)
        assert_allclose(weighted.dual_gap_, plain.dual_gap_, rtol=1e-6, atol=1e-12)
        assert getattr(weighted, "alpha_", 0) == pytest.approx(getattr(plain, "alpha_", 0))


@pytest.mark.parametrize("exponent", [-1000, -500, 500, 1000])
def test_the_penalty_of_a_classifier_goes_with_the_weights(data, exponent):
    weights, many = data.weights, np.ldexp(data.weights, exponent)
    plain = LogisticRegression(C=0.5).fit(data.X, data.labels, weights)
    scaled_up = LogisticRegression(C=np.ldexp(0.5, -exponent)).fit(data.X, data.labels, many)
    assert_array_equal(scaled_up.coef_, plain.coef_)
    Cs = np.array([0.1, 1.0])
    plain = LogisticRegressionCV(Cs=Cs).fit(data.X, data.labels, weights)
    with np.errstate(over="ignore", invalid="ignore"):  # scikit-learn's scores, of such weights
        scaled_up = LogisticRegressionCV(Cs=np.ldexp(Cs, -exponent), scoring="accuracy")
        scaled_up.fit(data.X, data.labels, many)
    assert_array_equal(scaled_up.coefs_paths_, plain.coefs_paths_)


def test_weights_beyond_the_largest_sum():
    weights, exponent = scaled(np.array([1e308, 5e307, 0.0]))
    assert_allclose(weights, np.array([1e308, 5e307, 0.0]) / 2.0**1023 / 2, rtol=1e-15)
    assert exponent == 1024
    assert 0.5 <= weights.max() < 1.0
    assert strength_of(2.0, 5.0) == 0.1
    assert strength_of(np.inf, 5.0) == strength_of(1.0, 2.0, 5000) == 0.0
    assert strength_of(1e-300, 4.0, 996) == pytest.approx(1e300 / 4.0 / 2.0**996)
    assert strength_of(1e308, 100.0, -997) == pytest.approx(2.0**997 / 1e305 / 1e5)
    assert strength_of(1e-308, 1.0) == 1.0 / 1e-308
    assert np.isfinite(strength_of(1e-300, 1.0, -1000))


@pytest.mark.parametrize("model", [LogisticRegression(), LogisticRegressionCV(Cs=2)], ids=str)
@pytest.mark.parametrize(
    ("factor", "error", "says"),
    [
        (-1, ValueError, r"class_weight\[1\] must be .* \[0.0, inf\), got -1"),
        (np.nan, ValueError, r"class_weight\[1\] must be .*, got nan"),
        (np.inf, ValueError, r"class_weight\[1\] must be .*, got inf"),
        ("heavy", ValueError, r"class_weight\[1\] must be a float .*, got 'heavy'"),
        (None, ValueError, r"class_weight\[1\] must be a float .*, got None"),
    ],
)
def test_class_weights(data, model, factor, error, says):
    refused(model, data, says, error, class_weight={0: 1.0, 1: factor})


def test_class_weights_of_zero(data):
    model = LogisticRegression(class_weight={0: 0.0, 1: 0.0})
    refused(model, data, "All sample weights are zero")
    refused(LogisticRegressionCV(class_weight={0: 0, 1: 0}), data, "All sample weights are zero")
    one = LogisticRegression(class_weight={0: 0.0, 1: 1.0}).fit(data.X, data.labels)
    assert (one.predict(data.X) == 1).all()


@pytest.mark.parametrize("factor", [1e-300, 1e300])
def test_class_weights_of_any_scale(data, factor):
    both = {0: 2.0, 1: 1.0}
    plain = LogisticRegression(C=1.0, class_weight=both).fit(data.X, data.labels)
    far = {label: factor * weight for label, weight in both.items()}
    scaled_up = LogisticRegression(C=1.0 / factor, class_weight=far).fit(data.X, data.labels)
    assert_allclose(scaled_up.coef_, plain.coef_, rtol=1e-9)


def test_balanced_classes_of_which_one_weighs_nothing(data):
    weights = np.where(data.labels == 0, 0.0, data.weights)
    for model in (LogisticRegression(class_weight="balanced"), LogisticRegression()):
        model.fit(data.X, data.labels, weights)
        assert np.isfinite(model.coef_).all()
        assert (model.predict(data.X) == 1).all()


def test_a_test_fold_without_weight(data):
    weights = np.where(np.arange(80) < 16, 0.0, 1.0)
    says = "All sample weights of a test fold are zero"
    refused(LassoCV(alphas=3), data, says, weights=weights)
    refused(ElasticNetCV(alphas=3), data, says, weights=weights)
    refused(LogisticRegressionCV(Cs=2, cv=KFold(5)), data, "(?i)sample weights", weights=weights)


# -- types ----------------------------------------------------------------------------------------------

ONE_HOT = np.eye(6)[np.random.default_rng(0).integers(0, 6, 120)]
STEPS = ONE_HOT @ np.arange(6) + 0.1 * np.random.default_rng(1).standard_normal(120)
MODELS = [
    Lasso(0.01),
    Lasso(0.01, solver="piag"),
    ElasticNet(0.01, n_blocks=2),
    LogisticRegression(),
    LogisticRegression(C=np.inf, tol=1e-6),
    LassoCV(alphas=3),
    ElasticNetCV(alphas=3),
    LogisticRegressionCV(Cs=2),
    LogisticRegressionCV(Cs=2, refit=False),
]


def frame(dtype):
    pd = pytest.importorskip("pandas")
    return pd.DataFrame(ONE_HOT, columns=list("abcdef")).astype(pd.SparseDtype(dtype, dtype(0)))


TYPES = {
    "Sparse[bool]": lambda: frame(bool),
    "Sparse[int8]": lambda: frame(np.int8),
    "Sparse[float64]": lambda: frame(np.float64),
    "bool": lambda: ONE_HOT.astype(bool),
    "int8": lambda: ONE_HOT.astype(np.int8),
    "float16": lambda: ONE_HOT.astype(np.float16),
    "float32": lambda: ONE_HOT.astype(np.float32),
    "longdouble": lambda: ONE_HOT.astype(np.longdouble),
    "csr of bool": lambda: sp.csr_array(ONE_HOT.astype(bool)),
    "csc of uint8": lambda: sp.csc_matrix(ONE_HOT.astype(np.uint8)),
    "coo of float32": lambda: sp.coo_array(ONE_HOT.astype(np.float32)),
}


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (m, kind)
        for m in MODELS
        for kind in TYPES
        if not hasattr(m, "cv") or kind in ("Sparse[bool]", "float32")
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_coefficients_are_of_one_of_two_types(model, kind):
    X, model = TYPES[kind](), clone(model)
    model.tol = 1e-10
    y = STEPS > 2.5 if isinstance(model, CLASSIFIERS) else STEPS
    dense = clone(model).fit(ONE_HOT, y)
    model.fit(X, y)
    assert model.coef_.dtype == model.intercept_.dtype == ("float32" if "float32" in kind else "float64")
    assert_allclose(model.predict(X), dense.predict(ONE_HOT), atol=2e-3)
    assert model.score(X, y) == pytest.approx(dense.score(ONE_HOT, y), abs=1e-3)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("checked", [True, False])
def test_coefficients_of_paths_too(kind, checked):
    X = TYPES[kind]()
    if not checked and "Sparse" in kind:
        X = X.sparse.to_coo().tocsc()
    _, coefs, _ = enet_path(X, STEPS, alphas=[0.01], check_input=checked)
    assert coefs.dtype == ("float32" if "float32" in kind else "float64")
    right = peer.enet_path(ONE_HOT, STEPS, alphas=[0.01])[1]
    assert_allclose(coefs, right, atol=1e-2)


@pytest.mark.filterwarnings("error")
def test_entries_whose_sums_are_out_of_range():
    X = 1e308 * np.array([[1.0, -1.0] * 8, [-1.0, 1.0] * 8, [1.0, -1.0] * 8])
    model = Lasso(alpha=1e300).fit(X, [1.0, -1.0, 1.0])
    assert np.isfinite(np.append(model.coef_, model.dual_gap_)).all()


@pytest.mark.parametrize(
    "labels",
    [[3, -2, 3, 3], [True, False], [0, 1, 2, 0], [5, 5], [1.0, 2.0, 1.0], ["b", "a"], [-1, 1, 0, -1]],
    ids=str,
)
@pytest.mark.parametrize("short", [False, True])
def test_classes_and_numbers_are_those_of_unique(labels, short):
    labels = np.array(labels)
    labels = labels.astype(np.int8) if short and labels.dtype.kind == "i" else labels
    (classes, numbers), (wanted, inverse) = classes_of(labels), np.unique(labels, return_inverse=True)
    assert_array_equal(classes, wanted)
    assert_array_equal(numbers, inverse)
    assert (classes.dtype, numbers.dtype) == (wanted.dtype, inverse.dtype)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_one_entry_of_large_data_that_is_not_finite(value, n_jobs, monkeypatch):
    monkeypatch.setattr("sk_asyncprox.linear_model._validation.LARGE", 0)
    X, model = np.ones((41, 3)), Lasso(n_jobs=n_jobs)
    X[40, 2] = value
    with pytest.raises(ValueError, match="Input X contains"):
        model.fit(X, np.arange(41.0))
    assert vars(model) == vars(Lasso(n_jobs=n_jobs))
