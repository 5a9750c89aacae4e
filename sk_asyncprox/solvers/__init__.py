"""The solvers, as state machines that any executor can drive."""

from .bcd import AsyncBCD
from .piag import PIAG
from .piag_models import ModelPIAG
from .piag_wide import WidePIAG
from .registry import SOLVERS
from .rounds import RoundsBCD

__all__ = ["PIAG", "SOLVERS", "AsyncBCD", "ModelPIAG", "RoundsBCD", "WidePIAG"]
