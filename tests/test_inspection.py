"""The displays: what they store, what they draw, what they refuse."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_asyncprox import Lasso
from sk_asyncprox.executors import Simulated, Trace
from sk_asyncprox.inspection import ConvergenceDisplay, DelayDisplay, StepSizeDisplay, TimelineDisplay
from sk_asyncprox.inspection._axes import styles
from sk_asyncprox.step_sizes import Adaptive1, Adaptive2, ExactStep, FixedStep

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")
LineCollection = pytest.importorskip("matplotlib.collections").LineCollection

DISPLAYS = [ConvergenceDisplay, DelayDisplay, StepSizeDisplay, TimelineDisplay]
EXAMPLES = Path(__file__).parents[1] / "examples"
UNEQUAL = Trace.from_service_times([1.0, 1.0, 1.0, 4.0])

each_display = pytest.mark.parametrize("display", DISPLAYS)


@pytest.fixture(autouse=True)
def no_figure_left():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def fit():
    """Fits of one small problem, each once."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 12))
    y = X[:, :3].sum(axis=1) + 0.3 * rng.standard_normal(60)
    known = {}

    def make(trace=UNEQUAL, **settings):
        key = (id(trace), *map(str, settings.items()))
        if key not in known:
            executor = "threads" if trace is None else Simulated(trace)
            settings = {"alpha": 0.05, "n_blocks": 6, "executor": executor, "record": "iterates"} | settings
            known[key] = trace, Lasso(**settings).fit(X, y)
        return known[key][1]

    return make


# -- every display ------------------------------------------------------------------------------------


@each_display
def test_draws_from_estimators_histories_and_dicts(display, fit):
    one, two = fit(), fit(step_size="adaptive2")
    for drawn in (
        display.from_estimator(one),
        display.from_history(one.history_),
        display.from_estimator({"exact": one, "adaptive 2": two}),
        display.from_history({"exact": one.history_, "adaptive 2": two.history_}),
    ):
        assert isinstance(drawn, display)
        drawn.figure_.canvas.draw()
        axes = np.ravel(drawn.ax_)
        assert all(ax.figure is drawn.figure_ for ax in axes)
        assert axes[-1].get_xlabel() != ""
        assert drawn.figure_.get_size_inches()[0] <= 6.0
        assert drawn.plot() is drawn, "a display can be drawn again"


@each_display
def test_draws_on_the_given_axes(display, fit):
    figure, ax = plt.subplots()
    drawn = display.from_estimator(fit(), ax=ax)
    assert drawn.figure_ is figure
    assert plt.get_fignums() == [figure.number]
    axes = np.ravel(drawn.ax_)
    assert list(axes) == [ax] if display is not StepSizeDisplay else set(axes) == set(ax.child_axes)


@each_display
def test_draws_threads(display, fit):
    drawn = display.from_estimator(fit(None, n_jobs=2))
    drawn.figure_.canvas.draw()


@each_display
def test_draws_piag(display, fit):
    drawn = display.from_estimator(fit(solver="piag", tol=1e-2))
    drawn.figure_.canvas.draw()


@each_display
@pytest.mark.parametrize(
    ("run", "error", "message"),
    [
        (Lasso(), NotFittedError, "not fitted"),
        (StandardScaler().fit([[1.0], [2.0]]), TypeError, "StandardScaler has no history_"),
        ({}, ValueError, "no run to draw: the dict is empty"),
    ],
)
def test_estimators_that_cannot_be_drawn(display, run, error, message):
    with pytest.raises(error, match=message):
        display.from_estimator(run)


@each_display
def test_the_two_makers_are_told_apart(display, fit):
    with pytest.raises(TypeError, match="for a History, use from_history"):
        display.from_estimator(fit().history_)
    with pytest.raises(TypeError, match="not Lasso; for estimators, use from_estimator"):
        display.from_history(fit())
    pipeline = make_pipeline(StandardScaler(), Lasso(alpha=0.1)).fit([[0.0], [1.0], [3.0]], [0.0, 1.0, 2.0])
    assert display.from_estimator(pipeline)
    search = GridSearchCV(pipeline, {"lasso__alpha": [0.1]}, cv=2).fit(
        np.arange(8.0)[:, None], np.arange(8.0)
    )
    assert display.from_estimator({"search": search})
    with pytest.raises(TypeError, match="StandardScaler has no history_; give a fitted"):
        display.from_estimator(pipeline[0])


@pytest.mark.parametrize("display", [DelayDisplay, StepSizeDisplay, TimelineDisplay])
def test_unrecorded_runs_are_refused_in_one_sentence(display, fit):
    bare = fit(record=None)
    with pytest.raises(ValueError, match=r"^The run was not recorded \(record=None\); fit with .*\.$"):
        display.from_estimator(bare)
    with pytest.raises(ValueError, match=r"^The run 'bare' was not recorded"):
        display.from_estimator({"one": fit(), "bare": bare})


def test_the_convergence_of_an_unrecorded_run_is_that_of_its_certificates(fit):
    bare = fit(record=None)
    drawn = ConvergenceDisplay.from_estimator(bare)
    assert_array_equal(drawn.objective["run"], bare.history_.certificates["objective"])
    assert_array_equal(drawn.x["run"], bare.history_.certificates["update"])


@each_display
def test_without_matplotlib_the_error_says_what_to_install(display, fit, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"sk_asyncprox\[plot\]"):
        display.from_estimator(fit())


# -- convergence ----------------------------------------------------------------------------------------


def test_convergence_arrays(fit):
    model = fit()
    iterates, certificates = model.history_.iterates, model.history_.certificates
    drawn = ConvergenceDisplay.from_estimator(model)
    assert_array_equal(drawn.x["run"], iterates["update"] + 1)
    assert drawn.optimum == np.max(certificates["objective"] - certificates["gap"])
    expected = (iterates["objective"] - drawn.optimum) / iterates["objective"][0]
    assert_allclose(drawn.error["run"], expected, rtol=1e-15)
    line = drawn.ax_.lines[0]
    assert_array_equal(line.get_ydata(), drawn.error["run"])
    assert drawn.ax_.get_yscale() == "log"
    assert drawn.ax_.get_ylabel() == "relative objective error (upper bound)"
    assert drawn.ax_.get_legend() is None


@pytest.mark.parametrize(
    ("x", "label"),
    [
        ("updates", "updates (writes)"),
        ("passes", "passes over the data"),
        ("time", "virtual time (units of the trace)"),
    ],
)
def test_convergence_horizontal_axes(x, label, fit):
    drawn = ConvergenceDisplay.from_estimator(fit(), x=x)
    assert drawn.ax_.get_xlabel() == label
    assert np.all(np.diff(drawn.x["run"]) >= 0)


def test_convergence_settings(fit):
    drawn = ConvergenceDisplay.from_estimator(fit(), optimum=0.01, relative=False, color="black")
    assert_allclose(drawn.error["run"], fit().history_.iterates["objective"] - 0.01)
    assert drawn.ax_.get_ylabel() == "objective error"
    assert drawn.ax_.lines[0].get_color() == "black"
    with pytest.raises(ValueError, match="x must be one of 'updates', 'passes', 'time', not 'epochs'"):
        ConvergenceDisplay.from_estimator(fit(), x="epochs")


def test_six_runs_are_told_apart_without_colour():
    found = styles("abcdefgh")
    assert len({style["linestyle"] for style in list(found.values())[:6]}) == 6
    assert len({tuple(style.values()) for style in found.values()}) == 8


def test_runs_share_optimum_and_scale(fit):
    models = {"loose": fit(tol=1e-2), "tight": fit(tol=1e-8)}
    drawn = ConvergenceDisplay.from_estimator(models)
    bounds = [
        np.max(m.history_.certificates["objective"] - m.history_.certificates["gap"]) for m in models.values()
    ]
    assert drawn.optimum == max(bounds)
    assert drawn.error["tight"][-1] < 1e-8 < drawn.error["loose"][-1]
    assert [text.get_text() for text in drawn.ax_.get_legend().get_texts()] == ["loose", "tight"]


def test_virtual_time_and_seconds_are_not_mixed(fit):
    mixed = {"simulated": fit(), "threads": fit(None, n_jobs=2)}
    assert ConvergenceDisplay.from_estimator(mixed, x="passes")
    message = "^Virtual time of simulated runs and seconds of real runs do not fit on one axis"
    with pytest.raises(ValueError, match=message):
        ConvergenceDisplay.from_estimator(mixed, x="time")
    with pytest.raises(ValueError, match=message):
        TimelineDisplay.from_estimator(mixed)
    assert ConvergenceDisplay.from_estimator(mixed["threads"], x="time").ax_.get_xlabel() == "time (s)"


def test_runs_of_different_problems_are_refused(fit):
    models = {"small": fit(), "large": fit(alpha=0.5)}
    with pytest.raises(ValueError, match=r"^The runs are not of one problem: 'large' proves .* 'small'"):
        ConvergenceDisplay.from_estimator(models)
    assert ConvergenceDisplay.from_estimator(models, optimum=0.0)


# -- delays -----------------------------------------------------------------------------------------------


def test_delay_histogram_of_a_round_robin(fit):
    model = fit(Trace.constant(3))
    drawn = DelayDisplay.from_estimator(model)
    n = model.n_updates_
    assert_array_equal(drawn.delays["run"], np.minimum(np.arange(n), 2))
    bars = drawn.ax_.patches
    assert [bar.get_height() for bar in bars] == [1, 1, n - 2]
    assert [round(bar.get_x() + 0.5) for bar in bars] == [0, 1, 2]


def test_delay_histogram_of_several_runs_shows_shares(fit):
    drawn = DelayDisplay.from_estimator({"a": fit(Trace.constant(3)), "b": fit()})
    for line in drawn.ax_.lines:
        assert line.get_ydata().sum() == pytest.approx(1.0)
    assert "a: mean" in drawn.ax_.get_legend().get_texts()[0].get_text()


def test_many_delays_get_wide_bins():
    drawn = DelayDisplay({"run": np.arange(200)}, {"run": []}).plot()
    assert [bar.get_height() for bar in drawn.ax_.patches] == [4] * 50


def test_worker_delays(fit):
    model = fit()
    drawn = DelayDisplay.from_estimator(model, kind="workers")
    arrivals, delays = model.history_.arrivals, model.history_.updates["delay"]
    assert len(drawn.worker_delays["run"]) == 4
    for worker, own in enumerate(drawn.worker_delays["run"]):
        assert_array_equal(own, delays[arrivals["worker"] == worker])
    assert [text.get_text() for text in drawn.ax_.get_yticklabels()] == [f"worker {i}" for i in range(4)]
    quartiles = np.percentile(drawn.worker_delays["run"][3], [25, 75])
    bar = drawn.ax_.patches[3]
    assert_allclose([bar.get_x(), bar.get_x() + bar.get_width()], quartiles)


def test_delay_against_update(fit):
    drawn = DelayDisplay.from_estimator(fit(), kind="time")
    assert_array_equal(drawn.ax_.lines[0].get_ydata(), fit().history_.updates["delay"])
    with pytest.raises(ValueError, match="kind must be one of 'histogram', 'workers', 'time', not 'box'"):
        DelayDisplay.from_estimator(fit(), kind="box")


# -- steps ------------------------------------------------------------------------------------------------


def test_step_arrays_by_hand():
    drawn = StepSizeDisplay(
        {"run": np.array([1.0, 0.5, 0.0, 0.25])},
        {"run": np.array([0, 1, 2, 1])},
        {"run": 2.0},
        {"run": Adaptive1(alpha=0.6)},
    ).plot()
    assert_array_equal(drawn.integral["run"], [1.0, 1.5, 1.5, 1.75])
    assert_array_equal(drawn.window["run"], [1.0, 1.5, 1.5, 0.25])
    assert_allclose(drawn.lower_bound["run"], 0.6 * 2.0 / 3.0 * np.arange(1, 5))
    upper, lower = drawn.ax_
    lines = {line.get_label(): line for line in upper.lines}
    assert_array_equal(lines["step"].get_xdata(), [0, 1, 3])
    assert_array_equal(lines["step"].get_ydata(), [0.5, 0.25, 0.125])
    assert_array_equal(lines["sum over its window"].get_ydata(), [0.5, 0.75, 0.125])
    assert_array_equal(lines["1 zero steps"].get_xdata(), [2])
    assert_array_equal(lines["ceiling γ′"].get_ydata(), [1.0, 1.0])
    assert_array_equal(lower.lines[0].get_ydata(), [0.5, 0.75, 0.75, 0.875])


@pytest.mark.parametrize("solver", ["bcd", "piag"])
@pytest.mark.parametrize(
    ("policy", "rate"),
    [(Adaptive1(alpha=0.7), lambda tau: 0.7 / (tau + 1)), (Adaptive2(), lambda tau: tau / (tau + 1) ** 2)],
)
def test_the_bounds_hold(solver, policy, rate, fit):
    model = fit(step_size=policy, solver=solver, tol=1e-2)
    drawn = StepSizeDisplay.from_estimator(model)
    updates, unit = model.history_.updates, model.history_.largest_step
    k = np.arange(1, model.n_updates_ + 1)
    assert_array_equal(drawn.integral["run"], np.cumsum(updates["step"]))
    assert_allclose(drawn.lower_bound["run"], k * unit * rate(updates["delay"].max()))
    assert np.all(drawn.integral["run"] >= drawn.lower_bound["run"] * (1 - 1e-12))
    moved = updates["step"] > 0
    assert np.all(drawn.window["run"][moved] <= unit * (1 + 1e-9))


def test_adaptive_2_without_delays_takes_every_step(fit):
    model = fit(None, n_jobs=1, step_size="adaptive2")
    drawn = StepSizeDisplay.from_estimator(model)
    assert_allclose(drawn.lower_bound["run"], drawn.integral["run"])


def test_bounds_need_a_policy(fit):
    history = fit(step_size="adaptive1").history_
    assert StepSizeDisplay.from_history(history).lower_bound["run"] is None
    named = StepSizeDisplay.from_history(history, step_size="adaptive1")
    given = StepSizeDisplay.from_history({"a": history}, step_size={"a": Adaptive1()})
    assert_array_equal(named.lower_bound["run"], given.lower_bound["a"])
    for other in (ExactStep(), FixedStep(max_delay=3), "auto"):
        assert StepSizeDisplay.from_history(history, step_size=other).lower_bound["run"] is None


def test_steps_of_several_targets_know_their_policy():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 6))
    settings = {"n_blocks": 6, "executor": Simulated(UNEQUAL), "step_size": "adaptive1"}
    model = Lasso(alpha=0.05, **settings).fit(X, X[:, :2] + 0.1 * rng.standard_normal((40, 2)))
    drawn = StepSizeDisplay.from_estimator({"both": model})
    assert list(drawn.policies) == ["both, target 0", "both, target 1"]
    for label, policy in drawn.policies.items():
        assert isinstance(policy, Adaptive1)
        assert np.all(drawn.integral[label] >= drawn.lower_bound[label] * (1 - 1e-12))


def test_windows_of_the_exact_step_are_not_drawn(fit):
    drawn = StepSizeDisplay.from_estimator(fit())
    assert {"sum over its window", "ceiling γ′"}.isdisjoint(line.get_label() for line in drawn.ax_[0].lines)
    assert drawn.ax_[0].get_ylabel() == "step / full step"


def test_parts_and_axes_of_the_step_display(fit):
    model = fit(step_size="adaptive2")
    _, axes = plt.subplots(1, 2)
    assert list(StepSizeDisplay.from_estimator(model, ax=axes).ax_) == list(axes)
    _, ax = plt.subplots()
    assert StepSizeDisplay.from_estimator(model, kind="steps", ax=ax).ax_ is ax
    assert StepSizeDisplay.from_estimator(model, kind="integral").ax_.get_ylabel() == "sum of steps / γ′"
    with pytest.raises(ValueError, match="ax must be one axes or 2 of them, not 3"):
        StepSizeDisplay.from_estimator(model, ax=[ax, ax, ax])
    with pytest.raises(ValueError, match="kind must be one of"):
        StepSizeDisplay.from_estimator(model, kind="all")


def test_every_run_has_steps_of_its_own_panel(fit):
    runs = {name: fit(step_size=name) for name in ("exact", "adaptive1", "adaptive2")}
    drawn = StepSizeDisplay.from_estimator(runs)
    *panels, below = drawn.ax_
    for panel, (name, model) in zip(panels, runs.items(), strict=True):
        steps = model.history_.updates["step"]
        [line] = [line for line in panel.lines if line.get_label() == "step"]
        assert_allclose(line.get_ydata(), steps[steps > 0] / model.history_.largest_step)
        title = panel.get_title(loc="left")
        assert title == f"{name}: {len(steps)} updates, {np.sum(steps == 0)} zero steps"
        shows = "sum over its window" in [line.get_label() for line in panel.lines]
        assert shows == (name != "exact")
        assert panel.get_xlim() == below.get_xlim()
    looks = {line.get_linestyle() for line in below.lines if line.get_label() in runs}
    assert len(looks) == 3, "told apart without colour"
    assert len(drawn.plot(kind="steps").ax_) == 3
    _, axes = plt.subplots(4)
    assert list(drawn.plot(ax=axes).ax_) == list(axes)


# -- bare traces --------------------------------------------------------------------------------------------

TRACES = {
    "constant": Trace.constant(5),
    "random": UNEQUAL,
    "lockstep": Trace.from_service_times(1.0, 4, distribution="deterministic"),
    "bcd log": Trace.from_delays([0, 1, 2, 2, 5, 3]),
    "piag log": Trace.from_delays([[0, 0], [0, 1], [1, 0], [0, 1]]),
    "events": Trace.from_events([0.0, 0.0, 1.0, 2.0], [1.0, 2.5, 2.0, 3.0], ["a", "b", "a", "a"]),
}


@pytest.mark.parametrize("solver", ["bcd", "piag"])
@pytest.mark.parametrize("name", TRACES)
def test_delays_of_a_bare_trace(name, solver):
    trace = TRACES[name]
    solver = trace.solver or solver
    known = trace.delays(50, solver)
    drawn = DelayDisplay.from_trace(trace, solver=solver, n_updates=50)
    assert_array_equal(drawn.delays["run"], known.max(axis=1) if known.ndim == 2 else known)
    results = np.concatenate(drawn.worker_delays["run"])
    if solver == "bcd":
        assert_array_equal(np.sort(results), np.sort(known))
    assert len(results) >= 50
    assert len(drawn.worker_delays["run"]) == trace.n_workers


@pytest.mark.parametrize("solver", ["bcd", "piag"])
def test_a_bare_trace_looks_like_a_fit_along_it(solver, fit):
    n_blocks = 4 if solver == "piag" else 6
    model = fit(solver=solver, step_size="adaptive1", metric="lipschitz", n_blocks=n_blocks, tol=1e-2)
    fitted = TimelineDisplay.from_estimator(model, stop=20)
    bare = TimelineDisplay.from_trace(UNEQUAL, solver=solver, stop=20)
    n_tasks = min(len(bare.tasks), len(fitted.tasks))
    for name in ("worker", "start", "end", "update", "delay"):
        assert_allclose(bare.tasks[name][:n_tasks], fitted.tasks[name][:n_tasks])
    assert n_tasks >= 20
    assert bare.rows == fitted.rows


def test_a_recorded_trace_is_drawn_as_its_run(fit):
    model = fit(step_size="adaptive2")
    trace = Trace.from_history(model.history_)
    assert_array_equal(DelayDisplay.from_trace(trace).delays["run"], model.history_.updates["delay"])
    shown = DelayDisplay.from_trace({"now": trace, "before": UNEQUAL}, kind="workers")
    assert [text.get_text() for text in shown.ax_.get_yticklabels()][4] == "before, worker 0"


def test_what_is_no_trace_is_refused():
    with pytest.raises(TypeError, match="from_trace needs a Trace, not Simulated"):
        DelayDisplay.from_trace(Simulated(UNEQUAL))
    with pytest.raises(ValueError, match="solver must be one of 'bcd', 'piag', not 'both'"):
        TimelineDisplay.from_trace(UNEQUAL, solver="both")


# -- timeline ---------------------------------------------------------------------------------------------


def test_bars_of_a_round_robin(fit):
    """Update k is written at time k + 1 and was read at k - 2, the start of its worker's turn."""
    model = fit(Trace.constant(3))
    drawn = TimelineDisplay.from_estimator(model)
    tasks, k = drawn.tasks, np.arange(model.n_updates_)
    assert_array_equal(tasks["update"], k)
    assert_array_equal(tasks["end"], k + 1.0)
    assert_array_equal(tasks["start"], np.maximum(k - 2, 0))
    assert_array_equal(tasks["worker"], model.history_.arrivals["worker"])
    assert_array_equal(tasks["block"], model.history_.arrivals["block"])
    assert not tasks["certificate"].any()
    assert_array_equal(drawn.inline_certificates[0], model.history_.certificates["time"])


@pytest.mark.parametrize("settings", [{}, {"solver": "piag", "tol": 1e-2}, {"step_size": "adaptive2"}])
@pytest.mark.parametrize("trace", [UNEQUAL, None])
def test_tasks_of_a_worker_follow_one_another(trace, settings, fit):
    settings = settings | ({"n_jobs": 2} if trace is None else {})
    history = fit(trace, **settings).history_
    drawn = TimelineDisplay.from_history(history)
    tasks, times = drawn.tasks, history.updates["time"]
    assert np.all(tasks["end"] >= tasks["start"])
    for worker in range(history.n_workers):
        own = tasks[tasks["worker"] == worker]
        assert np.all(own["start"][1:] >= own["end"][:-1])
    steps = tasks[~tasks["certificate"]]
    assert len(steps) == len(history.arrivals)
    assert np.all(steps["end"] <= times[steps["update"]])
    assert tasks["certificate"].sum() == (history.certificates["worker"] >= 0).sum()
    if history.solver == "bcd":
        # As many writes end inside a task, after its read, as its delay says.
        inside = [np.sum((times > task["start"]) & (times < task["end"])) for task in steps]
        assert_array_equal(inside, history.updates["delay"][steps["update"]])


def test_the_window_of_a_timeline(fit):
    model = fit(Trace.constant(3))
    drawn = TimelineDisplay.from_estimator(model, start=10, stop=15)
    assert drawn.ax_.get_xlim() == (10.0, 15.0)
    assert drawn.plot().ax_.get_xlim() == (0.0, min(60.0, model.n_updates_))
    n_bars = sum(len(collection.get_paths()) for collection in drawn.plot(start=10, stop=15).ax_.collections)
    assert n_bars == 5 + 2, "those written in the window, and two that go on"
    for bad in ({"start": -1}, {"start": 10, "stop": 10}, {"start": 10**6}):
        with pytest.raises(ValueError, match=r"^There is nothing to draw from update"):
            drawn.plot(**bad)


def test_looks_of_a_timeline(fit):
    drawn = TimelineDisplay.from_estimator(fit(step_size="adaptive2"))
    assert "zero step" in [text.get_text() for text in drawn.ax_.get_legend().get_texts()]
    drawn.plot(color="phase")
    labels = [text.get_text() for text in drawn.ax_.get_legend().get_texts()]
    assert labels == ["descent", "zero step", "certificate (no task)"]
    threads = TimelineDisplay.from_estimator(fit(None, n_jobs=2))
    assert "certificate" in [text.get_text() for text in threads.ax_.get_legend().get_texts()]
    assert threads.ax_.get_xlabel() in ("time (ms)", "time (s)")
    with pytest.raises(ValueError, match="color must be one of 'block', 'phase', not 'worker'"):
        drawn.plot(color="worker")


@pytest.mark.parametrize(("solver", "write"), [("bcd", 20), ("bcd", 0), ("piag", 15)])
def test_the_delay_of_a_write_is_shown(fit, solver, write):
    model = fit(solver=solver, step_size="adaptive1")
    delay = model.history_.updates["delay"][write]
    drawn = TimelineDisplay.from_estimator(model, write=write)
    (dots,) = [line for line in drawn.ax_.lines if line.get_marker() == "o"]
    if solver == "bcd":
        assert len(dots.get_xdata()) == delay
        times = model.history_.updates["time"][write - delay : write]
        assert_array_equal(np.sort(dots.get_xdata()), times)
    assert f"delay of update {write}: {delay} writes" in [
        text.get_text() for text in drawn.ax_.get_legend().get_texts()
    ]
    with pytest.raises(ValueError, match="no update 100000 whose delay"):
        drawn.plot(write=100_000)


def test_rows_of_several_runs(fit):
    drawn = TimelineDisplay.from_estimator({"a": fit(), "b": fit(Trace.constant(3))})
    assert drawn.rows == [*(f"a, worker {i}" for i in range(4)), *(f"b, worker {i}" for i in range(3))]
    assert set(drawn.tasks["row"]) == set(range(7))
    drawn.plot(start=0, stop=1000)
    lines = [each for each in drawn.ax_.collections if isinstance(each, LineCollection)]
    spans = {tuple(segment[:, 1]) for each in lines for segment in each.get_segments()}
    assert spans == {(-0.5, 3.5), (3.5, 6.5)}, "certificates cross the rows of their own run"
    drawn.plot(write=10)
    (dots,) = [line for line in drawn.ax_.lines if line.get_marker() == "o"]
    assert max(dots.get_ydata()) < 4


# -- the gallery --------------------------------------------------------------------------------------------


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the examples are not here")
@pytest.mark.parametrize("name", ["plot_first_fit", "plot_naive_diverges", "plot_own_log"])
def test_examples_run(name):
    runpy.run_path(str(EXAMPLES / f"{name}.py"))
    assert plt.get_fignums()
