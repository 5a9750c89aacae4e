"""Data sets that scikit-learn brings along or fetches; those that cannot be had are skipped."""

import numpy as np
import scipy.sparse as sp
from benchopt import BaseDataset
from sklearn import datasets
from sklearn.preprocessing import scale

LOADERS = {
    "breast_cancer": lambda: datasets.load_breast_cancer(return_X_y=True),
    "digits": lambda: datasets.load_digits(return_X_y=True),
    "diabetes": lambda: datasets.load_diabetes(return_X_y=True),
    "20newsgroups": lambda: datasets.fetch_20newsgroups_vectorized(subset="all", return_X_y=True),
    "california_housing": lambda: datasets.fetch_california_housing(return_X_y=True),
    "covtype": lambda: datasets.fetch_covtype(return_X_y=True),
    "rcv1": lambda: _rcv1(),
}


def _rcv1():
    rcv1 = datasets.fetch_rcv1(subset="train")
    # The topic CCAT, as in the literature.
    return rcv1.data, rcv1.target[:, list(rcv1.target_names).index("CCAT")].toarray().ravel()


class Dataset(BaseDataset):
    name = "sklearn"
    parameters = {"source": list(LOADERS)}

    def get_data(self):
        try:
            X, y = LOADERS[self.source]()
        except OSError as error:  # no network, no room, no right to write
            return {"X": None, "y": f"{self.source} could not be fetched: {error}"}
        if sp.issparse(X):
            return {"X": sp.csc_matrix(X, dtype=np.float64), "y": y}
        return {"X": scale(np.asarray(X, dtype=np.float64)[:, np.ptp(X, axis=0) > 0]), "y": y}
