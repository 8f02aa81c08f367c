"""Cheap checks of returned weights: strict about the header before any library reads it."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potluck_coordinator.core.errors import BadResult

HEADER_MOST = 4 * 1024**2
FORMAT = "potluck.checkpoint.v1"
WEIGHTS = "weights/"
AVERAGE = "optimizer/average/"
SLOTS = tuple(
    f"optimizer/{slot}/"
    for slot in (
        "momentum",
        "velocity",
        "velocity_hat",
        "norm",
        "average_gradient",
        "accumulator",
        "accumulated_grad",
        "accumulated_delta_var",
        "linear",
    )
)
"""Keras 3's, of every optimizer. Each has its weight's shape."""
TYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "I32": np.dtype("<i4")}
EXTRAS: dict[str, tuple[str, tuple[int, ...]]] = {
    "optimizer/iteration": ("I32", (1,)),
    "optimizer/plateau": ("F32", (4,)),
    "accumulators/loss": ("F32", (2,)),
}


def check_weights(
    checkpoint: bytes,
    expected_shapes: Mapping[str, Sequence[int]],
    most_bytes: int,
    *,
    step: int | None = None,
    epoch: int | None = None,
    averaged: Collection[str] = (),
    largest: float | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Give a checkpoint's weights by `<layer>/<weight>`, if every one is as it should be.

    Optimizer slots and accumulators may be there, with the shapes of docs/protocol.md. `step` and
    `epoch` must be the state's own, where they are given. `averaged` names the weights whose moving
    average the state must hold; no other state may hold one, for it is what `scored_weights` gives.
    No number may be larger than `largest`, where it is given (`result.out_of_range`). Raises
    BadResult `result.step`, `result.too_large`, `result.unreadable`, `result.names`,
    `result.dtype`, `result.shape`, and last `result.not_finite`, so that a diverged result is
    whole otherwise.
    """
    if len(checkpoint) > most_bytes:
        raise BadResult(
            "result.too_large",
            "The result is larger than this unit's results can be.",
            expected=f"at most {most_bytes:,} bytes",
            got=f"{len(checkpoint):,} bytes",
        )
    entries, metadata, body = _entries(checkpoint)
    if step is not None and metadata.get("step") != str(step):
        raise BadResult(
            "result.step",
            "The state is of another step than the message says.",
            expected=f"step {step}",
            got=f"step {str(metadata.get('step'))[:20]}",
        )
    if epoch is not None and metadata.get("epoch") != str(epoch):
        raise BadResult(
            "result.step",
            "The state is of another epoch than its step.",
            expected=f"epoch {epoch}",
            got=f"epoch {str(metadata.get('epoch'))[:20]}",
        )
    _check_names(entries, expected_shapes, averaged)
    numbers: dict[str, NDArray[Any]] = {}
    weights: dict[str, NDArray[np.float32]] = {}
    for key, entry in entries.items():
        dtype, shape = _expected(key, expected_shapes, averaged)
        tensor = _tensor(key, entry, dtype, shape, body)
        if dtype == "F32":
            numbers[key] = tensor
        if key.startswith(WEIGHTS):
            weights[key.removeprefix(WEIGHTS)] = tensor
    for name, values in numbers.items():
        if not np.isfinite(values).all():
            raise BadResult(
                "result.not_finite",
                "A tensor holds a number that is not finite.",
                expected="finite numbers",
                got=f"{int((~np.isfinite(values)).sum())} that are not",
                hint="Say that training diverged, if it did.",
                where=name,
            )
        if largest is not None and values.size and float(np.abs(values).max()) > largest:
            raise BadResult(
                "result.out_of_range",
                "A tensor holds a number at which training cannot go on.",
                expected=f"numbers of at most {largest:g}",
                got=f"{float(np.abs(values).max()):g}",
                where=name,
            )
    return weights


def _entries(checkpoint: bytes) -> tuple[dict[str, Any], dict[str, Any], memoryview]:
    if len(checkpoint) < 8:
        raise _unreadable("8 bytes of header length", f"{len(checkpoint)} bytes")
    length = int.from_bytes(checkpoint[:8], "little")
    if length > min(HEADER_MOST, len(checkpoint) - 8):
        raise _unreadable("a header inside the file", f"a header of {length} bytes")
    try:
        header = json.loads(
            checkpoint[8 : 8 + length].decode("utf-8"), object_pairs_hook=_without_repeats
        )
    except (ValueError, RecursionError) as error:
        raise _unreadable("a header of JSON", str(error)[:120]) from None
    if not isinstance(header, dict):
        raise _unreadable("a JSON object as header", type(header).__name__)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise _unreadable(f"metadata with format {FORMAT}", repr(metadata)[:120])
    body = memoryview(checkpoint)[8 + length :]
    _check_layout(header, len(body))
    return header, metadata, body


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice")
    return found


def _check_layout(entries: Mapping[str, Any], size: int) -> None:
    """Insist that the tensors fill the body exactly, without overlap."""
    spans: list[tuple[int, int]] = []
    for key, entry in entries.items():
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            raise _unreadable("dtype, shape and data_offsets", repr(entry)[:120], key)
        offsets, shape = entry["data_offsets"], entry["shape"]
        if not (_whole_numbers(offsets) and len(offsets) == 2 and _whole_numbers(shape)):
            raise _unreadable("offsets and shape of whole numbers", repr(entry)[:120], key)
        spans.append((offsets[0], offsets[1]))
    at = 0
    for start, end in sorted(spans):
        if start != at or end < start:
            raise _unreadable("tensors one after the other", f"one from {start} to {end}, at {at}")
        at = end
    if at != size:
        raise _unreadable(f"{at} bytes of tensors", f"{size} bytes")


def _whole_numbers(value: object) -> bool:
    return isinstance(value, list) and all(type(n) is int and n >= 0 for n in value)


def _check_names(
    entries: Mapping[str, Any], shapes: Mapping[str, Sequence[int]], averaged: Collection[str]
) -> None:
    missing = sorted(name for name in shapes if WEIGHTS + name not in entries)
    missing += sorted(AVERAGE + name for name in averaged if AVERAGE + name not in entries)
    strange = sorted(key for key in entries if _place(key, shapes, averaged) is None)
    if missing or strange:
        raise BadResult(
            "result.names",
            "The result does not hold this unit's weights.",
            expected=f"{len(shapes)} weights of the unit's topology"
            + (f", with {missing[0]}" if missing else ""),
            got=f"without {len(missing)} of them"
            if missing
            else f"{len(strange)} others, such as {strange[0][:80]!r}",
            where=(missing or strange)[0][:120],
        )


def _place(
    key: str, shapes: Mapping[str, Sequence[int]], averaged: Collection[str]
) -> tuple[str, tuple[int, ...]] | None:
    """Give the type and shape that a key must have, or None for a key that may not be."""
    if key in EXTRAS:
        return EXTRAS[key]
    for area in (WEIGHTS, *SLOTS, AVERAGE):
        name = key.removeprefix(area)
        if name != key:
            known = name in (averaged if area == AVERAGE else shapes)
            return ("F32", tuple(shapes[name])) if known else None
    return None


def _expected(
    key: str, shapes: Mapping[str, Sequence[int]], averaged: Collection[str]
) -> tuple[str, tuple[int, ...]]:
    place = _place(key, shapes, averaged)
    assert place is not None  # `_check_names` has seen to it
    return place


def _tensor(
    key: str, entry: Mapping[str, Any], dtype: str, shape: tuple[int, ...], body: memoryview
) -> NDArray[Any]:
    if entry["dtype"] != dtype:
        raise BadResult(
            "result.dtype",
            "A tensor has another type than it should.",
            expected=dtype,
            got=str(entry["dtype"])[:20],
            where=key,
        )
    if tuple(entry["shape"]) != shape:
        raise BadResult(
            "result.shape",
            "A tensor has another shape than the unit's topology gives it.",
            expected=str(list(shape)),
            got=str(entry["shape"])[:80],
            where=key,
        )
    start, end = entry["data_offsets"]
    if end - start != math.prod(shape) * TYPES[dtype].itemsize:
        raise _unreadable(
            f"{math.prod(shape) * TYPES[dtype].itemsize} bytes", f"{end - start} bytes", key
        )
    return np.frombuffer(body[start:end], dtype=TYPES[dtype]).reshape(shape)


def _unreadable(expected: str, got: str, where: str = "") -> BadResult:
    return BadResult(
        "result.unreadable",
        "The result is no checkpoint.",
        expected=expected,
        got=got,
        hint="docs/protocol.md describes the format.",
        where=where[:120],
    )
