"""What a parameter may be: the words a submitter writes, and their wire form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import cast

from pydantic import TypeAdapter

from potluck.arguments import (
    ORDERLESS,
    RULES,
    as_list,
    is_number,
    number_hint,
    plain,
    reads_as_number,
    shown,
)
from potluck.errors import BadArgument
from potluck.protocol import study as wire
from potluck.protocol.study import Parameter, Scalar


@dataclass(frozen=True)
class Fixed:
    """Hold a parameter at one value."""

    value: Scalar


@dataclass(frozen=True)
class Float:
    """Search the real numbers in [low, high]; `log` spreads them over orders of magnitude."""

    low: float
    high: float
    _: KW_ONLY
    log: bool = False
    step: float | None = None


@dataclass(frozen=True)
class Int:
    """Search the whole numbers in [low, high]."""

    low: int
    high: int
    _: KW_ONLY
    log: bool = False
    step: int = 1


@dataclass(frozen=True)
class Choice:
    """Search a list of values."""

    choices: Sequence[Scalar]


MOST_CHOICES = 256
LONGEST_WORD = 1000
_PARAMETER: TypeAdapter[Parameter] = TypeAdapter(Parameter)
_FIELDS: dict[str, frozenset[str]] = {
    "fixed": frozenset({"value"}),
    "float": frozenset({"low", "high", "log", "step"}),
    "int": frozenset({"low", "high", "log", "step"}),
    "choice": frozenset({"choices"}),
}


def parameter(name: str, value: object) -> Parameter:
    """Turn what a submitter wrote into its wire form.

    A scalar is fixed; a list is a choice; a mapping (as in a YAML file) is read by its keys:
    `{low, high, log, step}`, `{choices}` or `{value}`, with an optional `kind`. Raises
    `BadArgument` for anything else. Whether a range holds anything is for the coordinator to say.
    """
    if isinstance(value, wire.Fixed | wire.Float | wire.Int | wire.Choice):
        return value
    if isinstance(value, Mapping):
        return _from_mapping(name, value)
    value = as_list(value)
    match value:
        case Fixed():
            return wire.Fixed(value=_scalar(name, value.value))
        case Float():
            return _ranged(name, "float", vars(value))
        case Int():
            return _ranged(name, "int", vars(value))
        case Choice():
            return _choice(name, value.choices)
        case set() | frozenset():
            raise BadArgument(f"{name!r} cannot be {shown(value)}. {ORDERLESS}")
        case list() | tuple() | range():
            return _choice(name, value)
    return wire.Fixed(value=_scalar(name, value))


def parameters(search: Mapping[str, object]) -> dict[str, Parameter]:
    """Turn a whole search space into its wire form."""
    for name in search:
        if name in RULES:
            raise BadArgument(
                f"{name!r} is not searched: it is an argument of submit (in a study file a key "
                f"beside search), with one value for all trials. Write {name}=... there."
            )
    return {name: parameter(name, value) for name, value in search.items()}


def _from_mapping(name: str, given: Mapping[object, object]) -> Parameter:
    fields = {str(key): value for key, value in given.items()}
    kind = fields.pop("kind", None) or _guess_kind(fields)
    allowed = _FIELDS.get(kind, frozenset()) if isinstance(kind, str) else frozenset()
    if not fields or not set(fields) <= allowed:
        raise _unread(name, given)
    if kind == "choice":
        return _choice(name, fields["choices"])
    if kind == "fixed":
        return wire.Fixed(value=_scalar(name, fields["value"]))
    return _ranged(name, str(kind), fields)


def _choice(name: str, choices: object) -> Parameter:
    choices = as_list(choices)
    if not isinstance(choices, list | tuple | range):
        raise BadArgument(f"The choices of {name!r} must be a list, got {shown(choices)}.")
    if not 1 <= len(choices) <= MOST_CHOICES:
        raise BadArgument(
            f"{name!r} must have 1 to {MOST_CHOICES} choices, got {len(choices)}. For more numbers "
            "than that, give a range: Int(low, high) or Float(low, high)."
        )
    return wire.Choice(choices=[_scalar(name, item) for item in choices])


def _ranged(name: str, kind: str, given: Mapping[str, object]) -> Parameter:
    """Write a range down; its ends are numbers, and whole ones where its kind is `int`."""
    fields = {key: plain(value) for key, value in given.items()}
    words = "a whole number" if kind == "int" else "a number"
    for end in ("low", "high", "step"):
        value = fields.get(end)
        if value is None and (end == "step" or end not in fields):
            fields.pop(end, None)
        elif not is_number(value) or (kind == "int" and not isinstance(value, int)):
            said = f"{end} of {name!r} must be {words}, got {shown(value)}."
            raise BadArgument(f"{said} {number_hint(value)}".rstrip())
    if not isinstance(fields.get("log", False), bool):
        raise BadArgument(f"log of {name!r} must be true or false, got {shown(fields['log'])}.")
    if "low" not in fields or "high" not in fields:
        raise _unread(name, given)
    return _PARAMETER.validate_python({"kind": kind, **fields})


def _unread(name: str, given: object) -> BadArgument:
    return BadArgument(
        f"The parameter {name!r} cannot be read: {shown(given)}. Write a value, a list of values, "
        "{low, high} with optional log and step, {choices: [...]} or {value: ...}."
    )


def _guess_kind(fields: Mapping[str, object]) -> str:
    if "choices" in fields:
        return "choice"
    if "value" in fields:
        return "fixed"
    numbers = [plain(fields[key]) for key in ("low", "high", "step") if key in fields]
    return "int" if all(type(number) is int for number in numbers) else "float"


def _scalar(name: str, value: object) -> Scalar:
    """Take a plain value, or a numpy scalar's plain value."""
    found = plain(value)
    if isinstance(found, bool) or is_number(found):
        return cast("Scalar", found)
    if isinstance(found, str) and name != "boundaries" and reads_as_number(found):
        raise BadArgument(
            f"A value of the parameter {name!r} must be a number, got {shown(found)}. Write the "
            "number without quotation marks."
        )
    if isinstance(found, str) and len(found) <= LONGEST_WORD and found.isprintable():
        return found
    raise BadArgument(
        f"A value of the parameter {name!r} must be a finite number, a short text, true or false, "
        f"got {shown(value)}."
    )
