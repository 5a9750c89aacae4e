"""
A worker dies in the middle of a fit
====================================

On a cluster machines fail. Here one of three workers of Dask goes, with all
that it held, while the fit runs. Does the fit end, and is the result right?
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from distributed import Client, LocalCluster

from sk_asyncprox import LogisticRegression
from sk_asyncprox.executors import Dask

rng = np.random.default_rng(0)
X = rng.standard_normal((3000, 40))
y = X[:, :5].sum(axis=1) + rng.standard_normal(3000) > 0

# %%
# Three workers in threads stand for three machines. The fit is PIAG with
# plain gradients, many small tasks; a second after its begin the first worker
# is closed. (Dask logs an error: data for the worker were on their way.)

with (
    LocalCluster(
        n_workers=3,
        threads_per_worker=1,
        processes=False,
        dashboard_address=":0",
    ) as cluster,
    Client(cluster) as client,
    warnings.catch_warnings(action="ignore"),
):
    model = LogisticRegression(
        C=0.02, l1_ratio=1.0, solver="piag", step_size="adaptive1",
        metric="lipschitz", tol=1e-4, executor=Dask(client),
    )  # fmt: skip
    cluster.loop.call_later(1.0, cluster.workers[0].close)
    history = model.fit(X, y).history_
print(history)

# %%
# The gap is a proof that does not depend on what happened; and a fit by one
# worker has the same coefficients.

alone = LogisticRegression(C=0.02, l1_ratio=1.0, tol=1e-10).fit(X, y)
print(
    f"gap {model.dual_gap_:.1e}, largest difference {np.abs(model.coef_ - alone.coef_).max():.1e}"
)

# %%
# Every mark is an arrival. One row ends; the others take over its shard and
# go on, each with more to do.

fig, ax = plt.subplots(figsize=(7, 2.8), layout="constrained")
times = history.updates["time"][history.arrivals["update"]]
ax.plot(times, history.arrivals["worker"], "|", markersize=14)
ax.set(
    xlabel="seconds",
    yticks=sorted(set(history.arrivals["worker"])),
    ylabel="worker",
    title="Arrivals",
)

plt.show()
