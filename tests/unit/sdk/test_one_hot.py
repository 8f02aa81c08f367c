"""A one-hot target beside a frame, or in one, becomes one column of classes."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas
import polars
import pytest

from potluck.data_upload import data_file

NUMBERS = np.array([2, 0, 1, 0])
X = np.arange(8.0).reshape(4, 2)
WORDS = ["cat", "dog", "fox"]
SAID = ["fox", "cat", "dog", "cat"]


def written(data: object) -> Any:
    with data_file(data) as (_, (_, (_, content)), target):
        assert isinstance(content, bytes)
        if content.startswith(b"PK"):
            return np.load(io.BytesIO(content))[target].tolist()
        return pandas.read_csv(io.BytesIO(content))[target].tolist()


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float32])
@pytest.mark.parametrize("frame", [pandas.DataFrame, polars.DataFrame])
def test_one_hot_rows_beside_a_frame_are_class_numbers(frame: Any, dtype: Any) -> None:
    features = frame({"a": X[:, 0], "b": X[:, 1]})
    assert written((features, np.eye(3)[NUMBERS].astype(dtype))) == NUMBERS.tolist()


@pytest.mark.parametrize("frame", [pandas.DataFrame, polars.DataFrame])
def test_the_columns_of_a_one_hot_frame_name_the_classes(frame: Any) -> None:
    wide = np.eye(3, dtype=np.uint8)[NUMBERS]
    target = frame({word: wide[:, i] for i, word in enumerate(WORDS)})
    assert written((X, target)) == SAID
    assert written((frame({"a": X[:, 0]}), target)) == SAID
    assert written((X, pandas.DataFrame(wide))) == NUMBERS.tolist()


def test_other_arrays_stay_as_they_are() -> None:
    soft = np.array([[0.5, 0.5], [1, 0], [0, 1], [1, 0]])
    assert written((X, soft)) == soft.tolist()
    assert written((X, np.eye(3)[NUMBERS])) == np.eye(3)[NUMBERS].tolist()
