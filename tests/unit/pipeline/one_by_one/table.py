"""Columns of a table, each read by itself: the reference for the reader."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from potluck.protocol.words import MISSING_WORDS
from potluck_coordinator.pipeline.conventions import Found
from potluck_coordinator.pipeline.dataset import Categorical, Column, Numeric
from potluck_coordinator.pipeline.exact import merged_words
from potluck_coordinator.pipeline.spelling import Spelling
from potluck_coordinator.pipeline.table import MOST_SPELLED, QUOTED, _numeric
from tests.unit.pipeline.one_by_one.conventions import find_spellings


def read_columns(
    raw: Mapping[str, pl.Series], spellings: Mapping[str, Spelling] | None = None
) -> tuple[dict[str, Column], Found]:
    """Read columns of cells; give them, and how they are written."""
    words = {name: _words(cells) for name, cells in raw.items()}
    found = find_spellings(words) if spellings is None else Found(dict(spellings), {}, [])
    columns: dict[str, Column] = {
        name: _column(name, words[name], found.spellings.get(name), found.notes.get(name, ""))
        for name in words
    }
    return columns, found


def _words(raw: pl.Series) -> pl.Series:
    words = raw.str.strip_chars()
    words = words.set(words.is_in(MISSING_WORDS), None)
    # "NA" in quotation marks is a word among words, and a missing value among numbers.
    quoted = words.str.starts_with(QUOTED).fill_null(value=False)
    others = words.set(quoted, None)
    numbers = others.cast(pl.Float64, strict=False)
    if others.null_count() < len(others) and numbers.null_count() == others.null_count():
        return others
    return words.str.strip_prefix(QUOTED)


def _column(
    name: str, words: pl.Series, spelling: Spelling | None, note: str
) -> Numeric | Categorical:
    if spelling is not None and spelling.kind == "words":
        return _categorical(name, words, note)
    if spelling is not None:
        present = words.set(words.is_in(spelling.missing), None) if spelling.missing else words
        few = present.n_unique() <= MOST_SPELLED
        spelled = _categorical(name, present, "") if few else None
        return _numeric(name, spelling.numbers(present), spelled, spelling.missing)
    numbers = words.cast(pl.Float64, strict=False)
    if numbers.null_count() != words.null_count():
        return _categorical(name, words, note)
    different = numbers.n_unique()
    several = different <= MOST_SPELLED and different < words.n_unique() <= MOST_SPELLED
    spelled = _categorical(name, words, "") if several else None
    return _numeric(name, numbers, spelled, merged=merged_words(words))


def _categorical(name: str, words: pl.Series, note: str) -> Categorical:
    vocabulary = tuple(sorted(words.drop_nulls().unique().to_list()))
    number = {word: code for code, word in enumerate(vocabulary)}
    codes = np.array([number.get(word, -1) for word in words.to_list()], dtype=np.int64)
    return Categorical(name, codes, vocabulary, "text", note)
