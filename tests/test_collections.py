"""What may lie in dask collections, what comes out where it cannot be read, and what stays on the cluster."""

import gc
import logging
import signal
import time

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, UndefinedMetricWarning
from sklearn.model_selection import KFold, RepeatedKFold, ShuffleSplit, StratifiedKFold, TimeSeriesSplit

from sk_asyncprox import (
    ElasticNetCV,
    HuberRegressor,
    Lasso,
    LassoCV,
    LogisticRegression,
    LogisticRegressionCV,
    enet_path,
    lasso_path,
)
from sk_asyncprox.executors import Dask, dask_tasks
from sk_asyncprox.executors.base import Plan, WorkersLost
from sk_asyncprox.run_monitor import Run
from sk_asyncprox.shards import dask_chunks, dask_shards
from sk_asyncprox.shards.sharded_problem import ShardedProblem

distributed = pytest.importorskip("distributed")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")
pd = pytest.importorskip("pandas")

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")

N, NAMES = 240, list("abcd")
rng = np.random.default_rng(0)
X = rng.standard_normal((N, 4))
X[np.abs(X) < 0.5] = 0.0
Y = X @ [1.0, 0.0, -0.5, 0.0] + 0.1 * rng.standard_normal(N) + 1.0
LABELS = np.where(Y > 1.0, "high", "low")
WEIGHTS = rng.uniform(0.0, 2.0, N) * (np.arange(N) % 5 > 0)
FRAME = pd.DataFrame(X, columns=NAMES).assign(y=Y, label=LABELS, weight=WEIGHTS)
MODEL = Lasso(alpha=0.05, tol=1e-10)
BEST = Lasso(alpha=0.05, tol=1e-13).fit(X, Y)


def cluster_of(n_workers, threads=1):
    """Workers in this process: what is tested does not need others."""
    return distributed.LocalCluster(
        n_workers=n_workers,
        threads_per_worker=threads,
        processes=False,
        dashboard_address=":0",
        silence_logs=50,
    )


@pytest.fixture(scope="module")
def client():
    with cluster_of(1, threads=2) as cluster, distributed.Client(cluster) as client:
        yield client


@pytest.fixture(autouse=True)
def nothing_kept(client):
    """Nothing but what the user asked for stays on the cluster."""
    before = set(client.futures)
    yield
    deadline = time.monotonic() + 5.0
    while set(client.futures) - before and time.monotonic() < deadline:
        gc.collect()  # errors caught by the test hold their frames
        time.sleep(0.02)
    assert set(client.futures) <= before


def rows(*data, size=60):
    """Dask arrays of blocks of rows."""
    return [da.from_array(a, chunks=(size, *a.shape[1:])) for a in data]


def frames(frame, n=3):
    return dd.from_pandas(frame, npartitions=n)


def coefficients(X, y, **weights):
    return MODEL.fit(X, y, **weights).coef_


# -- what may lie in a chunk -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Six files, wide enough that dask reads several at once where few columns are wanted."""
    pytest.importorskip("pyarrow")
    folder = tmp_path_factory.mktemp("table")
    wide = FRAME.assign(**{f"more{k}": 0.5 for k in range(12)})
    for k in range(6):
        wide[40 * k : 40 * (k + 1)].to_parquet(folder / f"{k}.parquet")
    return dd.read_parquet(folder)


def test_columns_of_one_table_are_cut_alike(table):
    assert (table[NAMES].optimize().npartitions, table["y"].optimize().npartitions) != (6, 6)
    assert_allclose(coefficients(table[NAMES], table["y"]), BEST.coef_, atol=1e-5)
    assert_allclose(coefficients(table[NAMES], Y), BEST.coef_, atol=1e-5)
    weighted = Lasso(alpha=0.05, tol=1e-13).fit(X, Y, WEIGHTS)
    assert_allclose(
        coefficients(table[NAMES], table[["y"]], sample_weight=table["weight"]), weighted.coef_, atol=1e-5
    )
    assert_array_equal(MODEL.predict(table[NAMES]).compute(), MODEL.predict(FRAME[NAMES]))
    assert MODEL.score(table[NAMES], table["y"]) == pytest.approx(MODEL.score(FRAME[NAMES], Y), rel=1e-12)
    with pytest.raises(ValueError, match=r"6 chunks of rows, and y has 2: .* Columns of one dataframe are"):
        MODEL.fit(table[NAMES], frames(FRAME, 2)["y"])


class Coordinates:
    """A matrix as pydata's sparse hands it out, without that package."""

    def __init__(self, array, fill_value=0.0):
        self._array, self.ndim, self.shape, self.fill_value = array, array.ndim, array.shape, fill_value

    def to_scipy_sparse(self):
        return sp.coo_array(self._array)

    def todense(self):
        return self._array


PLAIN = [
    np.asarray,
    np.asfortranarray,
    sp.csr_matrix,
    sp.csc_array,
    sp.lil_matrix,
    np.ma.asarray,
    Coordinates,
    lambda a: pd.DataFrame(a).astype("Float64"),
    lambda a: pd.DataFrame(a).astype(pd.SparseDtype(float, 0.0)),
]


@pytest.mark.parametrize("make", PLAIN)
def test_blocks_are_read_as_matrices_of_floats(make):
    block = make(X[:7])
    found = dask_chunks.matrix(block)
    sparse = sp.issparse(block) or isinstance(block, Coordinates) or hasattr(block, "sparse")
    assert sp.issparse(found) == sparse
    assert found.dtype == np.float64
    assert_array_equal(found.toarray() if sparse else found, X[:7])
    assert dask_chunks.matrix(make(X[:0])).shape == (0, 4)


def test_blocks_of_other_types():
    flags = pd.get_dummies(pd.Series(list("aabc")), sparse=True)
    found = dask_chunks.matrix(flags)
    assert (sp.issparse(found), found.dtype) == (True, np.float64)
    assert_array_equal(found.toarray(), flags.to_numpy(dtype=float))
    assert_array_equal(dask_chunks.matrix(Coordinates(X[:3] + 1.0, fill_value=1.0)), X[:3] + 1.0)
    assert_array_equal(dask_chunks.column(Coordinates(Y[:5]), "y"), Y[:5])
    assert_array_equal(dask_chunks.column(sp.csr_array(Y[:5, None]), "y"), Y[:5])
    assert dask_chunks.matrix(np.float32([[1, 2]])).dtype == np.float32
    with pytest.raises(ValueError, match="Input X contains NaN"):
        dask_chunks.matrix(np.ma.masked_greater(X, 1.0))


@pytest.mark.parametrize("make", [sp.csr_matrix, np.ma.asarray, Coordinates])
def test_fits_on_chunks_of_many_types(client, make):
    dX, dy = rows(X, Y)
    made = dX.map_blocks(make, dtype=float, meta=np.empty((0, 0)))
    assert_allclose(coefficients(made, dy), BEST.coef_, atol=1e-5)
    assert_array_equal(MODEL.predict(made).compute(), MODEL.predict(X))
    assert MODEL.score(made, dy) == pytest.approx(MODEL.score(X, Y), rel=1e-12)


def test_chunks_of_pydata_sparse(client):
    sparse = pytest.importorskip("sparse")
    dX, dy = rows(X, Y)
    for made in (sparse.COO.from_numpy, sparse.GCXS.from_numpy, sparse.DOK.from_numpy):
        assert_allclose(coefficients(dX.map_blocks(made), dy), BEST.coef_, atol=1e-5)
    y = dy.map_blocks(sparse.COO.from_numpy)
    assert_allclose(coefficients(dX.map_blocks(sparse.COO.from_numpy) + 1.0, y), BEST.coef_, atol=1e-5)


def test_xarrays(client):
    xr = pytest.importorskip("xarray")
    dX, dy, weights = rows(X, Y, WEIGHTS)
    weighted = Lasso(alpha=0.05, tol=1e-13).fit(X, Y, WEIGHTS)
    assert_array_equal(Lasso(alpha=0.05, tol=1e-13).fit(xr.DataArray(X), xr.DataArray(Y)).coef_, BEST.coef_)
    assert_array_equal(BEST.predict(xr.DataArray(X)), BEST.predict(X))
    for held, y in ((xr.DataArray(dX), dy), (dX, xr.DataArray(dy)), (xr.DataArray(dX), Y)):
        assert_allclose(coefficients(held, y, sample_weight=xr.DataArray(weights)), weighted.coef_, atol=1e-5)
        assert MODEL.score(held, y) == pytest.approx(MODEL.score(X, Y), rel=1e-12)
    assert isinstance(MODEL.predict(xr.DataArray(dX)), da.Array)
    with pytest.raises(ValueError, match="two dimensions, not Dataset"):
        MODEL.fit(xr.Dataset({"a": ("n", dy)}), dy)
    alpha = LassoCV(cv=3, tol=1e-8).fit(X, Y).alpha_
    assert LassoCV(cv=3, tol=1e-8).fit(xr.DataArray(dX), xr.DataArray(dy)).alpha_ == pytest.approx(alpha)


class Container:
    """Has a graph, or none, as xarray's containers do."""

    def __init__(self, data):
        self.data, self.shape, self.ndim = data, data.shape, data.ndim

    def __dask_graph__(self):
        return getattr(self.data, "dask", None)

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.data, dtype=dtype)


def test_containers_are_taken_for_what_they_hold(client):
    dX, dy = rows(X, Y)
    assert not dask_chunks.is_collection(Container(X))
    assert_array_equal(Lasso(alpha=0.05, tol=1e-13).fit(Container(X), Container(Y)).coef_, BEST.coef_)
    assert_allclose(coefficients(Container(dX), Container(dy)), BEST.coef_, atol=1e-5)
    assert MODEL.score(Container(dX), dy) == pytest.approx(MODEL.score(X, Y), rel=1e-12)


def test_what_is_no_table(client):
    import dask
    import dask.bag

    for data in (
        dask.delayed(X),
        dask.bag.from_sequence([1, 2]),
        da.from_array(Y, chunks=60),
        frames(FRAME)["a"],
    ):
        with pytest.raises(ValueError, match="X must be a dask array or dataframe of two dimensions, not "):
            MODEL.fit(data, Y)


@pytest.mark.parametrize("kind", ["float32", "Float32", "float64", "Int64"])
def test_coefficients_have_the_type_that_they_have_in_memory(client, kind):
    frame = FRAME[NAMES].round().astype(kind)
    here, there = Lasso(alpha=0.05).fit(frame, Y), Lasso(alpha=0.05).fit(frames(frame), Y)
    assert here.coef_.dtype == there.coef_.dtype
    assert (
        here.predict(frame).dtype
        == there.predict(frames(frame)).dtype
        == there.predict(frames(frame)).compute().dtype
    )


def test_columns_of_any_name(client):
    names = {"a": "chunks", "b": "rechunk", "c": "data", "d": "dtype"}
    frame = FRAME[NAMES].rename(columns=names)
    assert_allclose(coefficients(frames(frame), frames(FRAME)["y"]), BEST.coef_, atol=1e-5)
    assert_array_equal(MODEL.predict(frames(frame)).compute(), MODEL.predict(frame))


@pytest.mark.parametrize("kind", ["Float64", "Int64", "boolean", "object"])
def test_missing_values(client, kind):
    frame = FRAME[[*NAMES, "y", "weight"]].round().clip(0, 1)
    for name, says in (
        ("b", "Input X contains NaN"),
        ("y", "Input y contains NaN"),
        ("weight", "Input sample_weight"),
    ):
        column = frame[name].astype(kind)
        column.iloc[7] = pd.NA
        d = frames(frame.assign(**{name: column}))
        with pytest.raises(ValueError, match=says):
            MODEL.fit(d[NAMES], d["y"], d["weight"])
        if name == "y":
            with pytest.raises(ValueError, match=says):
                MODEL.fit(d[NAMES], column)
            with pytest.raises(ValueError, match=says):
                Lasso().fit(FRAME[NAMES], Y).score(d[NAMES], d["y"])


def test_columns_that_are_no_numbers(client):
    frame = FRAME[NAMES].assign(b=pd.Categorical(LABELS), d=pd.Timestamp("2020-01-01"))
    with pytest.raises(ValueError, match=r"which these columns are not: 'b' \(category\), 'd' \(datetime64"):
        MODEL.fit(frames(frame), Y)
    numbers = FRAME[NAMES].assign(b=pd.Categorical(np.arange(N) % 3))
    assert_allclose(
        coefficients(frames(numbers), Y), Lasso(alpha=0.05, tol=1e-13).fit(numbers, Y).coef_, atol=1e-5
    )


# -- scores ----------------------------------------------------------------------------------------


def test_scores(client):
    classifier = LogisticRegression(C=0.1).fit(FRAME[NAMES], LABELS)
    regressor = Lasso(alpha=0.05).fit(FRAME[NAMES], Y)
    d = frames(FRAME)
    for weights in (None, WEIGHTS, d["weight"]):
        here = WEIGHTS if weights is not None else None
        for model, name in ((regressor, "y"), (classifier, "label")):
            want = model.score(FRAME[NAMES], FRAME[name], here)
            for y in (d[name], FRAME[name], FRAME[name].to_numpy()):
                found = model.score(d[NAMES], y, sample_weight=weights)
                assert isinstance(found, float)
                assert found == pytest.approx(want, rel=1e-12)
    dX, dy = rows(X, Y + 1e8)
    with np.errstate(all="raise"):
        # Far from zero, the squares of the targets hold none of their spread.
        far = Lasso(alpha=0.05).fit(X, Y + 1e8)
        assert far.score(dX, dy) == pytest.approx(far.score(X, Y + 1e8), rel=1e-6)
        assert BEST.score(dX, 0 * dy) == BEST.score(X, 0 * Y) == 0.0
    cv = LogisticRegressionCV(Cs=2, l1_ratios=[1.0], cv=2).fit(X, LABELS)
    assert cv.score(dX, da.from_array(LABELS, chunks=60)) == cv.score(X, LABELS)


def test_scores_of_little(client):
    dX, dy = rows(X, Y)
    with pytest.warns(UndefinedMetricWarning, match="less than two samples"):
        assert np.isnan(BEST.score(dX[:1], dy[:1]))
    for weights in (None, np.zeros(N)):
        with pytest.raises(ValueError, match="no rows, or all sample weights are zero"):
            BEST.score(dX[:0] if weights is None else dX, dy[:0] if weights is None else dy, weights)
    several = Lasso(alpha=0.05).fit(X, np.column_stack([Y, -Y]))
    assert several.score(dX, np.column_stack([Y, -Y])) == several.score(X, np.column_stack([Y, -Y]))


# -- folds and paths -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sparse, weights", "three classes"])
def test_classifiers_are_chosen_on_collections(client, kind):
    """Labels in order, so that folds are those of the gathered labels."""
    order = np.argsort(Y)
    if kind == "three classes":
        y, weights, how = np.digitize(Y[order], [0.5, 1.5]), None, {"cv": 2, "refit": False}
        dX, dy = frames(FRAME.iloc[order][NAMES].reset_index(drop=True)), y
    else:
        y, weights, how = LABELS[order], WEIGHTS, {"scoring": "accuracy", "class_weight": "balanced"}
        how |= {"cv": ShuffleSplit(2, random_state=0), "l1_ratios": [1.0], "fit_intercept": False}
        dX, dy = rows(X[order], y, size=77)
        dX = dX.map_blocks(sp.csr_matrix, dtype=float)
    model = LogisticRegressionCV(Cs=[0.1, 1.0], tol=1e-10, **how)
    here, there = clone(model).fit(X[order], y, weights), model.fit(dX, dy, weights)
    assert_array_equal(there.classes_, here.classes_)
    assert_allclose(there.scores_, here.scores_, rtol=1e-5)
    assert_allclose(there.coefs_paths_, here.coefs_paths_, atol=5e-5)
    assert (there.C_, there.l1_ratio_) == (here.C_, here.l1_ratio_)
    assert_allclose(there.coef_, here.coef_, atol=5e-5)
    assert_allclose(there.intercept_, here.intercept_, atol=5e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scoring": "roc_auc"}, "needs all predictions of a fold together.* 'neg_log_loss' and 'accuracy'"),
        ({"cv": [(np.flatnonzero(LABELS == "low"), [0, 1])]}, "samples of 1 of the 2 classes"),
        ({"cv": [([0, 5, 10], [1])]}, "all sample weights are zero"),
        ({"cv": [(np.arange(1, 200), [0, 5])], "Cs": [1e-3]}, "weights of a test fold are zero"),
        ({"executor": "threads"}, "executor='threads' cannot work there"),
    ],
)
def test_folds_of_a_classifier_that_cannot_be(client, settings, message):
    model = LogisticRegressionCV(Cs=[0.1], l1_ratios=[1.0]).set_params(**settings)
    with pytest.raises(ValueError, match=message):
        model.fit(rows(X)[0], LABELS, WEIGHTS)
    assert not hasattr(model, "n_features_in_")


FOLDS = {
    "blocks": 4,
    "shuffled": KFold(3, shuffle=True, random_state=0),
    "overlapping": ShuffleSplit(7, test_size=0.3, random_state=0),
    "repeated": RepeatedKFold(n_splits=6, n_repeats=2, random_state=0),
    "growing": TimeSeriesSplit(3),
    "by hand": [(np.r_[0:150, 0:30, -40:-1], np.r_[140:200]), (np.arange(N) % 3 > 0, np.arange(N) % 3 == 0)],
}


@pytest.mark.parametrize(
    ("folds", "intercept"), [*((name, True) for name in FOLDS), ("blocks", False), ("by hand", False)]
)
def test_choices_are_those_of_the_gathered_data(client, folds, intercept):
    """Far means, scales and a constant column, chunks that no fold respects, weights of zero."""
    data = X * [1.0, 1e-4, 100.0, 0.0] + [3.0, 0.01, 1e3, 5.0]
    model = ElasticNetCV(l1_ratio=[0.4, 1.0], alphas=3, cv=FOLDS[folds], tol=1e-10, fit_intercept=intercept)
    here = clone(model).fit(data, Y, WEIGHTS)
    there = model.fit(*rows(data, Y, WEIGHTS, size=37))
    assert_allclose(there.alphas_, here.alphas_, rtol=1e-10)
    assert_allclose(there.mse_path_, here.mse_path_, rtol=1e-9)
    assert (there.alpha_, there.l1_ratio_) == (pytest.approx(here.alpha_, rel=1e-10), here.l1_ratio_)
    assert_allclose(there.coef_, here.coef_, rtol=1e-8, atol=1e-12)
    assert_allclose(there.intercept_, here.intercept_, rtol=1e-9)
    assert there.dual_gap_ <= 1e-9
    assert there.objective_ == pytest.approx(here.objective_, rel=1e-9)


@pytest.mark.parametrize("settings", [{}, {"positive": True}, {"solver": "piag"}], ids=str)
def test_choices_on_sparse_chunks_of_a_dataframe(client, settings):
    model = LassoCV(alphas=5, tol=1e-11, **settings)
    here = clone(model).fit(sp.csr_matrix(X), Y)
    d = frames(FRAME)
    sparse = d[NAMES].map_partitions(lambda frame: frame.astype(pd.SparseDtype(float, 0.0)))
    for dX, dy in [(rows(X)[0].map_blocks(sp.csr_matrix, dtype=float), Y), (sparse, d["y"])]:
        there = clone(model).fit(dX, dy)
        assert_allclose(there.mse_path_, here.mse_path_, rtol=1e-9)
        assert_allclose(there.coef_, here.coef_, rtol=1e-9)
    assert there.feature_names_in_.tolist() == NAMES
    assert_allclose(there.predict(d[NAMES]).compute(), here.predict(X), rtol=1e-9)


def test_choices_where_nearly_nothing_is_left(client):
    """More columns than rows, and targets without noise: errors of a millionth of a millionth."""
    wide = np.random.default_rng(1).standard_normal((50, 70)).astype(np.float32)
    target = wide[:, :3].sum(axis=1, dtype=np.float64)
    model = LassoCV(cv=3, alphas=8, eps=1e-6, tol=1e-14)
    here, there = clone(model).fit(wide, target), model.fit(*rows(wide, target, size=20))
    assert here.mse_path_.min() < 1e-10 * here.mse_path_.max()
    assert_allclose(there.mse_path_, here.mse_path_, rtol=1e-6)
    assert_allclose(there.coef_, here.coef_, rtol=1e-6, atol=1e-9)
    assert (there.coef_.dtype, type(there.intercept_)) == (np.float32, np.float32)


READS = []


def read(block):
    READS.append(len(block))
    return block


def test_every_chunk_is_read_once(client, monkeypatch):
    gathered = distributed.Client.gather

    def look(futures):
        found = gathered(client, futures)
        assert not any(isinstance(part, np.ndarray) and len(part) > 8 for part in found)
        return found

    monkeypatch.setattr(client, "gather", look)
    dX, dy = rows(X, Y)
    LassoCV(cv=5).fit(dX.map_blocks(read, dtype=float, meta=np.empty((0, 4))), dy)
    assert READS == [60] * 4


@pytest.mark.parametrize(
    "model", [LassoCV(cv=3, alphas=3), LogisticRegressionCV(cv=3, Cs=[0.1, 1.0])], ids=str
)
def test_callbacks_are_told_of_the_last_fit_and_the_end(model):
    from test_callbacks import Recorder

    dX, dy = rows(X, LABELS if isinstance(model, LogisticRegressionCV) else Y)
    recorder = Recorder()
    clone(model).set_callbacks(recorder).fit(dX, dy)
    names = [name for name, *_ in recorder.tasks if not name.startswith("passes")]
    assert names == ["refit", "fit"]


@pytest.mark.parametrize(
    ("path", "how"),
    [
        (lasso_path, {"alphas": 5, "Xy": X.T @ Y}),
        (lasso_path, {"sample_weight": WEIGHTS, "positive": True, "alphas": 5}),
        (enet_path, {"l1_ratio": 0.3, "alphas": [0.1, 1.0], "coef_init": [1.0, 0.0, -1.0, 0.0]}),
    ],
)
def test_paths_are_those_of_the_gathered_data(client, path, how):
    (dX, dy), how = rows(X, Y, size=37), {"tol": 1e-12, "return_n_iter": True, **how}
    here, there = path(X, Y, **how), path(dX, dy, **how)
    assert_allclose(there[0], here[0], rtol=1e-10)
    assert_allclose(there[1], here[1], rtol=1e-8, atol=1e-12)
    assert (there[2] <= 1e-11).all()
    assert len(there[3]) == len(here[3])
    assert path(dX, dy[:, None], **how)[1].shape == (1, *here[1].shape)


@pytest.mark.parametrize(
    ("settings", "change", "message"),
    [
        ({"cv": StratifiedKFold(3)}, {}, r"made from the number of rows alone, here 240"),
        ({"cv": 241}, {}, r"rows alone, here 240: .*n_splits=241 greater"),
        ({"cv": [([0, 1], [240])]}, {}, r"rows alone, here 240: index 240 is out of bounds"),
        ({"cv": []}, {}, "cv makes no folds"),
        ({"cv": [([0, 5], [1, 2])]}, {"sample_weight": WEIGHTS}, "weights of a training fold are zero"),
        ({"cv": [([1, 2], [0, 5])]}, {"sample_weight": WEIGHTS}, "weights of a test fold are zero"),
        ({}, {"sample_weight": 0.0}, "no rows, or all sample weights are zero"),
        ({}, {"y": 1e200 * Y}, "squares of X or y are too large"),
        ({}, {"X": da.zeros((N, 8_000), chunks=(60, 8_000))}, r"8,000 columns: Gram .* GB .* one penalty"),
        ({}, {"y": np.column_stack([Y, Y])}, "y must be one column"),
        ({"executor": "threads"}, {}, "executor='threads' cannot work there"),
    ],
)
def test_folds_that_cannot_be(client, settings, change, message):
    model = LassoCV(**settings)
    with pytest.raises(ValueError, match=message):
        model.fit(**{"X": rows(X)[0], "y": Y} | change)
    assert vars(model) == vars(LassoCV(**settings))


def test_models_chosen_in_memory_predict_collections(client):
    model = LassoCV(alphas=3, cv=2).fit(X, Y)
    [dX] = rows(X)
    assert isinstance(model.predict(dX), da.Array)
    assert_array_equal(model.predict(dX).compute(), model.predict(X))


# -- what comes out --------------------------------------------------------------------------------


def failing(error):
    def read(block):
        raise error

    return read


@pytest.mark.parametrize(
    "error", [OSError("no block 5"), TimeoutError("a disk"), ConnectionError("a store"), KeyError("k")]
)
@pytest.mark.parametrize("where", ["X", "y"])
def test_an_error_in_reading_comes_out(client, error, where):
    data = dict(zip("Xy", rows(X, Y), strict=True))
    data[where] = data[where].map_blocks(failing(error), dtype=float, meta=data[where]._meta)
    for what in (Lasso().fit, BEST.score):
        with pytest.raises(type(error), match=str(error)):
            what(**data)


def test_a_file_that_has_gone(client, tmp_path):
    pytest.importorskip("pyarrow")
    FRAME.to_parquet(tmp_path / "a.parquet")
    d = dd.read_parquet(tmp_path)
    (tmp_path / "a.parquet").unlink()
    with pytest.raises(FileNotFoundError):
        MODEL.fit(d[NAMES], d["y"])


def test_reading_counts_to_max_time(client):
    [dX, dy] = rows(X, Y, size=N)

    def read(block):
        time.sleep(0.5)
        return block

    model = Lasso(alpha=1e-6, tol=0.0, max_time=0.4, max_iter=10**9)
    with pytest.warns(ConvergenceWarning, match="max_time was reached"):
        model.fit(dX.map_blocks(read, dtype=float), dy)
    assert model.n_updates_ <= 1
    assert model.dual_gap_ > 0


# -- what stays ------------------------------------------------------------------------------------


ENDLESS = Lasso(alpha=1e-4, tol=0.0, max_iter=10**6, step_size="adaptive1", metric="lipschitz")


class Stop(BaseException):
    pass


def test_persisted_data_survive_the_end_of_a_fit(client, monkeypatch):
    dX, dy = (a.persist() for a in rows(X + 50.0 * X[:, :1], Y, size=20))
    distributed.wait([dX, dy])
    mine, told = set(client.futures), Run.__call__
    assert len(mine) == 24
    monkeypatch.setattr(distributed.Client, "cancel", lambda *args, **kwargs: pytest.fail("cancels"))
    for limit in (0, 2, 7):
        calls = iter(range(limit))

        def stop(self, events, now, calls=calls):
            if next(calls, None) is None:
                raise Stop
            return told(self, events, now)

        monkeypatch.setattr(Run, "__call__", stop)
        with pytest.raises(Stop):
            ENDLESS.fit(dX, dy)
        assert client.status == "running"
        assert dX.sum().compute() == pytest.approx((X + 50.0 * X[:, :1]).sum())
        held = client.run_on_scheduler(lambda dask_scheduler: set(dask_scheduler.tasks))
        assert mine <= held
    monkeypatch.setattr(Run, "__call__", told)
    with pytest.raises(ValueError, match="Negative values"):
        MODEL.fit(dX, dy, -(Y**2))
    assert mine <= set(client.futures)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="a timer of POSIX")
def test_persisted_data_survive_a_time_out(client):
    dX, dy = (a.persist() for a in rows(X + 50.0 * X[:, :1], Y, size=20))
    mine = set(client.futures)

    def late(number, frame):
        raise TimeoutError("the user's own")

    before = signal.signal(signal.SIGALRM, late)
    try:
        for seconds in (0.02, 0.1, 0.3):
            # Again and again: what is raised while an object is finalised is lost.
            signal.setitimer(signal.ITIMER_REAL, seconds, 5.0)
            with pytest.raises(TimeoutError, match="the user's own"):
                ENDLESS.fit(dX, dy)
            signal.setitimer(signal.ITIMER_REAL, 0)
            assert dy.sum().compute() == pytest.approx(Y.sum())
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert mine <= set(client.futures)


def test_keys_are_never_there_in_two_ways(client):
    seen, logger = [], logging.getLogger("distributed.scheduler")
    level = logger.level

    def keep(record):
        seen.append(record.getMessage())
        return False

    logger.addFilter(keep)
    logger.setLevel(logging.WARNING)
    try:
        for turn in range(2):
            dX, dy = da.from_array(X + turn, chunks=(80, 4)).astype("f4"), rows(Y, size=80)[0] + 1.0
            model = Lasso(alpha=0.1).fit(dX, dy)
            model.predict(dX).compute()
            model.fit(dX, dy)
            ((dy - model.predict(dX)) ** 2).mean().compute()
            model.score(dX, dX[:, 0] + dy)
            dX.sum().compute()
            model.score(dX, dX[:, 0] + dy)
    finally:
        logger.removeFilter(keep)
        logger.setLevel(level)
    assert not [message for message in seen if "run_spec" in message]


# -- who is there ----------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["memory", "collection"])
def test_a_cluster_that_starts_workers_when_there_is_work(where):
    with cluster_of(0) as cluster, distributed.Client(cluster) as client:
        cluster.adapt(minimum=0, maximum=2, interval="50ms")
        data = (X, Y) if where == "memory" else rows(X, Y)
        model = Lasso(alpha=0.05, tol=1e-10, solver="piag", executor=Dask(client)).fit(*data)
        assert_allclose(model.coef_, BEST.coef_, atol=1e-5)


def test_workers_that_come_while_the_chunks_are_read(monkeypatch):
    with cluster_of(1) as cluster, distributed.Client(cluster) as client:

        def read(self, *args, real=dask_shards.Rows.read, **kwargs):
            real(self, *args, **kwargs)
            cluster.scale(2)
            client.wait_for_workers(2, timeout=20)

        monkeypatch.setattr(dask_shards.Rows, "read", read)
        model = Lasso(alpha=0.05).fit(*rows(X, Y, size=20))
        assert (model.history_.n_workers, model.history_.n_blocks) == (2, 8)


@pytest.mark.parametrize(
    ("megabytes", "n_features", "n_workers", "enough"),
    [
        (10, 100, 8, 32),
        (10, 20_000, 8, 2),
        (43, 20_000, 2, 2),
        (200, 20_000, 8, 7),
        (300, 20_000, 8, 16),
        (9000, 20_000, 8, 32),
        (10, 20_000, 1, 1),
    ],
)
def test_wide_data_are_not_cut_smaller_than_pays(client, megabytes, n_features, n_workers, enough):
    collected = dask_shards.Rows(client)
    survey = dask_chunks.Survey(9, 9, n_features, np.float64, True, 500_000 * megabytes, 1.0, None, None)
    collected._surveys, collected.n_features = [survey, survey], n_features
    assert collected.enough_shards(n_workers) == enough


class Early(Dask):
    """Counted one worker when only one was there."""

    def plan(self, n_jobs):
        return super().plan(n_jobs)._replace(n_workers=1)


@pytest.mark.parametrize(("n_jobs", "used"), [(None, {0, 1}), (-1, {0, 1}), (2, {0, 1}), (1, {0})])
def test_workers_that_come_after_the_count(client, n_jobs, used):
    executor = Early(client)
    model = Lasso(
        alpha=1e-4,
        tol=0.0,
        max_iter=20,
        solver="piag",
        step_size="adaptive1",
        n_jobs=n_jobs,
        executor=executor,
    )
    with pytest.warns(ConvergenceWarning):
        model.fit(X + 20.0 * X[:, :1], Y)
    assert set(model.history_.arrivals["worker"]) == used


def test_how_many_workers_there_may_be(client):
    most = [Dask(client).plan(n) for n in (None, -1, 1, 5, -2)]
    assert [(plan.n_workers, plan.most_workers) for plan in most] == [
        (2, np.inf), (2, np.inf), (1, 1), (2, 5), (1, 1),
    ]  # fmt: skip
    assert Plan(n_workers=2).most_workers is None


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(dask_tasks, "PATIENCE", 0.3)
    monkeypatch.setattr(dask_tasks, "LOOK_ROUND", 0.05)


def test_nobody_there_from_the_start(impatient):
    with cluster_of(0) as cluster, distributed.Client(cluster) as client:
        for data, says in (((X, Y), "no worker"), (rows(X, Y), "no worker")):
            with pytest.raises(WorkersLost, match=says):
                Lasso(solver="piag", executor=Dask(client)).fit(*data)


@pytest.mark.parametrize("step", ["join", "count", "problem"])
def test_nobody_there_in_the_middle_of_the_set_up(impatient, monkeypatch, step):
    real = getattr(dask_shards.Rows, step)
    with cluster_of(1) as cluster, distributed.Client(cluster):

        def leave(self, *args):
            cluster.scale(0)
            return real(self, *args)

        monkeypatch.setattr(dask_shards.Rows, step, leave)
        with pytest.raises(WorkersLost, match=r"no worker|lost the data"):
            Lasso().fit(*rows(X, Y))


def test_the_last_certified_iterate_is_kept_when_the_end_fails(client, monkeypatch):
    def lost(self, w, b):
        raise WorkersLost("nobody is left for the last certificate")

    monkeypatch.setattr(ShardedProblem, "certify", lost)
    model = Lasso(alpha=1e-3, tol=1e-15, max_iter=30, step_size="adaptive1")
    with pytest.raises(WorkersLost, match="nobody is left"):
        model.fit(*rows(X + 50.0 * X[:, :1], Y))
    assert model.history_.stopped == "workers lost"
    assert 0 < model.dual_gap_ < Y.var()
    assert model.predict(X).shape == (N,)


@pytest.mark.parametrize("options", [{}, {"fit_intercept": False}, {"step_size": "adaptive1"}], ids=str)
def test_the_huber_loss_is_fitted_to_numbers(client, options):
    y = Y + 20.0 * (np.arange(N) % 10 == 0)
    model = HuberRegressor(0.05, epsilon=0.2, tol=1e-9, **options)
    found = clone(model).fit(da.from_array(X, chunks=(60, 4)), da.from_array(y, chunks=60))
    best = model.set_params(tol=1e-13).fit(X, y)
    assert found.history_.executor == "Dask"
    assert found.history_.stopped == "converged"
    assert_allclose(found.coef_, best.coef_, atol=1e-3)
    assert found.intercept_ == pytest.approx(best.intercept_, abs=1e-3)
    assert found.objective_ == pytest.approx(best.objective_, rel=1e-7)
