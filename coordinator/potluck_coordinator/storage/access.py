"""Accounts and browser sessions. Tokens and session ids come in hashed and never leave."""

from __future__ import annotations

from typing import cast

from sqlalchemy import delete, select, update
from sqlmodel import Session, SQLModel, col

from potluck_coordinator.core.access import (
    Account,
    Bearer,
    BrowserSession,
    Role,
    Scope,
    Token,
)
from potluck_coordinator.core.errors import Conflict, NotFound
from potluck_coordinator.storage import tokens
from potluck_coordinator.storage.access_tables import AccountRow, SessionRow, TokenRow
from potluck_coordinator.storage.rows import changed, fact

FIRST_TOKEN = "first token"
OWNER = "owner"


def create_account(
    session: Session,
    name: str,
    role: Role,
    token_hash: str,
    at: float,
    *,
    token_name: str = FIRST_TOKEN,
    scope: Scope = "all",
) -> Account:
    """Make an account with a token. Raises `Conflict` (`access.name_taken`)."""
    _must_be_free(session, name)
    row = AccountRow(id=token_hash[:16], name=name, role=role, created_at=at)
    session.add(row)
    session.flush()
    tokens.add(
        session,
        Token(
            id=f"tk_{token_hash[:16]}",
            account_id=row.id,
            group_id=None,
            name=token_name,
            scope=scope,
            token_hash=token_hash,
            created_at=at,
        ),
    )
    return _account(row)


def _must_be_free(session: Session, name: str) -> None:
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


def ensure_first_admin(session: Session, name: str, token_hash: str, at: float) -> Account | None:
    """Make an admin where there is none that is open; None where there is one."""
    return None if admins(session) else create_account(session, name, "admin", token_hash, at)


def admins(session: Session) -> list[Account]:
    """Give the admins' accounts that are open, oldest first."""
    return [account for account in list_accounts(session) if account.is_admin]


def find_by_token_hash(session: Session, token_hash: str, at: float) -> Bearer | None:
    """Say who a token opens at a time; None for one that is unknown, revoked or expired."""
    query = select(TokenRow).where(col(TokenRow.token_hash) == token_hash)
    return _bearer(session, session.execute(query).scalar(), at)


def find_by_token_id(session: Session, token_id: str, at: float) -> Bearer | None:
    """Say who a token of this id opens at a time; None as `find_by_token_hash`."""
    query = select(TokenRow).where(col(TokenRow.id) == token_id)
    return _bearer(session, session.execute(query).scalar(), at)


def _bearer(session: Session, row: TokenRow | None, at: float) -> Bearer | None:
    if row is None:
        return None
    token = fact(Token, row)
    if not token.is_alive(at):
        return None
    if token.account_id is None:
        return Bearer(token, None)
    account = get_account(session, token.account_id)
    return None if account.revoked else Bearer(token, account)


def get_account(session: Session, account_id: str) -> Account:
    """Give an account, revoked or not. Raises `NotFound` (`account.not_found`)."""
    row = session.get(AccountRow, account_id)
    if row is None:
        raise NotFound("account.not_found", "There is no such account.", got=account_id)
    return _account(row)


def find_account(session: Session, name: str) -> Account | None:
    """Give the account of a name, revoked or not."""
    row = session.execute(select(AccountRow).where(col(AccountRow.name) == name)).scalar()
    return None if row is None else _account(row)


def list_accounts(session: Session) -> list[Account]:
    """Give all accounts, oldest first."""
    rows = session.execute(
        select(AccountRow).order_by(col(AccountRow.created_at), col(AccountRow.id))
    )
    return [_account(row) for row in rows.scalars()]


def first_account(session: Session) -> str | None:
    """Give the id of the account that was made first: every database has another one."""
    return next((account.id for account in list_accounts(session)), None)


def rename_account(session: Session, account: Account, name: str) -> bool:
    """Give an account another name, and everything that is kept under it, too.

    False: it has another name meanwhile. Raises `Conflict` (`access.name_taken`).
    """
    _must_be_free(session, name)
    renamed = changed(
        session,
        update(AccountRow)
        .where(col(AccountRow.id) == account.id, col(AccountRow.name) == account.name)
        .values(name=name),
    )
    if renamed:
        for table in SQLModel.metadata.sorted_tables:
            if OWNER in table.columns:
                owner = table.columns[OWNER]
                changed(session, update(table).where(owner == account.name).values({OWNER: name}))
    return bool(renamed)


def revoke_account(session: Session, account_id: str, at: float) -> bool:
    """Close an account, its tokens and its browser sessions; say whether it was open.

    Raises `Conflict` (`access.last_admin`) where nobody could run the coordinator afterwards.
    """
    if [account.id for account in admins(session)] == [account_id]:
        raise Conflict(
            "access.last_admin",
            "This is the only admin's account.",
            expected="another admin's account, that stays",
            got="none",
            hint="Make another admin's account first.",
        )
    closed = changed(
        session,
        update(AccountRow)
        .where(col(AccountRow.id) == account_id, col(AccountRow.revoked).is_(False))
        .values(revoked=True),
    )
    tokens.revoke_all_of(session, account_id, at)
    return bool(closed)


def open_session(
    session: Session, id_hash: str, token_id: str, csrf: str, expires_at: float
) -> BrowserSession:
    """Keep a browser's sign-in until a Unix time, or until its token ends."""
    session.add(SessionRow(id_hash=id_hash, token_id=token_id, csrf=csrf, expires_at=expires_at))
    session.flush()
    return BrowserSession(token_id, csrf, expires_at)


def find_session(session: Session, id_hash: str, at: float) -> tuple[BrowserSession, Bearer] | None:
    """Give a sign-in that has not expired, and who it is, as long as its token opens anything."""
    row = session.execute(
        select(SessionRow).where(
            col(SessionRow.id_hash) == id_hash, col(SessionRow.expires_at) > at
        )
    ).scalar()
    if row is None:
        return None
    bearer = find_by_token_id(session, row.token_id, at)
    if bearer is None:
        return None
    return BrowserSession(row.token_id, row.csrf, row.expires_at), bearer


def forget_oldest_sessions(session: Session, token_id: str, *, keep: int) -> None:
    """Close a token's sign-ins but for the newest so many."""
    newest = col(SessionRow.expires_at).desc(), col(SessionRow.id_hash)
    query = select(col(SessionRow.id_hash)).where(col(SessionRow.token_id) == token_id)
    old = list(session.execute(query.order_by(*newest).offset(keep)).scalars())
    if old:
        changed(session, delete(SessionRow).where(col(SessionRow.id_hash).in_(old)))


def close_session(session: Session, id_hash: str) -> None:
    """Forget a sign-in."""
    session.execute(delete(SessionRow).where(col(SessionRow.id_hash) == id_hash))


def forget_expired_sessions(session: Session, at: float) -> None:
    """Forget every sign-in that has expired."""
    session.execute(delete(SessionRow).where(col(SessionRow.expires_at) <= at))


def _account(row: AccountRow) -> Account:
    return Account(row.id, row.name, cast("Role", row.role), row.created_at, row.revoked)
