"""Workers of a Dask cluster."""

from typing import Any

import numpy as np

from .base import Executor, Plan
from .dask_tasks import Crew, wait_for_slots
from .threads import Threads


class Dask(Executor):
    """Tasks on the workers of a running Dask cluster, driven from the calling thread.

    Parts are shipped to their workers once, or stay where they lie; each task carries its iterate and its
    stamp, and results are told in batches as they arrive. Workers may die, join, leave or be slow.

    Inside a Dask worker one plain loop runs instead, as the cluster's slots are taken by the tasks
    around it.

    Parameters
    ----------
    client : distributed.Client or None, default=None
        None stands for the current client. The executor holds it, but never closes it; copies share it,
        and a pickle leaves it out.

    Raises
    ------
    ImportError
        At the fit, if ``dask.distributed`` is not installed.
    ValueError
        At the fit, if there is no client.

    See Also
    --------
    Threads : Workers on this machine.

    Examples
    --------
    >>> from sk_asyncprox.executors import Dask
    >>> Dask()
    Dask()
    """

    def __init__(self, client: Any = None) -> None:
        self.client = client

    def __sklearn_clone__(self):
        return type(self)(self.client)

    def __deepcopy__(self, memo):
        return type(self)(self.client)

    def __getstate__(self):
        return {**super().__getstate__(), "client": None}

    def connect(self):
        """Client in use.

        Returns
        -------
        distributed.Client or None
            None inside a Dask worker.
        """
        from distributed import Client, get_client, get_worker

        try:
            get_worker()
        except ValueError:
            pass
        else:
            return None
        if isinstance(self.client, Client):
            return self.client
        if self.client is not None:
            raise TypeError(f"Dask needs a distributed.Client, not {self.client!r}.")
        try:
            return get_client()
        except ValueError:
            raise ValueError(
                "There is no Dask client: make one first (distributed.Client(...)), or pass Dask(client)."
            ) from None

    def plan(self, n_jobs):
        # One worker per thread of the cluster, at most n_jobs; more may come.
        client = self.connect()
        if client is None:
            return Plan(n_workers=1)
        slots = len(wait_for_slots(client))
        if n_jobs is not None and n_jobs < -1:
            n_jobs = max(1, slots + 1 + n_jobs)
        most = np.inf if n_jobs in (None, -1) else int(n_jobs)
        return Plan(n_workers=min(slots, most), most_workers=most)

    def run(self, solver, on_events):
        client = self.connect()
        if client is None:
            return Threads().run(solver, on_events)
        crew = Crew(client, solver, on_events)
        try:
            crew.drive()
        finally:
            crew.disband()
        return [held.task for held in crew.held.values()]
