"""The solvers, as state machines that any executor can drive."""

from .bcd import AsyncBCD
from .model_piag import ModelPIAG
from .piag import PIAG
from .rounds import RoundsBCD

SOLVERS = {"bcd": AsyncBCD, "piag": PIAG}

__all__ = ["PIAG", "SOLVERS", "AsyncBCD", "ModelPIAG", "RoundsBCD"]
