"""Several targets at once, and every form in which data may come."""

import copy
import pickle
import threading
import tracemalloc

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import make_regression
from sklearn.linear_model import ElasticNet as PeerElasticNet
from sklearn.linear_model import Lasso as PeerLasso
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_html_repr

from sk_asyncprox import ElasticNet, Lasso, LogisticRegression
from sk_asyncprox.inspection import StepSizeDisplay
from sk_asyncprox.linear_model._base import DOCUMENTATION
from sk_asyncprox.metrics import neg_objective_scorer, neg_updates_scorer
from sk_asyncprox.step_sizes import Adaptive1

X, Y = make_regression(60, 20, n_informative=6, n_targets=3, noise=5.0, random_state=0)
X[np.abs(X) < 0.7] = 0.0
X += 0.0
LABELS = (Y[:, 0] > 0).astype(int) + (Y[:, 1] > 0)
WEIGHTS = np.random.default_rng(0).uniform(0.2, 2.0, 60)
ESTIMATORS = {
    "lasso": (Lasso(2.0, tol=1e-13), Y[:, 0]),
    "targets": (ElasticNet(2.0, tol=1e-13), Y),
    "logistic": (LogisticRegression(C=0.3, l1_ratio=0.5, tol=1e-13), LABELS > 0),
    "multinomial": (LogisticRegression(C=0.3, l1_ratio=0.5, tol=1e-13), LABELS),
}
each_estimator = pytest.mark.parametrize("name", ESTIMATORS)


def fitted(name, data, **params):
    model, y = ESTIMATORS[name]
    return clone(model).set_params(**params).fit(data, y)


# -- several targets --------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [np.asarray, sp.csr_matrix, sp.csc_array])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("n_targets", [1, 3])
def test_targets_agree_with_scikit_learn(make, fit_intercept, positive, n_targets):
    options = {"alpha": 3.0, "tol": 1e-12, "fit_intercept": fit_intercept, "positive": positive}
    weights = WEIGHTS if n_targets == 1 or make is np.asarray else None
    ours = ElasticNet(**options).fit(make(X), Y[:, :n_targets], weights)
    theirs = PeerElasticNet(**options, max_iter=100_000).fit(make(X), Y[:, :n_targets], weights)
    for name in ("coef_", "intercept_", "dual_gap_", "n_iter_", "sparse_coef_"):
        assert np.shape(getattr(ours, name)) == np.shape(getattr(theirs, name)), name
        assert isinstance(getattr(ours, name), type(getattr(theirs, name))) or name == "dual_gap_"
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-7)
    assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-7)
    assert_allclose(ours.predict(make(X)), theirs.predict(make(X)), atol=1e-6)
    assert_array_equal(ours.sparse_coef_.toarray(), np.atleast_2d(ours.coef_))


@pytest.mark.parametrize("solver", ["bcd", "piag"])
def test_targets_are_the_problems_one_by_one(solver):
    options = {"alpha": 3.0, "solver": solver, "tol": 1e-6, "max_iter": 5000}
    together = Lasso(**options).fit(X, Y, WEIGHTS)
    assert len(together.history_) == len(together.n_iter_) == 3
    for t in range(3):
        alone = Lasso(**options).fit(X, Y[:, t], WEIGHTS)
        # The mean of a column and of a vector are rounded differently.
        assert_allclose(together.coef_[t], alone.coef_, rtol=1e-10, atol=1e-12)
        assert_allclose(together.intercept_[t], alone.intercept_, rtol=1e-10)
        assert_allclose(together.dual_gap_[t], alone.dual_gap_, rtol=1e-4, atol=1e-10)
        assert_allclose(together.objective_[t], alone.objective_, rtol=1e-12)
        assert (together.n_iter_[t], together.n_updates_[t]) == (alone.n_iter_, alone.n_updates_)
    assert neg_objective_scorer(together) == pytest.approx(-together.objective_.sum())
    assert neg_updates_scorer(together) == -together.n_updates_.sum()


def test_targets_warm_start_and_are_drawn():
    model = Lasso(3.0, tol=1e-10, warm_start=True).fit(X, Y)
    coef, before = model.coef_, model.n_updates_
    model.fit(X, Y)
    assert_allclose(model.coef_, coef, atol=1e-6)
    assert (model.n_updates_ < before).all()


def test_displays_name_the_targets():
    model = Lasso(3.0).fit(X, Y)
    pytest.importorskip("matplotlib").use("Agg")
    assert list(StepSizeDisplay.from_estimator(model).steps) == [f"run, target {t}" for t in range(3)]


# -- forms of arrays --------------------------------------------------------------------------------


def int64(data):
    out = sp.csr_matrix(data)
    out.indices, out.indptr = out.indices.astype(np.int64), out.indptr.astype(np.int64)
    return out


def read_only(data):
    out = data.copy()
    out.flags.writeable = False
    return out


def unsorted(data):
    out = sp.csr_matrix(data)
    for a, b in zip(out.indptr[:-1], out.indptr[1:], strict=True):
        out.indices[a:b], out.data[a:b] = out.indices[a:b][::-1].copy(), out.data[a:b][::-1].copy()
    out.has_sorted_indices = False
    return out


FORMS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "strided": lambda data: np.repeat(data, 2, axis=1)[:, ::2],
    "list": lambda data: data.tolist(),
    "read-only": read_only,
    "csr": sp.csr_matrix,
    "csc": sp.csc_matrix,
    "coo": sp.coo_matrix,
    "lil": sp.lil_matrix,
    "dok": sp.dok_matrix,
    "csr array": sp.csr_array,
    "csc array": sp.csc_array,
    "coo array": sp.coo_array,
    "int64 indices": int64,
    "unsorted": unsorted,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("solver", ["bcd", "piag"])
@each_estimator
def test_every_form_gives_the_same_fit_and_is_left_alone(form, name, solver):
    rounded = np.round(X, 2)
    data = FORMS[form](rounded)
    params = {"solver": solver} if solver == "bcd" else {"solver": solver, "tol": 1e-4, "max_iter": 20_000}
    model, reference = fitted(name, data, **params), fitted(name, rounded, **params)
    atol = 1e-6 if solver == "bcd" else 2e-2
    assert_allclose(model.coef_, reference.coef_, atol=atol * np.abs(reference.coef_).max())
    assert_allclose(model.intercept_, reference.intercept_, atol=10 * atol)
    dense = data.toarray() if sp.issparse(data) else np.asarray(data)
    assert_array_equal(dense, rounded)


@each_estimator
def test_integers_and_single_precision(name):
    whole = np.round(2 * X)
    assert fitted(name, whole.astype(int)).coef_.dtype == np.float64
    single = fitted(name, whole.astype(np.float32))
    assert single.coef_.dtype == np.float32
    assert np.asarray(single.intercept_).dtype == np.float32
    assert_allclose(single.coef_, fitted(name, whole).coef_, rtol=1e-5, atol=1e-6)
    half = fitted(name, whole.astype(np.float16))
    assert_allclose(half.coef_, fitted(name, whole).coef_, rtol=1e-5, atol=1e-5)


@each_estimator
def test_memory_maps(name, tmp_path):
    joblib.dump(X, tmp_path / "X.joblib")
    data = joblib.load(tmp_path / "X.joblib", mmap_mode="r")
    assert isinstance(data, np.memmap)
    params = {} if name in ("logistic", "multinomial") else {"copy_X": False}
    assert_allclose(fitted(name, data, **params).coef_, fitted(name, X).coef_, atol=1e-9)


def peak(model, data, y):
    """Bytes that a fit has allocated at most."""
    tracemalloc.start()
    model.fit(data, y)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


@pytest.mark.parametrize(
    ("data", "params", "copies"),
    [
        ("F", {"fit_intercept": False}, 0),
        ("F", {"fit_intercept": True}, 0),
        ("F", {"fit_intercept": True, "copy_X": False}, 0),
        ("C", {"fit_intercept": False}, 0),
        ("C", {"fit_intercept": False, "solver": "piag"}, 0),
        ("csc", {"fit_intercept": True}, 0),
        ("csr", {"solver": "piag", "metric": "lipschitz", "step_size": "adaptive1"}, 0),
    ],
)
def test_no_copy_of_data_in_the_needed_form(data, params, copies):
    rng = np.random.default_rng(0)
    if data in ("csc", "csr"):
        big = sp.random(20_000, 500, 0.1, format=data, random_state=0)
        size = big.data.nbytes + big.indices.nbytes
    else:
        big = np.array(rng.standard_normal((20_000, 150)), order=data)
        size = big.nbytes
    y = big @ rng.standard_normal(big.shape[1])
    # A penalty that keeps few columns: working sets are copied, and no question here.
    model = Lasso(0.7 * np.abs(big.T @ y).max() / len(y), max_iter=20, tol=1e-2, record=None, **params)
    model.fit(big.copy(), y)
    most = peak(model, big, y)
    assert (copies - 0.5) * size < most < (copies + 0.5) * size


def test_copy_X_false_overwrites_nothing_but_centred_columns():
    wide, y = X[: X.shape[1] // 2], Y[: X.shape[1] // 2, 0]
    data = np.asfortranarray(wide)
    kept = Lasso(2.0, tol=1e-12).fit(data, y)
    assert_array_equal(data, wide)
    spent = Lasso(2.0, tol=1e-12, copy_X=False).fit(data, y)
    assert_allclose(data, wide - wide.mean(axis=0), atol=1e-14)
    assert_array_equal(spent.coef_, kept.coef_)


def test_sparse_weights_and_intercept_are_those_of_dense_data():
    """Means of sparse columns are weighted too, which is easily forgotten."""
    shifted = np.where(X != 0, X + 3.0, 0.0)
    sparse = ElasticNet(1.0, tol=1e-13).fit(sp.csr_array(shifted), Y[:, 0], WEIGHTS)
    dense = ElasticNet(1.0, tol=1e-13).fit(shifted, Y[:, 0], WEIGHTS)
    peer = PeerElasticNet(1.0, tol=1e-12, max_iter=100_000).fit(shifted, Y[:, 0], WEIGHTS)
    for model in (sparse, dense):
        assert_allclose(model.coef_, peer.coef_, atol=1e-7)
        assert_allclose(model.intercept_, peer.intercept_, atol=1e-6)


# -- within scikit-learn --------------------------------------------------------------------------------


@each_estimator
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_name_the_features(name, library):
    frames = pytest.importorskip(library)
    columns = [f"x{i}" for i in range(X.shape[1])]
    frame = frames.DataFrame({column: X[:, i] for i, column in enumerate(columns)})
    if not hasattr(PeerLasso().fit(frame, X[:, 0]), "feature_names_in_"):
        pytest.skip(f"this scikit-learn sees no names in frames of this {library}")
    model = fitted(name, frame)
    assert_array_equal(model.feature_names_in_, columns)
    assert_allclose(model.coef_, fitted(name, X).coef_, atol=1e-9)
    assert_array_equal(model.predict(frame), model.set_params().predict(frame))
    swapped = frame[columns[::-1]]
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(swapped)


@each_estimator
def test_sample_weights_are_routed(name):
    model, y = ESTIMATORS[name]
    with sklearn.config_context(enable_metadata_routing=True):
        step = clone(model).set_fit_request(sample_weight=True)
        pipe = make_pipeline(step).fit(X, y, sample_weight=WEIGHTS)
    direct = clone(model).fit(X, y, WEIGHTS)
    assert_array_equal(pipe[-1].coef_, direct.coef_)
    assert np.abs(direct.coef_ - fitted(name, X).coef_).max() > 1e-3


@each_estimator
def test_fitted_estimators_pickle_and_copy(name):
    model = fitted(name, sp.csr_matrix(X), step_size=Adaptive1(alpha=0.8), n_blocks=4, tol=1e-3)
    [elsewhere] = joblib.Parallel(2)([joblib.delayed(clone)(model)])
    assert elsewhere.step_size.alpha == 0.8
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert_array_equal(other.predict(X), model.predict(X))
        assert repr(other.history_) == repr(model.history_)


def test_two_fits_at_once_are_as_good_as_one_after_the_other():
    alone, together = {name: fitted(name, X, n_jobs=1) for name in ESTIMATORS}, {}
    threads = [
        threading.Thread(target=lambda name=name: together.update({name: fitted(name, X, n_jobs=1)}))
        for name in ESTIMATORS
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, model in alone.items():
        assert_array_equal(together[name].coef_, model.coef_)
        assert_array_equal(together[name].n_iter_, model.n_iter_)


@each_estimator
def test_html_links_to_the_documentation(name):
    model = ESTIMATORS[name][0]
    page = f"{DOCUMENTATION}/generated/sk_asyncprox.{type(model).__name__}.html"
    assert f'href="{page}"' in estimator_html_repr(model)


def test_sparsify_and_back():
    model = fitted("multinomial", X)
    coef, scores = model.coef_.copy(), model.decision_function(X)
    assert sp.issparse(model.sparsify().coef_)
    assert_allclose(model.decision_function(X), scores, atol=1e-12)
    assert_array_equal(model.densify().coef_, coef)


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"alpha": -1}, "The 'alpha' parameter of ElasticNet must be a float in the range"),
        ({"l1_ratio": 1.1}, "The 'l1_ratio' parameter of ElasticNet must be"),
        ({"selection": "best"}, "The 'selection' parameter of ElasticNet must be a str among"),
        ({"copy_X": "no"}, "The 'copy_X' parameter of ElasticNet must be an instance of 'bool'"),
        ({"solver": "saga"}, "The 'solver' parameter of ElasticNet must be a str among"),
    ],
)
def test_parameters_are_checked_in_scikit_learns_words(params, match):
    with pytest.raises(ValueError, match=match):
        ElasticNet(**params).fit(X, Y)


def test_lasso_and_its_peer_with_a_column_vector():
    ours, theirs = Lasso(2.0, tol=1e-12).fit(X, Y[:, :1]), PeerLasso(2.0, tol=1e-12).fit(X, Y[:, :1])
    assert ours.predict(X).shape == theirs.predict(X).shape
    assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-6)
