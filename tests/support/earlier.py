"""What an earlier version of the coordinator kept, and today's takes in no more."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

VISIBILITY = """'"visibility":"public"', '"visibility":"private"'"""


def make_private(data: Path, study_id: str) -> None:
    """Let a study be one that an open coordinator took when it took private ones.

    Args:
        data: The coordinator's data folder.
        study_id: A public study.
    """
    with closing(sqlite3.connect(data / "potluck.sqlite3", timeout=30)) as database:
        database.execute(
            "UPDATE study SET visibility = 'private', "
            "spec = json_set(spec, '$.visibility', 'private') WHERE id = ?",
            (study_id,),
        )
        told = f"UPDATE ledger_entry SET body = replace(body, {VISIBILITY}) WHERE chain = ?"
        database.execute(told, (study_id,))
        database.commit()
