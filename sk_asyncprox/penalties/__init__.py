"""Penalties on the coefficients: value, proximal map, minimisers of models with them on Gram matrices,
and the dual quantities of a certificate."""

from .base import Penalty
from .elastic_net import ElasticNetPenalty
from .group_lasso import GroupPenalty

__all__ = ["ElasticNetPenalty", "GroupPenalty", "Penalty"]
