"""Executors: they move tasks and results, and own the clock."""

from .base import WorkersLost
from .dask_executor import Dask
from .processes import Processes
from .simulated import Machine, Simulated
from .threads import Threads
from .traces import Trace

EXECUTORS = {"threads": Threads, "dask": Dask, "processes": Processes}

__all__ = ["Dask", "Machine", "Processes", "Simulated", "Threads", "Trace", "WorkersLost"]
