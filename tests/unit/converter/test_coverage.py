from __future__ import annotations

from pathlib import Path

from potluck_converter.assemble import OWN
from potluck_converter.coverage import coverage, with_table
from potluck_converter.layers import TABLE

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
