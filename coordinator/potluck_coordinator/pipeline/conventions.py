"""Finds out how the columns of a table are written: which are numbers, and which look like it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import polars as pl

from potluck_coordinator.pipeline.spelling import CURRENCIES, Spelling, parted, read_numbers

MARKS = ((".", ","), (".", " "), (".", "'"), (",", "."), (",", " "), (",", "'"))
"""Decimal mark and thousands that go together."""
PLACEHOLDERS = (
    *("?", "-", "--", "---", "\N{EN DASH}", "\N{EM DASH}", ".", "..", "*", "n/a", "na", "n.a."),
    *("nan", "none", "null", "nil", "#n/a", "<na>", "missing", "unknown", "k.a."),
)
"""Words that stand for no value among numbers, in small letters."""
FEWEST_NUMBERS = 3
"""With fewer beside a placeholder (1 and -), the words are rather labels."""
MOST_CODES = 512
CODE = r"^0[0-9]+$"
GROUPED = r"^[-+]?[1-9][0-9]{0,2}(?:\.[0-9]{3})*$"
MOST_NAMED = 8
SAMPLE = 1000


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


def _begins(word: str) -> str:
    return f"{word[:20]!r} begins with 0, as codes do. Leave it out if it is no category."


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
