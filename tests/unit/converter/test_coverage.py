from __future__ import annotations

from pathlib import Path

from potluck_converter.coverage import coverage, with_table
from potluck_converter.layers import TABLE
from potluck_converter.layers.initializers import INITIALIZERS, initializer
from potluck_converter.layers.penalties import CONSTRAINTS, REGULARIZERS, constraint, regularizer
from potluck_converter.refused_classes import OWN

DOCS = Path(__file__).parents[3] / "docs"


def test_the_coverage_table_is_fresh() -> None:
    text = (DOCS / "converter.md").read_text()
    assert with_table(text) == text
    assert with_table(text.replace("| Dense |", "| Dense2 |")) == text


def test_every_class_of_our_own_is_listed() -> None:
    listed = (DOCS / "converter-classes.md").read_text()
    for kind in TABLE.values():
        if not kind.stock:
            family = kind.class_name.rstrip("123D") if kind.class_name.endswith("D") else ""
            assert f"{OWN}{kind.class_name}" in listed or (family and f"{OWN}{family}" in listed)
    assert "Potluck" in coverage()


def test_all_that_the_readers_accept_by_name_is_listed() -> None:
    listed = coverage()
    for name in ("StackedRNNCells", "GRUCell", "Orthogonal", "MaxNorm", "L1L2", "sparsemax"):
        assert name in listed
    for name in INITIALIZERS:
        assert initializer({"class_name": name, "config": {}})["class_name"] == name
    for name in CONSTRAINTS:
        found = constraint({"class_name": name, "config": {}})
        assert found is not None
        assert found["class_name"] == name
    for name in REGULARIZERS:
        assert regularizer({"class_name": name, "config": {"l1": 0.1, "l2": 0.1}}) is not None


def test_what_may_be_overridden_is_what_the_table_says() -> None:
    [dense] = [line for line in coverage().splitlines() if line.startswith("| Dense |")]
    assert dense.endswith("| `units`, `activation`, `use_bias` |")
    [both] = [line for line in coverage().splitlines() if line.startswith("| Bidirectional |")]
    assert both.endswith("| `merge_mode`; the layer's |")
