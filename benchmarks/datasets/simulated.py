"""Random data: sparse with columns of very different frequency, or dense and correlated."""

import numpy as np
import scipy.sparse as sp
from benchopt import BaseDataset


class Dataset(BaseDataset):
    name = "simulated"
    parameters = {
        "n_samples, n_features, density": [
            (5_000, 20_000, 0.005),
            (2_000, 500, 1.0),
            (200, 5_000, 1.0),
        ],
        "correlation": [0.5],
        "support": [30],
    }
    test_parameters = {"n_samples, n_features, density": [(60, 40, 1.0), (60, 40, 0.1)]}

    def get_data(self):
        rng = np.random.default_rng(self.get_seed())
        X = self._sparse(rng) if self.density < 1.0 else self._dense(rng)
        w = np.zeros(self.n_features)
        w[rng.choice(self.n_features, self.support, replace=False)] = rng.standard_normal(self.support)
        z = X @ w
        return {"X": X, "y": z + 0.5 * z.std() * rng.standard_normal(len(z))}

    def _dense(self, rng):
        """Rows are autoregressive processes: columns ``j`` apart have correlation ``correlation ** j``."""
        X = np.asfortranarray(rng.standard_normal((self.n_samples, self.n_features)))
        for j in range(1, self.n_features):
            X[:, j] = self.correlation * X[:, j - 1] + np.sqrt(1.0 - self.correlation**2) * X[:, j]
        return X

    def _sparse(self, rng):
        size = int(self.density * self.n_samples * self.n_features)
        columns = (self.n_features * rng.random(size) ** 2).astype(np.int32)
        rows = rng.integers(self.n_samples, size=size, dtype=np.int32)
        X = sp.csc_matrix(
            (rng.uniform(0.1, 1.0, size), (rows, columns)), shape=(self.n_samples, self.n_features)
        )
        X.sum_duplicates()
        return X
