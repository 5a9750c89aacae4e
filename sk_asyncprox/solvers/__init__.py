"""The solvers, as state machines that any executor can drive."""

from .bcd import AsyncBCD
from .model_piag import ModelPIAG
from .piag import PIAG
from .registry import SOLVERS
from .rounds import RoundsBCD
from .wide_piag import WidePIAG

__all__ = ["PIAG", "SOLVERS", "AsyncBCD", "ModelPIAG", "RoundsBCD", "WidePIAG"]
