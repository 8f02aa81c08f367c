"""Data folders of coordinators that never ran, whose tables are made already.

Making them by the migrations, one after another, takes a second of a processor. They are made once
in a process, and copied. The migrations themselves are tried in `tests/storage/test_engine.py` and
`test_upgrade.py`, and a first start on a folder that has no database in
`tests/faults/test_one_server.py` and wherever `potluck serve` is started as a command.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from potluck_coordinator.storage.engine import make_engine, migrate

NAME = "potluck.sqlite3"
"""What a coordinator calls its database, in its data folder."""


def fresh(data: Path) -> Path:
    """Put a new database into a data folder that has none; give the folder.

    Args:
        data: The folder. It is made where it is not there.
    """
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (data / NAME).exists():
        copy_tables(data / NAME)
    return data


def copy_tables(path: Path) -> None:
    """Make an SQLite file of the newest revision, without rows.

    Args:
        path: The file, which is not there yet.
    """
    shutil.copyfile(_tables(), path)


@cache
def _tables() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="potluck-tables-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    engine = make_engine(f"sqlite:///{folder / NAME}")
    migrate(engine)
    engine.dispose()
    return folder / NAME
