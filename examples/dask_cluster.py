"""
More than one machine: a fit on a Dask cluster
==============================================

Two worker processes on this machine stand for a cluster. The data are made
where they are needed, chunk by chunk, and never come to the caller; on a real
cluster only the line that makes the client changes.

Run it with ``python examples/dask_cluster.py``; it needs ``pip install
'sk-asyncprox[dask]'`` and ``dask[array]``.
"""

import dask.array as da
import numpy as np
from distributed import Client, LocalCluster

from sk_asyncprox import Lasso


def main():
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0"
        ) as cluster,
        Client(cluster),
    ):
        X = da.random.default_rng(0).standard_normal(
            (200_000, 50), chunks=(25_000, 50)
        )
        noise = da.random.default_rng(1).standard_normal(200_000, chunks=25_000)
        y = X[:, :5].sum(axis=1) + 3.0 + noise
        X, y = X.persist(), y.persist()

        model = Lasso(alpha=0.05, tol=1e-8).fit(X, y)
        delays = model.history_.updates["delay"]
        print(model.history_)
        print(
            f"gap {model.dual_gap_:.1e}, delays: mean {delays.mean():.1f}, largest {delays.max()}"
        )
        print(
            "coefficients",
            np.round(model.coef_[:7], 3),
            "intercept",
            round(float(model.intercept_), 3),
        )

        residuals = y - model.predict(X)
        print(
            "mean squared error, computed on the workers:",
            round(float((residuals**2).mean().compute()), 3),
        )


if __name__ == "__main__":
    main()
