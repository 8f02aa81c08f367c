"""Ready units that a donor may get: some of each study, found without looking at all others."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, Subquery, and_, exists, func, tuple_
from sqlalchemy import select as select_columns
from sqlalchemy.orm import Mapped
from sqlmodel import Session, col, select

from potluck_coordinator.core.groups import NO_REACH, Reach, circle_of
from potluck_coordinator.core.scheduling import Candidate
from potluck_coordinator.core.stacking import stack_from
from potluck_coordinator.core.units import UnitState, steps_per_epoch
from potluck_coordinator.storage.reach import within
from potluck_coordinator.storage.tables import StudyRow, UnitRow

MOST_STUDIES = 4096
"""Studies, those that were made first, of which units are listed for one donor."""
LOOKED_AT = 2048
"""Units that are looked at for one donor, where there are studies with that many."""
LEAST_OF_ONE = 16
"""Units of a study that are looked at in any case: as many as one donor may hold."""
LATEST = 1e300
"""After every time, and every trial, fold and repeat."""


def candidates(
    session: Session,
    per_owner: int = 64,
    limit: int = 512,
    *,
    memory_bytes: int | None = None,
    reach: Reach = NO_REACH,
) -> list[Candidate]:
    """List ready units of running studies that a donor may get, the oldest of every submitter.

    Where they are more than `limit`, every submitter has some, and not who began first has all.
    However many units a study has ready, only its oldest are read.

    Args:
        session: A transaction.
        per_owner: Units of one submitter at most.
        limit: Units at most.
        memory_bytes: Only units that take at most so much; None: any.
        reach: Whose studies' units, beside those for everyone.
    """
    studies = session.exec(select(func.count()).select_from(StudyRow).where(*_offering(reach)))
    of_one = max(LEAST_OF_ONE, min(per_owner, LOOKED_AT // max(1, studies.one())))
    near = _oldest(memory_bytes, reach, of_one)
    query = (
        select_columns(
            *(getattr(UnitRow, name) for name in _READ),
            *(near.c[name] for name in ("owner", "donors", "group_id")),
        )
        .join(near, near.c.id == col(UnitRow.id))
        .where(near.c.place <= per_owner)
        .order_by(near.c.place, *_age())
        .limit(limit)
    )
    return [
        candidate_of(found, found.owner, found.donors, found.group_id, found.ready_since or 0.0)
        for found in session.execute(query)
    ]


def candidate_of(
    unit: Any, owner: str, donors: str, group_id: str | None, ready_since: float
) -> Candidate:
    """Give a unit as one of which the donors choose.

    Args:
        unit: Its row, or such columns of it.
        owner: Of its study, as are the next two.
        donors: Whom the study is for.
        group_id: Its group, if it is for one.
        ready_since: From when on it counts as ready.
    """
    return Candidate(
        id=unit.id,
        study_id=unit.study_id,
        owner=owner,
        trial=unit.trial,
        fold=None if unit.fold < 0 else unit.fold,
        rung=unit.rung,
        kind=unit.kind,
        tensors=unit.tensors,
        stack=_stack_now(unit),
        ready_since=ready_since,
        memory_bytes=unit.memory_bytes,
        circle=circle_of(donors, owner, group_id),
    )


_READ = (
    *("id", "study_id", "trial", "fold", "rung", "kind", "tensors", "stack", "ready_since"),
    *("memory_bytes", "from_epoch", "rows", "batch_size", "checkpoint", "checkpoint_step"),
)


def _oldest(memory_bytes: int | None, reach: Reach, of_one: int) -> Subquery:
    """Give about `of_one` ready units of each study, and their places among their owner's."""
    age = _age()
    last = [func.coalesce(_last_read(one, memory_bytes, of_one), LATEST) for one in age]
    studies = (
        select_columns(
            *(col(c) for c in (StudyRow.id, StudyRow.owner, StudyRow.donors, StudyRow.group_id)),
            *(one.label(f"last_{place}") for place, one in enumerate(last)),
        )
        .where(*_offering(reach))
        .order_by(col(StudyRow.created_at))
        .limit(MOST_STUDIES)  # which also has each study's last unit looked up once
        .subquery()
    )
    place = func.row_number().over(partition_by=studies.c.owner, order_by=(*age, col(UnitRow.id)))
    return (
        select_columns(
            col(UnitRow.id),
            *(studies.c[name] for name in ("owner", "donors", "group_id")),
            place.label("place"),
        )
        .join(
            studies,
            and_(
                col(UnitRow.study_id) == studies.c.id,
                col(UnitRow.ready_since) <= studies.c.last_0,
                tuple_(*age) <= tuple_(*(studies.c[f"last_{n}"] for n in range(len(age)))),
            ),
        )
        .where(*_ready(memory_bytes))
        .subquery()
    )


def _age() -> tuple[Mapped[Any], ...]:
    """Order a study's units as they are given out; no two units of one rung are alike in it."""
    columns: tuple[Any, ...] = (UnitRow.ready_since, UnitRow.trial, UnitRow.fold, UnitRow.repeat)
    return tuple(col(column) for column in columns)


def _last_read(column: Mapped[Any], memory_bytes: int | None, of_one: int) -> ScalarSelect[Any]:
    """Give a column of the last of a study's units that are read; NULL where it has fewer."""
    return (
        select_columns(column)
        .where(col(UnitRow.study_id) == col(StudyRow.id), *_ready(memory_bytes))
        .order_by(*_age())
        .limit(1)
        .offset(of_one - 1)
        .scalar_subquery()
    )


def any_ready(
    session: Session, *, memory_bytes: int | None = None, reach: Reach = NO_REACH
) -> bool:
    """Say whether a donor of so much memory, and this reach, would find a unit ready.

    Args:
        session: A transaction.
        memory_bytes: Only units that take at most so much; None: any.
        reach: Whose studies' units, beside those for everyone.
    """
    ready = exists().where(col(UnitRow.study_id) == col(StudyRow.id), *_ready(memory_bytes))
    query = select(StudyRow.id).where(*_offering(reach), ready)
    return session.exec(query.limit(1)).first() is not None


def _offering(reach: Reach) -> list[ColumnElement[bool]]:
    return [col(StudyRow.state) == "running", col(StudyRow.encoded).is_(True), within(reach)]


def _ready(memory_bytes: int | None) -> list[ColumnElement[bool]]:
    ready = col(UnitRow.state) == UnitState.READY.value
    return [ready] if memory_bytes is None else [ready, col(UnitRow.memory_bytes) <= memory_bytes]


def _stack_now(unit: Any) -> str | None:
    """Name a unit's stack: one that somebody began goes on from its newest state."""
    first = unit.from_epoch * steps_per_epoch(unit.rows, unit.batch_size)
    return stack_from(unit.stack, unit.checkpoint_step if unit.checkpoint else first, first)
