"""The script that halves and doubles the tuned numbers looks at all of them, wherever they are read."""

import csv
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import constants

from sk_asyncprox.executors import simulated
from sk_asyncprox.kernels import gram_matrix, shard_taylor_model
from sk_asyncprox.solvers import rounds_gram_cache

KNOWN = {(known.module.partition(".")[2], known.name): known for known in constants.ALL}


def test_all_numbers_are_found_with_their_words():
    assert len(KNOWN) > 150
    assert KNOWN["solvers.rounds", "LOWERED"].value == 0.3
    assert KNOWN["kernels.gram_matrix", "RIDGE"].words.startswith("Products of a matrix, or of its new rows")
    assert ("kernels.proximal_newton", "TINY") not in KNOWN
    assert [known for known in constants.ALL if not known.words] == []


def test_the_table_has_all_numbers_with_their_values_and_words():
    with (Path(__file__).parents[1] / "doc" / "constants.csv").open(encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file)
    assert {len(row) for row in rows} == {7}
    words = {(module, name): said for module, name, _, said, *_ in rows}
    assert words == {key: known.words for key, known in KNOWN.items()}
    values = {(module, name): float(value) for module, name, value, *_ in rows}
    assert len(values) == len(rows)
    assert values == {key: pytest.approx(known.value) for key, known in KNOWN.items()}


def test_a_number_is_changed_wherever_it_was_imported_to():
    places = gram_matrix, rounds_gram_cache, shard_taylor_model
    with constants.changed(KNOWN["kernels.gram_matrix", "LARGE"], 0.5):
        assert [place.LARGE for place in places] == [100_000_000] * 3
    assert [place.LARGE for place in places] == [200_000_000] * 3
    with constants.changed(KNOWN["executors.simulated", "PATIENCE"], 2.0):
        assert simulated.PATIENCE == 20_000
        assert sys.modules["sk_asyncprox.executors.dask_tasks"].PATIENCE == 60


def test_the_largest_change_is_told_passes_first():
    before = {"one": (10.0, 100.0), "two": (20.0, 100.0)}
    tell = constants.difference
    assert tell(before, {"one": (10.2, 102.0), "two": (20.0, 100.0)}) == "nothing"
    assert tell(before, {"one": (11.0, 300.0), "two": (15.0, 100.0)}) == "two: -25% passes"
    assert tell(before, {"one": (10.0, 110.0)}) == "one: +10% calls"
    assert tell(before, {"one": constants.FAILED}) == "one: does not end"


@pytest.mark.parametrize("name", ["lasso, small", "logistic l1, wide", "elastic net, delays"])
def test_what_is_counted_is_the_same_every_time(name):
    call, read = constants.rows()[name], set()
    constants.counted(call, read)
    first, again = constants.counted(call), constants.counted(call)
    assert first == again
    assert np.isfinite(first).all()
    assert any(module.startswith("sk_asyncprox") for module, _ in read)
