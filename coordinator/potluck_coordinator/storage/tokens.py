"""Tokens of accounts, and keys of groups' members. What they open comes in hashed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, delete, func, update
from sqlmodel import Session, col, select

from potluck_coordinator.core.access import Token
from potluck_coordinator.core.errors import NotFound
from potluck_coordinator.storage.access_tables import SessionRow, TokenRow
from potluck_coordinator.storage.rows import changed, fact, row


def add(session: Session, token: Token) -> None:
    """Keep a new token."""
    session.add(row(TokenRow, token))
    session.flush()


def of_account(session: Session, account_id: str) -> list[Token]:
    """List an account's tokens, oldest first, those that ended too."""
    return _list(session, col(TokenRow.account_id) == account_id)


def members_of(session: Session, group_id: str) -> list[Token]:
    """List the keys of a group's members that were not removed, oldest first."""
    return _list(session, (col(TokenRow.group_id) == group_id) & col(TokenRow.revoked_at).is_(None))


def count_members(session: Session, group_id: str) -> int:
    """Count the members of a group that were not removed."""
    query = select(func.count()).where(
        TokenRow.group_id == group_id, col(TokenRow.revoked_at).is_(None)
    )
    return session.exec(query).one()


def _list(session: Session, which: ColumnElement[bool]) -> list[Token]:
    query = (
        select(TokenRow)
        .where(which)
        .order_by(col(TokenRow.created_at), col(TokenRow.id))
        .execution_options(populate_existing=True)
    )
    return [fact(Token, found) for found in session.exec(query)]


def get(session: Session, token_id: str, **of: str) -> Token:
    """Give a token of an account (`account_id=`) or of a group (`group_id=`).

    Raises NotFound `token.not_found`.
    """
    found = session.get(TokenRow, token_id, populate_existing=True)
    if found is None or any(getattr(found, name) != value for name, value in of.items()):
        raise NotFound("token.not_found", "There is no such token.", got=token_id)
    return fact(Token, found)


def change(session: Session, token_id: str, at: float, **values: Any) -> bool:
    """Rename a token, or let it expire at another time; False for one that ended by `at`.

    Args:
        session: The transaction.
        token_id: Which one.
        at: The time of the change, as a Unix time.
        values: Of the row's columns.
    """
    ends = col(TokenRow.expires_at)
    statement = (
        update(TokenRow)
        .where(
            col(TokenRow.id) == token_id,
            col(TokenRow.revoked_at).is_(None),
            ends.is_(None) | (ends > at),
        )
        .values(**values)
    )
    return bool(changed(session, statement))


def revoke(session: Session, token_id: str, at: float) -> bool:
    """End a token and the browser sessions that it opened; False where it was revoked before."""
    changed(session, delete(SessionRow).where(col(SessionRow.token_id) == token_id))
    statement = (
        update(TokenRow)
        .where(col(TokenRow.id) == token_id, col(TokenRow.revoked_at).is_(None))
        .values(revoked_at=at)
    )
    return bool(changed(session, statement))


def revoke_all_of(session: Session, account_id: str, at: float) -> None:
    """End all tokens of an account, and the sessions that they opened."""
    for token in of_account(session, account_id):
        revoke(session, token.id, at)


def note_use(session: Session, token_id: str, at: float, *, since: float) -> bool:
    """Note when a token was last used, unless that was noted after `since`."""
    noted = col(TokenRow.last_used_at)
    statement = (
        update(TokenRow)
        .where(col(TokenRow.id) == token_id, noted.is_(None) | (noted <= since))
        .values(last_used_at=at)
    )
    return bool(changed(session, statement))


def forget_ended(
    session: Session, account_id: str, before: float, *, now: float, most: int
) -> None:
    """Delete an account's tokens that were revoked, or expired, before a time.

    Args:
        session: The transaction.
        account_id: The account.
        before: What ended earlier goes.
        now: The time; what ended by then goes, too, but for the newest of it.
        most: How many of those stay.
    """
    of_account = col(TokenRow.account_id) == account_id
    newest = (
        select(TokenRow.id)
        .where(of_account, _ended_by(now))
        .order_by(col(TokenRow.created_at).desc(), col(TokenRow.id))
        .limit(most)
    )
    gone = _ended_by(before) | (_ended_by(now) & col(TokenRow.id).not_in(newest))
    changed(session, delete(TokenRow).where(of_account, gone))


def forget_former_members(session: Session, group_id: str) -> None:
    """Delete the keys of a group's members who left or were removed: they open nothing.

    Args:
        session: The transaction.
        group_id: The group.
    """
    former = (col(TokenRow.group_id) == group_id) & col(TokenRow.revoked_at).is_not(None)
    changed(session, delete(TokenRow).where(former))


def _ended_by(moment: float) -> ColumnElement[bool]:
    return (col(TokenRow.revoked_at) < moment) | (col(TokenRow.expires_at) < moment)
