"""Penalties on the coefficients: value, proximal map, minimisers of models with them on Gram matrices,
and the dual quantities of a certificate."""

from .base import Penalty
from .elastic_net import ElasticNetPenalty, WeightedPenalty
from .groups import GroupPenalty

__all__ = ["PENALTIES", "ElasticNetPenalty", "GroupPenalty", "Penalty", "WeightedPenalty"]

PENALTIES = {"elasticnet": ElasticNetPenalty}
"""Penalties made of two weights and a sign, by name: those that the tests of penalties look at."""
