"""Executors: they move tasks and results, and own the clock."""

from .cluster import Dask
from .machine import Machine
from .plan import WorkersLost
from .simulated import Simulated
from .threads import Threads
from .traces import Trace

EXECUTORS = {"threads": Threads, "dask": Dask}

__all__ = ["Dask", "Machine", "Simulated", "Threads", "Trace", "WorkersLost"]
