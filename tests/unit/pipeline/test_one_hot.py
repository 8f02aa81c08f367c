"""One-hot targets are taken; what else has several numbers a row is refused by its name."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from potluck_coordinator.core.errors import BadInput
from potluck_coordinator.pipeline import (
    Dataset,
    ModelFacts,
    encode,
    plan_study,
    profile,
    split_rows,
)
from potluck_coordinator.pipeline.dataset import Array
from potluck_coordinator.pipeline.one_hot import one_hot
from tests.unit.pipeline.cases import arrays, model, spec

ROWS = 60
DRAW = np.random.default_rng(5)
X = DRAW.random((ROWS, 4)).astype(np.float32)
NUMBERS = np.arange(ROWS) * 7 % 3
SOFT = model((4,), 3, "softmax")
DTYPES = ["int64", "uint8", "int8", "float32", "float64", "bool", "float16"]


def rows(classes: int = 3, dtype: str = "float32") -> Any:
    return np.eye(classes)[NUMBERS % classes].astype(dtype)


def pair(y: Any, x: Any = X) -> Dataset:
    return arrays(x=x, y=y)


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_hot_rows_train_as_their_class_numbers_do(dtype: str) -> None:
    wide, plain = pair(rows(dtype=dtype)), pair(NUMBERS)
    assert profile(wide).suggested_target == "y"
    plan, other = (plan_study(data, spec(), SOFT) for data in (wide, plain))
    assert plan == other
    assert plan.classes == ("0", "1", "2")
    splits = split_rows(wide, plan)
    assert splits.validation is not None
    found = [encode(data, plan, splits.train, splits.validation) for data in (wide, plain)]
    assert found[0].encoder == found[1].encoder
    for part in ("train", "held"):
        ours, theirs = (getattr(one, part) for one in found)
        for name in theirs:
            assert np.array_equal(ours[name], theirs[name]), name


def test_two_columns_suit_two_softmax_units_and_one_sigmoid() -> None:
    assert plan_study(pair(rows(2)), spec(), model((4,), 2, "softmax")).classes == ("0", "1")
    plan = plan_study(pair(rows(2)), spec(), model((4,), 1, "sigmoid"))
    assert (plan.classes, plan.loss) == (("0", "1"), "binary_crossentropy")


def test_a_class_without_rows_keeps_its_place() -> None:
    y = np.eye(4)[NUMBERS]
    plan = plan_study(pair(y), spec(), model((4,), 4, "softmax"))
    assert plan.classes == ("0", "1", "2", "3")
    assert "These classes have no row: 3." in plan.warnings
    with pytest.raises(BadInput) as caught:
        plan_study(pair(np.eye(3)[NUMBERS * 0 + 1]), spec(), SOFT)
    assert (caught.value.code, caught.value.got) == ("dataset.one_class", "only '1'")


def test_logits_take_one_hot_rows_too() -> None:
    plan = plan_study(pair(rows()), spec(), model((4,), 3, "linear"))
    assert (plan.task, plan.from_logits) == ("classification", True)


def test_a_column_of_one_is_a_plain_target() -> None:
    y = np.arange(ROWS).reshape(-1, 1) % 2
    assert plan_study(pair(y), spec(), model((4,), 1, "sigmoid")).classes == ("0", "1")


def changed(row: int, values: list[float]) -> Any:
    y = rows()
    y[row] = values
    return y


PICTURES = DRAW.random((ROWS, 4, 4, 1)).astype(np.float32)
STEPS = DRAW.random((ROWS, 5, 2)).astype(np.float32)
MASKS = DRAW.integers(0, 2, (ROWS, 4, 4, 1))
MANY = DRAW.integers(0, 2, (ROWS, 3))


def shaped(inputs: tuple[int, ...], outputs: tuple[int, ...], activation: str) -> ModelFacts:
    return ModelFacts({"in": inputs}, {"out": outputs}, activation)


TWO_IN = ModelFacts({"a": (4,), "b": (4,)}, {"out": (3,)}, "softmax")
TWO_OUT = ModelFacts({"a": (4,)}, {"o": (3,), "p": (1,)}, "softmax")
REFUSED: list[tuple[str, Dataset, ModelFacts, str]] = [
    ("two ones", pair(changed(7, [1, 1, 0])), SOFT, "row 8 has 2 ones"),
    ("no one", pair(changed(7, [0, 0, 0])), SOFT, "row 8 has no 1"),
    ("smoothed", pair(rows() * 0.9 + 0.1 / 3), SOFT, "row 1 has shares that sum to 1 (soft"),
    ("other numbers", pair(rows() * 2), SOFT, "numbers other than 0 and 1"),
    ("nan", pair(changed(7, [np.nan, 1, 0])), SOFT, "missing"),
    ("multi-label", pair(MANY), model((4,), 3, "sigmoid"), "multi-label"),
    ("multi-label logits", pair(MANY), model((4,), 3, "linear"), "multi-label"),
    ("one label, sigmoids", pair(rows()), model((4,), 3, "sigmoid"), "multi-label"),
    ("several targets", pair(X[:, :2] + 7), model((4,), 2, "linear"), "several targets"),
    ("autoencoder", pair(X), model((4,), 4, "linear"), "autoencoder"),
    ("sigmoid autoencoder", pair(X), model((4,), 4, "sigmoid"), "autoencoder"),
    ("denoising", pair(X + 0.01), model((4,), 4, "linear"), "autoencoder"),
    ("pictures", pair(PICTURES, PICTURES), shaped((4, 4, 1), (4, 4, 1), "sigmoid"), "autoencoder"),
    ("binary pictures", pair(MASKS, MASKS), shaped((4, 4, 1), (4, 4, 1), "sigmoid"), "autoencoder"),
    ("masks", pair(MASKS, PICTURES), shaped((4, 4, 1), (4, 4, 1), "sigmoid"), "segmentation"),
    ("classes", pair(MASKS[..., 0], PICTURES), shaped((4, 4, 1), (4, 4, 2), "softmax"),
     "segmentation"),
    ("sequence", pair(STEPS[:, :, :1], STEPS), shaped((5, 2), (5, 1), "linear"), "sequence"),
    ("tags", pair(MANY.repeat(2, axis=1)[:, :5], STEPS), shaped((5, 2), (5, 2), "softmax"),
     "sequence"),
    ("steps of one target", pair(NUMBERS, STEPS), shaped((5, 2), (5, 3), "softmax"), "sequence"),
    ("a target of steps alone", pair(STEPS), SOFT, "several axes"),
    ("two inputs", pair(rows()), TWO_IN, "several inputs"),
    ("two outputs", pair(rows()), TWO_OUT, "several outputs"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "facts", "said"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_other_questions_are_refused_by_their_own_name(
    data: Dataset, facts: ModelFacts, said: str
) -> None:
    with pytest.raises(BadInput) as caught:
        plan_study(data, spec(), facts)
    error = caught.value
    assert said in error.message
    assert error.hint
    assert len(error.message) < 250
    assert "class numbers" not in error.hint or "dataset" in error.code
    if "yet" in error.message:
        assert error.code == "pipeline.not_yet"


def test_one_hot_rows_of_another_width_name_both_numbers() -> None:
    with pytest.raises(BadInput) as caught:
        plan_study(pair(rows()), spec(), model((4,), 5, "softmax"))
    assert caught.value.code == "pipeline.output_mismatch"
    assert (caught.value.expected, caught.value.got) == ("3 outputs for 3 classes", "5 outputs")


def test_rows_are_checked_in_little_memory() -> None:
    values = np.zeros((40_000, 500), dtype=np.uint8)
    values[:, 3] = 1
    tracemalloc.start()
    try:
        found = one_hot(Array("y", values))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found is not None
    assert (found.values == 3).all()
    assert most < values.nbytes / 2
