"""Cheap checks of returned weights: strict about the header before any library reads it."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from potluck_coordinator.core.errors import BadResult
from potluck_coordinator.scoring.header import (
    HEADER_MOST,
    Header,
    Reader,
    read_exactly,
    read_header,
    unreadable,
)

PIECE = 1 << 20
"""Bytes of numbers that are looked at together."""
MEMORY_OF_PIECES = 8 * PIECE
TIMES_HEADER = 16
"""What a header takes once it is read, for each of its bytes."""
BYTES_OF_ENTRY = 400
BYTES_OF_CHARACTER = 6
"""In a name: some write every letter beyond ASCII as an escape."""
BYTES_OF_REST = 16 * 1024
WEIGHTS = "weights/"
AVERAGE = "optimizer/average/"
OF_SQUARES = tuple(
    f"optimizer/{slot}/"
    for slot in (
        "velocity",
        "velocity_hat",
        "norm",
        "accumulator",
        "accumulated_grad",
        "accumulated_delta_var",
    )
)
"""Slots that sum squares or sizes: a number below zero would let the next step divide by none."""
SLOTS = (
    "optimizer/momentum/",
    "optimizer/average_gradient/",
    "optimizer/linear/",
    *OF_SQUARES,
)
"""Keras 3's, of every optimizer. Each has its weight's shape."""
ITERATION = "optimizer/iteration"
TYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "I32": np.dtype("<i4")}
EXTRAS: dict[str, tuple[str, tuple[int, ...]]] = {
    ITERATION: ("I32", (1,)),
    "optimizer/plateau": ("F32", (4,)),
    "accumulators/loss": ("F32", (2,)),
}


def check_memory(expected_shapes: Mapping[str, Sequence[int]]) -> int:
    """Estimate what checking a checkpoint takes, of which little is held at a time.

    Args:
        expected_shapes: Of its weights.
    """
    return MEMORY_OF_PIECES + TIMES_HEADER * most_header(expected_shapes)


def most_header(expected_shapes: Mapping[str, Sequence[int]]) -> int:
    """Give the bytes that the header of a checkpoint may have.

    Args:
        expected_shapes: Of its weights.
    """
    areas = len(SLOTS) + 2
    names = sum(BYTES_OF_ENTRY + BYTES_OF_CHARACTER * len(name) for name in expected_shapes)
    return min(HEADER_MOST, BYTES_OF_REST + areas * names)


def check_weights(
    content: Reader,
    size: int,
    expected_shapes: Mapping[str, Sequence[int]],
    most_bytes: int,
    *,
    step: int | None = None,
    epoch: int | None = None,
    averaged: Collection[str] = (),
    largest: float | None = None,
    least: Mapping[str, float] | None = None,
    slots: Collection[str] | None = None,
) -> None:
    """Refuse a checkpoint that is not as it should be. It is read once, and never held.

    Optimizer slots and accumulators may be there, with the shapes of docs/protocol.md.

    Args:
        content: The checkpoint, at its beginning.
        size: Its bytes.
        expected_shapes: Of the weights that it must hold, by `<layer>/<weight>`.
        most_bytes: It may be so large.
        step: Must be the state's own, where it is given.
        epoch: Must be the state's own, where it is given.
        averaged: Weights whose moving average the state must hold; no other state may hold one,
            for it is what `scored_weights` gives.
        largest: No number may be larger, where it is given.
        least: Weights of which no number may be smaller than this, such as variances.
        slots: The optimizer's, by Keras's names; others only make a state larger. None: any.

    Raises:
        BadResult: `result.too_large`, `result.unreadable`, `result.step`, `result.names`,
            `result.dtype`, `result.shape`, all but for the optimizer's iteration from the header;
            and last `result.not_finite` and `result.out_of_range`, so that a diverged result is
            whole otherwise.
    """
    if size > most_bytes:
        raise BadResult(
            "result.too_large",
            "The result is larger than this unit's results can be.",
            expected=f"at most {most_bytes:,} bytes",
            got=f"{size:,} bytes",
        )
    header = read_header(content, size, most_header(expected_shapes))
    _check_moment(header, step, epoch)
    areas = SLOTS if slots is None else tuple(f"optimizer/{slot}/" for slot in slots)
    _check_names(header.entries, expected_shapes, averaged, areas)
    for key, entry in header.entries.items():
        _check_tensor(key, entry, *_expected(key, expected_shapes, averaged))
    for key in sorted(header.entries, key=lambda name: header.entries[name]["data_offsets"]):
        start, end = header.entries[key]["data_offsets"]
        if key == ITERATION:
            _check_iteration(read_exactly(content, end - start), header)
        else:
            _check_numbers(content, end - start, key, largest, _least(key, least or {}))


def _check_moment(header: Header, step: int | None, epoch: int | None) -> None:
    if step is not None and header.metadata.get("step") != str(step):
        raise BadResult(
            "result.step",
            "The state is of another step than the message says.",
            expected=f"step {step}",
            got=f"step {str(header.metadata.get('step'))[:20]}",
        )
    if epoch is not None and header.metadata.get("epoch") != str(epoch):
        raise BadResult(
            "result.step",
            "The state is of another epoch than its step.",
            expected=f"epoch {epoch}",
            got=f"epoch {str(header.metadata.get('epoch'))[:20]}",
        )


def _check_names(
    entries: Mapping[str, Any],
    shapes: Mapping[str, Sequence[int]],
    averaged: Collection[str],
    areas: Sequence[str],
) -> None:
    missing = sorted(name for name in shapes if WEIGHTS + name not in entries)
    missing += sorted(AVERAGE + name for name in averaged if AVERAGE + name not in entries)
    strange = sorted(key for key in entries if _place(key, shapes, averaged, areas) is None)
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
    key: str,
    shapes: Mapping[str, Sequence[int]],
    averaged: Collection[str],
    areas: Sequence[str] = SLOTS,
) -> tuple[str, tuple[int, ...]] | None:
    """Give the type and shape that a key must have, or None for a key that may not be."""
    if key in EXTRAS:
        return EXTRAS[key]
    for area in (WEIGHTS, *areas, AVERAGE):
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


def _check_tensor(key: str, entry: Mapping[str, Any], dtype: str, shape: tuple[int, ...]) -> None:
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
        raise unreadable(
            f"{math.prod(shape) * TYPES[dtype].itemsize} bytes", f"{end - start} bytes", key
        )


def _check_iteration(content: bytes, header: Header) -> None:
    """Refuse an iteration that is not the state's step: each step of training is one of both."""
    found = int(np.frombuffer(content, dtype=TYPES["I32"])[0])
    if header.metadata.get("step") != str(found):
        raise BadResult(
            "result.step",
            "The optimizer has taken another number of steps than the state's training.",
            expected=f"step {str(header.metadata.get('step'))[:20]}",
            got=f"iteration {found}",
            where=ITERATION,
        )


def _least(key: str, least: Mapping[str, float]) -> float | None:
    """Give below what a tensor may hold nothing; None: it may hold any number."""
    if key.startswith(OF_SQUARES):
        return 0.0
    return least.get(key.removeprefix(WEIGHTS)) if key.startswith(WEIGHTS) else None


def least_numbers(content: Reader, size: int, names: Collection[str]) -> dict[str, float]:
    """Give the least number of some of a checkpoint's weights, but 0 at most; NaN where one is.

    Args:
        content: The checkpoint, at its beginning; one that passed `check_weights`, or our own.
        size: Its bytes.
        names: The weights, by `<layer>/<weight>`. Those that it lacks are left out.

    Raises:
        BadResult: `result.unreadable`.
    """
    entries = read_header(content, size).entries
    found: dict[str, float] = {}
    for key in sorted(entries, key=lambda name: entries[name]["data_offsets"]):
        begin, end = entries[key]["data_offsets"]
        name = key.removeprefix(WEIGHTS)
        wanted = name != key and name in names
        if wanted:
            found[name] = 0.0
        for at in range(begin, end, PIECE):
            piece = read_exactly(content, min(PIECE, end - at))
            if wanted:
                values = np.frombuffer(piece, dtype=TYPES["F32"])
                found[name] = float(np.minimum(found[name], values.min()))
    return found


def _check_numbers(
    content: Reader, size: int, key: str, largest: float | None, smallest: float | None
) -> None:
    """Read one tensor of float32 piece by piece."""
    unfit, peak, least = 0, 0.0, 0.0
    for begin in range(0, size, PIECE):
        values = np.frombuffer(read_exactly(content, min(PIECE, size - begin)), dtype=TYPES["F32"])
        low, high = float(values.min()), float(values.max())
        if math.isfinite(low) and math.isfinite(high):
            peak, least = max(peak, -low, high), min(least, low)
        else:
            unfit += int((~np.isfinite(values)).sum())
    if unfit:
        raise BadResult(
            "result.not_finite",
            "A tensor holds a number that is not finite.",
            expected="finite numbers",
            got=f"{unfit} that are not",
            hint="Say that training diverged, if it did.",
            where=key,
        )
    if smallest is not None and least < smallest:
        what = "A variance" if key.startswith(WEIGHTS) else "A slot of the optimizer"
        raise BadResult(
            "result.out_of_range",
            f"{what} that training only adds squares to holds a number that is too small.",
            expected=f"numbers of at least {smallest:g}",
            got=f"{least:g}",
            where=key,
        )
    if largest is not None and peak > largest:
        raise BadResult(
            "result.out_of_range",
            "A tensor holds a number at which training cannot go on.",
            expected=f"numbers of at most {largest:g}",
            got=f"{peak:g}",
            where=key,
        )
