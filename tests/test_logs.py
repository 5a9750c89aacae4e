"""Logs of one's own: files of delays as people write them, and times of reads and writes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_diabetes

from sk_asyncprox import Lasso
from sk_asyncprox.executors import Simulated, Trace

X, y = load_diabetes(return_X_y=True)


@pytest.mark.parametrize(
    ("text", "delays"),
    [
        ("delay\n0\n1\n2\n", [0, 1, 2]),
        ("0,\n1,\n".replace(",", ""), [0, 1]),
        ("# a note\n0\n\n1  # late\n", [0, 1]),
        ("\ufeff0\r\n1\r\n", [0, 1]),
        ("a;b\n0;0\n0;1\n1;0\n", [[0, 0], [0, 1], [1, 0]]),
        ("0\t0\n0\t1\n", [[0, 0], [0, 1]]),
        ("0 0\n0 1\n", [[0, 0], [0, 1]]),
        ("0.0, 0\n0, 1e0\n", [[0, 0], [0, 1]]),
    ],
)
def test_files_as_people_write_them(tmp_path, text, delays):
    path = tmp_path / "log.csv"
    path.write_bytes(text.encode())
    delays = np.array(delays)
    np.testing.assert_array_equal(Trace.from_delays(path).delays(len(delays)), delays)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "log.csv holds no delays"),
        ("delay\n", "log.csv holds no delays"),
        ("delay\n0\nlate\n", "log.csv, line 3, column 1 holds 'late'"),
        ("0,0\n0,\n", "log.csv, line 2, column 2 holds ''"),
        ("0;0\n0;1.5\n", "log.csv, line 2, column 2 holds '1.5'.* count writes and are no times"),
        ("0\nnan\n", "line 2, column 1 holds 'nan'"),
        ("0\ninf\n", "line 2, column 1 holds 'inf'"),
        ("0,0\n\n0,1,2\n", "line 3 has 3 columns, and line 1 has 2"),
        ("0\n-1\n", "Row 1 of the trace has a negative delay"),
    ],
)
def test_messages_name_line_and_column(tmp_path, text, message):
    (tmp_path / "log.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        Trace.from_delays(str(tmp_path / "log.csv"))


def tasks_of(means, n):
    """Reads, writes and workers of the first n tasks of a simulated schedule."""
    now, held, tasks = 0.0, {}, []
    for time, asks, tells in Trace.from_service_times(means).events():
        held.update(dict.fromkeys(asks, now))
        now = time
        tasks += [(held.pop(worker), time, worker) for worker in tells]
        if len(tasks) >= n:
            return map(list, zip(*tasks, strict=True))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([0.5, 1.0, 3.0]), min_size=1, max_size=5), st.randoms())
def test_events_have_the_delays_of_their_times(means, random):
    reads, writes, workers = tasks_of(means, 40)
    order = list(range(40))
    random.shuffle(order)
    shuffled = [[column[k] for k in order] for column in (reads, writes, workers)]
    expected = np.arange(40) - np.searchsorted(writes, reads, side="right")
    for given_workers in (shuffled[2], None):
        trace = Trace.from_events(shuffled[0], shuffled[1], given_workers)
        np.testing.assert_array_equal(trace.delays(40, solver="bcd"), expected)
        again = trace.delays(80, solver="bcd")[40:]
        np.testing.assert_array_equal(again, expected)
        assert trace.n_workers <= len(means)


def test_a_fit_along_events_measures_their_delays_and_times():
    reads, writes, workers = tasks_of([1.0, 1.0, 1.0, 4.0], 300)
    trace = Trace.from_events(reads, writes, workers)
    model = Lasso(alpha=0.1, step_size="exact", n_blocks=8, executor=Simulated(trace)).fit(X, y)
    updates, n = model.history_.updates, min(300, model.n_updates_)
    assert n > 100
    np.testing.assert_array_equal(updates["delay"][:n], trace.delays(n, solver="bcd"))
    np.testing.assert_allclose(updates["time"][:n], writes[:n], rtol=1e-12)


def test_what_ends_together_is_one_update_of_piag():
    trace = Trace.from_events([5, 5, 6, 6], [6, 6, 7, 7], ["a", "b", "a", "b"])
    np.testing.assert_array_equal(trace.delays(3, solver="piag"), [[0, 0], [0, 0], [0, 0]])
    np.testing.assert_array_equal(trace.delays(4, solver="bcd"), [0, 1, 0, 1])


@pytest.mark.parametrize(
    ("reads", "writes", "workers", "message"),
    [
        ([0, 1], [1], None, "2 reads and 1 writes"),
        ([0, 2], [1, 2], None, "Row 1 reads at 2.0, not before its write at 2.0"),
        ([0, 1], [2, 3], ["a", "a"], r"Row 1: worker 'a' reads at 1.0, before its write at 2.0 \(row 0\)"),
        ([0, 1], [2, 3], ["a"], "2 reads and 1 workers"),
        ([], [], None, "The reads must be finite times"),
        ([0], [np.nan], None, "The writes must be finite times"),
        (["x"], [1], None, "The reads must be times"),
    ],
)
def test_events_that_cannot_be(reads, writes, workers, message):
    with pytest.raises(ValueError, match=message):
        Trace.from_events(reads, writes, workers)


def test_a_trace_is_no_executor():
    with pytest.raises(
        ValueError, match=r"as Threads\(\) and Simulated\(trace\) are \(a trace alone is none\)"
    ):
        Lasso(executor=Trace.constant(4)).fit(X, y)


def test_a_trace_tells_what_it_is():
    assert repr(Trace.constant(8)) == (
        "<Trace of 8 worker(s), Delays; 1000 first delays of bcd: mean 7.0, largest 7>"
    )
    assert repr(Trace.from_delays([[0, 0], [0, 1]])) == (
        "<Trace of 2 worker(s), Ages; 1000 first delays of piag: mean 0.5, largest 1>"
    )
