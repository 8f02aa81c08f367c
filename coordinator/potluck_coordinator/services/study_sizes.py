"""How large a study may be, and what it takes in the database as long as it is kept."""

from __future__ import annotations

from collections.abc import Sequence

from potluck.protocol.study import StudySpec
from potluck_coordinator.core.errors import TooLarge
from potluck_coordinator.core.records import NewPart, Study
from potluck_coordinator.core.row_numbers import RowNumbers
from potluck_coordinator.services.jobs import canonical_json
from potluck_coordinator.services.memory import stored_bytes
from potluck_coordinator.services.planning import Understood
from potluck_coordinator.services.room import must_have_room
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage.rows import write_json


def bytes_of_plans(study: Study) -> int:
    """Count what a study's specification and plans take in the database.

    Args:
        study: The study.
    """
    return sum(len(write_json(one)) for one in (study.spec, study.plan, study.wire_plan))


def bytes_of_rows(parts: Sequence[NewPart], test_rows: RowNumbers) -> int:
    """Count what a study's row numbers take there, with an encoder for each of its parts.

    Args:
        parts: All of its parts; the encoders of most come later, and are as large as the first.
        test_rows: Those of its test split.
    """
    rows = (one for part in parts for one in (part.rows.train_rows, part.rows.held_rows))
    encoder = max((len(write_json(part.encoder)) for part in parts), default=0)
    return sum(len(one.text) for one in (test_rows, *rows)) + len(parts) * encoder


def must_fit(site: Site, spec: StudySpec, understood: Understood) -> None:
    """Refuse what would take too much room: each fold names and has all rows once more.

    Args:
        site: The coordinator.
        spec: What is asked for.
        understood: The plan of it.

    Raises:
        TooLarge: `size.plan`, `size.folds`, `size.encoded`.
        NoRoom: `disk.full`.
    """
    plan = understood.plan
    _must_be_short(spec, understood, site.settings.max_plan_bytes)
    rows = int(plan["rows_train"] + plan["rows_validation"])
    folds = int(understood.wire.folds or 0)
    _must_be_named(rows, folds, site.settings.max_fold_rows)
    need = stored_bytes(plan, (folds + 2) * rows if folds else rows)
    most = site.settings.max_encoded_bytes
    if most and need > most:
        raise TooLarge(
            "size.encoded",
            "The encoded rows of this study take too much room.",
            expected=f"at most {most} bytes in all its folds",
            got=f"about {need} bytes",
            hint="Use fewer folds, fewer rows or smaller inputs.",
            where="pipeline.split",
        )
    must_have_room(site, need)


def _must_be_short(spec: StudySpec, understood: Understood, most: int) -> None:
    """Refuse a plan that every list of studies and every look at it would be long with.

    Raises TooLarge `size.plan`.
    """
    told = spec.model_dump(mode="json"), understood.plan, understood.wire.model_dump(mode="json")
    size = sum(len(canonical_json(one)) for one in told)
    if most and size > most:
        raise TooLarge(
            "size.plan",
            "What is to be kept of this study's plan is too long.",
            expected=f"at most {most} bytes",
            got=f"{size} bytes: {len(understood.wire.features)} features, "
            f"{len(understood.wire.classes or ())} classes",
            hint="Use fewer columns or classes, or shorter names.",
            where="pipeline.features",
        )


def _must_be_named(rows: int, folds: int, most_named: int) -> None:
    """Refuse folds that name too many rows: all are written down in one go, as others wait.

    Raises TooLarge `size.folds`.
    """
    named = (folds + 2) * rows  # by each fold, and twice by the part of the last training
    if folds and most_named and named > most_named:
        most = most_named // rows - 2
        raise TooLarge(
            "size.folds",
            "The folds of this study name too many rows: each names them all.",
            expected=f"at most {most_named} row numbers in all folds",
            got=f"{named}, of {rows} rows in {folds} folds",
            hint=f"Use at most {most} folds." if most > 1 else "Use a validation split.",
            where="pipeline.split.folds",
        )
