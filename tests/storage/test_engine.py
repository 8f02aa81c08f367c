from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from potluck_coordinator.storage.engine import make_engine, migrate, read_only
from potluck_coordinator.storage.schema import differences
from tests.support.waiting import PATIENCE_S


@pytest.fixture
def empty(empty_url: str) -> Iterator[Engine]:
    engine = make_engine(empty_url)
    yield engine
    engine.dispose()


def test_the_migrations_lead_to_exactly_the_tables(empty: Engine) -> None:
    migrate(empty)
    assert differences(empty) == []


def test_a_column_that_no_migration_knows_is_a_difference(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE account ADD COLUMN odd INTEGER"))
    assert [found[0] for found in differences(engine)] == ["remove_column"]


def test_migrating_again_keeps_what_is_there(engine: Engine) -> None:
    add = "INSERT INTO donor VALUES ('d', 'Ada', 1, 1, 0, '0', 0)"
    with engine.begin() as connection:
        connection.execute(text(add))
    migrate(engine)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT name FROM donor")).scalar() == "Ada"


def test_coordinators_that_start_together_migrate_once(empty_url: str) -> None:
    engines = [make_engine(empty_url, busy_timeout_s=PATIENCE_S) for _ in range(4)]
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(migrate, engines))
        assert differences(engines[0]) == []
    finally:
        for engine in engines:
            engine.dispose()


def test_references_are_enforced(engine: Engine) -> None:
    orphan = "INSERT INTO sealed (study_id, rows) VALUES ('nobody', '[]')"
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(text(orphan))


def test_references_are_still_enforced_on_connections_that_come_after_a_migration(
    engine: Engine,
) -> None:
    migrate(engine)
    test_references_are_enforced(engine)


def test_a_read_only_view_cannot_write_and_does_not_taint_the_connection(engine: Engine) -> None:
    add = text("INSERT INTO ledger_head VALUES ('c', 0, 'h')")
    for _ in range(10):
        with pytest.raises(DBAPIError), read_only(engine).begin() as connection:
            connection.execute(add)
    with engine.begin() as connection:
        connection.execute(add)
    with read_only(engine).connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM ledger_head")).scalar() == 1


def test_a_rolled_back_transaction_takes_its_tables_along(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("CREATE TABLE odd (id INTEGER)"))
        connection.rollback()
    with pytest.raises(DBAPIError, match="odd"), engine.connect() as connection:
        connection.execute(text("SELECT * FROM odd"))


def test_sqlite_is_durable_and_lets_readers_pass(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'potluck.db'}")
    with engine.connect() as connection:
        read = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert read == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 30_000,
    }
    engine.dispose()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://host/db"])
def test_a_database_that_cannot_serve_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="Expected"):
        make_engine(url)
