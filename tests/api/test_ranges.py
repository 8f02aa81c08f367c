"""What is read of a Range header, and what means the whole file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck_coordinator.api.ranges import asked_range

SIZE = 100


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=10-19", (10, 20)),
        ("bytes=10-1000", (10, 100)),
        ("bytes=10-", (10, 100)),
        ("bytes=-10", (90, 100)),
        ("bytes=-1000", (0, 100)),
    ],
)
def test_one_range_is_read(header: str, expected: tuple[int, int]) -> None:
    assert asked_range(header, SIZE) == expected


@pytest.mark.parametrize(
    "header",
    [
        None, "", "bytes", "bytes=", "bytes=-", "bytes=5", "bytes=a-b", "bytes=0-1,5-6", "rows=0-1",
        "bytes=20-10", "bytes=--5", "bytes=+1-5", "bytes=²-5", "bytes=1-" + "9" * 5000,
    ],
)  # fmt: skip
def test_anything_else_means_the_whole(header: str | None) -> None:
    assert asked_range(header, SIZE) is None


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_a_range_of_which_nothing_is_there_is_empty(header: str) -> None:
    found = asked_range(header, SIZE)
    assert found is not None
    assert found[0] >= found[1]


@given(st.text(max_size=30), st.integers(1, 10**12))
def test_no_header_is_too_odd_and_no_range_leaves_the_file(text: str, size: int) -> None:
    found = asked_range(f"bytes={text}", size)
    assert found is None or (found[0] >= 0 and found[1] <= size)
