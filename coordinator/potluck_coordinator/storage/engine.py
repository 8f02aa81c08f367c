"""The database engine: SQLite in WAL mode, or PostgreSQL through psycopg 3."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url

from potluck_coordinator.core.errors import CannotStart
from potluck_coordinator.storage.reading import READ_ONLY, read_only
from potluck_coordinator.storage.rows import write_json
from potluck_coordinator.storage.schema import migrate

__all__ = ["make_engine", "migrate", "read_only"]

BUSY_TIMEOUT_S = 30


def make_engine(url: str | URL, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Engine:
    """Make an engine for `sqlite:///PATH` or `postgresql://...`.

    `busy_timeout_s`: how long a SQLite writer waits for another process's. Raises `ValueError` for
    any other database, and for SQLite in memory, which writer and readers could not share, and
    `CannotStart` (`database.driver`) where PostgreSQL's driver is not installed.
    """
    parsed = make_url(url)
    backend = parsed.get_backend_name()
    if backend == "postgresql":
        _require_driver()
        return create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            pool_size=8,
            json_serializer=write_json,
        )
    if backend != "sqlite":
        raise ValueError(f"Expected a sqlite or postgresql address, got {backend!r}.")
    if parsed.database in (None, "", ":memory:"):
        raise ValueError("Expected a SQLite file, got a database in memory.")
    engine = create_engine(
        parsed.set(drivername="sqlite"),
        pool_size=8,
        json_serializer=write_json,
        connect_args={"timeout": busy_timeout_s, "check_same_thread": False},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    event.listen(engine, "reset", _end_sqlite)
    return engine


def _require_driver() -> None:
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise CannotStart(
            "database.driver",
            "A postgresql:// database needs PostgreSQL's driver, which is not installed: "
            'pip install "potluck[postgresql]".',
        ) from error


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver's own idea of when to begin would run DDL and savepoints outside transactions.
    connection.isolation_level = None
    cursor = connection.cursor()
    # Before the first page is written: an older file keeps what it has (see `storage.vacuum`), and
    # asking for it there would wait for whoever writes.
    if cursor.execute("PRAGMA page_count").fetchone()[0] == 0:
        cursor.execute("PRAGMA auto_vacuum = INCREMENTAL")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    reading = bool(connection.get_execution_options().get(READ_ONLY))
    connection.exec_driver_sql(f"PRAGMA query_only = {int(reading)}")
    # A writer takes its lock first: a deferred one could find, half-way, that it may not go on.
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _end_sqlite(connection: Any, _record: object, _state: object) -> None:
    # A commit that SQLite refuses leaves its transaction open, and SQLAlchemy thinks it is over.
    if connection.in_transaction:
        connection.rollback()
