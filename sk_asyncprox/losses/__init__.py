"""Losses as functions of the linear predictor ``z``, with one value per sample and output.

Where a loss has several outputs (the classes of a multinomial model), ``z`` holds them one after the
other. Every loss answers with arrays of the shape of ``z``, whose sum per sample is meant, and knows
nothing of data matrices or penalties. The dual side serves the duality-gap certificate: for a dual
point ``theta`` (``-gradient`` up to scaling), ``dual_value`` is ``-conjugate(-theta)``.
"""

from .base import Loss
from .huber import HuberLoss
from .logistic import LogisticLoss
from .multinomial import MultinomialLoss
from .squared import SquaredLoss

__all__ = ["LOSSES", "HuberLoss", "LogisticLoss", "Loss", "MultinomialLoss", "SquaredLoss"]

LOSSES = {"squared": SquaredLoss, "logistic": LogisticLoss, "huber": HuberLoss}
"""Losses of one output, by name."""
