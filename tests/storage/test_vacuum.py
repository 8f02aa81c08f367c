"""A database gives its room back: a new one piece by piece, an older one from its next start on."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Engine
from sqlmodel import Session, col, delete

from potluck_coordinator.storage.opening import opened
from potluck_coordinator.storage.tables import ModelRow
from potluck_coordinator.storage.vacuum import copy_log, give_back

MIB = 2**20
ROWS = 300


def fill(engine: Engine) -> None:
    """Keep 12 MB, and delete it."""
    with Session(engine) as session:
        for number in range(ROWS):
            session.add(
                ModelRow(
                    id=f"md_{number}", name="m", owner="o", hash="h", graph="g", weights="w",
                    report={"text": "x" * 40_000}, facts={}, created_at=0.0,
                )
            )  # fmt: skip
        session.commit()
    with Session(engine) as session:
        session.execute(delete(ModelRow).where(col(ModelRow.owner) == "o"))
        session.commit()


def test_room_of_deleted_rows_goes_back_piece_by_piece(tmp_path: Path) -> None:
    file = tmp_path / "potluck.sqlite3"
    with opened(tmp_path, f"sqlite:///{file}") as engine:
        fill(engine)
        pieces = []
        while True:
            with Session(engine) as session:
                freed = give_back(session, 500)
                session.commit()
            if not freed:
                break
            pieces.append(freed)
        copy_log(engine)
        assert len(pieces) > 3
        assert max(pieces) <= 500
        assert file.stat().st_size < 3 * MIB
        with closing(sqlite3.connect(file)) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_an_older_database_is_written_anew_once(tmp_path: Path) -> None:
    file = tmp_path / "potluck.sqlite3"
    with opened(tmp_path, f"sqlite:///{file}") as engine:
        fill(engine)
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = DELETE")
        database.execute("PRAGMA auto_vacuum = NONE")
        database.execute("VACUUM")
        assert database.execute("PRAGMA auto_vacuum").fetchone() == (0,)
    for _ in range(2):
        with opened(tmp_path, f"sqlite:///{file}") as engine, engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA auto_vacuum").scalar_one() == 2
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
