"""Dask collections that are given as data: their chunks of rows, and what may lie in a chunk."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array, check_consistent_length, column_or_1d

DTYPES = [np.float64, np.float32]


class Survey(NamedTuple):
    """What is asked of the rows of a chunk at first: how many there are, and how many are ``used``, as their
    weights are not zero; their ``size`` in bytes, the ``largest`` weight; labels, sorted, and the sum of the
    weights of each, None where they are numbers."""

    rows: int
    used: int
    n_features: int
    dtype: np.dtype
    is_sparse: bool
    size: int
    largest: float
    labels: np.ndarray | None
    mass: np.ndarray | None


def is_collection(X):
    """Whether ``X`` is a dask collection, or an xarray over one; imports nothing."""
    # Containers of xarray have a graph, or None, whatever they hold; to build a dataframe's takes long.
    return hasattr(X, "__dask_graph__") and (hasattr(X, "to_delayed") or X.__dask_graph__() is not None)


def bare(X):
    """The dask array that an xarray holds; anything else as it is."""
    return getattr(X, "data", X) if is_collection(X) and not hasattr(X, "to_delayed") else X


def is_frame(X):
    """Whether a dask collection is a dataframe or a column of one."""
    return hasattr(X, "divisions")


def table(X):
    """The dask array or dataframe of rows and columns that a collection is or holds."""
    found = bare(X)
    # Whatever is asked of a delayed object, it has.
    if not isinstance(getattr(found, "ndim", None), int) or found.ndim != 2:
        raise ValueError(f"X must be a dask array or dataframe of two dimensions, not {type(X).__name__}.")
    return found


def like(X):
    """Something in memory with the columns of a dask array or dataframe."""
    return X._meta if is_frame(X) else np.empty((0, X.shape[1]), dtype=X.dtype)


def whole_rows(X):
    """The same, each block with all the columns."""
    return X if is_frame(X) or X.numblocks[1] == 1 else X.rechunk({1: -1})


def _delayed(collection):
    import dask

    # Tuned, files would be joined by how many columns are read: those of y otherwise than those of X.
    with dask.config.set({"optimization.tune.active": False}):
        blocks = collection.to_delayed()
    return list(blocks if is_frame(collection) else blocks.ravel())


def rows_of(X, columns, measure):
    """Blocks of ``X``, each with what goes with its rows: a list of tuples.

    ``columns`` are dask collections or array-likes by name, one entry per row; None is left out. ``measure``
    computes delayed objects, where the lengths of the blocks have to be known.
    """
    from dask import delayed

    blocks = _delayed(whole_rows(X))
    lengths, found = None, [blocks]
    for name, values in columns.items():
        if is_collection(values):
            found.append(_aligned(name, bare(values), X, len(blocks)))
        elif values is not None:
            if lengths is None:
                known = not is_frame(X) and not np.isnan(X.chunks[0]).any()
                lengths = X.chunks[0] if known else measure([delayed(np.shape)(block)[0] for block in blocks])
            found.append(_cut(name, values, lengths))
    return list(zip(*found, strict=True))


def _aligned(name, column, X, n_blocks):
    if not is_frame(column):
        if not is_frame(X):
            ours, theirs = X.chunks[0], column.chunks[0]
            if ours != theirs and not (np.isnan(ours).any() or np.isnan(theirs).any()):
                if sum(ours) != sum(theirs):
                    raise ValueError(f"X has {sum(ours)} rows, and {name} has {sum(theirs)}.")
                column = column.rechunk({0: ours})
        if column.ndim == 2:
            column = column.rechunk({1: -1})
    blocks = _delayed(column)
    if len(blocks) != n_blocks:
        raise ValueError(
            f"X has {n_blocks} chunks of rows, and {name} has {len(blocks)}: cut them alike. Columns of one "
            "dataframe are; arrays whose lengths are known, by compute_chunk_sizes(), are cut anew here."
        )
    return blocks


def _cut(name, values, lengths):
    values = np.full(sum(lengths), values) if np.ndim(values) == 0 else column(values, name)
    if len(values) != sum(lengths):
        raise ValueError(f"X has {sum(lengths)} rows, and {name} has {len(values)}.")
    return np.split(values, np.cumsum(lengths)[:-1])


# -- where the blocks lie --------------------------------------------------------------------------


def matrix(block):
    """A block of X as ndarray or CSR matrix, float64 or float32."""
    block = _plain(block)
    try:
        X = check_array(block, accept_sparse="csr", dtype=DTYPES, ensure_min_samples=0, input_name="X")
    except (TypeError, ValueError) as error:
        said = str(error).startswith("Input X contains")
        raise (error if said or not hasattr(block, "columns") else _explained(block, error)) from None
    X = X if X.dtype in DTYPES else X.astype(np.float64)
    # What has come over the wire may begin at any byte, and BLAS would copy it in every product.
    return X if sp.issparse(X) else np.require(X, requirements="A")


def column(block, name):
    """A block of targets, labels or weights as an array of one dimension."""
    if hasattr(block, "isna") and np.any(block.isna()):
        raise ValueError(f"Input {name} contains NaN.")
    block = _plain(block)
    block = column_or_1d(block.toarray() if sp.issparse(block) else block)
    if block.dtype.kind in "fcO":
        check_array(block, ensure_2d=False, dtype=None, ensure_min_samples=0, input_name=name)
    return block


def piece(X, y, weights=None):
    """Rows of a block, validated: ``(X, y, weights)``."""
    X, y = matrix(X), column(y, "y")
    weights = np.ones(len(y)) if weights is None else column(weights, "sample_weight").astype(np.float64)
    check_consistent_length(X, y, weights)
    if weights.min(initial=0.0) < 0:
        raise ValueError("Negative values in data passed to `sample_weight`.")
    return X, y, weights


def survey(pieces, labelled):
    """What is asked of several pieces, ``(X, y, weights)`` each."""
    found = []
    for X, y, s in pieces:
        labels, codes = np.unique(y, return_inverse=True) if labelled else (None, None)
        mass = np.bincount(codes, s, len(labels)) if labelled else None
        used, largest, sparse = np.count_nonzero(s), float(s.max(initial=0.0)), sp.issparse(X)
        size = X.data.nbytes + X.indices.nbytes if sparse else X.nbytes
        found.append(Survey(len(y), used, X.shape[1], X.dtype, sparse, size, largest, labels, mass))
    return found


def join(pieces, classes, factors, wide):
    """Rows of several pieces that have a weight, those of `X` side by side until they are centred, and their
    columns: all, or the numbers of those with entries, which are kept alone where the rows are ``wide``."""
    Xs, ys, weights = zip(*pieces, strict=True)
    y, s = np.concatenate(ys), np.concatenate(weights)
    if classes is not None:
        codes = np.searchsorted(classes, y)
        y, s = 2.0 * codes - 1.0 if len(classes) == 2 else codes, s * np.asarray(factors)[codes]
    used = s > 0
    if not used.all():
        each = np.split(used, np.cumsum([X.shape[0] for X in Xs])[:-1])
        Xs = [X if rows.all() else X[rows] for X, rows in zip(Xs, each, strict=True)]
        y, s = y[used], s[used]
    return (*_with_entries(Xs), y, s) if wide else (Xs, slice(None), y, s)


def _with_entries(Xs):
    """The columns of sparse rows that have entries, as one matrix, and their numbers."""
    X = sp.vstack(Xs, format="csr") if len(Xs) > 1 else Xs[0]
    # To sort the entries would take longer than all the visits of a shard.
    places = np.zeros(X.shape[1], dtype=X.indices.dtype)
    places[X.indices] = 1
    columns = np.flatnonzero(places).astype(X.indices.dtype)
    places[columns] = np.arange(len(columns))
    return [sp.csr_matrix((X.data, places[X.indices], X.indptr), shape=(X.shape[0], len(columns)))], columns


def _plain(block):
    """The same as numpy, scipy or pandas have it: what is masked as NaN, chunks of pydata's sparse as scipy's
    matrices, single columns of those and fill values that are not zero as full arrays."""
    if isinstance(block, np.ma.MaskedArray):
        return block.filled() if not np.ma.is_masked(block) else block.astype(float).filled(np.nan)
    block = block.to_coo() if hasattr(block, "to_coo") else block
    if hasattr(block, "to_scipy_sparse"):
        full = block.ndim != 2 or block.fill_value != 0
        return block.todense() if full else block.to_scipy_sparse()
    return block


def _explained(frame, error):
    """An error that names the columns that are no numbers."""
    missing = [name for name, gone in frame.isna().any().items() if gone]
    if missing:
        return ValueError(f"Input X contains NaN, in columns {missing[:5]}.")
    odd = [
        f"{name!r} ({kind})" for name, kind in frame.dtypes.items() if not _is_numeric(frame[[name]], kind)
    ]
    return ValueError(f"X must be numbers, which these columns are not: {', '.join(odd[:5])}. ({error})")


def _is_numeric(frame, kind):
    try:
        check_array(frame, dtype=DTYPES, accept_sparse=True)
    except (TypeError, ValueError):
        return False
    return kind.kind not in "mM"
