"""Groups of donors. Members are keys (`storage.tokens`)."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import delete, func, update
from sqlmodel import Session, col, select

from potluck_coordinator.core.errors import Conflict, NotFound
from potluck_coordinator.core.groups import Group
from potluck_coordinator.core.visitors import OWNER_PREFIX
from potluck_coordinator.storage.access_tables import GroupRow, TokenRow
from potluck_coordinator.storage.pages import MOST_LISTED
from potluck_coordinator.storage.rows import changed, fact, row
from potluck_coordinator.storage.tables import StudyRow


def add(session: Session, group: Group) -> None:
    """Keep a new group. Raises `Conflict` (`group.name_taken`)."""
    _must_be_free(session, group.owner, group.name)
    session.add(row(GroupRow, group))
    session.flush()


def _must_be_free(session: Session, owner: str, name: str) -> None:
    query = select(GroupRow.id).where(GroupRow.owner == owner, GroupRow.name == name)
    if session.exec(query).first() is not None:
        raise Conflict(
            "group.name_taken",
            "You have a group of this name.",
            expected="a name that none of your groups has",
            got=name,
            hint="Choose another name.",
            where="name",
        )


def get(session: Session, group_id: str) -> Group:
    """Give a group. Raises NotFound `group.not_found`."""
    found = find(session, group_id)
    if found is None:
        raise NotFound("group.not_found", "There is no such group.", got=group_id)
    return found


def find(session: Session, group_id: str) -> Group | None:
    """Give a group, or None where it was deleted."""
    found = session.get(GroupRow, group_id, populate_existing=True)
    return None if found is None else fact(Group, found)


def by_code(session: Session, code_hash: str) -> Group | None:
    """Give the group that a code's hash lets join, or None."""
    query = (
        select(GroupRow)
        .where(GroupRow.code_hash == code_hash)
        .execution_options(populate_existing=True)
    )
    found = session.exec(query).first()
    return None if found is None else fact(Group, found)


def of_owners(
    session: Session, owners: Iterable[str] | None, *, limit: int = MOST_LISTED, offset: int = 0
) -> list[Group]:
    """List these owners' groups, oldest first: a page of them.

    Args:
        session: The transaction.
        owners: Whose groups; None: everybody's.
        limit: How many at most.
        offset: How many the pages before had.
    """
    query = select(GroupRow).order_by(col(GroupRow.created_at), col(GroupRow.id))
    query = query.limit(limit).offset(offset)
    if owners is not None:
        query = query.where(col(GroupRow.owner).in_(list(owners)))
    return [fact(Group, found) for found in session.exec(query)]


def rename(session: Session, group: Group, name: str) -> bool:
    """Give a group another name; False where it was deleted. Raises `Conflict`."""
    if name != group.name:
        _must_be_free(session, group.owner, name)
    return bool(
        changed(session, update(GroupRow).where(col(GroupRow.id) == group.id).values(name=name))
    )


def change_code(session: Session, group_id: str, code: str, code_hash: str) -> bool:
    """Let another code join a group, and the old one no longer; False where it was deleted."""
    statement = (
        update(GroupRow).where(col(GroupRow.id) == group_id).values(code=code, code_hash=code_hash)
    )
    return bool(changed(session, statement))


def running_studies(session: Session, group_id: str) -> int:
    """Count the studies for a group that are not over."""
    query = select(func.count()).where(
        StudyRow.group_id == group_id, col(StudyRow.state).in_(["preparing", "running"])
    )
    return session.exec(query).one()


def forget_unused(session: Session, before: float, most: int) -> list[str]:
    """Delete groups of visitors that nobody is in, that no study names and that are old.

    Args:
        session: The transaction.
        before: Of those that were made earlier, as a Unix time.
        most: How many at most.

    Returns:
        Their ids.
    """
    visitors = col(GroupRow.owner).startswith(OWNER_PREFIX, autoescape=True)
    member = (
        select(TokenRow.id)
        .where(TokenRow.group_id == GroupRow.id, col(TokenRow.revoked_at).is_(None))
        .exists()
    )
    named = select(StudyRow.id).where(StudyRow.group_id == GroupRow.id).exists()
    unused = (
        select(GroupRow.id)
        .where(visitors, col(GroupRow.created_at) < before, ~member, ~named)
        .limit(most)
    )
    found = list(session.exec(unused).all())
    changed(session, delete(GroupRow).where(col(GroupRow.id).in_(found)))
    return found


def remove(session: Session, group_id: str) -> None:
    """Delete a group with its members' keys."""
    changed(session, delete(GroupRow).where(col(GroupRow.id) == group_id))
