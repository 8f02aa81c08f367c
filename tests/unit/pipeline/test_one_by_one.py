"""Columns that are read together are read as each by itself would be."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from potluck_coordinator.pipeline import batches, read_dataset
from potluck_coordinator.pipeline.conventions import Found, find_spellings
from potluck_coordinator.pipeline.dataset import Categorical, Column, Numeric
from potluck_coordinator.pipeline.spelling import Spelling, parted
from potluck_coordinator.pipeline.table import QUOTED, _columns, _words
from tests.unit.pipeline.one_by_one.table import read_columns

KINDS = (
    *("1", "0", "-3", "2.50", "1e3", "NaN", "inf", "1.234", "12.345", "123.456.789", "1,234"),
    *("0,637", "-1,5", "1.234,5", "1,234.5", "1 234", "1'234", "1\u202f234,5", "12,34,567"),
    *("12 %", "7,5%", "0", "$5", "-$1,000.50", "5 €", "1.299,00 €", "EUR 7.5", "CHF 1", "($5.10)"),
    *("(123)", "12,50-", "2-", "\u22125", "1,5e3", "007", "02134", "2024-05-01", "3.4.5", "v2"),
    *("?", "-", "n/a", "unknown", ".", "red", "Red", "blue ", "", " ", "NA", "null", "nan"),
    *(f"{QUOTED}NA", f"{QUOTED}null", "9007199254740993", "9007199254740992", "1" * 40),
    *("1" * 400, ",5", ".5", "5,", "+7", "++7", "€5€", "日本", "1,2345", "0,123", "00", "1e999"),
)
CELL = st.sampled_from(KINDS)
COLUMN = st.one_of(
    *(
        st.lists(st.sampled_from(few), min_size=6, max_size=6)
        for few in (
            ("1,5", "2,75", "1.000,5", "n/a"),
            ("1,234", "5,678", "999"),
            ("1,234", "5,678"),
            ("1.234", "5.678"),
            ("$5", "$7.5", "7", "€3"),
            ("12 %", "7%", "0", "3"),
            ("01", "02", "10"),
            ("1", "2", "x"),
            ("1e0", "1", "1.0"),
            ("red", "green", ""),
            ("-", "1", "2", "3", "4"),
            ("9007199254740993", "9007199254740992"),
            (f"{QUOTED}NA", "1", "NA"),
            (f"{QUOTED}NA", "a"),
            ("1,234", "1000", "850"),
            ("$1,234", "$5000", "$12"),
            ("(1)", "(2,5)"),
        )
    ),
    st.lists(CELL, min_size=6, max_size=6),
)
STYLES = (
    lambda n: f"{n / 8:.3f}",
    lambda n: f"{n / 8:.2f} €".replace(".", ","),
    lambda n: f"{n:,}",
    lambda n: f"{n:,}".replace(",", "."),
    lambda n: f"{n} %",
    lambda n: f"2024-01-{n % 28 + 1:02d}",
    lambda n: f"0{n}",
)


@st.composite
def mostly_of_one_style(draw: st.DrawFn) -> list[str]:
    """Draw numbers that are written in one way, with up to two cells of any kind among them."""
    style = draw(st.sampled_from(STYLES))
    numbers = draw(st.lists(st.integers(1, 10**7), min_size=24, max_size=24, unique=True))
    cells = [style(number) for number in numbers]
    return cells + draw(st.lists(CELL, max_size=2))


TABLE = st.lists(COLUMN | mostly_of_one_style(), min_size=1, max_size=8)


def as_series(table: list[list[str]]) -> dict[str, pl.Series]:
    return {f"c{i}": pl.Series(f"c{i}", cells, pl.String) for i, cells in enumerate(table)}


def read(
    raw: Mapping[str, pl.Series], spellings: Mapping[str, Spelling] | None = None
) -> tuple[dict[str, Column], Found]:
    words = _words(dict(raw))
    found = find_spellings(words) if spellings is None else Found(dict(spellings), {}, [])
    return _columns(words, found), found


def told(column: Column | None) -> object:
    """Give all of a column that can be compared."""
    if isinstance(column, Categorical):
        named = (column.name, column.dtype, column.note, column.gaps)
        return named, column.codes.tolist(), column.vocabulary
    if isinstance(column, Numeric):
        how = (column.name, column.dtype, column.integer, column.gaps, column.merged)
        return how, column.values.tobytes(), told(column.spelled)
    return column


def check(table: list[list[str]], cells: int) -> None:
    raw = as_series(table)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches.batches, "__defaults__", (cells,))
        columns, found = read(raw)
        known, known_found = read_columns(raw)
        assert list(columns) == list(known)
        assert found == known_found
        assert [*map(told, columns.values())] == [*map(told, known.values())]
        again, _ = read(raw, found.spellings)
        known_again, _ = read_columns(raw, found.spellings)
        assert [*map(told, again.values())] == [*map(told, known_again.values())]


@given(TABLE, st.sampled_from([1, 13, 100_000]))
@example([["1,234", "5,678"] * 3, ["0,5", "1,5"] * 3, ["1.234", "2.345"] * 3], 100_000)
@example([[*(f"{n}.25" for n in range(14)), "3.4.5"], [*(f"{n},25" for n in range(14)), "1.5"]], 13)
@example([[*(f"{n}.25" for n in range(14)), "3.4.5", "1.2.3"], ["1.5", "2,5", "3.4.5"]], 13)
@example([["", "NA", "null"] * 2, ["1", "2", ""] * 2], 13)
def test_columns_read_together_are_those_read_one_by_one(
    table: list[list[str]], cells: int
) -> None:
    check(table, cells)


def test_a_long_column_is_read_as_by_itself() -> None:
    rng = np.random.default_rng(4)
    euros = [f"{n // 100},{n % 100:02d} €" for n in rng.integers(100, 10**6, 3000)]
    mixed = [*euros[:1500], *(f"word {i}" for i in range(1500))]
    late = [*(f"word {i}" for i in range(1200)), *euros[:1800]]
    codes = [f"0{n}" for n in rng.integers(10, 99, 3000)]
    check([euros, mixed, late, codes], 100_000)
    check([euros, mixed, late, codes], 5000)


def test_columns_of_a_wide_table_are_parted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0

    def counted(words: pl.Series) -> pl.DataFrame:
        nonlocal asked
        asked += 1
        return parted(words)

    monkeypatch.setattr("potluck_coordinator.pipeline.parted_words.parted", counted)

    def questions(width: int) -> int:
        nonlocal asked
        asked = 0
        header = ";".join(f"c{i}" for i in range(width))
        line = ";".join(["1,5 €", "2.000,25", "red", "7"][i % 4] for i in range(width))
        read_dataset(f"{header}\n{line}\n{line}\n".encode(), "d.csv")
        return asked

    assert 0 < questions(800) == questions(8)
