"""What a mask hides is missing, whatever lies under it."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest

from potluck import BadArgument
from potluck.arrays import npz
from potluck.data_upload import data_file
from potluck_coordinator.pipeline import read_dataset

MASK = [False, True, False]


def masked(values: Any, kind: Any = None) -> Any:
    return np.ma.array(values, mask=MASK, dtype=kind)


def packed(values: object) -> np.ndarray[Any, Any]:
    with np.load(io.BytesIO(npz({"a": values})), allow_pickle=False) as archive:
        found: np.ndarray[Any, Any] = archive["a"]
    return found


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "i1", "u4", "i8", "?", "M8[D]", "m8[D]"])
def test_what_is_masked_is_missing(kind: str) -> None:
    given = masked(np.array([1, 0, 1]).astype(kind))
    assert np.array_equal(packed(given), [1, np.nan, 1], equal_nan=True)
    assert given.data[1] == np.array(0).astype(kind)  # the caller's array stays as it was


def test_a_masked_array_keeps_the_size_of_its_numbers() -> None:
    assert packed(masked([1, -9999, 2], "f4")).dtype == np.float32
    whole = np.ma.array([1, 2], dtype=np.int16)
    assert packed(whole).dtype == np.int16


def test_a_list_of_masked_rows_keeps_its_masks() -> None:
    rows = [masked([1, -9999, 2]), masked([3.0, -9999, 4])]
    expected = [[1, np.nan, 2], [3, np.nan, 4]]
    assert np.array_equal(packed(rows), expected, equal_nan=True)
    assert np.array_equal(packed([1.0, np.ma.masked]), [1, np.nan], equal_nan=True)


@pytest.mark.parametrize("kind", ["U1", object])
def test_masked_text_is_refused_with_its_rows(kind: Any) -> None:
    for data in (
        (np.zeros((3, 2)), masked(["a", "?", "b"], kind)),
        (pd.DataFrame({"b": [1, 2, 3]}), masked(["a", "?", "b"], kind)),
    ):
        with (
            pytest.raises(BadArgument, match="1 rows are masked, first row 2"),
            data_file(data),
        ):
            pass


def test_a_masked_target_of_a_frame_is_missing() -> None:
    frame = pd.DataFrame({"b": [1, 2, 3]})
    for target in (masked([1, -9999, 0]), masked([1, -9999, 0]).reshape(3, 1)):
        with data_file((frame, target)) as (_, (_, (name, content)), _):
            assert isinstance(content, bytes)
            column = read_dataset(content, name).columns["target"]
        assert column.missing.tolist() == MASK
