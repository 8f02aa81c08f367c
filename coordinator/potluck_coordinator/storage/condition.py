"""In which condition a database is: looked at before anything writes to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, inspect, text
from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

from potluck_coordinator.core.errors import CannotStart
from potluck_coordinator.storage.metadata import metadata
from potluck_coordinator.storage.reading import read_only
from potluck_coordinator.storage.schema import known_revisions

VERSION_TABLE = "alembic_version"


def shown(engine: Engine) -> str:
    """Name a database for people: the file, or the address without its password."""
    if engine.dialect.name == "sqlite":
        return str(engine.url.database)
    return engine.url.set(drivername="postgresql").render_as_string(hide_password=True)


def revision_of(engine: Engine) -> str | None:
    """Give a database's revision, None where it is empty. Changes nothing in it.

    Raises:
        CannotStart: `database.newer` where a newer Potluck made it, `database.damaged` where
            something of it is broken or missing, `database.foreign` where its tables are not
            Potluck's, `database.unreachable` where it cannot be opened.
    """
    name = shown(engine)
    if engine.dialect.name == "sqlite" and not _holds_bytes(Path(str(engine.url.database))):
        return None
    try:
        with _looking(engine) as connection:
            if connection.dialect.name == "sqlite":
                _check_pages(connection, name)
            return _revision(connection, name)
    except OperationalError as error:
        raise unreachable(engine, error) from error
    except DatabaseError as error:
        raise _damaged(name, _reason(error)) from error


def _holds_bytes(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


@contextmanager
def _looking(engine: Engine) -> Iterator[Connection]:
    """Connect without the right to write: even the journal's mode stays as it is."""
    if engine.dialect.name != "sqlite":
        with read_only(engine).connect() as connection:
            yield connection
        return
    address = Path(str(engine.url.database)).absolute().as_uri() + "?mode=ro"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(address, uri=True, timeout=30)

    looking = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    with looking.connect() as connection:
        yield connection


def _check_pages(connection: Connection, name: str) -> None:
    said = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    if said != "ok":
        raise _damaged(name, str(said))


def _revision(connection: Connection, name: str) -> str | None:
    inspector = inspect(connection)
    there = set(inspector.get_table_names())
    if VERSION_TABLE not in there:
        others = there if connection.dialect.name == "sqlite" else there & set(metadata.tables)
        if others:
            raise CannotStart(
                "database.foreign",
                f"The database {name} holds tables that no Potluck made "
                f"({', '.join(sorted(others)[:3])}): name another database.",
            )
        return None
    revisions = list(connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalars())
    known = known_revisions()
    if len(revisions) != 1:
        raise _damaged(name, f"it names {len(revisions)} revisions")
    if revisions[0] not in known:
        raise CannotStart(
            "database.newer",
            f"The database {name} is of revision {str(revisions[0])[:40]!r}, and this Potluck "
            f"knows revisions up to {known[-1]!r}: run the newer Potluck that last used it, or "
            "restore an older backup into another place.",
        )
    if revisions[0] == known[-1]:
        _check_columns(inspector.get_multi_columns(), name)
    return str(revisions[0])


def _check_columns(there: dict[Any, Any], name: str) -> None:
    found = {table: {column["name"] for column in there[_, table]} for _, table in there}
    for table in metadata.tables.values():
        if table.name not in found:
            raise _damaged(name, f"the table {table.name!r} is missing")
        if missing := {column.name for column in table.columns} - found[table.name]:
            raise _damaged(name, f"the column {table.name}.{min(missing)} is missing")


def _damaged(name: str, what: str) -> CannotStart:
    return CannotStart(
        "database.damaged",
        f"The database {name} is damaged ({what}) and was left as it is: "
        "restore a backup of it into another place.",
    )


def unreachable(engine: Engine, error: Exception) -> CannotStart:
    """Say that a database cannot be opened, and why."""
    return CannotStart(
        "database.unreachable",
        f"The database {shown(engine)} cannot be opened ({_reason(error)}): "
        "see whether it is there, and whether this user may use it.",
    )


def _reason(error: Exception) -> str:
    said = error.orig if isinstance(error, DBAPIError) else error
    return " ".join(str(said).split())[:200].rstrip(".")
