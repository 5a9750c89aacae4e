"""The design matrix: products, slices and smoothness against plain numpy, whatever the storage."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp

from sk_asyncprox.data import two_parts
from sk_asyncprox.data.array_operations import in_runs, times
from sk_asyncprox.data.design_matrix import Design
from sk_asyncprox.data.preprocessing import Data, design_of
from sk_asyncprox.losses import LogisticLoss, SquaredLoss
from sk_asyncprox.penalties import ElasticNetPenalty
from sk_asyncprox.problem import Problem

FORMATS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "csc_matrix": sp.csc_matrix,
    "csr_matrix": sp.csr_matrix,
    "csc_array": sp.csc_array,
    "csr_array": sp.csr_array,
}
each_format = pytest.mark.parametrize("form", FORMATS)
each_sparse = pytest.mark.parametrize("form", [name for name in FORMATS if "_" in name])
each_centring = pytest.mark.parametrize("centred", [False, True], ids=["raw", "centred"])
each_cut = pytest.mark.parametrize("rows", [False, True], ids=["columns", "rows"])


def drawn(n=9, p=6, seed=0, density=0.5):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * (rng.random((n, p)) < density)
    weights = rng.random(n)
    return X, weights / weights.sum()


def plain(X, weights, centred):
    return X - weights @ X if centred else X


def explicit(design):
    """The matrix that a design stands for, entry by entry."""
    X = design.X.toarray() if design.is_sparse else design.X
    return X if design.centre is None else X - design.centre


def entries(X):
    return (X.data, X.indices, X.indptr) if sp.issparse(X) else (X,)


# -- products --------------------------------------------------------------------------------------


@each_format
@each_centring
@each_cut
def test_products(form, centred, rows):
    X, weights = drawn()
    design, means = design_of(FORMATS[form](X), weights, rows=rows, centred=centred)
    Z, rng = plain(X, weights, centred), np.random.default_rng(1)
    w, u = rng.standard_normal(6), rng.standard_normal(9)
    np.testing.assert_allclose(means, weights @ X if centred else np.zeros(6), atol=1e-15)
    np.testing.assert_allclose(explicit(design), Z, atol=1e-14)
    np.testing.assert_allclose(design.mul(w), Z @ w, atol=1e-14)
    np.testing.assert_allclose(design.tmul(u), Z.T @ u, atol=1e-14)
    assert design.shape == X.shape
    assert design.size == (np.count_nonzero(X) if "_" in form else X.size)
    assert all(part.dtype == np.float64 for part in (design.mul(w), design.tmul(u), design.X))


@each_format
@each_centring
@pytest.mark.parametrize("index", [[0, 1, 2, 3, 4, 5], [2, 3, 4], [5], [0, 2, 5], []], ids=str)
def test_columns(form, centred, index):
    X, weights = drawn()
    design, _ = design_of(FORMATS[form](X), weights, centred=centred)
    index = np.array(index, dtype=int)
    cut, Z = design.columns(index), plain(X, weights, centred)[:, index]
    u, w = np.arange(9.0) - 3, np.arange(1.0, len(index) + 1)
    assert cut.shape == Z.shape
    np.testing.assert_allclose(cut.mul(w), Z @ w, atol=1e-14)
    np.testing.assert_allclose(cut.tmul(u), Z.T @ u, atol=1e-13)
    np.testing.assert_array_equal(
        cut.column_sizes(), np.count_nonzero(X[:, index], axis=0) if "_" in form else np.full(len(index), 9)
    )
    if len(index) and np.all(np.diff(index) == 1):
        assert np.shares_memory(cut.X.data, design.X.data)
        if design.is_sparse:
            assert np.shares_memory(cut.X.indices, design.X.indices)


@each_format
@each_centring
@pytest.mark.parametrize(("a", "b"), [(0, 9), (2, 7), (8, 9), (4, 4)])
def test_rows(form, centred, a, b):
    X, weights = drawn()
    design, _ = design_of(FORMATS[form](X), weights, rows=True, centred=centred)
    cut, Z = design.rows(a, b), plain(X, weights, centred)[a:b]
    u, w = np.arange(float(b - a)) - 1, np.arange(6.0)
    assert cut.shape == Z.shape
    np.testing.assert_allclose(cut.mul(w), Z @ w, atol=1e-14)
    np.testing.assert_allclose(cut.tmul(u), Z.T @ u, atol=1e-13)
    if b > a:
        assert np.shares_memory(cut.X.data, design.X.data)


@each_format
@each_centring
def test_filled_and_gram(form, centred):
    X, weights = drawn()
    design, _ = design_of(FORMATS[form](X), weights, centred=centred)
    for part, Z in (
        (design, plain(X, weights, centred)),
        (design.columns(np.array([1, 2, 3])), plain(X, weights, centred)[:, 1:4]),
    ):
        filled, v = part.filled(), np.random.default_rng(2).random(9)
        assert not filled.is_sparse
        np.testing.assert_allclose(explicit(filled), Z, atol=1e-14)
        for same in (part, filled):
            np.testing.assert_allclose(same.gram(v), Z.T @ np.diag(v) @ Z, atol=1e-13)


@pytest.fixture
def large(monkeypatch):
    """Every dense array is large."""
    monkeypatch.setattr("sk_asyncprox.data.preprocessing.LARGE", 0)
    monkeypatch.setattr("sk_asyncprox.data.design_matrix.IN_CACHE", 0)


@each_centring
@pytest.mark.parametrize("form", ["C", "F"])
@pytest.mark.parametrize("n", [300, 1500])
def test_data_that_stay_as_they_are_stand_for_the_centred_copy(form, centred, n, large, monkeypatch):
    monkeypatch.setattr("sk_asyncprox.data.design_matrix.ENTRIES_OF_RUN", 0)
    X, weights = drawn(n, 6)
    X[:, 4] = 0.0
    given = FORMATS[form](X)
    design, _ = design_of(given, weights, centred=centred, as_given=0)
    assert design.is_as_given
    assert design.X is given
    Z, rng = plain(X, weights, centred), np.random.default_rng(1)
    w, u, some = rng.standard_normal(6), rng.standard_normal(n), np.array([0, 3, 4])
    for v in (w, 0.0 * w):
        z, back, sums = design.there_and_back(v, 0.5, lambda rows, z: np.stack([u[rows] * z, z]))
        np.testing.assert_allclose(z, Z @ v + 0.5, atol=1e-13)
        np.testing.assert_allclose(back, np.stack([u * z, z]) @ Z, atol=1e-11)
        np.testing.assert_allclose(sums, [u @ z, z.sum()], atol=1e-11)
    for index in (some, np.arange(6)):
        for rows in (slice(9, n), slice(2, None, 3)):
            for run, taken in design.taken(rows, index, 100, np.float32):
                np.testing.assert_allclose(taken, Z[rows][run, index].T, atol=1e-6)
    np.testing.assert_allclose(design.column_squares(weights), weights @ Z**2, atol=1e-14)
    for part, own in ((design, Z), (design.columns(some), Z[:, some]), (design.filled(), Z)):
        np.testing.assert_allclose(explicit(part), own, atol=1e-14)
        np.testing.assert_allclose(part.gram(weights), own.T * weights @ own, atol=1e-14)
    np.testing.assert_allclose(design.gram(u * u), Z.T * (u * u) @ Z, atol=1e-11)
    assert design.filled().X.flags.f_contiguous
    np.testing.assert_array_equal(given, X)


@each_centring
@each_cut
@pytest.mark.parametrize("as_given", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", ["C", "F"])
def test_a_design_is_the_same_whatever_the_threads(form, dtype, as_given, rows, centred, large, monkeypatch):
    monkeypatch.setattr("sk_asyncprox.data.array_operations.ROWS_OF_COPY", 50)
    X, weights = drawn(1003, 6, density=1.0)
    given = FORMATS[form](X.astype(dtype))
    how = {"rows": rows, "centred": centred, "as_given": 0 if as_given and not rows else None}
    (one, means), (three, same) = (design_of(given, weights, **how, n_threads=n) for n in (1, 3))
    np.testing.assert_array_equal(one.X, three.X)
    np.testing.assert_array_equal(means, same)
    Z, v = plain(given.astype(float), weights, centred), np.arange(1003.0)
    np.testing.assert_allclose(explicit(three), Z, atol=1e-13)
    for operation, argument, wanted in (("mul", v[:6], Z @ v[:6]), ("tmul", v, v @ Z)):
        product = getattr(three, operation)(argument)
        np.testing.assert_array_equal(getattr(one, operation)(argument), product)
        np.testing.assert_allclose(product, wanted, rtol=1e-11)


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 100])
@pytest.mark.parametrize("n_threads", [1, 3])
def test_runs_hold_every_row_once_and_keep_their_order(n, n_threads):
    runs = in_runs(lambda rows: np.arange(n)[rows], n, n_threads)
    np.testing.assert_array_equal(np.concatenate([np.arange(0), *runs]), np.arange(n))
    assert all(map(len, runs))


def test_a_fault_in_one_run_is_raised():
    with pytest.raises(ZeroDivisionError):
        in_runs(lambda rows: 1 // rows.start, 40, 2)


@pytest.mark.parametrize(
    ("shape", "mean", "products", "kept"),
    [
        ((400, 10), 0.0, 40_000, True),
        ((400, 10), 5.0, 40_000, True),
        ((400, 10), 50.0, 40_000, False),
        ((400, 10), 0.0, 39_999, False),
        ((400, 10), 0.0, None, False),
        ((10, 20), 0.0, 40_000, False),
    ],
)
def test_small_data_stay_as_they_are_where_their_gram_matrix_is_cheap(shape, mean, products, kept):
    X = np.random.default_rng(0).standard_normal(shape) + mean
    weights = np.full(len(X), 1.0 / len(X))
    design, means = design_of(X, weights, centred=True, as_given=products)
    assert (design.X is X) == design.is_as_given == kept
    Z = X - weights @ X
    np.testing.assert_allclose(means, weights @ X, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(design.gram(weights), Z.T * weights @ Z, atol=1e-12)
    X[:, 3] = 7.0
    design, _ = design_of(X, weights, centred=True, as_given=products)
    assert not design.is_as_given
    np.testing.assert_array_equal(design.X[:, 3], 0.0)


@pytest.mark.parametrize("column", [[7.0], [100.0, 101.0]], ids=["constant", "far"])
def test_data_with_columns_far_from_zero_are_copied(column, large):
    X, weights = drawn(40, 6)
    X[:, 2] = np.resize(column, 40)
    design, _ = design_of(X, weights, centred=True, as_given=True)
    assert not design.is_as_given
    assert not np.shares_memory(design.X, X)


def test_rows_that_hardly_count_do_not_hide_columns_far_from_zero(large):
    """Nor do they make a copy of columns that are near it."""
    X, _ = drawn(40, 6)
    weights = np.where(np.arange(40) < 20, 0.05, 1e-40)
    far = np.where(weights[:, None] > 0.01, X + 1e8, 1e9 * X)
    design, _ = design_of(far, weights, centred=True, as_given=True)
    assert not design.is_as_given
    exact = far[:20].astype(np.longdouble)
    exact -= exact.mean(axis=0)
    np.testing.assert_allclose(design.gram(weights), (exact.T @ exact / 20).astype(float), rtol=1e-7)
    near = np.where(weights[:, None] > 0.01, X, X + 1e8)
    assert design_of(near, weights, centred=True, as_given=True)[0].is_as_given


def test_rows_are_taken_before_a_design_is_made():
    X, weights = drawn(40, 6)
    data = Data(X, weights, False, True, False, True, None, False)
    part = data.some(np.arange(20), weights[:20], False)
    np.testing.assert_array_equal(part.rows(), X[:20])
    data.design()
    for made in (data, part):
        with pytest.raises(RuntimeError, match="before their design"):
            made.some(np.arange(10), weights[:10], False)


def _set_limits(monkeypatch):
    """Entries and columns of data that stay as they are, and for a squared loss."""
    limits = {"LARGE": 40, "NARROW": 4, "SQUARED_LARGE": 16}
    for name, number in limits.items():
        monkeypatch.setattr(f"sk_asyncprox.data.preprocessing.{name}", number)


@pytest.mark.parametrize(
    ("form", "n", "p", "stays"),
    [("C", 10, 4, False), ("C", 11, 4, True), ("F", 11, 4, True), ("C", 8, 5, False), ("C", 9, 5, True),
     ("F", 41, 5, False), ("C", 13, 13, True), ("C", 13, 14, False)],
)  # fmt: skip
def test_many_columns_stay_as_they_are_where_rows_lie_together(form, n, p, stays, monkeypatch):
    _set_limits(monkeypatch)
    given = FORMATS[form](np.random.default_rng(0).standard_normal((n, p)))
    assert design_of(given, np.full(n, 1.0 / n), centred=True, as_given=True)[0].is_as_given is stays


@pytest.mark.parametrize(
    ("form", "n", "p", "stays"),
    [("C", 4, 4, False), ("C", 5, 4, True), ("F", 5, 4, True), ("F", 11, 4, True), ("F", 8, 5, True),
     ("F", 9, 5, False), ("C", 9, 5, True), ("C", 5, 8, True), ("C", 6, 7, False)],
)  # fmt: skip
def test_more_stay_as_they_are_for_a_squared_loss(form, n, p, stays, monkeypatch):
    """Few entries, as sweeps copy them, of any number of columns."""
    _set_limits(monkeypatch)
    X, y = np.random.default_rng(0).standard_normal((n, p)), np.ones(n)
    for loss in (SquaredLoss(), LogisticLoss()):
        problem = Problem(FORMATS[form](X), y, loss, ElasticNetPenalty(l1=0.1))
        expected = stays and (loss.quadratic or (form == "C" and n * p > 40 and p <= n))
        assert problem.design.is_as_given is expected


def test_is_full():
    ones = np.ones((10, 10))
    assert Design(ones).is_full()
    assert Design(sp.csc_matrix(ones)).is_full()
    assert not Design(sp.csc_matrix(np.eye(10))).is_full()


# -- what comes in ---------------------------------------------------------------------------------


@each_format
@each_centring
@each_cut
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_input_is_left_alone(form, centred, rows, dtype):
    """Also read-only input, as from a memory map."""
    X, weights = drawn()
    given = FORMATS[form](X.astype(dtype))
    before = [part.copy() for part in entries(given)]
    for part in entries(given):
        part.flags.writeable = False
    weights.flags.writeable = False
    design, _ = design_of(given, weights, rows=rows, centred=centred)
    design.mul(np.ones(6)), design.tmul(np.ones(9)), design.smoothness(weights), design.filled()
    for part, old in zip(entries(given), before, strict=True):
        assert part.dtype == old.dtype
        np.testing.assert_array_equal(part, old)
    exact = np.asarray(X.astype(dtype), dtype=np.float64)
    np.testing.assert_allclose(explicit(design), plain(exact, weights, centred), atol=1e-14)


@pytest.mark.parametrize(
    ("form", "rows", "centred"),
    [("F", False, False), ("C", True, False)]
    + [
        (f"{kind}_{box}", kind == "csr", c)
        for kind in ("csc", "csr")
        for box in ("matrix", "array")
        for c in (0, 1)
    ],
)
def test_entries_are_shared_when_nothing_changes(form, rows, centred):
    X, weights = drawn()
    given = FORMATS[form](X)
    design, _ = design_of(given, weights, rows=rows, centred=centred)
    assert np.shares_memory(design.X.data, given.data)


@each_sparse
@each_cut
def test_int64_indices_are_converted(form, rows):
    X, weights = drawn()
    given = FORMATS[form](X)
    given.indices, given.indptr = given.indices.astype(np.int64), given.indptr.astype(np.int64)
    design, _ = design_of(given, weights, rows=rows)
    assert design.X.indices.dtype == design.X.indptr.dtype == np.int32
    assert given.indices.dtype == given.indptr.dtype == np.int64
    np.testing.assert_array_equal(explicit(design), X)
    part = design.rows(2, 5) if rows else design.columns(np.arange(2, 5))
    assert part.X.indices.dtype == part.X.indptr.dtype == np.int32
    assert part.X.has_canonical_format


@each_sparse
@each_cut
def test_duplicates_are_summed(form, rows):
    data, inner, outer = np.array([1.0, 2.0, 4.0, 8.0]), np.array([3, 1, 3, 0]), np.array([0, 3, 3, 4])
    shape = (5, 3) if "csc" in form else (3, 5)
    given = getattr(sp, form)((data, inner, outer), shape=shape)
    expected = np.zeros((3, 5))
    expected[0, 3], expected[0, 1], expected[2, 0] = 5.0, 2.0, 8.0
    expected = expected.T if "csc" in form else expected
    design, _ = design_of(given, np.full(shape[0], 1 / shape[0]), rows=rows)
    assert design.X.has_canonical_format
    assert design.size == 3
    np.testing.assert_array_equal(explicit(design), expected)
    np.testing.assert_array_equal(
        design.column_sizes(), np.count_nonzero(expected, axis=0)
    ) if not rows else None
    np.testing.assert_array_equal(given.data, [1.0, 2.0, 4.0, 8.0])
    np.testing.assert_array_equal(given.indices, [3, 1, 3, 0])


@each_format
def test_large_means_cancel(form):
    X, weights = drawn(density=1.0)
    design, _ = design_of(FORMATS[form](X + 1e3), weights, centred=True)
    w, u = np.linspace(-1, 1, 6), np.linspace(-2, 1, 9)
    Z = plain(X, weights, True)
    np.testing.assert_allclose(design.mul(w), Z @ w, atol=1e-11)
    np.testing.assert_allclose(design.tmul(u), Z.T @ u, atol=1e-11)


# -- smoothness ------------------------------------------------------------------------------------


def spiked(p, ratio):
    """All squared singular values equal but one, which is larger: slow for a power iteration."""
    values = np.full(p, np.sqrt(ratio))
    values[p // 3] = 1.0
    return np.diag(values)


def rotated(values, n, seed=0):
    rng = np.random.default_rng(seed)
    U = np.linalg.qr(rng.standard_normal((n, len(values))))[0]
    V = np.linalg.qr(rng.standard_normal((len(values), len(values))))[0]
    return U * np.sqrt(values) @ V.T


def gauss(n, p, seed=0):
    return np.random.default_rng(seed).standard_normal((n, p))


SPECTRA = {
    "tall": gauss(300, 20),
    "square": gauss(120, 120),
    "wide": gauss(40, 1500),
    "very wide": gauss(3, 4000),
    "one column": gauss(50, 1),
    "one row": gauss(1, 50),
    "one entry": np.array([[3.0]]),
    "binary": (gauss(200, 60) > 1.2).astype(float),
    "mean 100": gauss(200, 30) + 100,
    "scales": gauss(100, 40) * np.logspace(-6, 6, 40),
    "rank one": np.outer(gauss(60, 1), gauss(40, 1)),
    "duplicated columns": np.repeat(gauss(80, 5), 8, axis=1),
    "zero columns": gauss(50, 20) * (np.arange(20) == 7),
    "identity": np.eye(100),
    "nearly tied": rotated(np.linspace(0.98, 1.0, 100), 150),
    "two tied above": rotated(np.r_[1.0, 0.999, np.full(98, 0.6)], 150),
    "decaying": rotated(0.97 ** np.arange(100), 150),
    **{f"spike over {r}": spiked(300, r) for r in (0.99, 0.97, 0.95, 0.9, 0.8, 0.5)},
    "spike over 0.9, wide": rotated(np.r_[1.0, np.full(99, 0.9)], 120).T,
}


@pytest.mark.parametrize("kind", SPECTRA)
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("centred", [False, True], ids=["raw", "centred"])
def test_smoothness_is_safe_and_tight(kind, sparse, centred):
    """Too small a constant makes steps too long for the convergence proofs."""
    X = SPECTRA[kind]
    weights = np.full(len(X), 1 / len(X))
    largest = np.linalg.norm(plain(X, weights, centred), 2) ** 2 / len(X)
    design, _ = design_of(sp.csc_matrix(X) if sparse else X, weights, centred=centred)
    found = design.smoothness(weights)
    if largest < 1e-20 * (1 + np.abs(X).max() ** 2):
        assert 0 <= found <= 1e-15 * (1 + np.abs(X).max() ** 2)
    else:
        assert largest * (1 - 1e-12) <= found <= 1.05 * largest


@pytest.mark.parametrize("seed", range(10))
def test_smoothness_of_random_matrices(seed):
    rng = np.random.default_rng(seed)
    n, p = rng.integers(2, 200, 2)
    X = rng.standard_normal((n, p)) * rng.gamma(0.3, size=p) * (rng.random((n, p)) < 0.3)
    weights = rng.random(n)
    largest = np.linalg.norm(np.sqrt(weights)[:, None] * X, 2) ** 2
    for random_state in range(5):
        found = Design(X).smoothness(weights, random_state=random_state)
        assert largest * (1 - 1e-12) <= found <= 1.05 * largest


@pytest.mark.parametrize("form", [np.array, sp.csc_matrix])
def test_smoothness_of_nothing_is_zero(form):
    weights = np.full(4, 0.25)
    assert Design(form(np.zeros((4, 3)))).smoothness(weights) == 0.0
    assert Design(form(np.zeros((4, 0)))).smoothness(weights) == 0.0
    assert Design(form(np.ones((4, 3)))).smoothness(np.zeros(4)) == 0.0


def test_smoothness_is_deterministic():
    X, weights = drawn(40, 30)
    assert Design(X).smoothness(weights) == Design(X).smoothness(weights)


def test_columns_of_rows_are_copied():
    X = sp.random(20, 8, 0.4, format="csr", random_state=0)
    design = Design(X, np.arange(8.0))
    found = design.columns(np.arange(2, 6))
    assert found.X.format in ("csr", "csc")
    np.testing.assert_allclose(
        found.mul(np.ones(4)), (X.toarray() - np.arange(8.0))[:, 2:6].sum(axis=1), rtol=1e-12
    )


def test_columns_of_data_as_given_in_any_order():
    X = np.arange(12.0).reshape(4, 3)
    means = X.mean(axis=0)
    np.testing.assert_array_equal(Design(X, means).some(np.array([2, 0, 1])).X, (X - means)[:, [2, 0, 1]])


@pytest.mark.parametrize("order", ["C", "F"])
def test_products_of_a_view_copy_it_not(order):
    X, w = np.ones((400, 300), order=order)[::2, :200], np.arange(200.0)
    tracemalloc.start()
    try:
        z = times(X, w)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(z, np.full(200, w.sum()))
    assert peak < X.nbytes / 4


def columns_in_two_parts(monkeypatch, scale=1.0):
    """A centred sparse design of 40 rows, its filled columns, asked for twice, and the columns asked for."""
    monkeypatch.setattr(two_parts, "LARGE", 0)
    monkeypatch.setattr(two_parts, "MOST", 3.0)
    rng = np.random.default_rng(0)
    X = scale * rng.uniform(1.0, 2.0, (40, 30)) * (rng.random((40, 30)) < np.geomspace(0.8, 0.02, 30))
    weights = rng.uniform(0.5, 1.5, 40) / 40
    weights /= weights.sum()
    design, index = Design(sp.csc_matrix(X), weights @ X), np.arange(1, 29)
    filled = two_parts.FilledColumns(design, weights)
    assert isinstance(filled.columns(np.arange(1, 4)), Design)
    filled.columns(np.arange(1, 4))
    filled.columns(index)
    return design, weights, filled, filled.columns(index), index


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_columns_in_two_parts_have_the_products_of_the_columns(monkeypatch, dtype, rtol):
    design, weights, filled, parts, index = columns_in_two_parts(monkeypatch)
    columns, rng = design.columns(index), np.random.default_rng(1)
    w, u = rng.standard_normal(len(index)), rng.standard_normal(40)
    assert 3 < len(parts.heavy) == len(filled.index) < len(index)
    assert (parts.size, parts.shape) == (columns.size, columns.shape)
    assert parts.mul(w.astype(dtype)).dtype == dtype
    np.testing.assert_allclose(parts.mul(w.astype(dtype)), columns.mul(w), rtol, rtol)
    np.testing.assert_allclose(parts.tmul(u.astype(dtype)), columns.tmul(u), rtol, rtol)
    heavy = columns.columns(parts.heavy).filled().X
    Q, c = parts.heavy_model(u)
    np.testing.assert_allclose(Q, (heavy.T * weights) @ heavy, 1e-4, 1e-5)
    np.testing.assert_allclose(c, heavy.T @ u, 1e-12)
    np.testing.assert_allclose(parts.heavy_image(w[parts.heavy]), heavy @ w[parts.heavy], 1e-5, 1e-5)


@pytest.mark.parametrize("scale", [1e-14, 1e14])
def test_columns_whose_squares_leave_single_precision_are_not_filled(monkeypatch, scale):
    *_, filled, parts, _ = columns_in_two_parts(monkeypatch, scale)
    assert isinstance(parts, Design)
    assert len(filled.index) == 0


@pytest.mark.parametrize("most", [0.0, 0.3, 3.0])
def test_columns_are_in_two_parts_only_where_some_are_filled(monkeypatch, most):
    monkeypatch.setattr(two_parts, "LARGE", 0)
    monkeypatch.setattr(two_parts, "MOST", most)
    X = sp.csc_matrix(np.random.default_rng(0).random((40, 30)) * (np.arange(30) < 4))
    filled, index = two_parts.FilledColumns(Design(X), np.full(40, 1.0 / 40)), np.arange(30)[1::2]
    filled.columns(index)
    assert isinstance(filled.columns(index), two_parts.TwoParts) == (len(filled.index) > 0) == (most > 0.0)
