"""Workers that joblib grants, here and in the context around."""

import sys

import joblib


def granted_workers(n_jobs):
    """Number of workers that :func:`thread_parallel` will really run."""
    backend, around = joblib.parallel.get_active_backend(require="sharedmem")
    wanted = around if n_jobs is None else n_jobs
    return backend.effective_n_jobs(backend.default_n_jobs if wanted is None else int(wanted))


def runs_threads():
    """Whether joblib runs threads where it is told that they are preferred."""
    backend, _ = joblib.parallel.get_active_backend(prefer="threads")
    return getattr(backend, "supports_sharedmem", False)


def thread_parallel(n_jobs, return_as="list"):
    """``joblib.Parallel`` whose workers share memory."""
    return joblib.Parallel(
        n_jobs=n_jobs, require="sharedmem", pre_dispatch="all", batch_size=1, return_as=return_as
    )


def joblib_dask_client():
    """Client of the surrounding ``joblib.parallel_config(backend="dask")``, or None."""
    if "joblib._dask" not in sys.modules:
        return None
    backend, _ = joblib.parallel.get_active_backend()
    return backend.client if type(backend).__module__ == "joblib._dask" else None
