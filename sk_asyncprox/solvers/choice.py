"""Which form of PIAG serves a problem and a policy."""

from ..step_sizes import STEP_SIZES, Adaptive1, NaiveStep
from .metric_piag import MetricPIAG
from .model_piag import ModelPIAG
from .piag import PIAG

WIDEST = 2000
"""Coefficients of all outputs up to which shards send their curvature."""


def resolve_step_size(step_size):
    """Policy object for the parameter ``step_size``."""
    if step_size == "auto":
        step_size = "exact"
    return STEP_SIZES[step_size]() if isinstance(step_size, str) else step_size


def policy_of(problem, options):
    """The run's policy; what cannot be served is refused, unless nobody has asked for it."""
    policy, width = resolve_step_size(options.step_size), problem.design.shape[1]
    if options.solver == "bcd" or not policy.exact or width <= WIDEST:
        return policy
    if options.step_size == "auto":
        return Adaptive1()
    raise ValueError(
        f"step_size ExactStep of solver 'piag' keeps matrices of all coefficients, at most {WIDEST:,}, and "
        f"there are {width:,}: use 'auto', or Adaptive1."
    )


def piag_of(problem, policy, options, settings):
    """PIAG with the policy; ``settings`` are its keyword arguments."""
    scalar = options.metric == "lipschitz" or isinstance(policy, NaiveStep)
    if not policy.exact and (scalar or problem.design.shape[1] > WIDEST):
        return PIAG(problem, policy, **settings)
    machine = ModelPIAG if policy.exact else MetricPIAG
    return machine(problem, policy, target=options.tol * problem.scale, **settings)
