from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text
from sqlmodel import Session

from potluck_coordinator.core.access import hash_token, new_token
from potluck_coordinator.core.errors import Conflict, NotFound
from potluck_coordinator.storage import access
from potluck_coordinator.storage.writer import Writer

TOKEN = new_token(bytes(range(32)))
HASH = hash_token(TOKEN)
OTHER = hash_token(new_token(bytes(32)))


def test_a_token_opens_its_account_and_is_not_in_the_database(engine: Engine) -> None:
    with Session(engine) as session:
        made = access.create_account(session, "Ada", "submitter", HASH, 5.0)
        assert (made.name, made.role, made.created_at, made.revoked) == (
            "Ada",
            "submitter",
            5.0,
            False,
        )
        assert access.find_by_token_hash(session, HASH) == made
        assert access.find_by_token_hash(session, OTHER) is None
        assert access.find_by_token_hash(session, TOKEN) is None
        kept = session.execute(text("SELECT * FROM account")).one()
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
        made = access.create_account(session, "Ada", "admin", HASH, 1.0)
        access.open_session(session, "s", made.id, "csrf", 100.0)
        assert access.revoke_account(session, made.id)
        assert not access.revoke_account(session, made.id)
        assert access.find_by_token_hash(session, HASH) is None
        assert access.find_session(session, "s", 2.0) is None
        session.expire_all()
        assert access.get_account(session, made.id).revoked
        assert not access.get_account(session, made.id).is_admin


def test_a_session_lasts_until_it_expires_or_is_closed(engine: Engine) -> None:
    with Session(engine) as session:
        made = access.create_account(session, "Ada", "submitter", HASH, 0.0)
        opened = access.open_session(session, "a", made.id, "csrf", 10.0)
        access.open_session(session, "b", made.id, "csrf", 20.0)
        assert access.find_session(session, "a", 9.99) == opened
        assert access.find_session(session, "a", 10.0) is None
        access.close_session(session, "b")
        assert access.find_session(session, "b", 1.0) is None
        access.forget_expired_sessions(session, 10.0)
        assert access.find_session(session, "a", 1.0) is None


def test_nobody_is_not_found(engine: Engine) -> None:
    with Session(engine) as session, pytest.raises(NotFound) as refusal:
        access.get_account(session, "nobody")
    assert refusal.value.code == "account.not_found"
