"""What the names of ``solver=`` stand for: families of algorithms, which choose the form for a run."""

from functools import cache

from ..executors.base import SHARDS_PER_WORKER
from ..shards.shard import divisible
from ..step_sizes import STEP_SIZES, Adaptive1, NaiveStep
from .bcd import AsyncBCD
from .piag import PIAG
from .piag_models import ModelPIAG
from .piag_wide import WidePIAG
from .rounds import RoundsBCD
from .rounds_all_columns import may_descend

WIDEST = 2000
"""Coefficients of all outputs up to which shards send the curvature of all; beyond, that of a working set."""


def resolve_step_size(step_size, problem=None):
    """Policy object for the parameter ``step_size``; "auto" is "exact"."""
    if step_size == "auto":
        step_size = "exact"
    return STEP_SIZES[step_size]() if isinstance(step_size, str) else step_size


class Family:
    """An algorithm of one ``form``, a :class:`~sk_asyncprox.solvers.base.Solver`; the base of others."""

    form, rows = None, False
    """Whether the data are cut by rows instead of by columns."""

    policy = staticmethod(resolve_step_size)
    """``(step_size, problem)`` to the run's policy; what cannot be served is refused."""

    def __init__(self, form=None):
        self.form = form or self.form

    def serve(self, problem, policy, options, plan):
        """The form for a run, and its keyword arguments beside ``n_workers`` and ``start``."""
        return self.form, self._settings(options, plan)

    def in_rounds(self, problem, options, plan, policy):
        return False

    def _settings(self, options, plan):
        longest = None
        if plan.largest_delay is not None:
            # A write that moves nothing takes half the work of others.
            most = 2 * (options.max_iter + 1)
            longest = cache(lambda n_blocks: plan.largest_delay(most * n_blocks, options.solver, n_blocks))
        return {"n_blocks": options.n_blocks, "inline": plan.inline, "max_delay": longest}


class Blocks(Family):
    """Block-coordinate descent: in rounds, where nothing asks for plain block steps."""

    form = AsyncBCD

    def serve(self, problem, policy, options, plan):
        """In rounds to the gap wanted, or by plain block steps."""
        if self.in_rounds(problem, options, plan, policy):
            # Without a penalty slopes are what is to be small.
            goal = options.tol * (1.0 if problem.penalty.is_zero else problem.scale)
            # One pass is enough for a look, which is what is made where no gap is known to be wanted.
            goal = goal if options.max_iter > 1 else 0.0
            return RoundsBCD, {"goal": goal, "most_passes": options.max_iter}
        working_set = _working_set(options, plan)
        if working_set is None:
            # Which columns are called for is known of the l1 part.
            working_set = (options.metric == "gram" or policy.exact) and problem.penalty.l1 > 0
        return self.form, self._settings(options, plan) | {
            "metric": options.metric,
            "working_set": working_set,
            "cyclic": options.cyclic,
            "random_state": options.random_state,
        }

    def in_rounds(self, problem, options, plan, policy):
        free = policy.exact and options.metric == "gram" and options.n_blocks == "auto"
        served = not problem.penalty.is_zero or may_descend(problem)
        return free and served and not plan.inline and _working_set(options, plan) in (None, True)


class Shards(Family):
    """PIAG: of second order, in the metric of the curvatures, or in that of the paper."""

    form, rows = PIAG, True

    @staticmethod
    def policy(step_size, problem):
        """The run's policy; what cannot be served is refused, unless nobody has asked for it."""
        policy = resolve_step_size(step_size)
        if not (policy.exact and problem.design.shape[1] > WIDEST) or has_working_set(problem):
            return policy
        if step_size == "auto":
            return Adaptive1()
        raise ValueError(
            f"step_size ExactStep of solver 'piag' keeps matrices of all coefficients where no l1 part makes "
            f"most of them zero, or some are unpenalised: at most {WIDEST:,}, and there are "
            f"{problem.design.shape[1]:,}. Use 'auto', or Adaptive1."
        )

    def serve(self, problem, policy, options, plan):
        """The form of the policy, and shards that may move where workers come and go."""
        settings = self._settings(options, plan)
        if plan.most_workers is not None:
            settings |= {"by_shards": divisible(problem), "most_workers": plan.most_workers}
            settings["visits"] = plan.visits
            if options.n_blocks == "auto":
                settings["n_blocks"] = SHARDS_PER_WORKER * plan.n_workers
        scalar = options.metric == "lipschitz" or isinstance(policy, NaiveStep)
        wide = problem.design.shape[1] > WIDEST
        if not policy.exact and (scalar or wide):
            return self.form, settings
        settings |= {"target": options.tol * problem.scale}
        if policy.exact and wide:
            return WidePIAG, settings | {"most_passes": options.max_iter}
        return ModelPIAG, settings


SOLVERS = {"bcd": Blocks(), "piag": Shards()}


def _working_set(options, plan):
    """Whether a working set is wanted; None leaves that to the problem."""
    return plan.working_set if options.working_set == "auto" else options.working_set


def has_working_set(problem):
    """Whether second-order models of a working set serve the problem."""
    penalised = problem.penalty.l1 > 0.0 and problem.penalty.free is None
    return penalised and (problem.shards is not None or divisible(problem))
