"""The interactive page computes what the package's simulator computes, and answers to its controls."""

import json
import re
import shutil
import subprocess
import sys
import warnings
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from sk_asyncprox import Lasso
from sk_asyncprox.executors import Simulated, Trace
from sk_asyncprox.step_sizes import Adaptive1, Adaptive2, FixedStep, NaiveStep
from sk_asyncprox.theory import window_sums

DOC = Path(__file__).parents[1] / "doc"
sys.path.append(str(DOC))
import problems  # noqa: E402

NODE = shutil.which("node")
BROWSER = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
needs_node = pytest.mark.skipif(NODE is None, reason="node is not there")

N_UPDATES = 120
ADAPTIVE1, ADAPTIVE2, FIXED, NAIVE = ({"name": n} for n in ("adaptive1", "adaptive2", "fixed", "naive"))
OWN = {"name": "own", "formula": "0.9 * max(0, 1 - window)"}
EQUAL, SLOW, MIXED = [1.0] * 8, [1.0, 1.0, 1.0, 4.0], [1.0, 0.3, 2.5, 1.7, 0.9]
REGULAR = {"distribution": "deterministic"}
TEN = {
    "lockstep, Adaptive 1": (ADAPTIVE1, Adaptive1(), EQUAL, REGULAR, 6),
    "lockstep, naive": (NAIVE, NaiveStep(), EQUAL, REGULAR, 6),
    "slow worker, Adaptive 1": ({**ADAPTIVE1, "alpha": 0.5}, Adaptive1(0.5), SLOW, REGULAR, 5),
    "slow worker, Adaptive 2": (ADAPTIVE2, Adaptive2(), SLOW, REGULAR, 10),
    "slow worker, fixed": (FIXED, FixedStep(), SLOW, REGULAR, 3),
    "one worker": (ADAPTIVE2, Adaptive2(), [1.0], REGULAR, 4),
    "unequal, naive": ({**NAIVE, "c": 0.5}, NaiveStep(0.5), MIXED, REGULAR, 7),
    "unequal, own formula": (OWN, Adaptive1(), MIXED, REGULAR, 10),
    "random, Adaptive 1": (ADAPTIVE1, Adaptive1(), SLOW, {}, 10),
    "heavy tails, Adaptive 2": (ADAPTIVE2, Adaptive2(), MIXED, {"distribution": "pareto"}, 2),
}


def in_node(code, given=None):
    """What the code, a function body with ``Asynchrony`` and ``given``, returns."""
    script = f"const Asynchrony = require({json.dumps(str(DOC / '_static' / 'simulation.js'))});"
    script += f"const given = {json.dumps(given)};"
    script += f"console.log(JSON.stringify((() => {{ {code} }})()));"
    ended = subprocess.run([NODE, "-"], input=script, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def python_run(policy, trace, n_blocks, X, y, alpha):
    model = Lasso(
        alpha=alpha, metric="lipschitz", n_blocks=n_blocks, step_size=policy, executor=Simulated(trace),
        max_iter=60, tol=0, record="iterates",
    )  # fmt: skip
    with warnings.catch_warnings(action="ignore"):
        return model.fit(X, y).history_


def draws(history):
    """Blocks of every worker's reads, in their order; what was never written has some block."""
    drawn = {worker: [] for worker in range(history.n_workers)}
    for row in np.sort(history.arrivals, order="asked"):
        drawn[int(row["worker"])].append(int(row["block"]))
    return {worker: [*numbers, 0, 0] for worker, numbers in drawn.items()}


@needs_node
@pytest.mark.parametrize("case", TEN)
def test_runs_are_those_of_the_simulator(case):
    wanted, policy, means, law, n_blocks = TEN[case]
    X, y, alpha = list(problems.data().values())[n_blocks == 6]
    trace = Trace.from_service_times(means, **law)
    history = python_run(policy, trace, n_blocks, X, y, alpha)
    parts = problems.problem(X, y, alpha, [n_blocks])
    # The page draws blocks and random times from streams of its own: here they are the simulator's.
    drawn = draws(history) if policy.can_be_zero and len(means) > 1 else None
    events = [list(event) for event in islice(trace.events(), N_UPDATES)]
    code = """
      const regular = Asynchrony.schedule(given.means, given.updates);
      const listed = given.events.map(([time, asks, tells]) => ({ time, asks, tells }));
      const run = Asynchrony.run({ problem: given.problem, blocks: given.blocks, policy: given.policy,
        workers: given.means.length, events: given.regular ? regular : listed,
        updates: given.updates, drawn: given.drawn });
      return run.rows;
    """
    rows = in_node(code, {
        "problem": parts, "blocks": parts["blocks"][n_blocks], "policy": wanted, "means": means,
        "events": events, "regular": law == REGULAR, "updates": min(N_UPDATES, len(history.updates)),
        "drawn": drawn,
    })  # fmt: skip
    assert_same(rows, history)


def assert_same(rows, history):
    n = len(rows)
    assert n >= 40
    table = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    updates, arrivals, unit = history.updates[:n], history.arrivals[:n], history.largest_step
    np.testing.assert_array_equal(table["delay"], updates["delay"])
    np.testing.assert_array_equal(table["worker"], arrivals["worker"])
    np.testing.assert_array_equal(table["block"], arrivals["block"])
    np.testing.assert_allclose(table["time"], updates["time"], rtol=1e-12)
    np.testing.assert_allclose(table["step"] * unit, updates["step"], rtol=1e-9, atol=1e-12)
    windows = window_sums(updates["delay"], updates["step"] / unit)
    np.testing.assert_allclose(table["window"], windows, atol=1e-9)
    # A copy is taken when all that arrived together is written.
    copies = history.iterates[history.iterates["update"] < n - 10]
    last = np.searchsorted(table["time"], table["time"][copies["update"]], side="right") - 1
    assert len(copies) > 5
    np.testing.assert_allclose(table["objective"][last], copies["objective"], rtol=1e-10)


@needs_node
def test_formulas_are_parsed():
    formulas = {
        "1 + 2 * 3 - 4 / 2": 5, "-2 ^ 2": -4, "2 ** 3 ^ 2": 512, "min(1, delay) + max(window, 2)": 3,
        "sqrt(left) * 1e1": 5, ".5 * pow(delay, 2) + abs(-update)": 31.5, "8 - 4 - workers": 1,
        "exp(log(7))": 7, "(1 + 1) / (delay + 1)": 0.25,
    }  # fmt: skip
    code = """
      const at = { delay: 7, window: 0.75, left: 0.25, update: 7, workers: 3 };
      return given.map((text) => Asynchrony.parse(text)(at));
    """
    np.testing.assert_allclose(in_node(code, list(formulas)), list(formulas.values()), rtol=1e-14)


@needs_node
def test_what_is_no_formula_is_refused():
    wrong = {
        "": "instead of the end", "1 +": "instead of the end", "2 3": "an operator is wanted",
        "alert(1)": 'the name "alert" at character 1 is not known', "min(1)": "min takes 2 values",
        "delay; window": '";" at character 6 is not understood', "constructor": "is not known",
        "(1 + 2": '")" is wanted', "delay.x": '"." at character 6', "1 / [0]": '"[" at character 5',
        "toString(1)": "is not known",
    }  # fmt: skip
    code = """
      return given.map((text) => {
        try { Asynchrony.parse(text); return "taken"; } catch (error) { return error.message; }
      });
    """
    for message, expected in zip(in_node(code, list(wrong)), wrong.values(), strict=True):
        assert expected in message


SET = """
const set = (id, value) => {
  document.getElementById(id).value = value;
  document.getElementById(id).dispatchEvent(new Event("input", { bubbles: true }));
};
const keep = () => {
  const read = ["summary", "reading", "problem"].map((id) => document.getElementById(id).textContent);
  document.body.append(Object.assign(document.createElement("pre"), { textContent: read.join(" | ") }));
};
"""
FLAGS = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
FLAGS += " --disable-component-update --disable-sync --dump-dom"


def in_browser(folder, code):
    """What ``keep`` has kept while the code moved the controls of the page, opened as a file, and the
    document at the end."""
    problems.write(folder / "problems.js")
    scripts = [(DOC / "_static" / name).as_uri() for name in ("simulation.js", "page.js")]
    links = "".join(f'<script src="{source}"></script>' for source in ["problems.js", *scripts])
    links += f"<script>document.addEventListener('DOMContentLoaded', () => {{ {SET} {code} }})</script>"
    html = (DOC / "_static" / "page.html").read_text(encoding="utf-8")
    page = folder / "page.html"
    page.write_text(f"<!doctype html><meta charset=utf-8>{links}<body>{html}", encoding="utf-8")
    command = [BROWSER, *FLAGS.split(), f"--user-data-dir={folder / 'profile'}", page.as_uri()]
    document = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
    return re.findall(r"<pre>(.*?)</pre>", document), document


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is there")
def test_controls_change_the_numbers(tmp_path):
    kept, document = in_browser(tmp_path, """
      keep();
      set("data", "cell sizes: six features, nearly the same"); set("workers", 8);
      document.getElementById("equal").click();
      set("policy", "naive"); set("updates", 400); set("now", 15); keep();
      set("policy", "adaptive1"); keep();
      set("policy", "own"); set("formula", "left"); set("now", 2); keep();
      set("formula", "alert(1)"); keep();
      set("formula", "log(delay)"); keep();
      set("workers", 1); set("formula", "1"); keep();
    """)  # fmt: skip
    first, naive, adaptive, own, unknown, unfit, alone = kept
    assert "60 writes: mean delay 2.68, largest 13; steps of zero 12; steps above the ceiling 0" in first
    assert "Write 30, at time" in first
    assert "The run diverged" in naive
    assert "so its delay is 7. The steps since then sum to 2.593 of 1" in naive
    assert "400 writes" in adaptive
    assert "steps above the ceiling 0" in adaptive
    assert "diverged" not in adaptive
    assert "Write 2, at time 1.00: worker 2 had read before the first write, so its delay is 2." in own
    assert "which leaves 0.000; its step is 0.000" in own
    assert own.endswith("| ")
    assert 'the name "alert" at character 1 is not known' in unknown
    assert "not finite, or below zero" in unfit
    assert "mean delay 0.00, largest 0" in alone
    assert document.count("<tr><td>") == 400


def test_every_control_has_a_label():
    html = (DOC / "_static" / "page.html").read_text(encoding="utf-8")
    controls = re.findall(r'<(?:input|select)[^>]* id="(\w+)"', html)
    assert len(controls) == 10
    assert set(controls) == set(re.findall(r'<label for="(\w+)"', html))
