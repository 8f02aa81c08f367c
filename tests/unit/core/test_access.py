from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck_coordinator.core.access import (
    Account,
    Token,
    expiry,
    hash_token,
    new_token,
    same_secret,
    token_ended,
)


@given(st.binary(min_size=32, max_size=64))
def test_a_token_can_be_pasted_anywhere(random: bytes) -> None:
    assert re.fullmatch(r"potluck_[A-Za-z0-9_-]{43,}", new_token(random))


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_different_randomness_gives_different_tokens_and_hashes(a: bytes, b: bytes) -> None:
    assert (new_token(a) == new_token(b)) == (a == b)
    assert (hash_token(new_token(a)) == hash_token(new_token(b))) == (a == b)


def test_a_token_pasted_with_its_line_end_is_the_same_token() -> None:
    assert hash_token("potluck_abc\n") == hash_token("potluck_abc")


def test_too_little_randomness_is_refused() -> None:
    with pytest.raises(ValueError, match="32"):
        new_token(bytes(31))


@pytest.mark.parametrize(
    ("role", "revoked", "admin"),
    [("admin", False, True), ("admin", True, False), ("submitter", False, False)],
)
def test_only_an_open_admin_is_one(role: str, revoked: bool, admin: bool) -> None:
    account = Account("id", "name", role, 0.0, revoked)  # type: ignore[arg-type]
    assert account.is_admin is admin


@given(st.text(), st.text())
def test_secrets_are_the_same_only_when_they_are(a: str, b: str) -> None:
    a, b = (text.encode("utf-8", "ignore").decode() for text in (a, b))
    assert same_secret(a, b) == (a == b)
    assert same_secret(a, a)


def test_a_token_ends_in_so_many_days_or_never() -> None:
    assert (expiry(5.0, 0.5), expiry(5.0, 0), expiry(5.0, None)) == (43205.0, 5.0, None)


@pytest.mark.parametrize(
    ("revoked_at", "message"),
    [(None, "This token has expired."), (1.0, "This token was revoked.")],
)
def test_a_token_that_ended_says_how(revoked_at: float | None, message: str) -> None:
    token = Token(
        id="tk_1",
        account_id="a",
        group_id=None,
        name="laptop",
        scope="all",
        token_hash="",
        created_at=0.0,
        expires_at=2.0,
        revoked_at=revoked_at,
    )
    refusal = token_ended(token)
    assert (refusal.code, refusal.message) == ("token.state", message)
    assert refusal.hint
