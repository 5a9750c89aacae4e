"""A fit that fails, however it fails, leaves the estimator as it was: unfitted, or fitted as before."""

import gc
import inspect
import itertools
import sys
import threading
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils.validation import check_is_fitted

from sk_asyncprox import ElasticNet, ElasticNetCV, Lasso, LassoCV, LogisticRegression, LogisticRegressionCV
from sk_asyncprox.executors import Simulated, Trace, threads
from sk_asyncprox.solvers import RoundsBCD
from sk_asyncprox.step_sizes import FixedStep, StepSize

MODELS = [
    Lasso(alpha=0.05),
    ElasticNet(alpha=0.05, warm_start=True),
    LogisticRegression(l1_ratio=0.5),
    LogisticRegression(l1_ratio=0.5, warm_start=True, n_jobs=2),
    LassoCV(cv=3, alphas=4),
    ElasticNetCV(cv=3, alphas=3, l1_ratio=[0.5, 0.9]),
    LogisticRegressionCV(cv=3, Cs=3),
    LogisticRegressionCV(cv=3, Cs=3, refit=False, n_jobs=2, max_time=60),  # which has it go by rounds
]
EXPECTED = (ValueError, TypeError, MemoryError, KeyboardInterrupt, SystemExit, ConvergenceWarning)
# What fits has five features and two classes; what fails has seven and three.
RNG = np.random.default_rng(0)
X, Z = RNG.standard_normal((60, 5)), RNG.standard_normal((90, 7))


def is_classifier(model):
    return hasattr(model, "predict_proba")


def target(model, n):
    wave = np.sin(np.arange(n))
    return np.where(wave > 0, "yes", "no") if is_classifier(model) else wave


def other_target(model):
    return np.array(["a", "b", "c"])[np.arange(90) % 3] if is_classifier(model) else Z[:, 0] - Z[:, 1]


def seen(model):
    """What there is to be seen of an estimator, arrays copied."""
    return {
        name: value.copy() if isinstance(value, np.ndarray) else value for name, value in vars(model).items()
    }


def assert_as_it_was(model, before):
    assert list(vars(model)) == list(before)
    for name, value in vars(model).items():
        if isinstance(value, np.ndarray):
            assert_array_equal(value, before[name])
        else:
            assert value is before[name], name


def fails(model, failure):
    """The estimator fails to fit, before it was ever fitted and after."""
    for fitted in (False, True):
        model = clone(model)
        if fitted:
            model.fit(X, target(model, 60))
            predicted = model.predict(X)
        before = seen(model)
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            with pytest.raises(EXPECTED):
                failure(model)
        assert_as_it_was(model, before)
        if fitted:
            assert_array_equal(model.predict(X), predicted)
        else:
            with pytest.raises(NotFittedError):
                check_is_fitted(model)


def broken(y=None, **change):
    """Data that are refused, late or early."""

    def failure(model):
        good = other_target(model)
        data = {"X": Z, "y": good if y is None else y(good), "sample_weight": None} | change
        model.fit(**data)

    return failure


def told(error, share):
    """The solver raises after a share of the fit's tells."""

    def tells(model, most):
        plain, calls = RoundsBCD.tell, 0

        def tell(self, arrivals):
            nonlocal calls
            calls += 1
            if calls > most:
                raise error
            return plain(self, arrivals)

        RoundsBCD.tell = tell
        try:
            model.fit(Z, other_target(model))
        finally:
            RoundsBCD.tell = plain
        return calls

    def failure(model):
        tells(model, share * (tells(clone(model), np.inf) - 1))

    return failure


def configured(**params):
    """Parameters that are refused, some of them only when the run is set up; they stay as they were set."""

    def failure(model):
        names = model.get_params()
        kept = {name: names[name] for name in params}
        try:
            model.set_params(**params).fit(Z, other_target(model))
        finally:
            model.set_params(**kept)

    return failure


class Nowhere(StepSize):
    """A policy of the user's own that fails."""

    def make_rule(self, setting):
        raise ValueError("no step for this one")


NAN = np.where(np.arange(90)[:, None] == 80, np.nan, Z)
FAILURES = {
    "NaN in X": broken(X=NAN),
    "NaN in sparse X": broken(X=sp.csr_array(NAN)),
    "X of one dimension": broken(X=Z[:, 0]),
    "y too short": broken(lambda y: y[:-1]),
    "y of one value or NaN": broken(lambda y: y[:1].repeat(90) if y.dtype.kind == "U" else y * np.nan),
    "weights all zero": broken(sample_weight=np.zeros(90)),
    "weights negative": broken(sample_weight=-np.ones(90)),
    "weights too few": broken(sample_weight=np.ones(3)),
    "n_jobs": configured(n_jobs=0),
    "max_iter": configured(max_iter=-1),
    "tolerance missed": configured(max_iter=1, tol=1e-14),
    "policy without a bound": configured(step_size=FixedStep()),
    "policy for another solver": configured(step_size=FixedStep(3, rule="davis"), solver="piag"),
    "policy of one's own": configured(step_size=Nowhere()),
    "trace for another solver": configured(executor=Simulated(Trace.from_delays([[0, 0], [0, 1]]))),
    "memory": told(MemoryError(), 0.0),
    "memory late": told(MemoryError(), 1.0),
    "Ctrl-C": told(KeyboardInterrupt(), 0.3),
    "exit": told(SystemExit(3), 0.7),
}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("model", MODELS, ids=lambda model: repr(model)[:60])
def test_every_failure_leaves_every_estimator_as_it_was(model, failure, nothing_left):
    fails(model, FAILURES[failure])


class Interrupted(BaseException):
    """What the handler of a signal raises."""


@pytest.mark.parametrize("model", MODELS[:3] + MODELS[4:5] + MODELS[6:7], ids=lambda model: repr(model)[:60])
def test_a_signal_at_any_moment(model, nothing_left):
    """Raised where functions of the fit begin, at some forty moments from the first to the last."""
    model = clone(model).fit(X, target(model, 60))
    y = other_target(model)

    def interrupt(at):
        moment = 0

        def raise_at(frame, event, _):
            nonlocal moment
            # What is raised in a generator that is being closed is lost in Python itself.
            called = event == "call" and not frame.f_code.co_flags & inspect.CO_GENERATOR
            moment += called
            if called and moment == at:
                sys.setprofile(None)
                raise Interrupted

        gc.disable()  # nor is what is raised where the collector calls others, as distributed has it do
        sys.setprofile(raise_at)
        try:
            model.fit(Z, y)
        finally:
            sys.setprofile(None)
            gc.enable()
        return moment

    moments = interrupt(0)
    again = clone(model).fit(X, target(model, 60))
    vars(model).clear()
    vars(model).update(vars(again))
    for at in np.unique(np.geomspace(1, moments - 60, 40).astype(int)):
        before = seen(model)
        with pytest.raises(Interrupted):
            interrupt(at)
        assert_as_it_was(model, before)


@pytest.mark.timeout(60)
def test_an_error_wherever_the_threads_take_turns(nothing_left):
    """Raised where functions of the workers' loops begin, in each of the first moments."""
    model = ElasticNet(1e-3, n_jobs=3, tol=0.0, max_iter=5, step_size="adaptive1")
    own = threads.__file__

    def fit(at):
        moment = itertools.count(1)

        def raise_at(frame, event, _):
            if event == "call" and frame.f_code.co_filename == own and next(moment) == at:
                raise Interrupted

        threading.setprofile(raise_at)  # for threads that begin from now on
        try:
            model.fit(X, target(model, 60))
        finally:
            threading.setprofile(None)

    for at in range(1, 60):
        with pytest.raises(Interrupted):
            fit(at)
        assert not hasattr(model, "coef_")


def test_without_a_last_fit_nothing_is_said_of_an_earlier_one():
    model = LogisticRegressionCV(cv=3, Cs=3).fit(X, target(MODELS[-1], 60))
    assert {"dual_gap_", "objective_", "n_updates_", "history_"} <= set(vars(model))
    model.set_params(refit=False).fit(X, target(model, 60))
    assert vars(model).keys() == vars(clone(model).fit(X, target(model, 60))).keys()
