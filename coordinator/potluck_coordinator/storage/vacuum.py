"""Room of deleted rows goes back to the disk. PostgreSQL's autovacuum does that by itself."""

from __future__ import annotations

import shutil
from pathlib import Path

from sqlalchemy import Engine
from sqlmodel import Session

INCREMENTAL = 2
"""SQLite's number of `auto_vacuum = INCREMENTAL`."""
LEAST_PAGES = 256
"""Free pages that a database keeps: it will need them again (1 MB of 4 kB pages)."""
LARGEST_SHARE = 10
"""It keeps a tenth of its pages, too."""


def give_back(session: Session, most: int) -> int:
    """Give up to so many free pages of an SQLite file back; give how many went.

    The file shrinks when SQLite next copies its log into it.

    Args:
        session: The writer's.
        most: Pages; a thousand take some hundredths of a second.
    """
    connection = session.connection()
    if connection.dialect.name != "sqlite":
        return 0

    def number(pragma: str) -> int:
        return int(connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one())

    if number("auto_vacuum") != INCREMENTAL:
        return 0
    free = number("freelist_count")
    spare = free - max(LEAST_PAGES, number("page_count") // LARGEST_SHARE)
    if spare <= 0:
        return 0
    cursor = connection.connection.cursor()
    for _ in range(min(spare, most)):
        # The driver takes a statement's first step alone, which gives back one page.
        cursor.execute("PRAGMA incremental_vacuum(1)")
    cursor.close()
    return free - number("freelist_count")


def copy_log(engine: Engine) -> None:
    """Let SQLite copy its log into the file, as far as no reader needs it; then it shrinks."""
    if engine.dialect.name == "sqlite":
        _alone(engine, "PRAGMA wal_checkpoint(PASSIVE)")


def make_shrinkable(engine: Engine, file: Path) -> bool:
    """Write an SQLite file anew that was made without `auto_vacuum`; say whether that was done.

    Once in its life, before a coordinator serves; not where the disk has too little room for it.

    Args:
        engine: On the database, which nobody else uses.
        file: Where it is.
    """
    mode = int(_alone(engine, "PRAGMA auto_vacuum"))
    if mode == INCREMENTAL or shutil.disk_usage(file.parent).free < 2 * file.stat().st_size:
        return False
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute(f"PRAGMA auto_vacuum = {INCREMENTAL}")
        cursor.execute("VACUUM")
        cursor.close()
    finally:
        raw.close()
    return True


def _alone(engine: Engine, statement: str) -> int:
    """Run a statement outside of any transaction; give the first number that it answers."""
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        found = cursor.execute(statement).fetchone()
        cursor.close()
    finally:
        raw.close()
    return int(found[0])
