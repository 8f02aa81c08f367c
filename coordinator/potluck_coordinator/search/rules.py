"""What each named parameter may be: its kind, its bounds, and when a trial reads it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType
from typing import Literal, get_args

from potluck.protocol.optimizers import OptimizerName
from potluck.protocol.schedules import ScheduleName
from potluck.protocol.words import meant
from potluck_coordinator.core.errors import BadStudy

Scalar = bool | int | float | str
Kind = Literal["float", "int", "flag", "name", "epochs", "any"]
Needs = Mapping[str, tuple[Scalar, ...]]
"""A parameter is read where each of these switches has one of its values."""

OPTIMIZERS: tuple[str, ...] = get_args(OptimizerName)
SCHEDULES: tuple[str, ...] = get_args(ScheduleName)
SWITCHES: Mapping[str, Scalar] = {"optimizer": "adam", "schedule": "constant", "use_ema": False}
"""Parameters that decide which others are read, and what holds where they are not given."""
LAYERS = "layers."
LARGEST_BATCH = 65_536
LARGEST_INT = 2**53
LARGEST_FLOAT = 1e100
LARGEST_STEPS = 2**31 - 1
LARGEST_EPOCHS = 1_000_000
MOST_BOUNDARIES = 64


@dataclass(frozen=True)
class Rule:
    """What values a parameter takes. Bounds are inclusive unless said to be open."""

    kind: Kind
    words: str
    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False
    names: tuple[str, ...] = ()
    needs: Needs = field(default_factory=lambda: MappingProxyType({}))

    def allows(self, value: Scalar) -> bool:
        """Say whether the parameter may take this value."""
        if self.kind == "any":
            return True
        if self.kind == "flag":
            return isinstance(value, bool)
        if self.kind == "name":
            return value in self.names
        if self.kind == "epochs":
            return isinstance(value, str) and _ascend(value)
        if isinstance(value, bool | str) or (self.kind == "int" and not isinstance(value, int)):
            return False
        above = value > self.low if self.low_open else value >= self.low
        below = value < self.high if self.high_open else value <= self.high
        return above and below

    def reads(self, point: Mapping[str, Scalar]) -> bool:
        """Say whether a trial with these switches reads the parameter."""
        return all(point.get(s, SWITCHES[s]) in values for s, values in self.needs.items())


def boundaries(text: str) -> list[float]:
    """Read epochs with commas between. Raises ValueError."""
    return [float(part) for part in text.split(",")]


def _ascend(text: str) -> bool:
    try:
        ends = boundaries(text)
    except ValueError:
        return False
    within = all(0 < end <= LARGEST_EPOCHS for end in ends) and len(ends) <= MOST_BOUNDARIES
    return within and all(a < b for a, b in pairwise(ends))


def _of(*optimizers: str) -> Needs:
    return {"optimizer": optimizers}


def _in(*schedules: str) -> Needs:
    return {"schedule": schedules}


def _share(needs: Needs) -> Rule:
    words = "a number from 0 to below 1"
    return Rule("float", words, 0.0, 1.0, high_open=True, needs=needs)


def _part(needs: Needs, *, low_open: bool = False) -> Rule:
    words = "a number above 0 up to 1" if low_open else "a number from 0 to 1"
    return Rule("float", words, 0.0, 1.0, low_open=low_open, needs=needs)


def _positive(needs: Needs, high: float = math.inf) -> Rule:
    limit = "" if high == math.inf else f" up to {high:g}"
    return Rule("float", f"a number above 0{limit}", 0.0, high, low_open=True, needs=needs)


def _strength(needs: Needs) -> Rule:
    return Rule("float", "a number from 0", 0.0, needs=needs)


def _flag(needs: Needs) -> Rule:
    return Rule("flag", "true or false", needs=needs)


def _counted(low: int, high: int, needs: Needs) -> Rule:
    return Rule("int", f"a whole number from {low} to {high}", low, high, needs=needs)


_ADAMS = ("adam", "adamw", "adamax", "nadam")
_ALL: Needs = {}

RULES: Mapping[str, Rule] = {
    "learning_rate": _positive(_ALL),
    "batch_size": _counted(1, LARGEST_BATCH, _ALL),
    "optimizer": Rule("name", f"one of {', '.join(OPTIMIZERS)}", names=OPTIMIZERS),
    "momentum": _share(_of("sgd", "rmsprop")),
    "nesterov": _flag(_of("sgd")),
    "beta_1": _share(_of(*_ADAMS, "lion")),
    "beta_2": _share(_of(*_ADAMS, "lion")),
    "rho": _share(_of("rmsprop", "adadelta")),
    "epsilon": _positive(_of(*_ADAMS, "rmsprop", "adagrad", "adadelta")),
    "amsgrad": _flag(_of("adam", "adamw")),
    "centered": _flag(_of("rmsprop")),
    "initial_accumulator_value": _strength(_of("adagrad", "ftrl")),
    "learning_rate_power": Rule("float", "a number up to 0", high=0.0, needs=_of("ftrl")),
    "l1_regularization_strength": _strength(_of("ftrl")),
    "l2_regularization_strength": _strength(_of("ftrl")),
    "l2_shrinkage_regularization_strength": _strength(_of("ftrl")),
    "beta": _strength(_of("ftrl")),
    "weight_decay": _strength(_ALL),
    "clipnorm": _positive(_ALL),
    "clipvalue": _positive(_ALL),
    "global_clipnorm": _positive(_ALL),
    "use_ema": _flag(_ALL),
    "ema_momentum": _part({"use_ema": (True,)}),
    "ema_overwrite_frequency": _counted(1, LARGEST_STEPS, {"use_ema": (True,)}),
    "schedule": Rule("name", f"one of {', '.join(SCHEDULES)}", names=SCHEDULES),
    "warmup_epochs": Rule("float", f"a number from 0 to {LARGEST_EPOCHS}", 0.0, LARGEST_EPOCHS),
    "warmup_from": _part(_ALL),
    "decay_epochs": _positive(_in("exponential", "cosine", "one_cycle"), LARGEST_EPOCHS),
    "decay_rate": _part(_in("exponential"), low_open=True),
    "every_epochs": _positive(_in("step"), LARGEST_EPOCHS),
    "boundaries": Rule("epochs", "epochs that ascend, such as '10, 20'", needs=_in("piecewise")),
    "factor": Rule(
        "float",
        "a number above 0 and below 1",
        0.0,
        1.0,
        low_open=True,
        high_open=True,
        needs=_in("step", "piecewise", "plateau"),
    ),
    "alpha": _part(_in("cosine")),
    "rise_share": Rule(
        "float",
        "a number above 0 and below 1",
        0.0,
        1.0,
        low_open=True,
        high_open=True,
        needs=_in("one_cycle"),
    ),
    "start_divisor": Rule("float", "a number from 1", 1.0, needs=_in("one_cycle")),
    "end_divisor": Rule("float", "a number from 1", 1.0, needs=_in("one_cycle")),
    "patience": _counted(0, LARGEST_EPOCHS, _in("plateau")),
    "min_delta": _strength(_in("plateau")),
    "cooldown": _counted(0, LARGEST_EPOCHS, _in("plateau")),
    "min_lr": _strength(_in("plateau")),
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
    near = meant(name, RULES)
    raise BadStudy(
        "search.unknown_parameter",
        f"There is no parameter {name[:100]!r}.",
        expected="a parameter such as learning_rate, momentum, or layers.<name>.<field>",
        got=name[:100],
        hint=f"Did you mean {near!r}?"
        if near
        else "A layer's field is written like layers.dense_1.units.",
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
        near = meant(value, rule.names) if isinstance(value, str) and rule.names else None
        raise BadStudy(
            f"search.{name}",
            f"{name} must be {rule.words}.",
            expected=rule.words,
            got=repr(value)[:200],
            hint=f"Did you mean {near!r}?"
            if near
            else "Change the value or the ends of the range.",
            where=name,
        )
    return float(value) if rule.kind == "float" else value
