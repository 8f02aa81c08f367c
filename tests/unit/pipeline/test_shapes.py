from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck_coordinator.core.errors import BadStudy, OtherWidth
from potluck_coordinator.pipeline import Plan, encode, plan_study, profile
from tests.unit.pipeline.cases import arrays, model, plan_table, spec


def planned(row: tuple[int, ...], wanted: tuple[int | None, ...]) -> tuple[Any, Plan]:
    x = np.random.default_rng(0).random((12, *row))
    dataset = arrays(x=x, y=np.arange(12) % 2)
    return x, plan_study(dataset, spec(scaling="none"), model(wanted, 1, "sigmoid"))


def refused(row: tuple[int, ...], wanted: tuple[int | None, ...]) -> BadStudy:
    with pytest.raises(BadStudy) as caught:
        planned(row, wanted)
    assert caught.value.code == "pipeline.input_mismatch"
    return caught.value


@pytest.mark.parametrize(
    ("row", "wanted", "shape"),
    [
        ((8, 8, 3), (8, 8, 3), (8, 8, 3)),
        ((8, 8), (8, 8, 1), (8, 8, 1)),
        ((1, 8, 8), (8, 8, 1), (8, 8, 1)),
        ((8, 8, 1), (8, 8), (8, 8)),
        ((12,), (12, 1), (12, 1)),
        ((12, 1), (12,), (12,)),
        ((1, 12), (None, 1), (12, 1)),
        ((9, 3), (None, 3), (9, 3)),
        ((8, 8), (None, None, 1), (8, 8, 1)),
    ],
)
def test_axes_of_one_come_and_go(row: Any, wanted: Any, shape: tuple[int, ...]) -> None:
    _, plan = planned(row, wanted)
    assert (plan.input_shape, plan.warnings) == (shape, ())


@pytest.mark.parametrize(
    ("row", "wanted", "hint"),
    [
        ((3, 12), (12, 3), "Save x.transpose(0, 2, 1)."),
        ((12, 3), (3, 12), "Save x.transpose(0, 2, 1)."),
        ((3, 12), (None, 3), "Save x.transpose(0, 2, 1)."),
        ((3, 8, 8), (8, 8, 3), "Save x.transpose(0, 2, 3, 1), or x.transpose(0, 3, 2, 1) if"),
        ((3, 8, 9), (8, 9, 3), "Save x.transpose(0, 2, 3, 1)."),
        ((3, 8, 8), (None, None, 3), "Save x.transpose(0, 2, 3, 1), or"),
        ((8, 3, 9), (8, 9, 3), "Save x.transpose(0, 1, 3, 2)."),
        ((3, 1, 8, 9), (8, 9, 3), "Save x.transpose(0, 3, 4, 1, 2)."),
        ((2, 3, 4, 5, 6, 7, 8), (8, 7, 6, 5, 4, 3, 2), "x.transpose(0, 7, 6, 5, 4, 3, 2, 1)."),
    ],
)
def test_another_order_is_refused_with_the_transposition(row: Any, wanted: Any, hint: str) -> None:
    assert hint in (refused(row, wanted).hint or "")


@given(st.lists(st.integers(2, 6), min_size=2, max_size=4), st.randoms())
def test_the_transposition_that_is_named_fits(sizes: list[int], random: Any) -> None:
    wanted = sizes[:]
    random.shuffle(wanted)
    if wanted == sizes:
        return
    hint = refused(tuple(sizes), tuple(wanted)).hint or ""
    order = [int(n) for n in hint.partition("transpose(")[2].partition(")")[0].split(",")]
    assert np.zeros((12, *sizes)).transpose(order).shape == (12, *wanted)


@pytest.mark.parametrize(
    ("row", "wanted"), [((16, 4), (8, 8)), ((2, 18), (None, 3)), ((7,), (8,)), ((63,), (8, 8, 1))]
)
def test_what_fits_in_no_order_is_refused(row: Any, wanted: Any) -> None:
    assert "transpose" not in (refused(row, wanted).hint or "")


def test_rows_of_very_many_axes_are_refused_at_once() -> None:
    row = (*([2] * 12), 3)
    assert "transpose(0, 13, 1," in (refused(row, (3, *([2] * 12))).hint or "")


@pytest.mark.parametrize(
    ("row", "wanted", "shape"),
    [
        ((192,), (8, 8, 3), (8, 8, 3)),
        ((8, 8, 3), (192,), (192,)),
        ((24,), (None, 8), (3, 8)),
        ((8, 3), (None,), (24,)),
    ],
)
def test_flat_rows_keep_the_order_of_their_numbers_and_the_plan_says_so(
    row: Any, wanted: Any, shape: Any
) -> None:
    x, plan = planned(row, wanted)
    assert plan.input_shape == shape
    assert f"numbers are read as [{', '.join(map(str, shape))}]" in plan.warnings[0]
    dataset = arrays(x=x, y=np.arange(12) % 2)
    encoded = encode(dataset, plan, np.arange(12), np.arange(2))
    assert np.array_equal(encoded.train["x"], x.reshape(12, *shape).astype(np.float32))


def test_a_table_of_another_width_is_refused_in_one_sentence() -> None:
    text = "age,town,y\n" + "".join(f"{i % 50},t{i % 185},{'pq'[i % 2]}\n" for i in range(400))
    with pytest.raises(BadStudy) as caught:
        plan_table(text, 4, 1, "sigmoid")
    assert caught.value.message == "Your 2 columns become 186 numbers; the model takes 4."
    assert caught.value.got == "rows of shape [186] (town 185, age 1)"
    assert "'town' alone becomes 185 numbers" in (caught.value.hint or "")


def test_the_width_is_told_before_there_is_a_model_and_in_the_plan() -> None:
    text = "age,town,y\n" + "".join(f"{i % 50},t{i % 7},{'pq'[i % 2]}\n" for i in range(200))
    dataset, plan = plan_table(text, 8, 1, "sigmoid")
    assert {c.name: c.width for c in profile(dataset).columns} == {"age": 1, "town": 7, "y": 2}
    assert plan.encoded_width == 8
    pictures = profile(arrays(x=np.zeros((4, 8, 8, 3)), y=np.arange(4))).columns[0]
    assert pictures.width == 192


@pytest.mark.parametrize(
    ("row", "wanted", "width"),
    [((7,), (5,), 7), ((6, 7), (6, 5), 7), ((6, 7), (None, 5), 7)],
)
def test_a_refusal_of_the_width_alone_says_the_width_that_is_needed(
    row: tuple[int, ...], wanted: tuple[int | None, ...], width: int
) -> None:
    error = refused(row, wanted)
    assert isinstance(error, OtherWidth)
    again = pickle.loads(pickle.dumps(error))  # as it comes out of a worker process
    assert (type(again), again.width) == (OtherWidth, width)
    assert again.details() == error.details()


@pytest.mark.parametrize(
    ("row", "wanted"), [((7,), (5, 1)), ((6, 7), (5,)), ((6, 7), (8, 5)), ((7, 6), (6, 7))]
)
def test_other_refusals_of_shapes_name_no_width(
    row: tuple[int, ...], wanted: tuple[int | None, ...]
) -> None:
    assert not isinstance(refused(row, wanted), OtherWidth)
