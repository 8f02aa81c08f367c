"""Which studies a donor's reach covers, in SQL: what `core.groups.Reach.permits` says in Python."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, or_
from sqlmodel import col

from potluck_coordinator.core.groups import Reach
from potluck_coordinator.storage.tables import StudyRow


def within(reach: Reach) -> ColumnElement[bool]:
    """Keep the studies whose units a donor may get."""
    donors = col(StudyRow.donors)
    found = [donors == "everyone"]
    if reach.owners:
        own = col(StudyRow.owner).in_(sorted(reach.owners))
        found.append(and_(donors.in_(["mine", "group"]), own))
    if reach.groups:
        found.append(and_(donors == "group", col(StudyRow.group_id).in_(sorted(reach.groups))))
    return or_(*found)
