"""The rows of the page "What you can hand to fit": every one is tried where its package is installed."""

import re
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp
from numpy.testing import assert_allclose
from sklearn.datasets import dump_svmlight_file, load_svmlight_file
from sklearn.utils.fixes import parse_version

from sk_asyncprox import Lasso

PAGE = Path(__file__).parents[1] / "doc" / "formats.rst"
N, NAMES = 120, list("abcdef")
rng = np.random.default_rng(0)
X = rng.standard_normal((N, 6))
X[np.abs(X) < 0.7] = 0.0
Y = X @ [1.0, -2.0, 0.0, 0.0, 3.0, 0.0] + 0.1 * rng.standard_normal(N)
BEST = Lasso(alpha=0.01, tol=1e-12).fit(X, Y)
MODEL = Lasso(alpha=0.01, tol=1e-8)
THIRD = 40

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


the = pytest.importorskip


def frame():
    return the("pandas").DataFrame(X, columns=NAMES)


def memory_map(folder):
    X.tofile(folder / "x")
    return np.memmap(folder / "x", dtype=float, mode="r", shape=X.shape)


def svmlight(folder):
    dump_svmlight_file(X, Y, str(folder / "x"))
    return load_svmlight_file(str(folder / "x"), n_features=6)


def matrix_market(folder):
    scipy.io.mmwrite(folder / "x.mtx", sp.coo_matrix(X))
    return scipy.io.mmread(folder / "x.mtx")


def sparse_frame(columns=NAMES):
    return frame().astype(dict.fromkeys(columns, the("pandas").SparseDtype(float, 0.0)))


def zarr_array(folder):
    made = the("zarr").create_array(folder / "z", shape=X.shape, chunks=(THIRD, 6), dtype="f8")
    made[:] = X
    return made


def h5py_dataset(folder):
    with the("h5py").File(folder / "h", "w") as file:
        file["X"] = X
    return the("h5py").File(folder / "h", "r")["X"]


def annotated(folder, dense=False):
    """Path of a written object, whose index of names pandas 3 would make of a type that is not written."""
    the("anndata")
    if not dense and parse_version(version("anndata")) < parse_version("0.12.7"):
        pytest.skip("its sparse data on disk cannot be read with newer scipys")
    data = the("anndata").AnnData(X if dense else sp.csr_matrix(X))
    data.obs.index, data.var.index = data.obs.index.astype(object), data.var.index.astype(object)
    data.write_h5ad(folder / "a.h5ad")
    return folder / "a.h5ad"


def backed(folder, dense=False):
    return the("anndata").read_h5ad(annotated(folder, dense), backed="r")


def lazy(folder):
    return the("anndata.experimental").read_lazy(annotated(folder)).X


def chunked(kind=np.asarray, size=(THIRD, 6)):
    return the("dask.array").from_array(X, chunks=size).map_blocks(kind), the("dask.array").from_array(
        Y, chunks=THIRD
    )


def partitions(table):
    table = the("dask.dataframe").from_pandas(table.assign(target=Y), npartitions=3)
    return table[NAMES], table["target"]


def parquet(folder):
    the("pyarrow")  # which writes it
    frame().assign(target=Y).to_parquet(folder / "t")
    table = the("dask.dataframe").read_parquet(folder / "t")
    return table[NAMES], table["target"]


def with_missing():
    table = frame().astype("Float64")
    table.iloc[3, 2] = the("pandas").NA
    return table


# Row of the page: what is handed over (X, or X and y); or the error, what it says, what raises it, and
# what is to be made of that.
IN_MEMORY = {
    "numpy array": lambda _: X,
    "numpy memory map": memory_map,
    "numpy masked array": lambda _: np.ma.masked_array(X, X > 1.0),
    "scipy sparse matrix or array": lambda _: sp.dok_array(X),
    "svmlight file": svmlight,
    "Matrix Market file": matrix_market,
    "pydata/sparse array": (
        RuntimeError, "to dense", lambda _: the("sparse").COO.from_numpy(X), lambda a: a.to_scipy_sparse()),
    "pandas frame": lambda _: frame(),
    "pandas nullable frame": lambda _: frame().astype("Float64"),
    "pandas pyarrow frame": lambda _: (the("pyarrow"), frame().convert_dtypes(dtype_backend="pyarrow"))[1],
    "pandas sparse frame": lambda _: sparse_frame(),
    "pandas partly sparse frame": lambda _: sparse_frame(NAMES[1:]),
    "polars frame": lambda _: the("polars").DataFrame(X, schema=NAMES),
    "polars lazy frame": (
        ValueError, "sequence", lambda _: the("polars").DataFrame(X, schema=NAMES).lazy(),
        lambda a: a.collect()),
    "pyarrow table": lambda _: the("pyarrow").table(dict(zip(NAMES, X.T, strict=True))),
    "xarray DataArray": lambda _: the("xarray").DataArray(X),
    "xarray Dataset": (
        TypeError, "Dataset", lambda _: the("xarray").Dataset({NAMES[j]: ("n", X[:, j]) for j in range(6)}),
        lambda a: a.to_dataarray().T),
    "zarr array": zarr_array,
    "h5py dataset": h5py_dataset,
    "anndata object": (
        ValueError, "sequence", lambda _: the("anndata").AnnData(sp.csr_matrix(X)), lambda a: a.X),
    "anndata backed, sparse": (ValueError, "2D", lambda folder: backed(folder).X, lambda a: a[:]),
    "anndata backed, dense": lambda folder: backed(folder, dense=True).X,
    "anndata lazy": lazy,
}  # fmt: skip
IN_CHUNKS = {
    "dask, dense": lambda _: chunked(),
    "dask, scipy sparse": lambda _: chunked(sp.coo_array),
    "dask, pydata/sparse": lambda _: chunked(the("sparse").COO.from_numpy),
    "dask, masked": lambda _: chunked(np.ma.masked_array),
    "dask, cut by columns too": lambda _: chunked(size=(THIRD, 3)),
    "dask dataframe": lambda _: partitions(sparse_frame()),
    "dask dataframe with pd.NA": (
        ValueError, "NaN", lambda _: partitions(with_missing()), lambda pair: partitions(frame())),
    "dask dataframe from Parquet": parquet,
    "dask from zarr": lambda folder: (the("dask.array").from_zarr(zarr_array(folder)), chunked()[1]),
    "dask from h5py": lambda folder: (the("dask.array").from_array(h5py_dataset(folder)), Y),
    "xarray over dask": lambda _: tuple(map(the("xarray").DataArray, chunked())),
    "numpy X, dask y": lambda _: (X, chunked()[1]),
}  # fmt: skip


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed")
    settings = {"n_workers": 1, "threads_per_worker": 2, "processes": False, "dashboard_address": ":0"}
    with (
        distributed.LocalCluster(silence_logs=50, **settings) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def hand_over(row, folder):
    """Fit what the row says; return what was handed over in the end."""
    if isinstance(row, tuple):
        error, says, make, instead = row
        held = make(folder)
        with pytest.raises(error, match=says):
            MODEL.fit(*(held if isinstance(held, tuple) else (held, Y)))
        held = instead(held)
    else:
        held = row(folder)
    data, y = held if isinstance(held, tuple) else (held, Y)
    assert_allclose(MODEL.fit(data, y).coef_, BEST.coef_, atol=2e-5)
    return data


@pytest.mark.filterwarnings("ignore:pandas.DataFrame with sparse columns found:UserWarning")
@pytest.mark.parametrize("name", [name for name in IN_MEMORY if name != "anndata lazy"])
def test_data_in_memory(name, tmp_path):
    data = hand_over(IN_MEMORY[name], tmp_path)
    named = "frame" in name or "table" in name
    assert hasattr(MODEL, "feature_names_in_") == named
    assert_allclose(MODEL.predict(data), X @ MODEL.coef_ + MODEL.intercept_, atol=1e-12)


@pytest.mark.parametrize("name", [*IN_CHUNKS, "anndata lazy"])
def test_data_in_chunks(name, client, tmp_path):
    hand_over((IN_MEMORY | IN_CHUNKS)[name], tmp_path)
    assert MODEL.history_.executor == ("Threads" if name == "numpy X, dask y" else "Dask")


@pytest.mark.parametrize(
    "make", [lambda: with_missing(), lambda: the("polars").from_pandas(with_missing())], ids=["pd.NA", "null"]
)
def test_missing_values_are_refused(make):
    with pytest.raises(ValueError, match="NaN"):
        MODEL.fit(make(), Y)


def test_every_row_of_the_page_is_tried():
    rows = re.findall(r"^   \* - (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert [row for row in rows if row not in ("Data", "Chunks")] == [*IN_MEMORY, *IN_CHUNKS]
