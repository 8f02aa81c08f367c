from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck_coordinator.core.access import new_token
from potluck_coordinator.core.visitors import (
    ANYONE,
    begins_as_visitor_key,
    csrf_of,
    has_no_account,
    is_visitor_key,
    new_visitor_key,
    owner_of,
    shown_owner,
)

SECRETS = st.binary(min_size=32, max_size=32)


@given(SECRETS, SECRETS)
def test_a_key_names_one_owner_and_neither_tells_the_key(first: bytes, second: bytes) -> None:
    one, other = new_visitor_key(first), new_visitor_key(second)
    assert is_visitor_key(one)
    assert (owner_of(one) == owner_of(other)) == (first == second)
    assert csrf_of(one) not in owner_of(one)
    assert one[-43:] not in owner_of(one) + csrf_of(one)
    assert shown_owner(owner_of(one)) == ANYONE


@given(st.text() | st.from_regex(r"potluck_visitor_[A-Za-z0-9_-]{0,60}\n?", fullmatch=True))
def test_a_key_has_one_length_and_one_alphabet(word: str) -> None:
    assert is_visitor_key(word) == (
        begins_as_visitor_key(word)
        and len(word) == 59
        and all(c.isascii() and (c.isalnum() or c in "-_") for c in word[16:])
    )


def test_a_token_is_no_visitors_key() -> None:
    assert not begins_as_visitor_key(new_token(bytes(32)))
    assert not is_visitor_key(new_token(bytes(32)))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_key_takes_thirty_two_bytes(length: int) -> None:
    with pytest.raises(ValueError, match="32"):
        new_visitor_key(bytes(length))


@pytest.mark.parametrize("name", ["ann", "anyone else", "anyones", ""])
def test_an_accounts_name_is_shown_as_it_is(name: str) -> None:
    assert not has_no_account(name)
    assert shown_owner(name) == name
