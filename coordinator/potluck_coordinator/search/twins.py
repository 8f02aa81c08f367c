"""Which points train the same network: what has no effect beside the other values is left out."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from potluck_coordinator.search.rules import Scalar, boundaries

Point = dict[str, Scalar]

_ONE_FUNCTION = {"swish": "silu", "hard_swish": "hard_silu"}
_MOST_IN_32_BITS = 3.4e38
_OF_A_SCHEDULE = (
    "decay_epochs",
    "decay_rate",
    "every_epochs",
    "boundaries",
    "factor",
    "alpha",
    "rise_share",
    "start_divisor",
    "end_divisor",
    "patience",
    "min_delta",
    "cooldown",
    "min_lr",
)


def as_trained(
    point: Mapping[str, Scalar], epochs: int | None = None, rows: int | None = None
) -> Point:
    """Give one form for all points that train the same network, for telling them apart.

    `point`: what a trial reads (`Space.effective`). `epochs`: those of a whole trial; where they
    are known, a schedule that would change the rate only after them is none. `rows`: the training
    rows; where they are known, a larger batch is all of them. The form is for comparing alone: a
    trial keeps the values that were drawn.
    """
    found = {name: _same(name, value) for name, value in point.items()}
    if rows is not None and "batch_size" in found:
        found["batch_size"] = min(int(found["batch_size"]), rows)
    _of_optimizer(found)
    _of_average(found)
    _of_schedule(found, epochs)
    return found


def _same(name: str, value: Scalar) -> Scalar:
    """Give one value for all that train alike: networks compute with 32 bits."""
    if isinstance(value, str) and name.endswith("activation"):
        return _ONE_FUNCTION.get(value.lower(), value)
    if isinstance(value, float) and abs(value) < _MOST_IN_32_BITS:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    return value


def _of_optimizer(point: Point) -> None:
    if point.get("optimizer") == "adamw" and "weight_decay" in point:
        point["optimizer"] = "adam"  # AdamW is Adam with another default of weight_decay
    if point.get("optimizer") != "adamw":
        _drop_where(point, "weight_decay", 0)
    for flag in ("amsgrad", "centered", "nesterov"):
        _drop_where(point, flag, False)
    _drop_where(point, "momentum", 0)
    if "momentum" not in point:
        point.pop("nesterov", None)


def _of_average(point: Point) -> None:
    if point.get("ema_momentum") == 0:
        point["use_ema"] = False  # the average is the weight itself
    if not point.get("use_ema"):
        _drop(point, "use_ema", "ema_momentum", "ema_overwrite_frequency")


def _of_schedule(point: Point, epochs: int | None) -> None:
    warmup = _number(point, "warmup_epochs", 0)
    if "boundaries" in point:
        ends = boundaries(str(point["boundaries"]))
        kept = [end for end in ends if epochs is None or end < epochs - warmup]
        point["boundaries"] = ",".join(str(end) for end in kept)
    if point.get("schedule") == "plateau" and "patience" in point:
        point["patience"] = max(1, int(point["patience"]))  # 0 and 1 both cut after one epoch
    if _stays(point, epochs, warmup):
        _drop(point, "schedule", *_OF_A_SCHEDULE)
    steady = point.get("schedule") in (None, "plateau")
    if warmup == 0 or (steady and point.get("warmup_from") == 1):
        _drop(point, "warmup_epochs", "warmup_from")


def _stays(point: Point, epochs: int | None, warmup: float) -> bool:
    """Say whether the schedule leaves the rate as it is for a whole trial, warm-up aside."""
    name = point.get("schedule", "constant")
    left = None if epochs is None else epochs - warmup
    if name == "plateau":
        rate = _number(point, "learning_rate", 0)
        late = epochs is not None and _number(point, "patience", 0) >= epochs
        return late or _number(point, "min_lr", 0) >= rate
    if name == "constant" or (left is not None and left <= 0):
        return True
    if name == "step":
        return left is not None and _number(point, "every_epochs", 0) >= left
    if name == "piecewise":
        return point.get("boundaries") == ""
    if name == "exponential":
        return point.get("decay_rate") == 1
    if name == "cosine":
        return point.get("alpha") == 1
    return point.get("start_divisor") == 1 == point.get("end_divisor")


def _number(point: Point, name: str, default: float) -> float:
    return float(point.get(name, default))


def _drop_where(point: Point, name: str, value: Scalar) -> None:
    if name in point and point[name] == value:
        del point[name]


def _drop(point: Point, *names: str) -> None:
    for name in names:
        point.pop(name, None)
