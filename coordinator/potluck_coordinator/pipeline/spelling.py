"""How a table's column is written: its numbers' decimal mark, thousands, unit and gaps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import polars as pl

from potluck_coordinator.pipeline.batches import batches

CURRENCIES = (
    *("US$", "R$", "C$", "A$", "$", "€", "£", "¥", "₹", "₩", "₽", "₺", "₫", "฿", "₪", "₴", "zł"),
    *("kr.", "kr", "Kč", "Fr.", "Rs.", "EUR", "USD", "GBP", "CHF", "JPY", "CNY", "INR", "BRL"),
    *("SEK", "NOK", "DKK", "PLN", "CZK", "HUF", "TRY", "AUD", "CAD", "NZD", "ZAR", "KRW", "MXN"),
)
_UNIT = "|".join(re.escape(word) for word in CURRENCIES)
# Polars's regular expressions take time in proportion to the text, whatever it holds.
_NUMBER = (
    r"^(?P<open>\()?\s*(?P<sign>[-+])?\s*(?P<before>" + _UNIT + r")?\s*(?P<inner>[-+])?\s*"
    r"(?P<body>[0-9][0-9.,' ]*|[.,][0-9]+)(?P<power>[eE][-+]?[0-9]{1,3})?\s*"
    r"(?P<after>%|" + _UNIT + r")?(?P<trail>-)?\s*(?P<close>\))?$"
)


@dataclass(frozen=True)
class Spelling:
    """How one column is written. `words`: its cells are words, though they look like numbers.

    `unit`: a currency or `%` beside the numbers, which stay as written (12 for 12 %). `missing`:
    words that stand for no value. A plain column of numbers or words needs no spelling.
    """

    kind: Literal["numbers", "words"] = "numbers"
    decimal: str = "."
    thousands: str = ""
    unit: str = ""
    missing: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Give plain JSON."""
        return {**asdict(self), "missing": list(self.missing)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Spelling:
        """Read what `to_json` wrote."""
        return cls(**{**data, "missing": tuple(data["missing"])})

    def numbers(self, words: pl.Series) -> pl.Series:
        """Read words as this column writes numbers; null for what is written otherwise."""
        return read_numbers(parted(words), self)


def parted(words: pl.Series) -> pl.DataFrame:
    """Part each word into sign, unit, body and power; null bodies are no numbers.

    Columns: `word`, `negative`, `unit`, `body` (digits and their marks), `power`, `enclosed`.
    """
    plain = (
        words.str.replace_all(r"[\x{00a0}\x{2007}\x{2009}\x{202f}]", " ")
        .str.replace_all(r"[\x{200b}\x{feff}]", "")
        .str.replace_all(r"[\x{2212}\x{2012}\x{2013}]", "-")
        .str.replace_all(r"[\x{2018}\x{2019}\x{00b4}`]", "'")
    )
    found = plain.str.extract_groups(_NUMBER).struct.unnest()
    frame = found.with_columns(word=words, body=pl.col("body").str.strip_chars_end(" "))
    signs = sum(
        pl.col(name).fill_null("").ne("").cast(pl.Int8) for name in ("sign", "inner", "trail")
    ) + pl.col("open").fill_null("").ne("").cast(pl.Int8)
    units = pl.col("before").fill_null("").ne("") & pl.col("after").fill_null("").ne("")
    closed = pl.col("open").fill_null("").eq("") == pl.col("close").fill_null("").eq("")
    # A bare "2-" is a grade; only an amount has its minus behind.
    grade = pl.col("trail").fill_null("").eq("-") & ~pl.col("body").str.contains(r"[.,' ]")
    good = (signs <= 1) & ~units & closed & ~grade
    minus = [pl.col(name).fill_null("").eq("-") for name in ("sign", "inner", "trail")]
    enclosed = pl.col("open").fill_null("").eq("(")
    return frame.select(
        "word",
        negative=minus[0] | minus[1] | minus[2] | enclosed,
        unit=pl.col("before").fill_null("") + pl.col("after").fill_null(""),
        body=pl.when(good).then(pl.col("body")),
        power=pl.col("power").fill_null(""),
        enclosed=enclosed,
    )


def read_numbers(parts: pl.DataFrame, spelling: Spelling) -> pl.Series:
    """Read what `parted` gave, as numbers; null for what is written otherwise."""
    numbers = read_bodies(parts, spelling.decimal, spelling.thousands)
    fits = parts["unit"].is_in(["", spelling.unit])
    return pl.DataFrame({"n": numbers, "fits": fits}).select(n=pl.when("fits").then("n"))["n"]


def read_bodies(parts: pl.DataFrame, decimal: str, thousands: str) -> pl.Series:
    """Read what `parted` gave, as numbers beside whatever unit; null for what is no such one."""
    body = parts["body"]
    written = body.str.contains(pattern(decimal, thousands))
    if thousands:
        body = body.str.replace_all(thousands, "", literal=True)
    body = body.str.replace_all(decimal, ".", literal=True)
    numbers = (body + parts["power"]).cast(pl.Float64, strict=False)
    frame = pl.DataFrame(
        {"n": numbers, "minus": parts["negative"], "fits": written.fill_null(value=False)}
    )
    signed = pl.when("minus").then(-pl.col("n")).otherwise(pl.col("n"))
    return frame.select(n=pl.when("fits").then(signed))["n"]


def numbers_of(
    columns: Mapping[str, pl.Series], spellings: Mapping[str, Spelling]
) -> dict[str, pl.Series]:
    """Do what `Spelling.numbers` does with many columns; those of one spelling go together."""
    alike: dict[tuple[str, str, str], dict[str, pl.Series]] = {}
    for name, words in columns.items():
        spelling = spellings[name]
        key = (spelling.decimal, spelling.thousands, spelling.unit)
        alike.setdefault(key, {})[name] = words
    found = {name: words.cast(pl.Float64) for name, words in columns.items() if not len(words)}
    for (decimal, thousands, unit), group in alike.items():
        spelling = Spelling(decimal=decimal, thousands=thousands, unit=unit)
        for batch in batches(group):
            numbers = spelling.numbers(batch.words)
            for place, name in enumerate(batch.names):
                found[name] = batch.column(numbers, place)
    return found


def pattern(decimal: str, thousands: str) -> str:
    """Give the regular expression of a body that is written so; thousands may be left out."""
    whole = r"[0-9]+"
    if thousands:
        mark = re.escape(thousands)
        # 12,34,567 is how lakhs are parted; elsewhere each group has three digits.
        groups = rf"(?:{mark}[0-9]{{3}})+"
        lakhs = rf"|[1-9][0-9]?(?:{mark}[0-9]{{2}})+{mark}[0-9]{{3}}" if thousands == "," else ""
        whole = rf"(?:[0-9]+|[1-9][0-9]{{0,2}}{groups}{lakhs})"
    return rf"^(?:{whole})?(?:{re.escape(decimal)}[0-9]*)?$"


def number_of(word: str) -> float | None:
    """Read a word as a plain number; None where it is none."""
    try:
        return float(word)
    except ValueError:
        return None
