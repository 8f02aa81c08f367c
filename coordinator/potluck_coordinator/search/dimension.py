"""One searched parameter: a range, a range in steps, or a list of values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from potluck.protocol.study import Choice, Float, Int, Parameter
from potluck_coordinator.core.errors import BadStudy
from potluck_coordinator.search.rules import LARGEST_INT, Scalar, check_number, check_value, rule_of

CELLS = 2**40
"""Into so many equal parts a range of real numbers falls for spreading draws over it."""


@dataclass(frozen=True)
class Range:
    """Numbers in [low, high]. `step` None: every real number between them."""

    kind: Literal["float", "int"]
    low: float
    high: float
    log: bool
    step: float | None

    @property
    def size(self) -> int | None:
        """Count the values; None where there is no end to them."""
        return None if self.step is None else _steps(self.low, self.high, self.step) + 1

    def value(self, index: int) -> Scalar:
        """Give the value at a place, counted from `low`."""
        if self.kind == "int":
            return int(self.low) + index * int(self.step or 1)
        return float(Decimal(str(self.low)) + index * Decimal(str(self.step)))

    def snap(self, value: Scalar) -> Scalar:
        """Give the value on the steps that is nearest: rounding must not make a new point."""
        if self.step is None:
            return float(value)
        return self.value(round((float(value) - self.low) / self.step))

    @property
    def cells(self) -> int:
        """Count the equal parts in which draws are spread: the values, or many of a real range."""
        return (
            CELLS if self.step is None or self.log else _steps(self.low, self.high, self.step) + 1
        )

    def cell(self, value: Scalar) -> int:
        """Give the part in which a value lies; the nearest one for a value beyond the ends."""
        if self.step is not None and not self.log:
            found = round((float(value) - self.low) / self.step)
        else:
            low, high = self._ends()
            found = int((self._scaled(float(value)) - low) / (high - low) * CELLS)
        return min(max(found, 0), self.cells - 1)

    def value_in(self, cell: int, share: float) -> Scalar:
        """Give the value at a share, from 0 to below 1, of a part."""
        if self.step is not None and not self.log:
            return self.value(cell)
        low, high = self._ends()
        found = low + (high - low) * ((cell + share) / CELLS)
        found = math.exp(found) if self.log else found
        if self.kind == "int":
            found = round(found)
        return self.snap(min(max(found, self.low), self.high))

    def _ends(self) -> tuple[float, float]:
        # Whole numbers on a logarithmic scale: each has its rounding's width, the ends too.
        wide = 0.5 if self.kind == "int" else 0.0
        return self._scaled(self.low - wide), self._scaled(self.high + wide)

    def _scaled(self, value: float) -> float:
        return math.log(value) if self.log else value


@dataclass(frozen=True)
class Options:
    """One of a list of values."""

    choices: tuple[Scalar, ...]

    @property
    def size(self) -> int:
        """Count the values."""
        return len(self.choices)

    def value(self, index: int) -> Scalar:
        """Give the value at a place."""
        return self.choices[index]

    def snap(self, value: Scalar) -> Scalar:
        """Give the choice that equals the value: 1 and 1.0 are one point."""
        return self.choices[self.choices.index(value)]


Dimension = Range | Options


def read_parameter(name: str, parameter: Parameter) -> Scalar | Dimension:
    """Check one parameter: its one value, or what is searched. Raises `BadStudy`."""
    if isinstance(parameter, Choice):
        choices = _read_choices(name, parameter)
        return choices[0] if len(choices) == 1 else Options(choices)
    if isinstance(parameter, Float | Int):
        _check_range(name, parameter)
        found = _read_range(name, parameter)
        return found.value(0) if found.size == 1 else found
    return check_value(name, parameter.value)


def _read_choices(name: str, parameter: Choice) -> tuple[Scalar, ...]:
    kinds = {_kind(choice) for choice in parameter.choices}
    if len(kinds) > 1:
        raise _refuse(
            "choice_types",
            name,
            "The choices of one parameter must be of one kind.",
            expected="only numbers, only texts, or only true and false",
            got=", ".join(sorted(kinds)),
        )
    choices = tuple(check_value(name, choice) for choice in parameter.choices)
    if any(isinstance(choice, float) for choice in choices):
        choices = tuple(float(choice) for choice in choices)
    if len(set(choices)) < len(choices):
        raise _refuse(
            "choice_repeated",
            name,
            "A choice is listed twice.",
            expected="choices that differ",
            got=", ".join(str(choice) for choice in parameter.choices),
        )
    return choices


def _check_range(name: str, parameter: Float | Int) -> None:
    low, high, step = parameter.low, parameter.high, parameter.step
    if rule_of(name).kind in ("flag", "name", "epochs"):
        raise _refuse(
            name,
            name,
            f"{name} has no range.",
            expected=rule_of(name).words,
            got=f"a range from {low} to {high}",
        )
    if isinstance(parameter, Float) and rule_of(name).kind == "int":
        raise _refuse(
            name,
            name,
            f"{name} takes whole numbers only.",
            expected="a range of whole numbers (kind int)",
            got="a range of real numbers (kind float)",
        )
    check_value(name, low)
    check_value(name, high)
    if low > high:
        raise _refuse(
            "range_empty",
            name,
            "The range is empty: its low end is above its high end.",
            expected="low at most high",
            got=f"low {low}, high {high}",
        )
    if parameter.log and low <= 0:
        raise _refuse(
            "log_needs_positive",
            name,
            "A logarithmic range must lie above 0.",
            expected="low above 0",
            got=f"low {low}",
        )
    if parameter.log and step not in (None, 1):
        raise _refuse(
            "log_with_step",
            name,
            "A logarithmic range has no steps.",
            expected="log, or step, not both",
            got=f"log with step {step}",
        )
    if step is not None:
        check_number(name, step)
    if step is not None and step <= 0:
        raise _refuse(
            "step_not_positive",
            name,
            "A step must be above 0.",
            expected="step above 0",
            got=f"step {step}",
        )
    if step is not None and (high - low) / step > LARGEST_INT:
        raise _refuse(
            "step_too_small",
            name,
            "The step is too small to count with.",
            expected=f"a step of at least {(high - low) / LARGEST_INT}",
            got=f"step {step}",
        )
    if step is not None and low < high and _steps(low, high, step) < 1:
        raise _refuse(
            "step_too_large",
            name,
            "The step leads out of the range at once.",
            expected=f"a step of at most {high - low}",
            got=f"step {step}",
        )


def _read_range(name: str, parameter: Float | Int) -> Range:
    low, high, step = parameter.low, parameter.high, parameter.step
    kind: Literal["float", "int"] = "int" if isinstance(parameter, Int) else "float"
    if rule_of(name).kind == "float":
        kind = "float"
    if isinstance(parameter, Float) and parameter.log:
        step = None
    if low == high:
        step = 1  # one value, whatever its kind
    elif step is not None:
        # The last value that the steps reach; what lies beyond is never tried.
        high = float(Decimal(str(low)) + _steps(low, high, step) * Decimal(str(step)))
    return Range(kind, low, high, parameter.log, step)


def _steps(low: float, high: float, step: float) -> int:
    return int((Decimal(str(high)) - Decimal(str(low))) // Decimal(str(step)))


def _kind(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true or false"
    return "text" if isinstance(value, str) else "number"


def _refuse(code: str, name: str, message: str, *, expected: str, got: str) -> BadStudy:
    return BadStudy(
        f"search.{code}",
        message,
        expected=expected,
        got=got,
        hint="Change this parameter of the search space.",
        where=name,
    )
