"""The solvers, as state machines that any executor can drive."""

from .bcd import AsyncBCD
from .piag import PIAG

SOLVERS = {"bcd": AsyncBCD, "piag": PIAG}
