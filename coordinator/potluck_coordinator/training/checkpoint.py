"""A checkpoint as the protocol has it: equal states have equal bytes, in every language."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMAT = "potluck.checkpoint.v1"
PLATEAU = "optimizer/plateau"
TYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "I32": np.dtype("<i4")}
PREFIX = 8

Arrays = Mapping[str, NDArray[Any]]


class BadTensors(ValueError):
    """The bytes are not what they should be; the message says what is wrong."""


@dataclass(frozen=True)
class State:
    """Everything that training needs to go on elsewhere.

    `weights`: `<layer>/<weight>` -> float32. `slots`: slot -> weight -> float32; a missing one
    means its initial value. `iteration`: steps of the optimizer. `plateau`: four numbers of a
    schedule that has them, after an epoch. `loss_sum`, `loss_rows`: of this epoch so far.
    `step`: steps finished over the whole trial; `epoch`: whole epochs.
    """

    weights: Arrays
    epoch: int
    step: int
    slots: Mapping[str, Arrays] = field(default_factory=dict)
    iteration: int = 0
    loss_sum: float = 0.0
    loss_rows: float = 0.0
    plateau: NDArray[np.float32] | None = None

    @property
    def finite(self) -> bool:
        """Say whether every weight is a number."""
        return all(bool(np.isfinite(values).all()) for values in self.weights.values())


def write_checkpoint(state: State) -> bytes:
    """Write a state canonically. Every weight and every slot is float32, whatever it came as."""
    tensors = {f"weights/{name}": _floats(value) for name, value in state.weights.items()}
    for slot, values in state.slots.items():
        tensors |= {f"optimizer/{slot}/{name}": _floats(value) for name, value in values.items()}
    tensors["optimizer/iteration"] = np.array([state.iteration], np.int32)
    if state.plateau is not None:
        tensors[PLATEAU] = state.plateau
    tensors["accumulators/loss"] = np.array([state.loss_sum, state.loss_rows], np.float32)
    metadata = {"epoch": str(state.epoch), "format": FORMAT, "step": str(state.step)}
    return write_tensors(tensors, metadata)


def _floats(values: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(values, np.float32)


def write_tensors(tensors: Arrays, metadata: Mapping[str, str] | None = None) -> bytes:
    """Write float32 and int32 tensors as canonical safetensors."""
    header: dict[str, Any] = {}
    if metadata:
        header["__metadata__"] = dict(sorted(metadata.items()))
    parts: list[bytes] = []
    end = 0
    for name in sorted(tensors):
        value = tensors[name]
        kind = "I32" if value.dtype.kind == "i" else "F32"
        data = np.ascontiguousarray(value, dtype=TYPES[kind]).tobytes()
        offsets = [end, end + len(data)]
        header[name] = {"dtype": kind, "shape": list(value.shape), "data_offsets": offsets}
        parts.append(data)
        end += len(data)
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(PREFIX, "little"), text, *parts])


def read_tensors(content: bytes) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Give the tensors and the metadata of safetensors bytes. Raises BadTensors."""
    length = int.from_bytes(content[:PREFIX], "little")
    body = PREFIX + length
    if len(content) < PREFIX or body > len(content):
        raise BadTensors("the header does not fit the file")
    try:
        header = json.loads(content[PREFIX:body])
        metadata = {str(k): str(v) for k, v in header.pop("__metadata__", {}).items()}
        tensors = {name: _tensor(content, body, entry) for name, entry in header.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadTensors(f"the file is malformed: {error!r}") from error
    return tensors, metadata


def _tensor(content: bytes, body: int, entry: Mapping[str, Any]) -> NDArray[Any]:
    dtype, shape = TYPES[entry["dtype"]], tuple(int(n) for n in entry["shape"])
    start, end = entry["data_offsets"]
    if not 0 <= start <= end <= len(content) - body or end - start != dtype.itemsize * prod(shape):
        raise ValueError("a tensor's bytes do not fit its shape or the file")
    return np.frombuffer(content, dtype, prod(shape), body + start).reshape(shape)


def read_checkpoint(content: bytes) -> State:
    """Read a state; raises BadTensors where the bytes are no checkpoint."""
    tensors, metadata = read_tensors(content)
    if metadata.get("format") != FORMAT:
        raise BadTensors(f"the format is {metadata.get('format')!r} instead of {FORMAT!r}")
    weights: dict[str, NDArray[Any]] = {}
    slots: dict[str, dict[str, NDArray[Any]]] = {}
    for key, value in tensors.items():
        area, _, rest = key.partition("/")
        slot, _, name = rest.partition("/")
        if area == "weights":
            weights[rest] = value
        elif area == "optimizer" and name:
            slots.setdefault(slot, {})[name] = value
    step = _whole(metadata, "step")
    iteration = tensors.get("optimizer/iteration")
    loss = tensors.get("accumulators/loss", np.zeros(2, np.float32))
    return State(
        weights=weights,
        slots=slots,
        iteration=step if iteration is None else int(iteration[0]),
        loss_sum=float(loss[0]),
        loss_rows=float(loss[1]),
        plateau=tensors.get(PLATEAU),
        epoch=_whole(metadata, "epoch"),
        step=step,
    )


def _whole(metadata: Mapping[str, str], what: str) -> int:
    text = metadata.get(what, "")
    if not (text.isascii() and text.isdigit()):
        raise BadTensors(f"{what} is {text!r} instead of a whole number")
    return int(text)
