"""CSV and TSV: every record is counted before polars reads them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping

import numpy as np
import polars as pl

from potluck.protocol.words import MISSING_WORDS
from potluck_coordinator.core.errors import BadDataset
from potluck_coordinator.pipeline.batches import batches, flags_of
from potluck_coordinator.pipeline.conventions import Found, find_spellings
from potluck_coordinator.pipeline.dataset import Categorical, Column, Dataset, Numeric
from potluck_coordinator.pipeline.exact import LONG, merged_words
from potluck_coordinator.pipeline.header import read_names
from potluck_coordinator.pipeline.limits import ReadLimits
from potluck_coordinator.pipeline.spelling import Spelling, numbers_of

QUOTED = "\ue000"
"""Stands before a word such as NA that the file has in quotation marks, while it is read."""
DELIMITERS = (",", "\t", ";")
MOST_SPELLED = 1000
"""More different labels than that are no classes."""


def read_table(
    content: bytes,
    filename: str,
    limits: ReadLimits,
    spellings: Mapping[str, Spelling] | None = None,
) -> Dataset:
    """Read a delimited text file with a header. Raises BadDataset (`dataset.*`).

    `spellings`: how columns are written that are not plain; None finds it out.
    """
    text = _text(content, filename)
    delimiter = _delimiter(text, filename)
    _count(text, delimiter, filename, limits)
    header, blanks, rows = _scan(text, delimiter, filename, limits)
    names, warnings = read_names(header, filename)
    frame = _frame(text, delimiter, names, filename)
    if frame.height != rows + len(blanks):
        raise _unreadable(filename, f"{frame.height} records where {rows + len(blanks)} were seen")
    if blanks:
        frame = frame.with_row_index("\0row").filter(~pl.col("\0row").is_in(blanks)).drop("\0row")
    if rows == 0:
        raise BadDataset(
            "dataset.no_rows",
            "The table has a header but no rows.",
            expected="at least one row below the header",
            got="0 rows",
            where=filename,
        )
    cells = dict(zip(names, frame.get_columns(), strict=True))
    del frame
    words = _words(cells)
    found = find_spellings(words) if spellings is None else Found(dict(spellings), {}, [])
    columns = _columns(words, found)
    said = (*warnings, *found.said, *found.notes.values())
    return Dataset("table", rows, columns, said, found.spellings)


def _text(content: bytes, filename: str) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadDataset(
            "dataset.not_text",
            "The file is not text in UTF-8.",
            expected="UTF-8 text",
            got=f"byte 0x{content[error.start]:02x} at position {error.start}",
            hint="Save the table again as 'CSV UTF-8'.",
            where=filename,
        ) from None
    if "\0" in text:
        raise BadDataset(
            "dataset.not_text",
            "The file holds zero bytes and is no table of text.",
            expected="UTF-8 text",
            got="a zero byte",
            where=filename,
        )
    return text


def _delimiter(text: str, filename: str) -> str:
    if filename.lower().endswith(".tsv"):
        return "\t"
    header = text.lstrip().split("\n", 1)[0]
    bare = "".join(header.split('"')[::2])  # what stands outside quotation marks
    return max(DELIMITERS, key=lambda mark: (bare.count(mark), -DELIMITERS.index(mark)))


def _count(text: str, delimiter: str, filename: str, limits: ReadLimits) -> None:
    """Bound the cells, before any is made; marks inside quotation marks count as well."""
    cells = text.count(delimiter) + text.count("\n") + 1
    if cells > limits.cells:
        raise _too_large(filename, f"{limits.cells:,} cells", f"{cells:,}")


def _scan(
    text: str, delimiter: str, filename: str, limits: ReadLimits
) -> tuple[list[str], list[int], int]:
    """Give the header, the blank records' numbers, and how many records are not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    blanks: list[int] = []
    rows = 0
    try:
        for fields in reader:
            if not header:
                header = fields
                if len(header) > limits.columns:
                    raise _too_large(filename, f"{limits.columns} columns", f"{len(header)}")
                continue
            if not fields:
                blanks.append(rows + len(blanks))
                continue
            rows += 1
            if len(fields) != len(header):
                raise BadDataset(
                    "dataset.ragged",
                    f"Line {reader.line_num} has another number of fields than the header.",
                    expected=f"{len(header)} fields",
                    got=f"{len(fields)} fields",
                    hint="Put fields that hold a delimiter in quotation marks.",
                    where=f"{filename}, line {reader.line_num}",
                )
            if rows > limits.rows:
                raise _too_large(filename, f"{limits.rows} rows", "more")
    except csv.Error as error:
        raise _unreadable(filename, f"line {reader.line_num}: {error}") from None
    if not header:
        raise BadDataset(
            "dataset.no_rows",
            "The table is blank.",
            expected="a header and at least one row",
            got="0 records",
            where=filename,
        )
    return header, blanks, rows


def _frame(text: str, delimiter: str, names: list[str], filename: str) -> pl.DataFrame:
    # Blank lines before the header are no records to the scan, but are to polars.
    marks = "|".join(re.escape(word) for word in MISSING_WORDS if word)
    ends = re.escape(delimiter) + "\r\n"
    body = re.sub(
        f'(?<=[{ends}])"\\s*({marks})\\s*"(?=[{ends}]|$)', f"{QUOTED}\\1", text.lstrip("\r\n")
    ).encode()
    try:
        return pl.read_csv(
            io.BytesIO(body),
            separator=delimiter,
            new_columns=names,
            infer_schema=False,
            empty_string_is_null=False,
        )
    except pl.exceptions.NoDataError:
        return pl.DataFrame({name: [] for name in names}, schema=dict.fromkeys(names, pl.String))
    except pl.exceptions.PolarsError as error:
        raise _unreadable(filename, str(error).splitlines()[0]) from None


def _words(raw: dict[str, pl.Series]) -> dict[str, pl.Series]:
    """Strip words, and leave out those that say that there is none. Takes them out of `raw`."""
    found: dict[str, pl.Series] = {}
    for batch in batches(raw):
        for name in batch.names:
            del raw[name]
        words = batch.words.str.strip_chars()
        words = words.set(words.is_in(MISSING_WORDS), None)
        # "NA" in quotation marks is a word among words, and a missing value among numbers.
        quoted = flags_of(words.str.starts_with(QUOTED))
        if quoted.any():
            others = words.set(pl.Series(quoted), None)
            numbers = others.cast(pl.Float64, strict=False)
            absent = flags_of(others.is_null())
            plain = ~batch.any(flags_of(numbers.is_null()) & ~absent) & ~batch.all(absent)
            as_missing = pl.Series(batch.spread(plain) & quoted)
            words = words.set(as_missing, None).str.strip_prefix(QUOTED)
        for place, name in enumerate(batch.names):
            found[name] = batch.column(words, place)
    return found


def _columns(words: Mapping[str, pl.Series], found: Found) -> dict[str, Column]:
    """Make the columns, in their order."""
    spelled = {name: one for name, one in found.spellings.items() if one.kind != "words"}
    present = {
        name: words[name].set(words[name].is_in(one.missing), None) if one.missing else words[name]
        for name, one in spelled.items()
        if name in words
    }
    numbers = numbers_of(present, spelled)
    free = {name: column for name, column in words.items() if name not in found.spellings}
    plain = _plain_numbers(free)
    made: dict[str, Column] = {}
    for name, column in words.items():
        if name in present:
            few = present[name].n_unique() <= MOST_SPELLED
            also = _categorical(name, present[name], "") if few else None
            made[name] = _numeric(name, numbers[name], also, spelled[name].missing)
        elif name in plain:
            made[name] = _plain(name, column, *plain[name])
        else:
            made[name] = _categorical(name, column, found.notes.get(name, ""))
    return made


def _plain_numbers(columns: Mapping[str, pl.Series]) -> dict[str, tuple[pl.Series, bool]]:
    """Give the numbers of the columns that hold nothing else, and whether long ones are there."""
    found: dict[str, tuple[pl.Series, bool]] = {}
    for batch in batches(columns):
        numbers = batch.words.cast(pl.Float64, strict=False)
        unread = batch.any(flags_of(numbers.is_null()) & ~flags_of(batch.words.is_null()))
        long = batch.any(flags_of(batch.words.str.contains(LONG)))
        for place in np.flatnonzero(~unread):
            found[batch.names[place]] = batch.column(numbers, int(place)), bool(long[place])
    return found


def _plain(name: str, words: pl.Series, numbers: pl.Series, long: bool) -> Numeric:
    different = numbers.n_unique()
    several = different <= MOST_SPELLED and different < words.n_unique() <= MOST_SPELLED
    spelled = _categorical(name, words, "") if several else None
    return _numeric(name, numbers, spelled, merged=merged_words(words) if long else ())


def _numeric(
    name: str,
    numbers: pl.Series,
    spelled: Categorical | None = None,
    gaps: tuple[str, ...] = (),
    merged: tuple[str, ...] = (),
) -> Numeric:
    values = numbers.fill_null(float("nan")).to_numpy().astype(np.float64)
    present = values[np.isfinite(values)]
    integer = bool(np.all(present == np.floor(present)))
    return Numeric(name, values, "integer" if integer else "number", integer, spelled, gaps, merged)


def _categorical(name: str, words: pl.Series, note: str) -> Categorical:
    written = words.to_list()
    vocabulary = tuple(sorted(set(written) - {None}))
    number = {word: code for code, word in enumerate(vocabulary)}
    codes = np.array([number.get(word, -1) for word in written], dtype=np.int64)
    return Categorical(name, codes, vocabulary, "text", note)


def _too_large(filename: str, expected: str, got: str) -> BadDataset:
    return BadDataset(
        "dataset.too_large",
        "The table is larger than this coordinator takes.",
        expected=f"at most {expected}",
        got=got,
        where=filename,
    )


def _unreadable(filename: str, got: str) -> BadDataset:
    return BadDataset(
        "dataset.unreadable",
        "The table cannot be read.",
        expected="records of delimited text with quotation marks in pairs",
        got=got,
        where=filename,
    )
