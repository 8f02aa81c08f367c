"""What a parameter may be: the words a submitter writes, and their wire form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass

from pydantic import TypeAdapter

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
    try:
        match value:
            case Fixed():
                return wire.Fixed(value=_scalar(name, value.value))
            case Float():
                return wire.Float(low=value.low, high=value.high, log=value.log, step=value.step)
            case Int():
                return wire.Int(low=value.low, high=value.high, log=value.log, step=value.step)
            case Choice():
                choices = [_scalar(name, item) for item in value.choices]
                return wire.Choice(choices=choices)
            case list() | tuple() | range():
                return wire.Choice(choices=[_scalar(name, item) for item in value])
    except ValueError as error:
        if isinstance(error, BadArgument):
            raise
        raise BadArgument(f"The parameter {name!r} cannot be read: {value!r}.\n{error}") from None
    return wire.Fixed(value=_scalar(name, value))


def parameters(search: Mapping[str, object]) -> dict[str, Parameter]:
    """Turn a whole search space into its wire form."""
    return {name: parameter(name, value) for name, value in search.items()}


def _from_mapping(name: str, given: Mapping[object, object]) -> Parameter:
    fields = {str(key): value for key, value in given.items()}
    kind = str(fields.pop("kind", None) or _guess_kind(fields))
    allowed = _FIELDS.get(kind, frozenset())
    if not fields or not set(fields) <= allowed:
        raise BadArgument(
            f"The parameter {name!r} cannot be read: {dict(given)!r}. Write a value, a list of "
            "values, {low, high} with optional log and step, {choices: [...]} or {value: ...}."
        )
    try:
        return _PARAMETER.validate_python({"kind": kind, **fields})
    except ValueError as error:
        raise BadArgument(f"The parameter {name!r} cannot be read.\n{error}") from None


def _guess_kind(fields: Mapping[str, object]) -> str:
    if "choices" in fields:
        return "choice"
    if "value" in fields:
        return "fixed"
    numbers = [fields[key] for key in ("low", "high", "step") if key in fields]
    return "int" if all(type(number) is int for number in numbers) else "float"


def _scalar(name: str, value: object) -> Scalar:
    """Take a plain value, or a numpy scalar's plain value."""
    if not isinstance(value, bool | int | float | str):
        item = getattr(value, "item", None)
        value = item() if callable(item) and getattr(value, "shape", None) == () else value
    if isinstance(value, bool | int | float | str):
        return value
    raise BadArgument(
        f"The parameter {name!r} has a value that is no number, text, true or false: {value!r}."
    )
