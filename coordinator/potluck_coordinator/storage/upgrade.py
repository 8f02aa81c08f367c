"""Bring the database that a coordinator starts on to the newest revision, after a backup."""

from __future__ import annotations

import logging
import os
import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from potluck_coordinator.core.errors import CannotStart
from potluck_coordinator.storage.condition import revision_of, shown, unreachable
from potluck_coordinator.storage.schema import known_revisions, migrate

_log = logging.getLogger(__name__)


def bring_up_to_date(engine: Engine) -> None:
    """Make the tables of an empty database, or upgrade those of an older one after a backup.

    An SQLite file is copied beside itself, under a name with its revision and the time. PostgreSQL
    is upgraded in one transaction.

    Raises:
        CannotStart: `database.newer`, `database.damaged`, `database.foreign` or
            `database.unreachable` for a database that it leaves as it is, `database.backup` where
            there is no room for a backup, `database.upgrade` where the upgrade was undone.
    """
    revision, newest = revision_of(engine), known_revisions()[-1]
    if revision not in (None, newest):
        _log.warning("%s", _announcement(engine, str(revision), newest))
    try:
        migrate(engine)
    except (SQLAlchemyError, RuntimeError) as error:
        if revision is None:
            raise unreachable(engine, error) from error
        raise CannotStart(
            "database.upgrade",
            f"The database {shown(engine)} could not be brought from revision "
            f"{revision} to {newest} and was left as it was "
            f"({' '.join(str(error).split())[:200]}): run the Potluck that last used it.",
        ) from error


def _announcement(engine: Engine, revision: str, newest: str) -> str:
    if engine.dialect.name == "sqlite":
        backup = back_up_file(Path(str(engine.url.database)), revision)
        return f"Upgrading the database from revision {revision} to {newest}; before: {backup}"
    return (
        f"Upgrading the database from revision {revision} to {newest} in one transaction. "
        "Potluck makes no copy of a PostgreSQL database: make a dump (pg_dump) before you upgrade."
    )


def back_up_file(path: Path, revision: str) -> Path:
    """Copy an SQLite database beside itself, whoever uses it; give the copy's path.

    Raises:
        CannotStart: `database.backup` where it cannot be written. Nothing of it stays behind.
    """
    time = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    target = path.with_name(f"{path.name}.revision-{revision}.{time}")
    part = target.with_name(f"{target.name}.part")
    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        copy_sqlite(path, part)
        part.replace(target)
    except (OSError, sqlite3.Error) as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise CannotStart(
            "database.backup",
            f"The database {path} of revision {revision} was left as it is, because no backup "
            f"could be written beside it before the upgrade ({error}): make room for one.",
        ) from error
    return target


def copy_sqlite(path: Path, target: Path) -> None:
    """Copy one state of an SQLite database, while others write to it, durably.

    Raises what `sqlite3` raises, and `OSError`.
    """
    address = path.absolute().as_uri() + "?mode=ro"
    with (
        closing(sqlite3.connect(address, uri=True, timeout=30)) as source,
        closing(sqlite3.connect(target)) as copy,
    ):
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
    with target.open("rb+") as file:
        os.fsync(file.fileno())
