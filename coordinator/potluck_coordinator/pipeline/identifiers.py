"""Columns that name or number the rows: they teach a network the rows, not the task."""

from __future__ import annotations

import re

import numpy as np

from potluck_coordinator.pipeline.dataset import (
    Array,
    Categorical,
    Column,
    Dataset,
    Floats,
    Numeric,
)

NAMES = {"id", "uuid", "guid", "rownames", "row_names", "rowid", "row_id", "level_0"}
INDEX = re.compile(r"index|idx|__index_level_\d+__|unnamed: \d+(\.\d+)*", re.IGNORECASE)
NAMED_ID = re.compile(r"(.*[_\s.-])?(id|uuid|guid)|.*[a-z](Id|ID)", re.DOTALL)
NO_HEADER = "column_1"
"""What the reader calls a first column without a name: the index that `to_csv` writes."""
UUID = re.compile(r"\{?[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}\}?", re.IGNORECASE)

BY_NAME = "an index or id by name"
LEAST_IN_ORDER = 10
LEAST_ROWS = 20
MOST_EQUAL = 0.1
"""Words of which more rows share one are categories."""
EXPECTED_REPEATS = 7.0
"""Whole numbers drawn by chance would have so many pairs of equals: e^-7 is one in a thousand."""
LEAST_SHARE = 0.1
"""Row numbers of fewer of the rows are taken for measures."""
YEARS = (1500, 2200)


def identifiers(dataset: Dataset) -> dict[str, str]:
    """Give the columns that look like row numbers or names of rows, each with why."""
    first = next(iter(dataset.columns), "")
    found = {
        name: why_identifier(column, is_first=name == first)
        for name, column in dataset.columns.items()
    }
    return {name: why for name, why in found.items() if why}


def why_identifier(column: Column, *, is_first: bool = False) -> str:
    """Say why a column looks like an identifier; empty where it looks like a measure or category.

    Numbers with fractions never do. `is_first`: it is the file's first column.
    """
    if isinstance(column, Array) or column.missing.all():
        return ""
    if isinstance(column, Categorical):
        return _why_words(column)
    return _why_numbers(column, is_first) if column.integer else ""


def _why_words(column: Categorical) -> str:
    rows = len(column.codes)
    different = len(np.unique(column.codes[column.codes >= 0]))
    if column.name.lower() in NAMES:
        return BY_NAME
    if 2 * different > rows and all(UUID.fullmatch(word) for word in column.vocabulary):
        return "UUIDs"
    unique = different == rows
    if unique and INDEX.fullmatch(column.name):
        return BY_NAME
    if rows >= LEAST_ROWS and different > (1 - MOST_EQUAL) * rows:
        return f"a word of its own in {'' if unique else 'almost '}every row"
    return ""


def _why_numbers(column: Numeric, is_first: bool) -> str:
    values = column.values[~column.missing]
    ordered = np.unique(values)
    unique = len(ordered) == len(values)
    name = column.name.strip()
    if name.lower() in NAMES or INDEX.fullmatch(name) or (is_first and name == NO_HEADER):
        return BY_NAME
    if not unique:
        return ""
    if NAMED_ID.fullmatch(name):
        return "an id by name, different in every row"
    return "row numbers" if _numbers_rows(values, ordered) else ""


def _numbers_rows(values: Floats, ordered: Floats) -> bool:
    """Tell row numbers, some of which may lack, from a measure. All values are different."""
    rows, low, high = len(values), float(ordered[0]), float(ordered[-1])
    steps = np.diff(values)
    rising = bool((steps > 0).all())
    if rising and low in (0, 1) and rows >= LEAST_IN_ORDER and bool((steps == steps[0]).all()):
        return True
    if rows < LEAST_ROWS or low < 0 or (YEARS[0] <= low and high <= YEARS[1]):
        return False
    span = high - low + 1
    if rows < LEAST_SHARE * span:
        return False
    in_order = low <= span and (rising or bool((steps < 0).all()))
    return in_order or rows * rows / (2 * span) >= EXPECTED_REPEATS
