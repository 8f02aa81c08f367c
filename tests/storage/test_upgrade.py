"""A database of an earlier revision, with data in it, is brought to the newest one whole."""

from __future__ import annotations

import hashlib
import json
import logging
import lzma
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, MetaData, Table, text
from sqlalchemy.types import JSON, Boolean
from sqlmodel import Session

from potluck_coordinator.core.errors import CannotStart
from potluck_coordinator.storage import access, ledger
from potluck_coordinator.storage.engine import make_engine
from potluck_coordinator.storage.schema import FOLDER, differences, known_revisions, migrate
from potluck_coordinator.storage.upgrade import bring_up_to_date
from tests.support.database_rows import Rows, all_rows, chains

STORED = Path(__file__).parents[1] / "fixtures" / "databases"
FROZEN = {
    "0001": "29d313ea7a6a1c540b43004e8f0bbc72f815680489ed9a62dc63ecdec064b4bf",
    "0002": "f3c2593f71b471d59973920a7676d700c2517f4464428b91803f842aeb91545f",
    "0003": "877630ccdd7a3a28231b8e1cf6211e04a7f1a34c2148a94df74f5d544721c449",
    "0004": "38d83679fe5f7fe85d49ab3645b61842b83bcfbc92a47cd260c21ec7a8bb50d4",
    "0005": "25c0ac31b1f515dda49446fc445796befd626d757cc225f56e4373df61673ac3",
    "0006": "8320b4db717b552ff4f92999624dc7ea11f7ca163a1fd5861c6adb6cccc45a31",
    "0007": "964db8df81c2b80e62ee796d6543f79bb4e82e9f6f4df772cc004d20e887d162",
    "0008": "50c14ff4c66d6d66370fdd54c6a9121cfe65104f7a6f5bae899d48ce4fde38f3",
}
"""Migrations that databases out there have gone through: they never change again."""


MOVED = {("account", "token_hash"): "access_token"}
"""Columns that went to another table."""


def stored_revisions() -> list[str]:
    return sorted(path.name.split(".")[0] for path in STORED.glob("*.xz"))


@pytest.fixture(params=stored_revisions())
def revision(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def stored(revision: str, tmp_path: Path) -> Path:
    """Unpack a stored SQLite database."""
    path = tmp_path / "stored.sqlite3"
    path.write_bytes(lzma.decompress((STORED / f"{revision}.sqlite3.xz").read_bytes()))
    return path


@pytest.fixture
def old(empty_url: str, stored: Path, revision: str, tmp_path: Path) -> Iterator[Engine]:
    """Give an engine on the stored database: the file itself, or its rows in a PostgreSQL."""
    engine = make_engine(empty_url)
    if engine.dialect.name == "sqlite":
        stored.rename(tmp_path / "potluck.db")
    else:
        migrate(engine, revision)
        fill(engine, plain_rows(stored))
    yield engine
    engine.dispose()


def plain_rows(path: Path) -> Rows:
    """Read all rows of an SQLite file as the driver gives them."""
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        names = [str(row[0]) for row in database.execute(query).fetchall()]
        return {
            name: [dict(row) for row in database.execute(f"SELECT * FROM {name}")] for name in names
        }


def fill(engine: Engine, rows: Rows) -> None:
    """Write rows of SQLite into PostgreSQL's empty tables, and count on from their ids."""
    tables = MetaData()
    tables.reflect(engine)
    with engine.begin() as connection:
        for table in tables.sorted_tables:
            if table.name != "alembic_version" and rows[table.name]:
                connection.execute(table.insert(), [typed(table, row) for row in rows[table.name]])
            if table.name in ("ledger_outbox", "ledger_entry"):
                most = max((row["id"] for row in rows[table.name]), default=0) + 1
                sequence = text(f"SELECT setval('{table.name}_id_seq', :most, false)")
                connection.execute(sequence, {"most": most})


def typed(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    """Give SQLite's texts and numbers the types of PostgreSQL's columns."""
    found = dict(row)
    for column in table.columns:
        value = found[column.name]
        if value is not None and isinstance(column.type, JSON):
            found[column.name] = json.loads(value)
        if value is not None and isinstance(column.type, Boolean):
            found[column.name] = bool(value)
    return found


@pytest.mark.parametrize("frozen", sorted(FROZEN))
def test_a_migration_that_databases_went_through_never_changes(frozen: str) -> None:
    [path] = (FOLDER / "versions").glob(f"{frozen}_*.py")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    assert found == FROZEN[frozen], "Undo the change, and write a new migration instead."


def test_every_migration_but_the_newest_is_frozen() -> None:
    assert set(known_revisions()[:-1]) <= set(FROZEN), "Add its SHA-256 to FROZEN."


def test_an_older_database_keeps_every_row_and_its_chains(old: Engine) -> None:
    before = all_rows(old)
    assert len(before["unit"]) > 10
    assert len(before["look"]) == 1
    bring_up_to_date(old)
    assert differences(old) == []
    after = all_rows(old)
    assert after.pop("alembic_version") == [{"version_num": known_revisions()[-1]}]
    for name, rows in before.items():
        if name != "alembic_version":
            kept = [staying(row, name) for row in rows]
            assert [only(row, kept) for row in after[name]] == kept, name
    for (name, column), table in MOVED.items():
        moved = {row[column] for row in before[name] if column in row}
        assert moved <= {row[column] for row in after[table]}
    found = chains(old)
    assert len(found) == 3  # the site's and two studies'
    assert set(found.values()) == {None}


@pytest.mark.parametrize("revision", ["0001"], indirect=True)
def test_an_accounts_token_and_its_browsers_open_it_afterwards(old: Engine) -> None:
    sessions = "INSERT INTO browser_session (id_hash, account_id, csrf, expires_at) VALUES "
    with old.begin() as connection:
        name, account, token = connection.execute(
            text("SELECT name, id, token_hash FROM account")
        ).one()
        statement = f"{sessions} ('a', :account, 'x', 9e9), ('b', NULL, 'x', 9e9)"
        connection.execute(text(statement), {"account": account})
    bring_up_to_date(old)
    with Session(old) as session:
        by_token = access.find_by_token_hash(session, token, 1.0)
        by_session = access.find_session(session, "a", 1.0)
        assert by_token is not None
        assert by_token.account is not None
        assert (by_token.account.id, by_token.account.name) == (account, name)
        assert (by_token.token.scope, by_token.token.name) == ("all", "first token")
        assert by_session is not None
        assert by_session[1].token == by_token.token
        assert access.find_session(session, "b", 1.0) is None


def test_what_donors_earned_is_known_by_its_lease_afterwards(old: Engine) -> None:
    bring_up_to_date(old)
    rows = all_rows(old)
    donor_of = {row["id"]: row["donor_id"] for row in rows["lease"]}
    earned = dict.fromkeys((row["id"] for row in rows["donor"]), (0, 0))
    for row in rows["credit"]:
        units, flops = earned[donor_of[row["lease_id"]]]
        earned[donor_of[row["lease_id"]]] = units + row["units"], flops + int(row["flops"])
    assert earned == {row["id"]: (row["units"], int(row["credit"])) for row in rows["donor"]}
    assert any(flops for _, flops in earned.values())


def test_old_studies_count_with_what_they_keep_in_the_database(old: Engine) -> None:
    bring_up_to_date(old)
    rows = all_rows(old)
    for study in rows["study"]:
        own = [study["spec"], study["plan"], study["wire_plan"]]
        own += [row["rows"] for row in rows["sealed"] if row["study_id"] == study["id"]]
        for part in (row for row in rows["part"] if row["study_id"] == study["id"]):
            own += [part["train_rows"], part["held_rows"], part["encoder"]]
        least = sum(len(json.dumps(one, separators=(",", ":"))) for one in own)
        assert least <= study["kept_bytes"] <= 2 * least


def test_nothing_stays_of_datasets_that_were_deleted_before(old: Engine) -> None:
    with old.begin() as connection:
        used = connection.execute(text("SELECT dataset_id FROM study LIMIT 1")).scalar_one()
        connection.execute(
            text(
                "INSERT INTO dataset (id, name, version, owner, hash, filename, bytes, profile,"
                " created_at) SELECT 'ds_unused', name, 99, owner, hash, filename, bytes, profile,"
                " created_at FROM dataset WHERE id = :used"
            ),
            {"used": used},
        )
        connection.execute(
            text("UPDATE dataset SET deleted_at = 5 WHERE id IN (:used, 'ds_unused')"),
            {"used": used},
        )
    bring_up_to_date(old)
    rows = {row["id"]: row for row in all_rows(old)["dataset"]}
    assert "ds_unused" not in rows
    assert (rows[used]["name"], rows[used]["filename"]) == (used, "")
    assert rows[used]["profile"]["columns"] == []


def staying(row: dict[str, Any], table: str) -> dict[str, Any]:
    """Leave out the columns that went to another table."""
    return {name: value for name, value in row.items() if (table, name) not in MOVED}


def only(row: dict[str, Any], like: list[dict[str, Any]]) -> dict[str, Any]:
    """Leave out the columns that came later."""
    return {name: row[name] for name in like[0]}


def test_the_chain_of_an_upgraded_database_goes_on(old: Engine) -> None:
    bring_up_to_date(old)
    with Session(old) as session:
        chain = (
            session.connection().execute(text("SELECT chain FROM ledger_head")).scalars().first()
        )
        assert chain is not None
        length = ledger.length(session, chain)
        ledger.record(session, chain, "fact", {"n": 1}, 1700000000.5)
        assert ledger.seal_all(session) == 1
        session.commit()
        assert ledger.length(session, chain) == length + 1
    assert set(chains(old).values()) == {None}


def test_an_sqlite_file_is_copied_beside_itself_first(
    stored: Path, revision: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = plain_rows(stored)
    engine = make_engine(f"sqlite:///{stored}")
    bring_up_to_date(engine)
    [backup] = stored.parent.glob(f"stored.sqlite3.revision-{revision}.*")
    assert backup.stat().st_mode & 0o777 == 0o600
    assert plain_rows(backup) == before
    assert str(backup) in caplog.text
    bring_up_to_date(engine)  # nothing is to be done, and nothing is copied
    assert list(stored.parent.glob("stored.sqlite3.revision-*")) == [backup]
    engine.dispose()


def test_without_room_for_a_copy_nothing_is_changed(stored: Path) -> None:
    before = stored.read_bytes()
    # Longer than a file's name may be, so that no copy can be made beside it.
    long = stored.rename(stored.with_name("x" * 240))
    engine = make_engine(f"sqlite:///{long}")
    with pytest.raises(CannotStart) as refusal:
        bring_up_to_date(engine)
    engine.dispose()
    assert refusal.value.code == "database.backup"
    assert long.read_bytes() == before


@pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)
def test_of_a_postgresql_database_the_log_says_to_make_a_dump(
    old: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        bring_up_to_date(old)
    assert len(caplog.records) == 1
    assert "pg_dump" in caplog.text


def test_a_newer_database_is_refused_and_left_as_it_is(old: Engine) -> None:
    with old.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9041'"))
    before = all_rows(old)
    with pytest.raises(CannotStart) as refusal:
        bring_up_to_date(old)
    assert refusal.value.code == "database.newer"
    assert "'9041'" in refusal.value.message
    assert f"{known_revisions()[-1]!r}" in refusal.value.message
    assert all_rows(old) == before


@pytest.mark.parametrize(
    ("statement", "missing"),
    [
        ("DROP TABLE look", "table 'look'"),
        ("ALTER TABLE score DROP COLUMN rows", "column score.rows"),
        ("DELETE FROM alembic_version", "0 revisions"),
    ],
    ids=["table", "column", "revision"],
)
def test_a_database_that_lacks_something_is_refused(
    engine: Engine, statement: str, missing: str
) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement))
    with pytest.raises(CannotStart, match=missing) as refusal:
        bring_up_to_date(engine)
    assert refusal.value.code == "database.damaged"


def test_other_programs_tables_are_refused(empty_url: str) -> None:
    engine = make_engine(empty_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE study (id INTEGER)"))
    with pytest.raises(CannotStart) as refusal:
        bring_up_to_date(engine)
    assert refusal.value.code == "database.foreign"
    assert list(all_rows(engine)) == ["study"]
    engine.dispose()


@pytest.mark.parametrize("spoil", ["text", "cut", "page", "directory"])
def test_a_damaged_file_is_refused_and_left_as_it_is(stored: Path, spoil: str) -> None:
    content = stored.read_bytes()
    damaged = {
        "text": b"No database at all. " * 100,
        "cut": content[: len(content) // 2],
        "page": content[:4096] + bytes(4096) + content[8192:],
    }
    if spoil == "directory":
        stored.unlink()
        stored.mkdir()
        (stored / "a").touch()
    else:
        stored.write_bytes(damaged[spoil])
    engine = make_engine(f"sqlite:///{stored}")
    with pytest.raises(CannotStart) as refusal:
        bring_up_to_date(engine)
    engine.dispose()
    assert refusal.value.code in ("database.damaged", "database.unreachable")
    assert str(stored) in refusal.value.message
    assert refusal.value.message.count(". ") == 0
    if spoil != "directory":
        assert stored.read_bytes() == damaged[spoil]
    assert {path.name.split("-")[0] for path in stored.parent.iterdir()} == {stored.name}


def test_no_message_tells_the_databases_password() -> None:
    engine = make_engine("postgresql://ada:secret@127.0.0.1:1/db")
    with pytest.raises(CannotStart) as refusal:
        bring_up_to_date(engine)
    engine.dispose()
    assert refusal.value.code == "database.unreachable"
    assert "secret" not in refusal.value.message
