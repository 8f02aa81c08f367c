"""How columns are written, each asked by itself: slow and plain, the reference for the reader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from potluck_coordinator.pipeline.conventions import (
    FEWEST_NUMBERS,
    GROUPED,
    MOST_CODES,
    PLACEHOLDERS,
    Found,
    Look,
    _among,
    _begins,
    _in_words,
    _listed,
)
from potluck_coordinator.pipeline.parted_words import CODE, MARKS, SAMPLE
from potluck_coordinator.pipeline.spelling import CURRENCIES, Spelling, parted, read_numbers


def find_spellings(columns: Mapping[str, pl.Series]) -> Found:
    """Find out how columns are written. `columns`: stripped words, null where missing.

    What one column leaves open (1,234) the decimal marks of the others decide.
    """
    looks = {name: _look(words) for name, words in columns.items()}
    proven = {look.mark for look in looks.values() if look.mark}
    mark = proven.pop() if len(proven) == 1 else ""
    found = Found({}, {}, [])
    told: dict[str, list[str]] = {}
    for name, look in looks.items():
        fitting = [one for one in look.readings if look.certain or one.decimal == mark]
        if fitting:
            found.spellings[name] = fitting[0]
            told.setdefault(_in_words(fitting[0], look), []).append(name)
        elif look.note:
            found.notes[name] = f"{name}: taken as words, because {look.note}"
        if look.code:
            found.spellings[name] = Spelling("words")
    found.said.extend(f"{_listed(names)}: read as numbers ({how})." for how, names in told.items())
    return found


def _look(words: pl.Series) -> Look:
    present = words.drop_nulls()
    if not len(present):
        return Look()
    if present.cast(pl.Float64, strict=False).null_count() == 0:
        return _plain(present)
    present = present.unique(maintain_order=True)
    some = parted(present.head(SAMPLE))["body"]
    if 2 * some.null_count() > len(some):
        return Look()
    parts = parted(present)
    strays = parts.filter(pl.col("body").is_null())["word"].to_list()
    missing = [word for word in strays if word.lower() in PLACEHOLDERS]
    numbers = parts.filter(pl.col("body").is_not_null())
    if strays and numbers.height < FEWEST_NUMBERS:
        return Look()
    if len(missing) < len(strays):
        few = 10 * len(strays) < len(present)
        return Look(note=_among(sorted(set(strays) - set(missing)))) if few else Look()
    coded = numbers["body"].str.contains(CODE)
    if coded.any() and not numbers["body"].str.contains(r"[.,' ]").any():
        return Look(note=_begins(numbers["word"].filter(coded)[0]))
    units = sorted(set(numbers["unit"].to_list()) - {""})
    unit = units[0] if units else ""
    if len(units) > 1 or (unit == "%" and _bare(numbers)):
        return Look(note=_differently(numbers, [*units[:2], ""][:2]))
    if numbers["enclosed"].all():
        return Look()
    return _reading(numbers, Spelling(unit=unit, missing=tuple(sorted(missing))))


def _plain(present: pl.Series) -> Look:
    """Look at a column that a program would have written so: codes with zeros before stay words."""
    marked = present.str.contains(".", literal=True)
    coded = present.str.contains(CODE)
    if coded.any() and not marked.any():
        # A word of its own in every row is no category: a number at least keeps the order.
        different = present.n_unique()
        if different > MOST_CODES or different == len(present):
            return Look()
        return Look(note=_begins(present.filter(coded)[0]), code=True)
    if not marked.any():
        return Look()
    if present.str.contains(GROUPED).all():
        # 1.234 is a decimal number, unless the table's other columns have decimal commas.
        return Look(readings=(Spelling(decimal=",", thousands="."),), certain=False)
    return Look(mark=".")


def _reading(numbers: pl.DataFrame, start: Spelling) -> Look:
    """Find the marks under which every number reads; several are fine if they say the same."""
    found: list[tuple[Spelling, pl.Series]] = []
    read = pl.Series([False]).new_from_index(0, numbers.height)
    for decimal, thousands in MARKS:
        spelling = replace(start, decimal=decimal, thousands=thousands)
        values = read_numbers(numbers, spelling)
        read = read | values.is_not_null()
        if values.null_count() == 0 and not any(values.equals(other) for _, other in found):
            used = numbers["body"].str.contains(thousands, literal=True).any()
            found.append((spelling if used else replace(spelling, thousands=""), values))
    look = Look(
        brackets=bool(numbers["enclosed"].any()),
        commas=bool(numbers["body"].str.contains(",", literal=True).any()),
    )
    if not found:
        # Dates and versions are of digits and marks too, but no numbers.
        few = 10 * (~read).sum() < numbers.height
        return Look(note=_mixed(numbers, start)) if few else Look()
    readings = tuple(spelling for spelling, _ in found)
    if len(readings) == 1:
        marked = numbers["body"].str.contains(r"[.,]").any()
        mark = readings[0].decimal if marked else ""
        return replace(look, readings=readings, mark=mark)
    # 1,234: numbers without a mark tell whether thousands have one; money has no three decimals.
    marked_so = numbers["body"].str.contains(r"[.,]")
    bare = numbers["body"].filter(~marked_so)
    if len(bare) or start.unit in CURRENCIES:
        parted_so = not (bare.str.len_chars() > 3).any()
        chosen = [one for one in readings if bool(one.thousands) == parted_so]
        if len(chosen) == 1:
            return replace(look, readings=(chosen[0],), mark=chosen[0].decimal)
    at = int(marked_so.arg_true()[0])
    one, other = (f"{values[at]:g}" for _, values in found[:2])
    note = (
        f"{numbers['word'][at][:20]!r} may be {one} or {other}. "
        "Write its numbers without marks between thousands and with a decimal point."
    )
    return replace(look, readings=readings, certain=False, note=note)


def _bare(numbers: pl.DataFrame) -> bool:
    """Tell whether numbers other than 0 stand without the unit."""
    bare = numbers.filter(pl.col("unit") == "")["body"]
    return bool(bare.str.contains(r"[1-9]").any())


def _differently(numbers: pl.DataFrame, units: list[str]) -> str:
    words = [numbers.filter(pl.col("unit") == unit)["word"][0] for unit in units]
    return f"{words[0][:20]!r} and {words[1][:20]!r} do not have the same unit."


def _mixed(numbers: pl.DataFrame, start: Spelling) -> str:
    examples = []
    for decimal, thousands in ((".", ","), (",", ".")):
        values = read_numbers(numbers, replace(start, decimal=decimal, thousands=thousands))
        examples += [repr(word[:20]) for word in numbers["word"].filter(values.is_null()).head(1)]
    return f"{' and '.join(examples)} are written in different ways."
