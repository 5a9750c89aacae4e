"""Executors: they move tasks and results, and own the clock."""

from .machine import Machine
from .simulated import Simulated
from .threads import Threads
from .traces import Trace

EXECUTORS = {"threads": Threads}

__all__ = ["Machine", "Simulated", "Threads", "Trace"]
