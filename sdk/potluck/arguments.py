"""Each of `submit()`'s arguments has one kind; what is of another is refused in one sentence."""

from __future__ import annotations

import math
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from potluck.errors import BadArgument
from potluck.protocol import study as wire
from potluck.protocol.words import meant

MOST_SHOWN = 60
LARGEST_SEED = 2**32 - 1
LARGEST_WHOLE = 2**53
LARGEST_WEIGHT = 1e6
ORDERLESS = "The order of a set is not fixed: use a list."
_SEED = f"a whole number from 0 to {LARGEST_SEED}"


def shown(value: object) -> str:
    """Write a value as an error shows it: its kind, and a short form of it."""
    if value is None:
        return "None"
    try:
        text = repr(value)
    except Exception:  # a whole number of very many digits, or a thing of somebody else's
        text = ""
    text = " ".join(text.split())
    if len(text) > MOST_SHOWN:
        text = text[:MOST_SHOWN] + "..."
    return f"{text} ({_kind(value)})" if text else _kind(value)


def _kind(value: object) -> str:
    names: dict[type, str] = {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: "text",
        list: "a list",
        tuple: "a tuple",
        dict: "a mapping",
    }
    return names.get(type(value), f"of type {type(value).__name__}")


def plain(value: object) -> object:
    """Give a numpy scalar's plain value; anything else as it is."""
    if isinstance(value, bool | int | float | str) and type(value).__module__ == "builtins":
        return value
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "shape", None) == ():
        found: object = item()
        return found
    return value


def as_list(value: object) -> object:
    """Give a row of values of numpy, pandas or polars as a list; anything else as it is."""
    several = getattr(value, "ndim", 1) == 1 and hasattr(value, "dtype")
    give = getattr(value, "tolist", None) or getattr(value, "to_list", None)
    if several and callable(give):
        found: object = give()
        return found
    return value


@dataclass(frozen=True)
class _Rule:
    """What an argument takes: a test, and the words for it."""

    words: str
    allows: Callable[[object], bool]
    optional: bool = False
    hint: Callable[[object], str] = lambda _: ""


def _is_whole(value: object, low: int = 1, high: int = LARGEST_WHOLE) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def is_number(value: object) -> bool:
    """Say whether a value is a finite number; true and false are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= LARGEST_WHOLE if isinstance(value, int) else math.isfinite(value)


def _is_text(value: object) -> bool:
    """Say whether a value is text that can be sent: half of a surrogate pair cannot."""
    return isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)


def _whole(words: str, low: int, high: int = LARGEST_WHOLE, *, optional: bool = False) -> _Rule:
    return _Rule(words, lambda value: _is_whole(value, low, high), optional, number_hint)


def number_hint(value: object) -> str:
    """Say how to write the number that was probably meant; nothing where none was."""
    if isinstance(value, str):
        return "Write the number without quotation marks." if reads_as_number(value) else ""
    if isinstance(value, float) and value.is_integer() and abs(value) < LARGEST_WHOLE:
        return f"Write {int(value)}."
    return ""


def reads_as_number(text: str) -> bool:
    """Tell text that is a number in quotation marks."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _text(words: str = "text", *, optional: bool = False) -> _Rule:
    return _Rule(words, _is_text, optional, _text_hint)


def _text_hint(value: object) -> str:
    if isinstance(value, bool | int | float):
        return "Write it in quotation marks."
    return ""


def _flag() -> _Rule:
    return _Rule("true or false", lambda value: isinstance(value, bool))


def _word(known: Iterable[str], *, optional: bool = False) -> _Rule:
    words = list(known)
    return _Rule(
        f"one of {', '.join(words)}" if len(words) <= 6 else f"a name such as {words[0]}",
        lambda value: isinstance(value, str) and value in words,
        optional,
        lambda value: _meant(value, words),
    )


def _meant(value: object, words: list[str]) -> str:
    near = meant(value, words) if isinstance(value, str) else None
    if near is not None:
        return f"Did you mean {near!r}?"
    return "" if len(words) <= 6 else f"Known: {', '.join(words)}."


def _names(literal: Any) -> list[str]:
    """Give a Literal's words, those of Literals in it too."""
    return list(typing.get_args(literal))


def _fraction(words: str, *, zero: bool = False, optional: bool = False) -> _Rule:
    def allows(value: object) -> bool:
        return is_number(value) and (0 < value < 1 or (zero and value == 0))  # type: ignore[operator]

    return _Rule(words, allows, optional, _fraction_hint)


def _fraction_hint(value: object) -> str:
    if isinstance(value, tuple | list | Mapping) or hasattr(value, "shape"):
        return (
            "Rows of your own for validation cannot be given: put all rows in one dataset, and "
            "the coordinator parts them."
        )
    if is_number(value) and 1 < value <= 100:  # type: ignore[operator]
        return f"For {value} % write {value / 100:g}."  # type: ignore[operator]
    return "" if isinstance(value, float) else number_hint(value)


def _is_column_list(value: object) -> bool:
    return isinstance(value, list | tuple) and all(_is_text(name) for name in value)


def _column_hint(value: object) -> str:
    if isinstance(value, set | frozenset):
        return ORDERLESS
    return f"Write [{value!r}]." if isinstance(value, str) and len(value) < MOST_SHOWN else ""


def _is_rungs(value: object) -> bool:
    return _is_whole(value) or (
        isinstance(value, list | tuple) and all(_is_whole(plain(one)) for one in value)
    )


def _is_weights(value: object) -> bool:
    return (isinstance(value, str) and value == "balanced") or (
        isinstance(value, Mapping)
        and all(_is_text(str(label)) for label in value if not isinstance(label, int))
        and not any(_no_weight(one) for one in value.values())
    )


def _no_weight(value: object) -> bool:
    number = plain(value)
    return not is_number(number) or not 0 <= number <= LARGEST_WEIGHT  # type: ignore[operator]


def _weight_hint(value: object) -> str:
    if isinstance(value, Mapping):
        wrong = [(label, one) for label, one in value.items() if _no_weight(one)]
        return f"The weight of {shown(wrong[0][0])} is {shown(wrong[0][1])}." if wrong else ""
    if isinstance(value, list | tuple) or hasattr(value, "shape"):
        return "Name the labels: dict(zip(labels, weights))."
    return ""


def _key_hint(value: object) -> str:
    if not isinstance(value, Mapping):
        return ""
    odd = next((key for key in value if not _is_text(key)), None)
    return f"Its key {shown(odd)} is no text: write the name in quotation marks."


def _is_mapping(value: object) -> bool:
    return isinstance(value, Mapping) and all(_is_text(key) for key in value)


RULES: Mapping[str, _Rule] = {
    "search": _Rule(
        "a mapping from parameters to values, lists or ranges", _is_mapping, False, _key_hint
    ),
    "trials": _whole("a whole number from 1 to 10000", 1, 10_000),
    "epochs": _whole("a whole number from 1", 1, optional=True),
    "rungs": _Rule("a whole number from 1, or a list of epoch counts", _is_rungs, False),
    "folds": _whole("a whole number from 2", 2, optional=True),
    "validation": _fraction("a fraction of the rows above 0 and below 1", optional=True),
    "test": _fraction("a fraction of the rows from 0 to below 1", zero=True),
    "stratify": _flag(),
    "split_seed": _whole(_SEED, 0, LARGEST_SEED),
    "duplicates": _word(_names(wire.Duplicates), optional=True),
    "target": _text("a column's name", optional=True),
    "features": _Rule("a list of column names", _is_column_list, True, _column_hint),
    "task": _word(_names(wire.Task), optional=True),
    "scaling": _word(_names(wire.Scaling), optional=True),
    "loss": _word(_names(wire.LossName), optional=True),
    "loss_options": _Rule(
        "a mapping such as {'label_smoothing': 0.1}", _is_mapping, False, _key_hint
    ),
    "class_weight": _Rule(
        "'balanced', or a mapping from labels to weights, which are numbers above 0 (at 0 a class "
        "does not count) up to 1000000",
        _is_weights,
        True,
        _weight_hint,
    ),
    "sample_weight": _text("the name of a column of weights", optional=True),
    "metric": _word(_names(wire.MetricName), optional=True),
    "direction": _word(_names(wire.Direction), optional=True),
    "init": _word(("fresh", "uploaded"), optional=True),
    "fit_first_layer": _flag(),
    "sampler": _word(("random", "grid")),
    "repeats": _whole("a whole number from 1 to 20", 1, 20),
    "seed": _whole(_SEED, 0, LARGEST_SEED),
    "name": _text(optional=True),
    "description": _text(),
    "visibility": _word(_names(wire.Visibility)),
    "donors": _word(_names(wire.Donors)),
    "group": _text("the name or the id of one of your groups", optional=True),
    "rows_are_public": _flag(),
}

LISTS = ("rungs", "features")
"""Arguments that may be an array, or a DataFrame's columns."""


def checked(arguments: Mapping[str, object]) -> dict[str, Any]:
    """Give the arguments with numpy's scalars made plain. Raises `BadArgument` for the first wrong.

    `arguments` maps names of `RULES` to what was given for them.
    """
    found: dict[str, Any] = {}
    for name, given in arguments.items():
        rule, value = RULES.get(name), plain(given)
        if name in LISTS:
            value = as_list(value)
        if rule is not None and not (value is None and rule.optional) and not rule.allows(value):
            said = f"{name} must be {rule.words}, got {shown(value)}."
            raise BadArgument(" ".join(part for part in (said, rule.hint(value)) if part))
        found[name] = value
    return found
