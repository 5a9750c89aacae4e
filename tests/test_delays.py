"""The delay tracker against brute force that keeps every step."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sk_asyncprox.delays import DelayTracker, Stamp

operations = st.lists(
    st.one_of(
        st.just("read"),
        st.one_of(st.just(0.0), st.floats(0, 1)),
        st.sets(st.integers(0, 30), min_size=1, max_size=5),
    ),
    max_size=120,
)


@settings(deadline=None)
@given(operations)
def test_tracker_against_brute_force(script):
    """Numbers are writes of that step, sets are writes-to-be that rest on those reads."""
    tracker, steps = DelayTracker(), []
    stamps, places = [tracker.stamp()], [0]
    for item in script:
        if item == "read":
            stamps.append(tracker.stamp())
            places.append(len(steps))
        elif isinstance(item, set):
            chosen = [i % len(stamps) for i in item]
            delay, window = tracker.measure(*(stamps[i] for i in chosen))
            oldest = min(places[i] for i in chosen)
            assert delay == len(steps) - oldest
            assert window == pytest.approx(sum(steps[oldest:]), abs=1e-12)
        else:
            tracker.advance(item)
            steps.append(item)
        assert tracker.update == len(steps)
    delay, window = tracker.measure(stamps[0])
    assert (delay, window) == (len(steps), pytest.approx(sum(steps), abs=1e-12))


def test_by_hand():
    tracker = DelayTracker()
    first = tracker.stamp()
    assert tracker.measure(first) == (0, 0.0)
    tracker.advance(0.5)
    second = tracker.stamp()
    tracker.advance(0.0)
    tracker.advance(0.25)
    assert second == Stamp(1, 0.5)
    assert tracker.measure(first) == (3, 0.75)
    assert tracker.measure(second) == (2, 0.25)
    assert tracker.measure(second, first) == tracker.measure(first, second) == (3, 0.75)


def test_zero_steps_count_as_writes():
    tracker = DelayTracker()
    stamp = tracker.stamp()
    for _ in range(3):
        tracker.advance(0.0)
    assert tracker.measure(stamp) == (3, 0.0)
