"""The catalogue of faults (``mutations/``) fits the package, its tests and the table of its page."""

import csv
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(Path(__file__).parent / "mutations"))
from catalogue import MUTATIONS  # noqa: E402

each_mutation = pytest.mark.parametrize("mutation", MUTATIONS, ids=[m.what for m in MUTATIONS])


@each_mutation
def test_the_fault_can_be_put_in(mutation):
    text = (ROOT / "sk_asyncprox" / mutation.module).read_text(encoding="utf-8")
    assert text.count(mutation.old) == 1
    assert mutation.new != mutation.old
    compile(text.replace(mutation.old, mutation.new), mutation.module, "exec")


@each_mutation
def test_the_test_that_sees_it_is_there(mutation):
    file, _, name = mutation.test.partition("::")
    text = (ROOT / "tests" / file).read_text(encoding="utf-8")
    assert f"def {name.partition('[')[0]}(" in text if name else text


def test_the_table_of_the_page_is_that_of_the_catalogue():
    with open(ROOT / "doc" / "mutations.csv", newline="", encoding="utf-8") as file:
        _, *rows = csv.reader(file)
    assert rows == [[m.what, m.module, m.test] for m in MUTATIONS]
