"""Which form of PIAG serves a problem and a policy."""

from ..shards import divisible
from ..step_sizes import STEP_SIZES, Adaptive1, NaiveStep
from .metric_piag import MetricPIAG
from .model_piag import ModelPIAG
from .piag import PIAG
from .wide_piag import WidePIAG

WIDEST = 2000
"""Coefficients of all outputs up to which shards send the curvature of all; beyond, that of a working set."""


def resolve_step_size(step_size):
    """Policy object for the parameter ``step_size``."""
    if step_size == "auto":
        step_size = "exact"
    return STEP_SIZES[step_size]() if isinstance(step_size, str) else step_size


def policy_of(problem, options):
    """The run's policy; what cannot be served is refused, unless nobody has asked for it."""
    policy, width = resolve_step_size(options.step_size), problem.design.shape[1]
    if options.solver == "bcd" or not policy.exact or width <= WIDEST or has_working_set(problem):
        return policy
    if options.step_size == "auto":
        return Adaptive1()
    raise ValueError(
        f"step_size ExactStep of solver 'piag' keeps matrices of all coefficients where no l1 part makes "
        f"most of them zero, or some are unpenalised: at most {WIDEST:,}, and there are {width:,}. Use "
        "'auto', or Adaptive1."
    )


def has_working_set(problem):
    """Whether second-order models of a working set serve the problem."""
    return (
        problem.penalty.l1 > 0.0
        and problem.penalty.free is None
        and (hasattr(problem, "shards") or divisible(problem))
    )


def piag_of(problem, policy, options, settings):
    """PIAG with the policy; ``settings`` are its keyword arguments."""
    scalar = options.metric == "lipschitz" or isinstance(policy, NaiveStep)
    if not policy.exact and (scalar or problem.design.shape[1] > WIDEST):
        return PIAG(problem, policy, **settings)
    wide = problem.design.shape[1] > WIDEST
    machine = MetricPIAG if not policy.exact else WidePIAG if wide else ModelPIAG
    return machine(problem, policy, target=options.tol * problem.scale, **settings)
