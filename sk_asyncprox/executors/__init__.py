"""Executors: they move tasks and results, and own the clock."""

from .simulated import Simulated
from .threads import Threads
from .traces import Trace

EXECUTORS = {"threads": Threads}

__all__ = ["Simulated", "Threads", "Trace"]
