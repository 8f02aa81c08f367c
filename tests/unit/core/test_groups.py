"""Codes, and who may get what."""

from __future__ import annotations

import pytest

from potluck_coordinator.core.groups import (
    EVERYONE,
    NO_REACH,
    Reach,
    circle_of,
    hash_code,
    new_code,
)


def test_a_code_is_long_fits_an_address_and_is_looked_up_by_its_hash() -> None:
    code = new_code(bytes(range(16)))
    assert len(code) == 22
    assert set(code) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
    assert hash_code(f" {code}\n") == hash_code(code)
    assert hash_code(code) != hash_code(code.lower())
    with pytest.raises(ValueError, match="16 random bytes"):
        new_code(bytes(15))


def test_a_circle_lets_its_own_in_and_says_by_which_token() -> None:
    mine, group = circle_of("mine", "ann", None), circle_of("group", "ann", "gr")
    ann, member = Reach({"ann": "tk_a"}, {}), Reach({}, {"gr": "tk_m"})
    visitor = Reach({"ann": None}, {})
    assert [reach.permits(mine) for reach in (NO_REACH, ann, member, visitor)] == [
        False,
        True,
        False,
        True,
    ]
    assert [reach.permits(group) for reach in (NO_REACH, ann, member)] == [False, True, True]
    assert all(reach.permits(EVERYONE) for reach in (NO_REACH, ann, member, visitor))
    assert (ann.permit(mine), ann.permit(group), member.permit(group)) == ("tk_a", "tk_a", "tk_m")
    assert ann.permit(EVERYONE) is None
    assert visitor.permit(mine) is None
    assert not Reach({}, {"other": "k"}).permits(group)
    assert Reach({"ann": None, "bob": "b"}, {"gr": "k"}).tokens() == {"b", "k"}


def test_an_unknown_word_is_no_circle() -> None:
    assert circle_of("everyone", "ann", None) == EVERYONE
    with pytest.raises(ValueError, match="anybody"):
        circle_of("anybody", "ann", None)
