"""What each named parameter may be: its kind, its bounds, and which optimizers read it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from potluck_coordinator.core.errors import BadStudy

Scalar = bool | int | float | str
Kind = Literal["float", "int", "flag", "name", "any"]

OPTIMIZERS = ("sgd", "adam", "rmsprop")
LAYERS = "layers."
LARGEST_BATCH = 65_536
LARGEST_INT = 2**53
LARGEST_FLOAT = 1e100


@dataclass(frozen=True)
class Rule:
    """What values a parameter takes. Bounds are inclusive unless said to be open."""

    kind: Kind
    words: str
    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False
    optimizers: tuple[str, ...] = OPTIMIZERS

    def allows(self, value: Scalar) -> bool:
        """Say whether the parameter may take this value."""
        if self.kind == "any":
            return True
        if self.kind == "flag":
            return isinstance(value, bool)
        if self.kind == "name":
            return value in OPTIMIZERS
        if isinstance(value, bool | str) or (self.kind == "int" and not isinstance(value, int)):
            return False
        above = value > self.low if self.low_open else value >= self.low
        below = value < self.high if self.high_open else value <= self.high
        return above and below


def _share(words: str, *optimizers: str) -> Rule:
    return Rule("float", words, 0.0, 1.0, high_open=True, optimizers=optimizers or OPTIMIZERS)


RULES: Mapping[str, Rule] = {
    "learning_rate": Rule("float", "a number above 0", 0.0, low_open=True),
    "batch_size": Rule("int", f"a whole number from 1 to {LARGEST_BATCH}", 1, LARGEST_BATCH),
    "optimizer": Rule("name", f"one of {', '.join(OPTIMIZERS)}"),
    "momentum": _share("a number from 0 to below 1", "sgd", "rmsprop"),
    "nesterov": Rule("flag", "true or false", optimizers=("sgd",)),
    "beta_1": _share("a number from 0 to below 1", "adam"),
    "beta_2": _share("a number from 0 to below 1", "adam"),
    "rho": _share("a number from 0 to below 1", "rmsprop"),
    "epsilon": Rule(
        "float", "a number above 0", 0.0, low_open=True, optimizers=("adam", "rmsprop")
    ),
}
DEFAULTS: Mapping[str, Scalar] = {"learning_rate": 0.001, "batch_size": 32, "optimizer": "adam"}

_LAYER_RULE = Rule("any", "any value that the layer's field takes")


def rule_of(name: str) -> Rule:
    """Give a parameter's rule. Raises `BadStudy` (`search.unknown_parameter`)."""
    if name in RULES:
        return RULES[name]
    layer, _, field = name.removeprefix(LAYERS).rpartition(".")
    if name.startswith(LAYERS) and layer and field:
        return _LAYER_RULE
    raise BadStudy(
        "search.unknown_parameter",
        f"There is no parameter {name!r}.",
        expected=f"one of {', '.join(RULES)}, or layers.<name>.<field>",
        got=name,
        hint="A layer's field is written like layers.dense_1.units.",
        where=name,
    )


def check_number(name: str, value: Scalar) -> None:
    """Refuse what no range can hold: `search.not_finite`, `search.too_large`."""
    if isinstance(value, bool | str):
        return
    if isinstance(value, float) and not math.isfinite(value):
        raise BadStudy(
            "search.not_finite",
            f"{name} cannot be {value}.",
            expected="a finite number",
            got=str(value),
            hint="Leave the value out, or write a number.",
            where=name,
        )
    if abs(value) > (LARGEST_INT if isinstance(value, int) else LARGEST_FLOAT):
        raise BadStudy(
            "search.too_large",
            f"A number of {name} is too large.",
            expected=f"at most 2^53 for whole numbers, {LARGEST_FLOAT:g} for others",
            got=f"about {'-' if value < 0 else ''}10^{len(str(abs(int(value)))) - 1}",
            hint="Write a smaller number.",
            where=name,
        )


def check_value(name: str, value: Scalar) -> Scalar:
    """Give a value in the form that its parameter has, or raise `BadStudy`.

    The code is `search.<parameter>` for a value out of its parameter's bounds, and
    `search.not_finite` for NaN and infinities.
    """
    check_number(name, value)
    rule = rule_of(name)
    if not rule.allows(value):
        raise BadStudy(
            f"search.{name}",
            f"{name} must be {rule.words}.",
            expected=rule.words,
            got=repr(value),
            hint="Change the value or the ends of the range.",
            where=name,
        )
    return float(value) if rule.kind == "float" else value
