from __future__ import annotations

import asyncio
import io
import json
import struct
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from potluck_coordinator.core.errors import BadResult
from potluck_coordinator.scoring import check_weights, least_numbers, scored_weights
from tests.support.checkpoints import checked
from tests.support.loop_watch import watched

SHAPES = {"dense/kernel": (3, 2), "dense/bias": (2,)}
FORMAT = {"format": "potluck.checkpoint.v1", "epoch": "1", "step": "9"}
MOST = 10_000


def whole() -> dict[str, NDArray[Any]]:
    """Give every tensor that a checkpoint of these shapes may hold."""
    return {
        "weights/dense/kernel": np.arange(6, dtype=np.float32).reshape(3, 2),
        "weights/dense/bias": np.ones(2, dtype=np.float32),
        "optimizer/iteration": np.array([9], dtype=np.int32),
        "optimizer/momentum/dense/kernel": np.zeros((3, 2), dtype=np.float32),
        "optimizer/velocity/dense/bias": np.zeros(2, dtype=np.float32),
        "optimizer/accumulated_delta_var/dense/bias": np.zeros(2, dtype=np.float32),
        "optimizer/plateau": np.array([0.1, 0.9, 2, 0], dtype=np.float32),
        "accumulators/loss": np.zeros(2, dtype=np.float32),
    }


def pack(tensors: dict[str, NDArray[Any]], metadata: dict[str, str] | None = FORMAT) -> bytes:
    return safetensors.numpy.save(tensors, metadata=metadata)


def forge(header: object, body: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def refused(checkpoint: bytes, most: int = MOST) -> BadResult:
    with pytest.raises(BadResult) as caught:
        checked(checkpoint, SHAPES, most)
    return caught.value


def test_a_whole_checkpoint_gives_its_weights() -> None:
    weights = checked(pack(whole()), SHAPES, MOST)
    assert set(weights) == set(SHAPES)
    assert np.array_equal(weights["dense/kernel"], np.arange(6).reshape(3, 2))


AVERAGE = "optimizer/average/dense/kernel"


def test_a_moving_average_is_wanted_where_it_is_scored_and_refused_elsewhere() -> None:
    content = pack(whole() | {AVERAGE: np.full((3, 2), 7, np.float32)})
    checked(content, SHAPES, MOST, averaged={"dense/kernel"})
    scored = scored_weights(content)
    assert np.array_equal(scored["dense/kernel"], np.full((3, 2), 7))
    assert np.array_equal(scored["dense/bias"], np.ones(2))
    for state, averaged in ((content, set[str]()), (pack(whole()), {"dense/kernel"})):
        with pytest.raises(BadResult) as caught:
            checked(state, SHAPES, MOST, averaged=averaged)
        assert (caught.value.code, caught.value.where) == ("result.names", AVERAGE)


def test_weights_alone_are_enough() -> None:
    alone = {name: tensor for name, tensor in whole().items() if name.startswith("weights/")}
    assert set(checked(pack(alone), SHAPES, MOST)) == set(SHAPES)


@pytest.mark.parametrize(
    ("name", "tensor", "code"),
    [
        ("weights/dense/kernel", None, "result.names"),
        ("weights/other/kernel", np.zeros(2, np.float32), "result.names"),
        ("optimizer/momentum/other/kernel", np.zeros(2, np.float32), "result.names"),
        ("optimizer/secret/dense/bias", np.zeros(2, np.float32), "result.names"),
        ("weights/dense/kernel", np.zeros((2, 3), np.float32), "result.shape"),
        ("weights/dense/bias", np.zeros((2, 1), np.float32), "result.shape"),
        ("optimizer/velocity/dense/bias", np.zeros(3, np.float32), "result.shape"),
        ("accumulators/loss", np.zeros(3, np.float32), "result.shape"),
        ("weights/dense/bias", np.zeros(2, np.float64), "result.dtype"),
        ("weights/dense/bias", np.zeros(2, np.int32), "result.dtype"),
        ("optimizer/iteration", np.zeros(1, np.float32), "result.dtype"),
        ("optimizer/iteration", np.array([8], np.int32), "result.step"),
        ("optimizer/iteration", np.array([2**31 - 1], np.int32), "result.step"),
        ("optimizer/velocity/dense/bias", np.array([1, -1e-9], np.float32), "result.out_of_range"),
        ("optimizer/accumulator/dense/bias", -np.ones(2, np.float32), "result.out_of_range"),
        ("weights/dense/bias", np.array([1, np.nan], np.float32), "result.not_finite"),
        ("weights/dense/bias", np.array([1, np.inf], np.float32), "result.not_finite"),
    ],
)
def test_each_fault_has_its_code(name: str, tensor: NDArray[Any] | None, code: str) -> None:
    tensors = whole()
    if tensor is None:
        del tensors[name]
    else:
        tensors[name] = tensor
    error = refused(pack(tensors))
    assert error.code == code
    assert error.expected


NORMED = {"norm/moving_variance": (2,), "norm/moving_mean": (2,)}


def normed(variance: list[float]) -> bytes:
    """Pack a state with these moving variances, and means below zero."""
    return pack(
        {
            "weights/norm/moving_variance": np.array(variance, np.float32),
            "weights/norm/moving_mean": np.array([-9, -9], np.float32),
            "optimizer/momentum/norm/moving_variance": np.array([-9, -9], np.float32),
        }
    )


@pytest.mark.parametrize(
    ("least", "variance"), [(0.0, [1, 0]), (-0.5, [-0.5, 1]), (0.0, [-0.0, 1])]
)
def test_variances_that_training_gives_pass(least: float, variance: list[float]) -> None:
    checked(normed(variance), NORMED, MOST, least={"norm/moving_variance": least})


@pytest.mark.parametrize(("least", "variance"), [(0.0, [1, -1e-9]), (-0.5, [-0.6, 1])])
def test_variances_that_no_training_gives_are_refused(least: float, variance: list[float]) -> None:
    with pytest.raises(BadResult) as caught:
        checked(normed(variance), NORMED, MOST, least={"norm/moving_variance": least})
    assert caught.value.code == "result.out_of_range"
    assert caught.value.where == "weights/norm/moving_variance"


def test_what_is_not_finite_is_found_before_what_is_below_zero() -> None:
    for variance in ([np.nan, -1.0], [-1.0, -np.inf]):
        with pytest.raises(BadResult) as caught:
            checked(normed(variance), NORMED, MOST, least={"norm/moving_variance": 0.0})
        assert caught.value.code == "result.not_finite"


@given(st.lists(st.floats(-9, 9, width=32), min_size=2, max_size=2))
def test_the_least_numbers_of_a_state_are_found(variance: list[float]) -> None:
    content = normed(variance)
    names = {"norm/moving_variance", "norm/elsewhere"}
    found = least_numbers(io.BytesIO(content), len(content), names)
    assert found == {"norm/moving_variance": min(0.0, *variance)}


def test_one_byte_too_many_is_too_large() -> None:
    checkpoint = pack(whole())
    checked(checkpoint, SHAPES, len(checkpoint))
    assert refused(checkpoint, len(checkpoint) - 1).code == "result.too_large"


ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
META = {"__metadata__": FORMAT}


@pytest.mark.parametrize(
    "checkpoint",
    [
        b"",
        b"1234567",
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 3) + b"{}",
        forge(b"not json"),
        forge(b"\xff\xfe"),
        forge([]),
        forge(b"[" * 100_000),
        forge({}),
        pack(whole(), None),
        pack(whole(), {"format": "other"}),
        forge(META | {"a": 3}),
        forge(META | {"a": {"dtype": "F32"}}),
        forge(META | {"a": ENTRY}),
        forge(META | {"a": ENTRY}, bytes(9)),
        forge(META | {"a": ENTRY, "b": ENTRY}, bytes(8)),
        forge(META | {"a": ENTRY | {"data_offsets": [8, 0]}}, bytes(8)),
        forge(META | {"a": ENTRY | {"data_offsets": [-8, 0]}}, bytes(8)),
        forge(META | {"a": ENTRY | {"data_offsets": [0, 8, 8]}}, bytes(8)),
        forge(META | {"a": ENTRY | {"shape": [True]}}, bytes(8)),
        forge(META | {"a": ENTRY | {"shape": "2"}}, bytes(8)),
        forge(b'{"__metadata__":{"format":"potluck.checkpoint.v1"},"a":1,"a":1}'),
        pack(whole())[:-1],
        pack(whole()) + b"\0",
    ],
)
def test_what_is_no_checkpoint_is_unreadable(checkpoint: bytes) -> None:
    assert refused(checkpoint, 10**6).code == "result.unreadable"


def test_a_tensor_with_fewer_bytes_than_its_shape_is_unreadable() -> None:
    header: dict[str, Any] = {
        "weights/dense/kernel": {"dtype": "F32", "shape": [3, 2], "data_offsets": [0, 8]},
        "weights/dense/bias": {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]},
    }
    assert refused(forge(META | header, bytes(16))).code == "result.unreadable"


@given(st.data())
def test_no_bytes_raise_anything_but_a_refusal(data: st.DataObject) -> None:
    checkpoint = bytearray(pack(whole()))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(checkpoint) - 1))
        checkpoint[place] = data.draw(st.integers(0, 255))
    with suppress(BadResult):
        weights = checked(bytes(checkpoint), SHAPES, MOST)
        assert {name: tensor.shape for name, tensor in weights.items()} == SHAPES


def test_a_header_of_brackets_keeps_nobody_waiting() -> None:
    many = {f"layer{n}/kernel": (2,) for n in range(4000)}
    texts = {
        "lists": b'{"a":[' + b"[]," * 1_390_000 + b"1]}",
        "numbers": b'{"a":{"shape":[' + b"1," * 2_000_000 + b"1]}}",
        "objects": b"{" + b",".join(b'"%d":{}' % n for n in range(300_000)) + b"}",
        "one name": b'{"' + b"a" * 4_000_000 + b'":{}}',
        "blanks": b"{" + b" " * 4_000_000,
    }
    held: dict[str, float] = {}

    async def scenario() -> None:
        for name, text in texts.items():
            async with watched() as watch:
                with pytest.raises(BadResult) as caught:
                    await asyncio.to_thread(checked, forge(text), many, 10**8)
            held[name] = watch.held_s
            assert caught.value.code == "result.unreadable"

    asyncio.run(scenario())
    assert {name: s for name, s in held.items() if s > 0.05} == {}


def test_a_small_unit_takes_no_large_header() -> None:
    checkpoint = pack(whole())
    length = int.from_bytes(checkpoint[:8], "little")
    padded = checkpoint[8 : 8 + length] + b" " * 200_000
    assert refused(forge(padded, checkpoint[8 + length :]), 10**6).code == "result.unreadable"
    padded = checkpoint[8 : 8 + length] + b" " * 1000
    assert set(checked(forge(padded, checkpoint[8 + length :]), SHAPES, 10**6)) == set(SHAPES)


class Counting(io.BytesIO):
    """A file that knows the most that was asked of it at once."""

    most = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.most = max(self.most, -1 if size is None else size)
        return super().read(size)


def test_a_large_state_is_looked_at_in_pieces_to_its_last_number() -> None:
    values = np.zeros((3_000_000,), np.float32)
    values[-1] = np.nan
    values[5] = np.inf
    content = pack({"weights/dense/kernel": values})
    reader = Counting(content)
    with pytest.raises(BadResult) as caught:
        check_weights(reader, len(content), {"dense/kernel": values.shape}, 10**8)
    assert (caught.value.code, caught.value.got) == ("result.not_finite", "2 that are not")
    assert 0 < reader.most <= 2**20


@pytest.mark.parametrize("values", [[1.0, 1e13], [-1e13, 0.0]])
def test_a_number_beyond_the_largest_is_out_of_range(values: list[float]) -> None:
    content = pack({"weights/dense/bias": np.array(values, np.float32)})
    checked(content, {"dense/bias": (2,)}, MOST)
    with pytest.raises(BadResult) as caught:
        checked(content, {"dense/bias": (2,)}, MOST, largest=1e12)
    assert (caught.value.code, caught.value.got) == ("result.out_of_range", "1e+13")
