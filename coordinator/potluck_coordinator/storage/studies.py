"""Studies, their parts, and the sealed test split."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import Text, cast, delete, func, insert, update
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select

from potluck_coordinator.core.errors import NotFound
from potluck_coordinator.core.groups import Circle, Reach, circle_of
from potluck_coordinator.core.records import (
    EndingStudy,
    LentStudy,
    Look,
    NewPart,
    Part,
    RankedStudy,
    RunningStudy,
    Study,
)
from potluck_coordinator.core.row_numbers import NO_ROWS, RowNumbers
from potluck_coordinator.storage.reach import within
from potluck_coordinator.storage.rows import Written, changed, fact, row
from potluck_coordinator.storage.tables import LookRow, PartRow, SealedRow, StudyRow


def add(
    session: Session, study: Study, parts: Iterable[NewPart], test_rows: RowNumbers = NO_ROWS
) -> None:
    """Keep a study.

    Args:
        session: The transaction.
        study: The study.
        parts: Its parts.
        test_rows: The row numbers of its test split.
    """
    session.add(row(StudyRow, study))
    session.flush()
    sealed = {"study_id": study.id, "rows": Written(test_rows.text)}
    session.execute(insert(SealedRow).values(sealed))
    for part in parts:
        add_part(session, part)


def add_part(session: Session, part: NewPart) -> None:
    """Keep a part of a study, with its rows and its encoder.

    Args:
        session: The transaction.
        part: The part.
    """
    columns: dict[str, Any] = {f.name: getattr(part.about, f.name) for f in fields(Part)}
    columns["encoder"] = dict(part.encoder)
    columns["train_rows"] = Written(part.rows.train_rows.text)
    columns["held_rows"] = Written(part.rows.held_rows.text)
    session.execute(insert(PartRow).values(columns))


def get(session: Session, study_id: str) -> Study:
    """Give a study. Raises NotFound `study.not_found`."""
    found = session.get(StudyRow, study_id, populate_existing=True)
    if found is None:
        raise _not_found(study_id)
    return fact(Study, found)


def find(session: Session, study_id: str) -> Study | None:
    """Give a study, or None where it was deleted."""
    found = session.get(StudyRow, study_id, populate_existing=True)
    return None if found is None else fact(Study, found)


def any_running(session: Session, study_ids: Collection[str], reach: Reach) -> bool:
    """Say whether one of these studies runs and is within reach."""
    query = select(StudyRow.id).where(
        col(StudyRow.id).in_(study_ids), StudyRow.state == "running", within(reach)
    )
    return session.exec(query.limit(1)).first() is not None


def running(session: Session) -> list[RunningStudy]:
    """List the studies that run, the oldest first, without what is large of them."""
    query = (
        select_columns(*(getattr(StudyRow, f.name) for f in fields(RunningStudy)))
        .where(col(StudyRow.state) == "running")
        .order_by(col(StudyRow.created_at))
    )
    return [RunningStudy(**found._mapping) for found in session.execute(query)]


def ranked(session: Session, study_ids: Collection[str]) -> list[RankedStudy]:
    """Give of these studies what ranks their trials; those that were deleted are left out.

    Args:
        session: A transaction.
        study_ids: A bounded number of studies.
    """
    columns = (getattr(StudyRow, f.name) for f in fields(RankedStudy))
    query = select_columns(*columns).where(col(StudyRow.id).in_(study_ids))
    return [RankedStudy(**found._mapping) for found in session.execute(query)]


def ending(session: Session, study_id: str) -> EndingStudy | None:
    """Give what decides whether a study is over, or None where it was deleted.

    Args:
        session: A transaction.
        study_id: The study.
    """
    query = select_columns(
        *(getattr(StudyRow, f.name) for f in fields(RankedStudy)),
        col(StudyRow.trials),
        _json(StudyRow.spec)["trials"].as_integer(),
        _json(StudyRow.wire_plan)["folds"].as_integer(),
    ).where(col(StudyRow.id) == study_id)
    found = session.execute(query).first()
    if found is None:
        return None
    id, state, direction, trials, asked, folds = found
    return EndingStudy(
        id=id, state=state, direction=direction, trials=trials, asked=asked or 0, folds=folds or 0
    )


def lent(session: Session, study_id: str) -> LentStudy:
    """Give what those who get a study's units are told of it. Raises NotFound `study.not_found`.

    Args:
        session: A transaction.
        study_id: The study.
    """
    columns = [getattr(StudyRow, f.name) for f in fields(LentStudy) if f.name != "epochs"]
    query = select_columns(*columns, _json(StudyRow.spec)["rungs"].label("rungs"))
    found = session.execute(query.where(col(StudyRow.id) == study_id)).first()
    if found is None:
        raise _not_found(study_id)
    told = dict(found._mapping)
    return LentStudy(epochs=told.pop("rungs")[-1], **told)


def circle(session: Session, study_id: str) -> Circle:
    """Give the donors who may get a study's units. Raises NotFound `study.not_found`.

    Args:
        session: A transaction.
        study_id: The study.
    """
    query = select_columns(col(StudyRow.donors), col(StudyRow.owner), col(StudyRow.group_id))
    found = session.execute(query.where(col(StudyRow.id) == study_id)).first()
    if found is None:
        raise _not_found(study_id)
    return circle_of(*found)


def _json(column: Any) -> Any:
    """Let a column of JSON be asked for a part of it: the rest of a long plan is not read."""
    return col(column)


def _not_found(study_id: str) -> NotFound:
    return NotFound("study.not_found", "There is no such study.", got=study_id)


def count_running(session: Session) -> int:
    """Count the studies that run."""
    return session.exec(select(func.count()).where(StudyRow.state == "running")).one()


def move(
    session: Session,
    study_id: str,
    *,
    before: Sequence[str],
    after: str,
    reason: str = "",
    finished_at: float | None = None,
    best_trial: int | None = None,
) -> bool:
    """Change a study's state if it is still in one of `before`; False: the race was lost."""
    statement = (
        update(StudyRow)
        .where(col(StudyRow.id) == study_id, col(StudyRow.state).in_(before))
        .values(state=after, reason=reason, finished_at=finished_at, best_trial=best_trial)
    )
    return bool(changed(session, statement))


def add_trials(session: Session, study_id: str, more: int) -> None:
    """Raise a study's budget."""
    changed(
        session,
        update(StudyRow).where(col(StudyRow.id) == study_id).values(trials=StudyRow.trials + more),
    )


def cap_trials(session: Session, study_id: str, trials: int) -> None:
    """Lower a study's budget to what its space can give."""
    changed(session, update(StudyRow).where(col(StudyRow.id) == study_id).values(trials=trials))


def remove(session: Session, study_id: str) -> None:
    """Delete a study and everything that hangs on it; its ledger chain stays."""
    session.execute(delete(StudyRow).where(col(StudyRow.id) == study_id))


def test_rows(session: Session, study_id: str) -> RowNumbers:
    """Give the row numbers of the sealed split."""
    query = select(cast(col(SealedRow.rows), Text)).where(SealedRow.study_id == study_id)
    found = session.exec(query).first()
    return NO_ROWS if found is None else RowNumbers(found)


def add_look(session: Session, look: Look) -> None:
    """Keep a look at the test split."""
    session.add(row(LookRow, look))
    session.flush()


def looks(session: Session, study_id: str, most: int) -> list[Look]:
    """List the newest looks at a study's test split, oldest first.

    Args:
        session: The transaction.
        study_id: The study.
        most: How many at most.
    """
    query = (
        select(LookRow)
        .where(LookRow.study_id == study_id)
        .order_by(col(LookRow.number).desc())
        .limit(most)
    )
    return [fact(Look, found) for found in session.exec(query)][::-1]


def count_looks(session: Session, study_id: str) -> int:
    """Count the looks at a study's test split; they are numbered from 1 without a gap."""
    query = select(func.max(LookRow.number)).where(LookRow.study_id == study_id)
    return session.exec(query).one() or 0


def uses_dataset(session: Session, dataset_id: str, *states: str) -> int:
    """Count the studies on a dataset in these states; without states, in any."""
    query = select(func.count()).where(StudyRow.dataset_id == dataset_id)
    if states:
        query = query.where(col(StudyRow.state).in_(states))
    return session.exec(query).one()


def uses_model(session: Session, model_id: str) -> int:
    """Count the studies of a model."""
    return session.exec(select(func.count()).where(StudyRow.model_id == model_id)).one()
