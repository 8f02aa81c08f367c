"""Checkpoints: canonical bytes, read back whole, and refused where they are none."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load

from potluck_coordinator.training.checkpoint import (
    BadTensors,
    State,
    read_checkpoint,
    read_tensors,
    write_checkpoint,
    write_tensors,
)
from tests.support.checkpoints import checked

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1, max_size=6)


def state(names: list[str]) -> State:
    weights = {
        f"{name}/kernel": np.arange(6, dtype=np.float32).reshape(2, 3) + place
        for place, name in enumerate(names)
    }
    slots = {"momentum": {name: value * 2 for name, value in weights.items()}}
    return State(weights, 2, 9, slots, iteration=9, loss_sum=3.5, loss_rows=12.0)


@given(st.lists(NAMES, min_size=1, max_size=5, unique=True))
def test_what_is_written_is_read_again_and_written_to_the_same_bytes(names: list[str]) -> None:
    written = write_checkpoint(state(names))
    read = read_checkpoint(written)
    assert write_checkpoint(read) == written
    assert (read.epoch, read.step, read.iteration) == (2, 9, 9)
    assert (read.loss_sum, read.loss_rows) == (3.5, 12.0)
    assert np.array_equal(read.weights[f"{names[0]}/kernel"][1], [3, 4, 5])


def test_equal_states_have_equal_bytes_whatever_their_order() -> None:
    there, back = state(["a", "b", "c"]), state(["a", "b", "c"])
    back = State(dict(reversed(list(there.weights.items()))), 2, 9, there.slots, 9, 3.5, 12.0)
    assert write_checkpoint(there) == write_checkpoint(back)


def test_the_header_is_canonical_and_both_readers_of_the_house_take_it() -> None:
    written = write_checkpoint(state(["b", "ä", "B"]))
    length = int.from_bytes(written[:8], "little")
    text = written[8 : 8 + length].decode()
    header = json.loads(text)
    keys = list(header)
    assert length % 8 == 0
    assert keys[0] == "__metadata__"
    assert keys[1:] == sorted(keys[1:])
    assert ": " not in text
    offsets = [entry["data_offsets"] for name, entry in header.items() if name != "__metadata__"]
    assert [start for start, _ in offsets[1:]] == [end for _, end in offsets[:-1]]
    assert set(load(written)) == set(keys[1:])
    shapes = {f"{name}/kernel": (2, 3) for name in ("b", "ä", "B")}
    assert set(checked(written, shapes, 10**6, step=9)) == set(shapes)


@given(st.integers(0, 300))
def test_a_cut_file_is_refused(length: int) -> None:
    written = write_checkpoint(state(["a"]))
    assert len(written) > 300
    with pytest.raises(BadTensors):
        read_checkpoint(written[:length])


def test_a_file_of_another_format_is_refused() -> None:
    written = write_checkpoint(state(["a"])).replace(b"checkpoint.v1", b"checkpoint.v9")
    assert read_tensors(written)[1]["step"] == "9"
    with pytest.raises(BadTensors, match="format"):
        read_checkpoint(written)


def test_a_state_that_names_no_iteration_is_at_its_step() -> None:
    tensors, metadata = read_tensors(write_checkpoint(state(["a/kernel"])))
    del tensors["optimizer/iteration"]
    assert read_checkpoint(write_tensors(tensors, metadata)).iteration == 9
