from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlmodel import Session

from potluck_coordinator.core.access import Account, Token, hash_token, new_token
from potluck_coordinator.core.errors import Conflict, NotFound
from potluck_coordinator.core.groups import Group, hash_code
from potluck_coordinator.storage import access, groups, tokens
from potluck_coordinator.storage.writer import Writer

TOKEN = new_token(bytes(range(32)))
HASH = hash_token(TOKEN)
OTHER = hash_token(new_token(bytes(32)))


def bearer_of(session: Session, token_hash: str, at: float = 5.0) -> Account | None:
    """Give the account that a token opens."""
    found = access.find_by_token_hash(session, token_hash, at)
    return None if found is None else found.account


def only_token(session: Session, account: Account) -> str:
    """Give the id of an account's one token."""
    [token] = tokens.of_account(session, account.id)
    return token.id


def test_a_token_opens_its_account_and_is_not_in_the_database(engine: Engine) -> None:
    with Session(engine) as session:
        made = access.create_account(session, "Ada", "submitter", HASH, 5.0)
        assert (made.name, made.role, made.created_at, made.revoked) == (
            "Ada",
            "submitter",
            5.0,
            False,
        )
        assert bearer_of(session, HASH) == made
        assert bearer_of(session, OTHER) is None
        assert bearer_of(session, TOKEN) is None
        kept = session.execute(text("SELECT * FROM account, access_token")).one()
        assert not any(TOKEN in str(value) for value in kept)


def test_a_name_is_given_once(engine: Engine) -> None:
    with Session(engine) as session:
        access.create_account(session, "Ada", "submitter", HASH, 1.0)
        with pytest.raises(Conflict) as refusal:
            access.create_account(session, "Ada", "admin", OTHER, 2.0)
        assert refusal.value.code == "access.name_taken"
        assert [account.role for account in access.list_accounts(session)] == ["submitter"]


def test_only_the_first_start_makes_an_admin(writer: Writer, engine: Engine) -> None:
    hashes = [hash_token(new_token(bytes([number]) * 32)) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        made = list(
            pool.map(
                lambda token_hash: writer.submit(
                    lambda session: access.ensure_first_admin(session, "admin", token_hash, 1.0)
                ).result(30),
                hashes,
            )
        )
    assert len([account for account in made if account is not None]) == 1
    with Session(engine) as session:
        assert len(access.list_accounts(session)) == 1


def test_a_submitter_does_not_count_as_the_admin(engine: Engine) -> None:
    with Session(engine) as session:
        access.create_account(session, "Ada", "submitter", HASH, 1.0)
        made = access.ensure_first_admin(session, "admin", OTHER, 2.0)
        assert made is not None
        assert made.is_admin


def test_a_revoked_account_opens_nothing(engine: Engine) -> None:
    with Session(engine) as session:
        access.create_account(session, "root", "admin", OTHER, 1.0)
        made = access.create_account(session, "Ada", "admin", HASH, 1.0)
        access.open_session(session, "s", only_token(session, made), "csrf", 100.0)
        assert access.revoke_account(session, made.id, 1.5)
        assert not access.revoke_account(session, made.id, 1.6)
        assert bearer_of(session, HASH) is None
        assert access.find_session(session, "s", 2.0) is None
        session.expire_all()
        assert access.get_account(session, made.id).revoked
        assert not access.get_account(session, made.id).is_admin


def test_a_session_lasts_until_it_expires_or_is_closed(engine: Engine) -> None:
    with Session(engine) as session:
        made = access.create_account(session, "Ada", "submitter", HASH, 0.0)
        token = only_token(session, made)
        opened = access.open_session(session, "a", token, "csrf", 10.0)
        access.open_session(session, "b", token, "csrf", 20.0)
        found = access.find_session(session, "a", 9.99)
        assert found is not None
        assert found[0] == opened
        assert found[1].account == made
        assert access.find_session(session, "a", 10.0) is None
        access.close_session(session, "b")
        assert access.find_session(session, "b", 1.0) is None
        access.forget_expired_sessions(session, 10.0)
        assert access.find_session(session, "a", 1.0) is None


def test_nobody_is_not_found(engine: Engine) -> None:
    with Session(engine) as session, pytest.raises(NotFound) as refusal:
        access.get_account(session, "nobody")
    assert refusal.value.code == "account.not_found"


def token_of(account: Account | None, id: str, token_hash: str, **values: Any) -> Token:
    account_id = None if account is None else account.id
    given = {"group_id": None, "name": id, "scope": "all", "created_at": 1.0} | values
    return Token(id=id, account_id=account_id, token_hash=token_hash, **given)


def test_an_account_has_several_tokens_and_each_ends_by_itself(engine: Engine) -> None:
    with Session(engine) as session:
        made = access.create_account(session, "Ada", "submitter", HASH, 0.0)
        tokens.add(session, token_of(made, "tk_b", OTHER, expires_at=10.0))
        access.open_session(session, "s", "tk_b", "csrf", 100.0)
        access.open_session(session, "t", only_first(session, made), "csrf", 100.0)
        assert bearer_of(session, OTHER, 9.9) == made
        assert bearer_of(session, OTHER, 10.0) is None
        assert access.find_session(session, "s", 9.9) is not None
        assert access.find_session(session, "s", 10.0) is None
        assert tokens.revoke(session, "tk_b", 5.0)
        assert not tokens.revoke(session, "tk_b", 6.0)
        assert not tokens.change(session, "tk_b", 6.0, expires_at=1e9)
        assert bearer_of(session, OTHER, 5.0) is None
        assert access.find_session(session, "s", 5.0) is None
        assert access.find_session(session, "t", 5.0) is not None
        assert bearer_of(session, HASH) == made


def test_a_token_that_expired_cannot_be_given_another_end(engine: Engine) -> None:
    with Session(engine) as session:
        made = access.create_account(session, "Ada", "submitter", HASH, 0.0)
        tokens.add(session, token_of(made, "tk_b", OTHER, expires_at=10.0))
        access.open_session(session, "s", "tk_b", "csrf", 100.0)
        assert tokens.change(session, "tk_b", 9.9, expires_at=20.0)
        assert not tokens.change(session, "tk_b", 20.0, expires_at=None)
        assert bearer_of(session, OTHER, 20.0) is None
        assert access.find_session(session, "s", 20.0) is None
        assert tokens.revoke(session, "tk_b", 21.0)
        assert access.find_session(session, "s", 5.0) is None


def only_first(session: Session, account: Account) -> str:
    return tokens.of_account(session, account.id)[0].id


def test_a_sign_in_too_many_ends_the_oldest(engine: Engine) -> None:
    with Session(engine) as session:
        made = access.create_account(session, "Ada", "submitter", HASH, 0.0)
        token = only_token(session, made)
        for number in range(4):
            access.open_session(session, f"s{number}", token, "csrf", 10.0 + number)
        access.forget_oldest_sessions(session, token, keep=2)
        there = [access.find_session(session, f"s{n}", 1.0) is not None for n in range(4)]
        assert there == [False, False, True, True]
        access.forget_oldest_sessions(session, token, keep=2)
        assert access.find_session(session, "s2", 1.0) is not None


def test_the_last_use_is_kept_to_the_hour(engine: Engine) -> None:
    with Session(engine) as session:
        made = access.create_account(session, "Ada", "submitter", HASH, 0.0)
        token = only_token(session, made)
        assert tokens.note_use(session, token, 10.0, since=-3590.0)
        assert not tokens.note_use(session, token, 20.0, since=-3580.0)
        assert tokens.note_use(session, token, 3700.0, since=100.0)
        assert tokens.get(session, token).last_used_at == 3700.0


def test_the_last_admin_is_not_revoked(engine: Engine) -> None:
    with Session(engine) as session:
        made = access.create_account(session, "Ada", "admin", HASH, 1.0)
        with pytest.raises(Conflict) as refusal:
            access.revoke_account(session, made.id, 2.0)
        assert refusal.value.code == "access.last_admin"
        assert bearer_of(session, HASH) == made


def test_what_was_kept_under_a_name_goes_with_it(engine: Engine) -> None:
    with Session(engine) as session:
        made = access.create_account(session, "Ada", "submitter", HASH, 1.0)
        access.create_account(session, "Bob", "submitter", OTHER, 1.0)
        for owner in ("Ada", "Bob"):
            groups.add(session, group_of(owner))
        assert access.rename_account(session, made, "Ada L.")
        assert not access.rename_account(session, made, "Ada M.")
        assert [g.name for g in groups.of_owners(session, ["Ada L."])] == ["of Ada"]
        assert [g.name for g in groups.of_owners(session, ["Ada"])] == []
        with pytest.raises(Conflict):
            access.rename_account(session, access.get_account(session, made.id), "Bob")


def group_of(owner: str) -> Group:
    code = f"code of {owner}"
    return Group(
        id=f"gr_{owner}", name=f"of {owner}", owner=owner, code=code, code_hash=hash_code(code),
        created_at=1.0,
    )  # fmt: skip


def test_a_groups_members_are_keys_that_end_with_it(engine: Engine) -> None:
    with Session(engine) as session:
        group = group_of("Ada")
        groups.add(session, group)
        tokens.add(session, token_of(None, "tk_m", HASH, group_id=group.id, scope="donate"))
        tokens.add(session, token_of(None, "tk_n", OTHER, group_id=group.id, scope="donate"))
        found = groups.by_code(session, hash_code(f" {group.code} "))
        assert found == group
        assert groups.by_code(session, hash_code("code of Bob")) is None
        assert tokens.count_members(session, group.id) == 2
        assert tokens.revoke(session, "tk_n", 2.0)
        assert [token.id for token in tokens.members_of(session, group.id)] == ["tk_m"]
        assert groups.change_code(session, group.id, "new", hash_code("new"))
        assert groups.by_code(session, hash_code(group.code)) is None
        with pytest.raises(NotFound):
            tokens.get(session, "tk_m", group_id="gr_other")
        groups.remove(session, group.id)
        session.expire_all()
        assert access.find_by_token_hash(session, HASH, 2.0) is None


def test_two_groups_of_one_owner_have_two_names(engine: Engine) -> None:
    with Session(engine) as session:
        groups.add(session, group_of("Ada"))
        with pytest.raises(Conflict) as refusal:
            groups.add(session, replace(group_of("Ada"), id="gr_2", code_hash="x"))
        assert refusal.value.code == "group.name_taken"
