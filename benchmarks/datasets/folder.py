"""The ``.npz`` files of a folder, which the environment variable BENCHMARK_DATA names.

A data set is one file ``NAME.npz`` with the arrays ``X`` and ``y``, or a sparse matrix ``NAME_X.npz`` (as
``scipy.sparse.save_npz`` writes it) beside ``NAME_y.npz``. Arrays of training data (``X_train``, ``y_train``)
and binary targets (``y_bin``) are known too. Integers are divided by the largest, other dense columns
standardised.
"""

import os
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from benchopt import BaseDataset
from sklearn.preprocessing import scale

FOLDER = Path(os.environ["BENCHMARK_DATA"]) if os.environ.get("BENCHMARK_DATA") else None


def names():
    """Data sets of the folder."""
    files = {path.stem for path in FOLDER.glob("*.npz")} if FOLDER else set()
    sparse = {stem[:-2] for stem in files if stem.endswith("_X") and stem[:-2] + "_y" in files}
    return sorted(sparse | {stem for stem in files if stem[:-2] not in sparse}) or ["none"]


def _pick(arrays, *wanted):
    for name in wanted:
        if name in arrays.files:
            return arrays[name]
    raise ValueError(f"holds none of the arrays {wanted}")


class Dataset(BaseDataset):
    name = "folder"
    parameters = {"file": names()}

    def get_data(self):
        if self.file == "none":
            return {"X": None, "y": "BENCHMARK_DATA names no folder with .npz files"}
        targets = FOLDER / f"{self.file}_y.npz"
        try:
            if targets.exists():
                X = sp.load_npz(FOLDER / f"{self.file}_X.npz").astype(np.float64).tocsc()
                return {"X": X, "y": self._target(targets)}
            path = FOLDER / f"{self.file}.npz"
            return {"X": self._dense(path), "y": self._target(path)}
        except (OSError, ValueError) as error:
            return {"X": None, "y": f"{self.file}: {error}"}

    def _target(self, path):
        with np.load(path, allow_pickle=False) as arrays:
            return _pick(arrays, "y_bin", "y", "y_train")

    def _dense(self, path):
        with np.load(path, allow_pickle=False) as arrays:
            X = _pick(arrays, "X", "X_train")
        if np.issubdtype(X.dtype, np.integer):
            return X / float(X.max())
        return scale(X[:, np.ptp(X, axis=0) > 0])
