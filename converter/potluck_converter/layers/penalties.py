"""Regularizers and constraints."""

from __future__ import annotations

from typing import Any

from potluck_converter.errors import Unfit
from potluck_converter.layers.base import Field
from potluck_converter.layers.checks import axes, choice, number, object_parts

REGULARIZERS = ("L1", "L2", "L1L2", "OrthogonalRegularizer")


def regularizer(value: Any) -> dict[str, Any] | None:
    """Accept none, L1, L2, L1L2 (give L1L2) or OrthogonalRegularizer."""
    if value is None:
        return None
    name, config = object_parts(value, "a regularizer")
    if name.removeprefix("Potluck") in ("OrthogonalRegularizer", "orthogonal_regularizer"):
        given = {"factor": 0.01, "mode": "rows"} | {
            k: v for k, v in config.items() if v is not None
        }
        fixed = {
            "factor": number(0.0)(given["factor"]),
            "mode": choice("rows", "columns")(given["mode"]),
        }
        return {"class_name": "OrthogonalRegularizer", "config": fixed}
    return _l1_l2(name, config)


def _l1_l2(name: str, config: Any) -> dict[str, Any] | None:
    weight = number(0.0)
    default = {"l1": 0.0, "l2": 0.0}
    if name in ("L1", "l1"):
        default["l1"] = 0.01
    elif name in ("L2", "l2"):
        default["l2"] = 0.01
    elif name not in ("L1L2", "l1_l2", "L1_L2"):
        raise Unfit(
            "L1, L2, L1L2 or OrthogonalRegularizer",
            got=name,
            reason="it is custom, or not one of Keras's regularizers",
            hint="Train with one of Keras's own regularizers.",
        )
    # An absent half of a given pair means zero; Keras itself always writes both.
    parts = {key: config.get(key) for key in ("l1", "l2")}
    if parts["l1"] is None and parts["l2"] is None:
        l1, l2 = default["l1"], default["l2"]
    else:
        l1, l2 = (weight(parts[key] or 0.0) for key in ("l1", "l2"))
    if l1 == 0.0 and l2 == 0.0:
        return None
    return {"class_name": "L1L2", "config": {"l1": l1, "l2": l2}}


def activity_regularizer(value: Any) -> dict[str, Any] | None:
    """Accept none, L1, L2 or L1L2 of a layer's output."""
    found = regularizer(value)
    if found is not None and found["class_name"] != "L1L2":
        raise Unfit("L1, L2 or L1L2", got=found["class_name"])
    return found


def _axis(value: Any) -> list[int]:
    return axes(value)


_CONSTRAINTS: dict[str, dict[str, tuple[Any, Any]]] = {
    "MaxNorm": {"max_value": (2.0, number(0.0)), "axis": (0, _axis)},
    "MinMaxNorm": {
        "min_value": (0.0, number(0.0)),
        "max_value": (1.0, number(0.0)),
        "rate": (1.0, number(0.0)),
        "axis": (0, _axis),
    },
    "NonNeg": {},
    "UnitNorm": {"axis": (0, _axis)},
}
CONSTRAINTS = tuple(_CONSTRAINTS)
_ALIASES = {name.lower(): name for name in _CONSTRAINTS} | {"nonnegative": "NonNeg"}


def constraint(value: Any) -> dict[str, Any] | None:
    """Accept none, or one of Keras's four constraints."""
    if value is None:
        return None
    name, config = object_parts(value, "a constraint")
    found = _ALIASES.get(name.replace("_", "").lower())
    if found is None:
        raise Unfit(
            "one of " + ", ".join(_CONSTRAINTS),
            got=name,
            reason="it is custom, or not one of Keras's constraints",
            hint="Train with one of Keras's own constraints.",
        )
    # Keras before 2.0 called the largest norm `m`.
    config = {"max_value": config["m"], **config} if "m" in config else config
    fixed: dict[str, Any] = {}
    for key, (default, check) in _CONSTRAINTS[found].items():
        given = check(config[key] if config.get(key) is not None else default)
        fixed[key] = given[0] if key == "axis" and len(given) == 1 else given
    return {"class_name": found, "config": fixed}


def activity() -> Field:
    """Make the field of every layer that penalises the layer's output."""
    return Field("activity_regularizer", None, activity_regularizer)
