"""Accounts and browser sessions. Tokens and session ids come in hashed and never leave."""

from __future__ import annotations

from typing import cast

from sqlalchemy import CursorResult, delete, select, update
from sqlmodel import Session, col

from potluck_coordinator.core.access import Account, BrowserSession, Role
from potluck_coordinator.core.errors import Conflict, NotFound
from potluck_coordinator.storage.access_tables import AccountRow, SessionRow


def create_account(session: Session, name: str, role: Role, token_hash: str, at: float) -> Account:
    """Make an account. Raises `Conflict` (`access.name_taken`) where the name is in use."""
    taken = session.execute(select(col(AccountRow.id)).where(col(AccountRow.name) == name))
    if taken.first() is not None:
        raise Conflict(
            "access.name_taken",
            "An account of this name exists.",
            expected="a name that nobody has",
            got=name,
            hint="Choose another name.",
            where="name",
        )
    row = AccountRow(id=token_hash[:16], name=name, role=role, token_hash=token_hash, created_at=at)
    session.add(row)
    session.flush()
    return _account(row)


def ensure_first_admin(session: Session, name: str, token_hash: str, at: float) -> Account | None:
    """Make an admin where there is none that can sign in; None where there is one."""
    found = session.execute(
        select(col(AccountRow.id)).where(
            col(AccountRow.role) == "admin", col(AccountRow.revoked).is_(False)
        )
    )
    if found.first() is not None:
        return None
    return create_account(session, name, "admin", token_hash, at)


def find_by_token_hash(session: Session, token_hash: str) -> Account | None:
    """Give the account that a token opens; none for a revoked one."""
    row = session.execute(
        select(AccountRow).where(
            col(AccountRow.token_hash) == token_hash, col(AccountRow.revoked).is_(False)
        )
    ).scalar()
    return None if row is None else _account(row)


def get_account(session: Session, account_id: str) -> Account:
    """Give an account, revoked or not. Raises `NotFound` (`account.not_found`)."""
    row = session.get(AccountRow, account_id)
    if row is None:
        raise NotFound("account.not_found", "There is no such account.", got=account_id)
    return _account(row)


def list_accounts(session: Session) -> list[Account]:
    """Give all accounts, oldest first."""
    rows = session.execute(
        select(AccountRow).order_by(col(AccountRow.created_at), col(AccountRow.id))
    )
    return [_account(row) for row in rows.scalars()]


def revoke_account(session: Session, account_id: str) -> bool:
    """Close an account and its browser sessions; say whether it was open."""
    session.execute(delete(SessionRow).where(col(SessionRow.account_id) == account_id))
    changed = session.execute(
        update(AccountRow)
        .where(col(AccountRow.id) == account_id, col(AccountRow.revoked).is_(False))
        .values(revoked=True)
        .execution_options(synchronize_session=False)
    )
    return cast("CursorResult[object]", changed).rowcount == 1


def open_session(
    session: Session, id_hash: str, account_id: str, csrf: str, expires_at: float
) -> BrowserSession:
    """Keep a browser's sign-in until a Unix time."""
    session.add(
        SessionRow(id_hash=id_hash, account_id=account_id, csrf=csrf, expires_at=expires_at)
    )
    session.flush()
    return BrowserSession(account_id, csrf, expires_at)


def find_session(session: Session, id_hash: str, at: float) -> BrowserSession | None:
    """Give a sign-in that has not expired and whose account is open."""
    row = session.execute(
        select(SessionRow).where(
            col(SessionRow.id_hash) == id_hash, col(SessionRow.expires_at) > at
        )
    ).scalar()
    if row is None or row.account_id is None:
        return None
    if get_account(session, row.account_id).revoked:
        return None
    return BrowserSession(row.account_id, row.csrf, row.expires_at)


def close_session(session: Session, id_hash: str) -> None:
    """Forget a sign-in."""
    session.execute(delete(SessionRow).where(col(SessionRow.id_hash) == id_hash))


def forget_expired_sessions(session: Session, at: float) -> None:
    """Forget every sign-in that has expired."""
    session.execute(delete(SessionRow).where(col(SessionRow.expires_at) <= at))


def _account(row: AccountRow) -> Account:
    return Account(row.id, row.name, cast("Role", row.role), row.created_at, row.revoked)
