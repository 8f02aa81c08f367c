"""Whole numbers above 2**53: labels stay apart, and amounts that would merge are refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from potluck_coordinator.core.errors import BadDataset
from potluck_coordinator.pipeline import Dataset, Plan, encode, plan_study, read_dataset, split_rows
from tests.unit.pipeline.cases import arrays, model, npz, spec, table

LARGE = 2**53
LABELS = np.array([LARGE, LARGE + 1, 5] * 20)
X = np.random.default_rng(0).random((60, 2))


def test_large_labels_are_classes_of_their_own() -> None:
    content = npz(x=X, y=LABELS)
    plan = plan_study(read_dataset(content, "a.npz"), spec(), model((2,), 3, "softmax"))
    assert set(plan.classes or ()) == {
        "5",
        str(LARGE),
        str(LARGE + 1),
    }
    stored = Plan.from_json(json.loads(json.dumps(plan.to_json())))
    again = read_dataset(content, "a.npz", spellings=stored.spellings)
    splits = split_rows(again, stored)
    assert splits.validation is not None
    y = encode(again, stored, splits.train, splits.validation).train["y"]
    written = [(stored.classes or ())[number] for number in y.tolist()]
    assert written == [str(label) for label in LABELS[splits.train]]


@pytest.mark.parametrize(
    ("data", "facts", "asked"),
    [
        (arrays(x=2**60 + np.arange(60) % 2, y=np.arange(60) % 3), model((1,), 3, "softmax"), {}),
        (
            arrays(x=2**60 + np.arange(120).reshape(60, 2), y=np.arange(60) % 3),
            model((2,), 3, "softmax"),
            {},
        ),
        (arrays(x=X, y=2**60 + np.arange(60)), model((2,), 1, "linear"), {"task": "regression"}),
        (arrays(x=X, y=LABELS), model((2,), 1, "sigmoid"), {}),
        (
            table("a,y\n" + "".join(f"{2**60 + i % 2},{'pq'[i % 2]}\n" for i in range(60))),
            model((1,), 1, "sigmoid"),
            {},
        ),
    ],
    ids=["column", "array", "amounts", "labels as two", "table"],
)
def test_large_numbers_that_would_become_one_are_refused(
    data: Dataset, facts: Any, asked: dict[str, Any]
) -> None:
    with pytest.raises(BadDataset) as caught:
        plan_study(data, spec(**asked), facts)
    assert caught.value.code == "dataset.not_exact"
    assert "2**53" in caught.value.message


def test_large_numbers_that_differ_as_they_are_pass() -> None:
    data = arrays(x=2**60 + 1024 * np.arange(60), y=np.arange(60) % 3)
    assert plan_study(data, spec(features=["x"]), model((1,), 3, "softmax")).features == ("x",)


def test_a_large_column_that_is_no_feature_disturbs_nobody() -> None:
    data = arrays(x=X, id=2**60 + np.arange(60), y=np.arange(60) % 3)
    assert plan_study(data, spec(), model((2,), 3, "softmax")).features == ("x",)
