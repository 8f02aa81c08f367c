"""A study's parameters where its specification leaves them open: the compiled optimizer's."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from potluck.protocol.study import Choice, Fixed, Parameter, Scalar, StudySpec
from potluck_coordinator.core.errors import BadStudy
from potluck_coordinator.search import Space
from potluck_coordinator.search.rules import RULES, SWITCHES, check_value
from potluck_coordinator.services.training import (
    DEFAULT_BATCH_SIZE,
    OWN_FIELDS,
    SCHEDULE_FIELDS,
    optimizer,
)

CLIPPINGS = ("clipnorm", "clipvalue", "global_clipnorm")
_NEAR = 1e-6
_USUAL = Fixed(value=DEFAULT_BATCH_SIZE)


def study_space(spec: StudySpec, compiled: Mapping[str, Scalar], rows: int | None = None) -> Space:
    """Give the space of a specification, with a plan's `compiled` parameters as its defaults.

    `rows`: those trained on, where they are known: points that differ in nothing then are one.
    Raises `BadStudy` (`search.*`).
    """
    fixed = {name: Fixed(value=value) for name, value in compiled.items() if name in RULES}
    epochs = None if rows is None else spec.rungs[-1]
    return Space.from_spec({**fixed, **spec.parameters}, epochs, rows)


def compiled_parameters(
    spec: StudySpec, compiled: Mapping[str, Any] | None, rows: int
) -> tuple[dict[str, Scalar], list[str]]:
    """Give the compiled optimizer as parameters, and warnings of what could not be taken.

    `compiled`: what the converter's `compiled` gives. `rows`: a unit's training rows, which make
    epochs of a schedule's steps. What the specification says wins; where it chooses another
    optimizer, or searches several, the compiled numbers are left out, since they were another's.
    Keras's own defaults are left out too.
    """
    found = (compiled or {}).get("optimizer")
    if found is None:
        return {}, _fallback(spec, compiled)
    name = found["name"]
    asked = spec.parameters.get("optimizer")
    if asked is not None and asked != Fixed(value=name):
        return {}, [f"The compiled {name} is not used: the study says which optimizer."]
    said: list[str] = []
    numbers = dict(found["numbers"])
    taken: dict[str, Scalar] = {"optimizer": name}
    if found["schedule"] is not None:
        rate, schedule = _scheduled(found["schedule"], _steps(spec, rows), said)
        numbers |= rate
        if schedule and "schedule" not in spec.parameters:
            taken |= schedule
            if not isinstance(spec.parameters.get("batch_size", _USUAL), Fixed):
                size = DEFAULT_BATCH_SIZE
                said.append(f"The compiled schedule's steps are counted in batches of {size}.")
    defaults = optimizer({"optimizer": name}, 1).model_dump()
    for field, value in numbers.items():
        if field not in OWN_FIELDS[name] or field not in RULES:
            said.append(f"The compiled {name}'s {field} is not used.")
        elif field == "learning_rate" or value != defaults[field]:
            taken |= _checked(f"{name}'s", field, value, said)
    _clip_once(taken, spec, said)
    taken = {field: value for field, value in taken.items() if field not in spec.parameters}
    settled = {**{f: Fixed(value=value) for f, value in taken.items()}, **spec.parameters}
    return {f: value for f, value in taken.items() if _read(f, settled)}, said


def _fallback(spec: StudySpec, compiled: Mapping[str, Any] | None) -> list[str]:
    lost = any("optimizer" in said for said in (compiled or {}).get("left_out", ()))
    if not lost or "optimizer" in spec.parameters:
        return []
    return ["Adam is used instead, with a learning rate of 0.001 where the study says none."]


def _steps(spec: StudySpec, rows: int) -> int:
    """Count the steps of an epoch; a batch size that is searched counts as the usual one."""
    batch = spec.parameters.get("batch_size", _USUAL)
    size = batch.value if isinstance(batch, Fixed) else DEFAULT_BATCH_SIZE
    if not isinstance(size, int) or size < 1:
        size = DEFAULT_BATCH_SIZE  # refused later, with the other parameters
    return max(1, math.ceil(rows / size))


def _checked(whose: str, field: str, value: Any, said: list[str]) -> dict[str, Scalar]:
    try:
        return {field: check_value(field, value)}
    except BadStudy as error:
        said.append(
            f"The compiled {whose} {field} ({str(value)[:40]}) is not used: it must be "
            f"{error.expected}."
        )
        return {}


def _clip_once(taken: dict[str, Scalar], spec: StudySpec, said: list[str]) -> None:
    """Leave one clipping: the study's own, else the first."""
    own = any(field in spec.parameters for field in CLIPPINGS)
    clips = [field for field in CLIPPINGS if field in taken]
    for field in clips[0 if own else 1 :]:
        del taken[field]
        if not own:
            said.append(f"The compiled {field} is not used: {clips[0]} clips already.")


def _read(field: str, settled: Mapping[str, Parameter]) -> bool:
    """Tell whether any trial reads the parameter."""
    for switch, values in RULES[field].needs.items():
        asked = settled.get(switch)
        may: Sequence[Scalar] = (SWITCHES[switch],)
        if isinstance(asked, Fixed):
            may = (asked.value,)
        elif isinstance(asked, Choice):
            may = asked.choices
        if not any(value in values for value in may):
            return False
    return True


def _scheduled(
    found: Mapping[str, Any], steps: int, said: list[str]
) -> tuple[dict[str, Any], dict[str, Scalar]]:
    """Give the learning rate that a schedule multiplies, and the schedule as parameters."""
    name, numbers = found["name"], found["numbers"]
    start = numbers.get("initial_learning_rate")
    if start is None and isinstance(numbers.get("values"), list):
        start = next(iter(numbers["values"]), None)
    rate: dict[str, Any] = {} if start is None else {"learning_rate": start}
    try:
        if name == "CosineDecay":
            rate, fields = _cosine(numbers, steps)
        elif name == "ExponentialDecay":
            fields = _exponential(numbers, steps)
        elif name == "PiecewiseConstantDecay":
            rate, fields = _piecewise(numbers, steps)
        else:
            raise ValueError("there is no such schedule here")
        known = SCHEDULE_FIELDS[str(fields["schedule"])] | {"schedule", "factor", "boundaries"}
        return rate, {f: check_value(f, value) for f, value in fields.items() if f in known}
    except BadStudy as error:
        reason = f"{error.where} must be {error.expected}"
    except (KeyError, TypeError, ZeroDivisionError, OverflowError):
        reason = "its numbers are not those of Keras"
    except ValueError as error:
        reason = str(error)
    said.append(f"The compiled {name} is not used ({reason}): the learning rate stays constant.")
    return rate, {}


def _cosine(numbers: Mapping[str, Any], steps: int) -> tuple[dict[str, Any], dict[str, Any]]:
    start = float(numbers["initial_learning_rate"])
    fields = {"schedule": "cosine", "decay_epochs": float(numbers["decay_steps"]) / steps}
    if numbers.get("alpha", 0.0) != 0.0:
        fields["alpha"] = float(numbers["alpha"])
    target = numbers.get("warmup_target")
    if target is None:  # Keras then does not warm up, whatever `warmup_steps` says
        return {"learning_rate": start}, fields
    if numbers.get("warmup_steps", 0):
        fields |= {"warmup_epochs": numbers["warmup_steps"] / steps}
        fields |= {"warmup_from": start / target}
    return {"learning_rate": float(target)}, fields


def _exponential(numbers: Mapping[str, Any], steps: int) -> dict[str, Any]:
    epochs, factor = float(numbers["decay_steps"]) / steps, float(numbers["decay_rate"])
    if numbers.get("staircase", False):
        return {"schedule": "step", "every_epochs": epochs, "factor": factor}
    return {"schedule": "exponential", "decay_epochs": epochs, "decay_rate": factor}


def _piecewise(numbers: Mapping[str, Any], steps: int) -> tuple[dict[str, Any], dict[str, Any]]:
    values = [float(value) for value in numbers["values"]]
    ends = [float(end) / steps for end in numbers["boundaries"]]
    if len(values) != len(ends) + 1 or len(values) < 2:
        raise KeyError("values")
    factor = values[1] / values[0]
    rate = {"learning_rate": values[0]}
    even = all(
        math.isclose(value, values[0] * factor**i, rel_tol=_NEAR) for i, value in enumerate(values)
    )
    if not even:
        raise ValueError("its values do not fall by one factor")
    text = ", ".join(repr(end) for end in ends)
    return rate, {"schedule": "piecewise", "boundaries": text, "factor": factor}
