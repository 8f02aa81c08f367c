"""Lists of studies: what somebody may see, in pages that stay small."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import case, func, or_
from sqlmodel import Session, col, select

from potluck_coordinator.core.records import Study
from potluck_coordinator.storage.pages import MOST_BYTES, MOST_LISTED, rows_of_page
from potluck_coordinator.storage.rows import fact
from potluck_coordinator.storage.tables import StudyRow


def page(
    session: Session,
    *,
    owners: Collection[str] | None,
    limit: int = MOST_LISTED,
    offset: int = 0,
    most_bytes: int = MOST_BYTES,
) -> list[Study]:
    """List the studies that somebody may see, newest first: a page of them.

    What others may not see never takes the place of what they may. The asker's own are on the
    first pages, then come some of every owner, so that nobody fills a page. Where plans are large
    a page is shorter; only after the last study it is empty.

    Args:
        session: The transaction.
        owners: Whose private studies are seen, too; None: everybody's.
        limit: How many studies at most.
        offset: How many studies the pages before had.
        most_bytes: Of specifications and plans, as they are kept.
    """
    wanted = _listed(session, owners, limit, offset)
    columns = (StudyRow.spec, StudyRow.plan, StudyRow.wire_plan)
    rows = rows_of_page(session, StudyRow, wanted, columns, most_bytes)
    found = [fact(Study, row) for row in rows]
    return sorted(found, key=lambda study: (-study.created_at, study.id))


def _listed(
    session: Session, owners: Collection[str] | None, limit: int, offset: int
) -> Sequence[str]:
    own = col(StudyRow.owner).in_(owners or ())
    place = func.row_number().over(
        partition_by=col(StudyRow.owner),
        order_by=(col(StudyRow.created_at).desc(), col(StudyRow.id)),
    )
    visible = select(
        StudyRow.id,
        StudyRow.created_at,
        case((own, 0), else_=1).label("whose"),
        place.label("place"),
    )
    if owners is not None:
        visible = visible.where(or_(col(StudyRow.visibility) == "public", own))
    known = visible.subquery()
    query = (
        select(known.c.id)
        .order_by(known.c.whose, known.c.place, known.c.created_at.desc(), known.c.id)
        .limit(limit)
        .offset(offset)
    )
    return session.exec(query).all()
