"""Text that can be said again, and JSON of it."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck_coordinator.core.errors import BadInput
from potluck_coordinator.core.text import DEEPEST, MOST_NAMES, check_json, fault_in, mended

TEXTS = st.text(st.characters())
SCALARS = st.one_of(TEXTS, st.integers(-(2**70), 2**70), st.floats(), st.booleans(), st.none())
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(TEXTS, inner)),
    max_leaves=20,
)


def good(value: Any) -> bool:
    """Say slowly and plainly whether a value can be kept."""
    if isinstance(value, str):
        return "\0" not in value and not any(0xD800 <= ord(c) <= 0xDFFF for c in value)
    if isinstance(value, bool) or value is None:
        return True
    if isinstance(value, int):
        return abs(value) <= 2**53
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(good(one) for pair in value.items() for one in pair)
    return all(good(one) for one in value)


def taken(text: str) -> bool:
    try:
        check_json(text, "The body")
    except BadInput:
        return False
    return True


@given(VALUES)
def test_json_is_taken_where_all_in_it_can_be_kept(value: Any) -> None:
    expected = good(value)
    assert taken(json.dumps(value)) == expected
    assert taken(json.dumps(value, indent=1)) == expected


@given(TEXTS)
def test_a_text_has_no_fault_where_it_can_be_kept(text: str) -> None:
    assert (fault_in(text) == "") == good(text)


@given(VALUES)
def test_what_is_mended_can_be_said_and_what_is_whole_stays(value: Any) -> None:
    json.dumps(mended(value), ensure_ascii=False).encode()
    if good(value):
        assert mended(value) == value


@pytest.mark.parametrize("kind", ["lists", "objects"])
def test_levels_are_counted(kind: str) -> None:
    start, end = ("[", "]") if kind == "lists" else ('{"a":', "}")
    assert taken(start * DEEPEST + "1" + end * DEEPEST)
    assert taken("[" + ",".join("[1]" for _ in range(10 * DEEPEST)) + "]")
    for levels in (DEEPEST + 2, 900, 20_000):
        assert not taken(start * levels + "1" + end * levels)


@pytest.mark.parametrize("text", ["1e999", "-1e999", "9" * 400, "NaN", "Infinity", "-Infinity"])
def test_numbers_that_nothing_holds_are_refused(text: str) -> None:
    assert not taken(text)
    assert not taken(f'{{"a": [{text}]}}')


def test_what_is_no_json_is_left_to_its_reader() -> None:
    for text in ("", "{", "nonsense", '{"a": 01}', '"\x01"'):
        assert taken(text)


@pytest.mark.parametrize("colon", [":", " :", "\n\t: "])
def test_names_are_counted_and_colons_in_texts_are_none(colon: str) -> None:
    named = [f'"n{number}"{colon}1' for number in range(MOST_NAMES + 1)]
    assert not taken("{" + ",".join(named) + "}")
    assert taken("{" + ",".join(named[1:]) + "}")
    assert not taken("[" + ",".join("{" + one + "}" for one in named) + "]")
    assert taken(json.dumps([f"gene:{number}" for number in range(2 * MOST_NAMES)]))
