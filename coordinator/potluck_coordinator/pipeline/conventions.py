"""Finds out how the columns of a table are written: which are numbers, and which look like it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from potluck_coordinator.pipeline.batches import Batch, Flags, batches, flags_of
from potluck_coordinator.pipeline.parted_words import CODE, Numbers, Parts, parts_of
from potluck_coordinator.pipeline.spelling import CURRENCIES, Spelling

PLACEHOLDERS = (
    *("?", "-", "--", "---", "\N{EN DASH}", "\N{EM DASH}", ".", "..", "*", "n/a", "na", "n.a."),
    *("nan", "none", "null", "nil", "#n/a", "<na>", "missing", "unknown", "k.a."),
)
"""Words that stand for no value among numbers, in small letters."""
FEWEST_NUMBERS = 3
"""With fewer beside a placeholder (1 and -), the words are rather labels."""
MOST_CODES = 512
GROUPED = r"^[-+]?[1-9][0-9]{0,2}(?:\.[0-9]{3})*$"
MOST_NAMED = 8


@dataclass(frozen=True)
class Look:
    """What a column's words say by themselves.

    `readings`: spellings that read every word, the first of them certain or only possible; none
    for plain columns. `note`: why it stays words. `code`: plain numbers that had better be words.
    `mark`: the decimal mark that this column proves. `brackets`, `commas`: it has some.
    """

    readings: tuple[Spelling, ...] = ()
    certain: bool = True
    note: str = ""
    code: bool = False
    mark: str = ""
    brackets: bool = False
    commas: bool = False


@dataclass(frozen=True)
class Found:
    """Spellings of columns that are not plain; `notes` on those that stay words though they look
    like numbers; `said` of those that were read as numbers.
    """

    spellings: dict[str, Spelling]
    notes: dict[str, str]
    said: list[str]


def find_spellings(columns: Mapping[str, pl.Series]) -> Found:
    """Find out how columns are written. `columns`: stripped words, null where missing.

    What one column leaves open (1,234) the decimal marks of the others decide.
    """
    looks = _looks(columns)
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


def _looks(columns: Mapping[str, pl.Series]) -> dict[str, Look]:
    """Look at each column; whatever can be asked of many at once is."""
    looks = dict.fromkeys(columns, Look())
    others: dict[str, pl.Series] = {}
    for batch in batches(columns):
        absent = flags_of(batch.words.is_null())
        numbers = batch.words.cast(pl.Float64, strict=False)
        plain = ~batch.any(flags_of(numbers.is_null()) & ~absent)
        empty = batch.all(absent)
        if plain.any():
            looks |= _plain(batch, np.flatnonzero(plain & ~empty), absent)
        for place in np.flatnonzero(~plain):
            others[batch.names[place]] = columns[batch.names[place]]
    looks |= {name: _look(parts) for name, parts in parts_of(others)}
    return looks


def _plain(batch: Batch, places: NDArray[np.int64], absent: Flags) -> dict[str, Look]:
    """Look at columns that a program would have written so: codes with zeros before stay words."""
    marked = batch.any(flags_of(batch.words.str.contains(".", literal=True)))
    coded = flags_of(batch.words.str.contains(CODE))
    any_coded = batch.any(coded)
    grouped = marked
    if marked.any():
        grouped = batch.all(flags_of(batch.words.str.contains(GROUPED)) | absent)
    found: dict[str, Look] = {}
    for place in places:
        if marked[place]:
            # 1.234 is a decimal number, unless the table's other columns have decimal commas.
            as_groups = Look(readings=(Spelling(decimal=",", thousands="."),), certain=False)
            found[batch.names[place]] = as_groups if grouped[place] else Look(mark=".")
        elif any_coded[place]:
            found[batch.names[place]] = _codes(batch.column(batch.words, place).drop_nulls())
    return found


def _codes(present: pl.Series) -> Look:
    # A word of its own in every row is no category: a number at least keeps the order.
    different = present.n_unique()
    if different > MOST_CODES or different == len(present):
        return Look()
    return Look(note=_begins(present.filter(present.str.contains(CODE))[0]), code=True)


def _look(parts: Parts) -> Look:
    numbers = int(parts.number.sum())
    strays: list[str] = parts.words.filter(pl.Series(~parts.number)).to_list()
    missing = [word for word in strays if word.lower() in PLACEHOLDERS]
    if strays and numbers < FEWEST_NUMBERS:
        return Look()
    if len(missing) < len(strays):
        few = 10 * len(strays) < len(parts)
        return Look(note=_among(sorted(set(strays) - set(missing)))) if few else Look()
    if parts.coded.any() and not parts.grouped.any():
        return Look(note=_begins(_first(parts, parts.coded)))
    used = parts.units.filter(pl.Series(parts.number))
    units = sorted(set(used.to_list()) - {""})
    unit = units[0] if units else ""
    if len(units) > 1 or (unit == "%" and _bare(parts)):
        return Look(note=_differently(parts, [*units[:2], ""][:2]))
    if bool((parts.enclosed | ~parts.number).all()):
        return Look()
    return _reading(parts, Spelling(unit=unit, missing=tuple(sorted(missing))))


def _reading(parts: Parts, start: Spelling) -> Look:
    """Find the marks under which every number reads; several are fine if they say the same."""
    found: list[tuple[Spelling, Numbers]] = []
    read = ~parts.number
    for (decimal, thousands), values in parts.values.items():
        fits = ~np.isnan(values)
        read = read | fits
        whole = bool((fits | ~parts.number).all())
        if whole and not any(np.array_equal(values, v, equal_nan=True) for _, v in found):
            used = parts.holds[thousands].any()
            spelling = replace(start, decimal=decimal, thousands=thousands if used else "")
            found.append((spelling, values))
    look = Look(brackets=bool(parts.enclosed.any()), commas=bool(parts.comma.any()))
    if not found:
        # Dates and versions are of digits and marks too, but no numbers.
        few = 10 * int((~read).sum()) < int(parts.number.sum())
        return Look(note=_mixed(parts)) if few else Look()
    readings = tuple(spelling for spelling, _ in found)
    if len(readings) == 1:
        mark = readings[0].decimal if parts.marked.any() else ""
        return replace(look, readings=readings, mark=mark)
    # 1,234: numbers without a mark tell whether thousands have one; money has no three decimals.
    bare = parts.number & ~parts.marked
    if bare.any() or start.unit in CURRENCIES:
        parted_so = not bool((parts.lengths[bare] > 3).any())
        chosen = [one for one in readings if bool(one.thousands) == parted_so]
        if len(chosen) == 1:
            return replace(look, readings=(chosen[0],), mark=chosen[0].decimal)
    at = int(parts.marked.argmax())
    one, other = (f"{values[at]:g}" for _, values in found[:2])
    note = (
        f"{parts.words[at][:20]!r} may be {one} or {other}. "
        "Write its numbers without marks between thousands and with a decimal point."
    )
    return replace(look, readings=readings, certain=False, note=note)


def _first(parts: Parts, flags: Flags) -> str:
    word: str = parts.words[int(flags.argmax())]
    return word


def _begins(word: str) -> str:
    return f"{word[:20]!r} begins with 0, as codes do. Leave it out if it is no category."


def _bare(parts: Parts) -> bool:
    """Tell whether numbers other than 0 stand without the unit."""
    return bool((flags_of(parts.units == "") & parts.nonzero).any())


def _differently(parts: Parts, units: list[str]) -> str:
    words = [_first(parts, flags_of(parts.units == unit) & parts.number) for unit in units]
    return f"{words[0][:20]!r} and {words[1][:20]!r} do not have the same unit."


def _mixed(parts: Parts) -> str:
    examples = []
    for marks in ((".", ","), (",", ".")):
        other = np.isnan(parts.values[marks]) & parts.number
        examples += [repr(_first(parts, other)[:20])] if other.any() else []
    return f"{' and '.join(examples)} are written in different ways."


def _among(strays: list[str]) -> str:
    return f"of {', '.join(repr(word[:20]) for word in strays[:3])} among its numbers."


def _in_words(spelling: Spelling, look: Look) -> str:
    how = ["decimal comma"] if spelling.decimal == "," and look.commas else []
    if spelling.thousands:
        how.append(f"{spelling.thousands!r} between thousands")
    if spelling.unit:
        how.append(f"in {spelling.unit}")
    if look.brackets:
        how.append("those in brackets negative")
    if spelling.missing:
        how.append(" and ".join(map(repr, spelling.missing[:3])) + " as missing")
    return ", ".join(how) or "without their spaces and signs"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
