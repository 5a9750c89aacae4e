"""Step-size policies: hand-computed values, the step-size principle, and their life as parameters."""

import pickle
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from sk_asyncprox import Lasso
from sk_asyncprox.delays import DelayTracker
from sk_asyncprox.executors import Simulated, Trace
from sk_asyncprox.step_sizes import (
    STEP_SIZES,
    Adaptive1,
    Adaptive2,
    ExactStep,
    FixedStep,
    NaiveStep,
    Setting,
    StepSize,
)
from sk_asyncprox.theory import satisfies_principle

BCD, PIAG = Setting("bcd"), Setting("piag")
LOGS = Path(__file__).parents[2] / "shared/delays"

# Every policy with parameters that are not its defaults.
CASES = {
    Adaptive1: {"alpha": 0.5, "h": 0.8},
    Adaptive2: {"h": 0.7},
    FixedStep: {"max_delay": 4, "rule": "principle", "h": 0.6},
    NaiveStep: {"c": 2.0, "b": 3.0},
    ExactStep: {},
}
each_policy = pytest.mark.parametrize("policy", CASES, ids=lambda cls: cls.__name__)

ADAPTIVE = [Adaptive1(), Adaptive1(alpha=0.3), Adaptive1(alpha=1), Adaptive2()]
each_adaptive = pytest.mark.parametrize("policy", ADAPTIVE, ids=repr)


def run(policy, delays):
    """Steps of a run with the given delays (a row of several: PIAG's ages), checked on the way.

    The window is measured by the tracker and compared with the sum of the steps themselves.
    """
    delays = np.asarray(delays).reshape(len(delays), -1)
    rule, tracker = policy.start(BCD), DelayTracker()
    stamps, steps, running = [], [], [0.0]
    for k, ages in enumerate(delays):
        stamps.append(tracker.stamp())
        delay, window = tracker.measure(*(stamps[k - min(int(age), k)] for age in ages))
        assert delay == min(max(ages), k)
        assert window == pytest.approx(running[k] - running[k - delay], abs=1e-9)
        step = rule(delay, window)
        slack = 1e-12 + (delay + 2) * np.finfo(float).eps * max(1.0, tracker.total)
        assert step >= 0
        if step > 0:
            assert step + window <= 1 + (slack if isinstance(policy, Adaptive2) else 1e-15)
        tracker.advance(step)
        steps.append(step)
        running.append(running[-1] + step)
    assert tracker.total == pytest.approx(sum(steps), rel=1e-12)
    return np.array(steps)


def assert_enough(policy, steps, largest):
    """Lower bounds on the sum of the steps after every update, delays being at most ``largest``."""
    if isinstance(policy, Adaptive1):
        rate = policy.alpha / (largest + 1)
    else:
        rate = largest / (largest + 1) ** 2 if largest >= 1 else 1.0
    sums, counts = np.cumsum(steps), np.arange(1, len(steps) + 1)
    assert np.all(sums >= rate * counts * (1 - 1e-9))


def test_every_policy_is_tested():
    assert set(STEP_SIZES.values()) | {NaiveStep} == set(CASES)


# -- values ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "delay", "window", "step"),
    [
        (Adaptive1(alpha=0.5), 0, 0.0, 0.5),
        (Adaptive1(alpha=0.5), 3, 0.5, 0.25),
        (Adaptive1(alpha=0.5), 3, 1.0, 0.0),
        (Adaptive1(alpha=0.5), 9, 1.25, 0.0),
        (Adaptive1(alpha=1), 2, 0.25, 0.75),
        (Adaptive2(), 0, 0.0, 1.0),
        (Adaptive2(), 3, 0.5, 0.25),
        (Adaptive2(), 1, 0.5, 0.5),
        (Adaptive2(), 1, 0.501, 0.0),
        (Adaptive2(), 99, 0.0, 0.01),
        (FixedStep(4), 0, 0.0, 1 / 4.5),
        (FixedStep(4), 9, 5.0, 1 / 4.5),
        (FixedStep(0), 0, 0.0, 2.0),
        (FixedStep(4, rule="principle"), 2, 0.4, 0.2),
        (FixedStep(np.int64(4), rule="principle"), 2, 0.4, 0.2),
        (FixedStep(4, rule="davis"), 2, 0.4, 1 / 9),
        (NaiveStep(), 3, 9.0, 0.25),
        (NaiveStep(c=2.0, b=3.0), 1, 0.0, 0.5),
        (ExactStep(), 7, 3.0, 1.0),
    ],
    ids=repr,
)
def test_steps_by_hand(policy, delay, window, step):
    assert policy.start(BCD)(delay, window) == pytest.approx(step, rel=1e-15)


def test_fixed_rules_in_lengths():
    """The lengths of the literature, with the constants ``L`` and ``Lhat`` spelled out."""
    h, L, Lhat, tau, m = 0.9, 6.0, 2.0, 5, 16
    setting = Setting("bcd", smoothness_ratio=L / Lhat, n_blocks=m)
    lengths = {
        "sun": h / (Lhat * (tau + 0.5)),
        "principle": h / (Lhat * (tau + 1)),
        "davis": h / (Lhat + 2 * L * tau / np.sqrt(m)),
    }
    for rule, length in lengths.items():
        step = FixedStep(tau, rule, h).start(setting)(0, 0.0)
        assert step * h / Lhat == pytest.approx(length, rel=1e-14)


def test_fixed_step_takes_the_bound_of_the_trace():
    setting = Setting("piag", max_delay=3)
    assert FixedStep().start(setting)(0, 0.0) == pytest.approx(1 / 3.5)
    assert FixedStep(1).start(setting)(0, 0.0) == pytest.approx(1 / 1.5)
    assert (FixedStep().delay_bound(setting), FixedStep(1).delay_bound(setting)) == (3, 1)
    assert FixedStep().delay_bound(PIAG) is None


@pytest.mark.parametrize("policy", [p for p in CASES if p is not FixedStep], ids=lambda cls: cls.__name__)
def test_other_policies_have_no_bound(policy):
    assert policy().delay_bound(Setting("bcd", max_delay=3)) is None


# -- the principle ---------------------------------------------------------------------------------


@each_adaptive
@settings(max_examples=40, deadline=None)
@given(delays=st.lists(st.integers(0, 40), min_size=1, max_size=150), cap=st.integers(0, 40))
def test_principle_for_any_delays(policy, delays, cap):
    delays = np.minimum(delays, cap)
    assert_enough(policy, run(policy, delays), cap)


@each_adaptive
@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 4).flatmap(
        lambda m: st.lists(st.lists(st.integers(0, 12), min_size=m, max_size=m), min_size=1, max_size=100)
    )
)
def test_principle_for_several_reads(policy, ages):
    assert_enough(policy, run(policy, ages), np.max(ages))


@each_adaptive
@pytest.mark.parametrize("period", [2, 7, 100])
def test_principle_for_sawtooth_delays(policy, period):
    """The delays for which the naive step diverges."""
    delays = np.arange(2000) % period
    assert_enough(policy, run(policy, delays), period - 1)


def test_naive_step_breaks_the_principle():
    rule, tracker, sums = NaiveStep().start(BCD), DelayTracker(), []
    stamps = []
    for k in range(100):
        stamps.append(tracker.stamp())
        delay, window = tracker.measure(stamps[k - k % 50])
        step = rule(delay, window)
        sums.append(step + window)
        tracker.advance(step)
    assert max(sums) > 4


@each_adaptive
def test_no_delay_gives_the_largest_step(policy):
    steps = run(policy, np.zeros(100, dtype=int))
    np.testing.assert_array_equal(steps, getattr(policy, "alpha", 1.0))


@pytest.mark.parametrize("delay", [1, 2, 6, 29, 999])
def test_adaptive2_at_constant_delay_has_no_zeros(delay):
    """The test of the rule holds with equality there, for ever, so rounding must not decide it."""
    rule, total = Adaptive2().start(BCD), [0.0]
    for k in range(100_000):
        tau = min(k, delay)
        total.append(total[-1] + rule(tau, total[k] - total[k - tau]))
    steps = np.diff(total)
    assert np.count_nonzero(steps[delay + 1 :]) == 100_000 - delay - 1
    np.testing.assert_allclose(steps[delay + 1 :], 1 / (delay + 1), rtol=1e-6)


def test_adaptive1_at_constant_delay_settles():
    """The fixed point of ``g = alpha (1 - delay g)``."""
    steps = run(Adaptive1(alpha=0.5), np.full(3000, 3))
    np.testing.assert_allclose(steps[-10:], 0.5 / (1 + 3 * 0.5), rtol=1e-9)


@each_adaptive
def test_principle_on_measured_delays(policy):
    logs = sorted(LOGS.glob("*.csv"))
    if not logs:
        pytest.skip("the measured delays are not here")
    for log in logs:
        delays = np.loadtxt(log, delimiter=",", dtype=int, ndmin=2)
        assert_enough(policy, run(policy, delays), delays.max())


def test_fixed_rules_are_within_the_principle_on_measured_delays():
    logs = sorted(LOGS.glob("BCD*.csv"))
    if not logs:
        pytest.skip("the measured delays are not here")
    for log in logs:
        delays = np.loadtxt(log, delimiter=",", dtype=int)
        bound = int(delays.max())
        step = FixedStep(bound, rule="principle").start(BCD)(0, 0.0)
        assert (bound + 1) * step <= 1 + 1e-15


# -- configuration ---------------------------------------------------------------------------------


@each_policy
def test_life_as_a_parameter(policy):
    changes = CASES[policy]
    default, changed = policy(), policy(**changes)
    assert set(default.get_params()) == set(changes)
    assert changed.get_params() == changes
    assert all(default.get_params()[name] != value for name, value in changes.items())
    assert default.set_params(**changes) is default
    for twin in (default, clone(changed), pickle.loads(pickle.dumps(changed))):
        assert type(twin) is policy
        assert twin is not changed
        assert twin.get_params() == changes
    assert repr(changed) == f"{policy.__name__}({', '.join(f'{k}={v!r}' for k, v in changes.items())})"
    with pytest.raises(ValueError, match="Invalid parameter"):
        default.set_params(no_such_thing=1)


@each_policy
def test_start_leaves_the_policy_alone(policy):
    changed = policy(**CASES[policy])
    before = dict(vars(changed))
    rules = [changed.start(BCD), changed.start(BCD)]
    reads = [(0, 0.0), (1, 0.4), (1, 0.5), (3, 0.75), (7, 0.1)]
    answers = [[rule(*read) for read in reads] for rule in rules]
    # Two runs know nothing of one another, nor does a second start of the first.
    assert answers[0] == answers[1] == [changed.start(BCD)(*reads[0]), *answers[0][1:]]
    assert vars(changed) == before
    rule = changed.start(BCD)
    changed.set_params(**policy().get_params())
    assert [rule(*read) for read in reads] == answers[0]


def one_sentence(error):
    """The message, which must be one sentence."""
    text = str(error.value)
    assert text.endswith(".")
    assert not re.search(r"\.\s|\n", text)
    return text


@pytest.mark.parametrize("value", [0, -0.1, 1.1, np.nan, np.inf, "0.5", None])
def test_alpha_out_of_range(value):
    with pytest.raises(ValueError, match=rf"'alpha' parameter of Adaptive1 .* \(0.0, 1.0\]. Got {value!r}"):
        Adaptive1(alpha=value).start(BCD)


@pytest.mark.parametrize("policy", [Adaptive1, Adaptive2, FixedStep])
@pytest.mark.parametrize("value", [0, 1, 1.0, -0.1, np.nan, "0.5", None])
def test_h_out_of_range(policy, value):
    with pytest.raises(
        ValueError, match=rf"'h' parameter of {policy.__name__} .* \(0.0, 1.0\). Got {value!r}"
    ):
        policy(h=value).start(Setting("bcd", max_delay=1))


@pytest.mark.parametrize("name", ["c", "b"])
@pytest.mark.parametrize("value", [0, -1.0, np.inf, np.nan, "1", None])
def test_naive_constants_out_of_range(name, value):
    with pytest.raises(ValueError, match=rf"'{name}' parameter of NaiveStep .* \(0.0, inf\). Got {value!r}"):
        NaiveStep(**{name: value}).start(BCD)


@pytest.mark.parametrize("value", [-1, 2.0, 0.5, "3", np.nan])
def test_max_delay_out_of_range(value):
    with pytest.raises(
        ValueError, match=f"'max_delay' parameter of FixedStep must be an int .* Got {value!r}"
    ):
        FixedStep(value).start(BCD)


@pytest.mark.parametrize("value", ["Sun", None, 3, ["sun"]])
def test_unknown_rule(value):
    with pytest.raises(ValueError, match="'rule' parameter of FixedStep must be a str among") as error:
        FixedStep(2, rule=value).start(BCD)
    assert str(error.value).endswith(f"Got {value!r} instead.")


def test_unknown_bound_is_refused():
    with pytest.raises(ValueError, match=r"max_delay=None.*give max_delay, or use Adaptive1") as error:
        FixedStep().start(BCD)
    one_sentence(error)


def test_unsupported_solver_is_refused():
    with pytest.raises(ValueError, match=r"rule='davis'.*'piag'") as error:
        FixedStep(2, rule="davis").start(PIAG)
    assert "'bcd'" in one_sentence(error)


@each_policy
def test_every_supported_solver_is_served(policy):
    for solver in policy.solvers:
        step = policy(**CASES[policy]).start(Setting(solver))(0, 0.0)
        assert 0 < step < np.inf


@each_policy
def test_can_be_zero_tells_the_truth(policy):
    rule = policy(**CASES[policy]).start(BCD)
    assert (rule(5, 1.5) == 0) == policy.can_be_zero


def test_a_policy_without_a_rule_is_told_what_it_needs():
    class Nothing(StepSize):
        pass

    with pytest.raises(TypeError, match=r"Nothing needs a method make_rule\(setting\)"):
        Nothing().start(Setting("bcd"))


def test_a_policy_made_of_another_need_not_have_its_parameters():
    class Half(Adaptive1):
        def __init__(self, h=0.5):
            self.h = h

        def make_rule(self, setting):
            return lambda delay, window: 0.5 * max(0.0, 1.0 - window)

    assert Half().start(BCD)(0, 0.5) == 0.25
    with pytest.raises(ValueError, match="'h' parameter of Half"):
        Half(h=2.0).start(BCD)


class Root(StepSize):
    """``1 / sqrt(delay + 1)``, cut off at what the window leaves, or not."""

    can_be_zero = True

    def __init__(self, cut=False, h=0.99):
        self.cut = cut
        self.h = h

    def make_rule(self, setting):
        most = (lambda window: max(0.0, 1.0 - window)) if self.cut else (lambda window: 1.0)
        return lambda delay, window: min(most(window), 1.0 / np.sqrt(delay + 1))


@pytest.mark.parametrize(
    "run",
    [{"metric": "lipschitz"}, {}, {"solver": "piag", "tol": 1e-2}, {"solver": "piag", "metric": "lipschitz"}],
)
def test_a_rule_above_the_ceiling_is_warned_of_once(run):
    rng = np.random.default_rng(0)
    X, trace = rng.standard_normal((60, 8)), Trace.from_service_times([1.0, 1.0, 3.0])
    y = X @ rng.standard_normal(8)
    model = Lasso(alpha=0.1, step_size=Root(), max_iter=30, executor=Simulated(trace)).set_params(**run)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        history = model.fit(X, y).history_
    [told] = [str(one.message) for one in caught if one.category is RuntimeWarning]
    kept = satisfies_principle(history.updates["delay"], history.updates["step"], history.largest_step)
    found = re.search(
        r"Root\(.*\) broke the step-size principle at (\d+) of (\d+) updates, first at update (\d+)", told
    )
    assert [int(number) for number in found.groups()] == [np.sum(~kept), len(kept), np.argmin(kept)]


@pytest.mark.parametrize("look", ["cut", "not asked for", "not recorded"])
def test_no_warning_of_the_ceiling(look):
    model = Lasso(alpha=0.1, metric="lipschitz", executor=Simulated(Trace.constant(3)))
    policy = Root(cut=look == "cut")
    if look == "not asked for":
        policy.warns_above_ceiling = False
    X = np.random.default_rng(0).standard_normal((60, 8))
    record = None if look == "not recorded" else "updates"
    model.set_params(step_size=policy, record=record, n_blocks=4).fit(X, X[:, 0])
