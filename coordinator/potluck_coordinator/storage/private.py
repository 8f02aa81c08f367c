"""What the coordinator keeps is for its own user alone: a folder, and an SQLite file."""

from __future__ import annotations

import logging
import os
import stat
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Engine

FOLDER_MODE = 0o700
FILE_MODE = 0o600
OTHERS = 0o077
OWN_NAMES = ("potluck.", "artifacts", "admin-token")
"""How the names of all that a coordinator keeps in its data folder begin."""

_log = logging.getLogger(__name__)


def tighten_folder(folder: Path) -> None:
    """Close a data folder to others where it holds nothing but a coordinator's things.

    It says so once, as the folder is closed then. Another's folder, one with other things in it,
    or one that cannot be closed stays as it is, and is warned of.

    Args:
        folder: The data folder, which is there.
    """
    found = folder.stat()
    if not found.st_mode & OTHERS:
        return
    mode = f"{stat.S_IMODE(found.st_mode):04o}"
    if found.st_uid == os.geteuid() and all(_is_own(path.name) for path in folder.iterdir()):
        try:
            folder.chmod(FOLDER_MODE)
        except OSError:
            pass
        else:
            _log.warning("The data folder %s was open to others (%s): now 0700.", folder, mode)
            return
    _log.warning(
        "The data folder %s is open to others (%s), and holds everything: "
        "make it 0700, or choose another one with --data.",
        folder,
        mode,
    )


def _is_own(name: str) -> bool:
    return name.startswith(OWN_NAMES)


def tighten_database(engine: Engine) -> None:
    """Make an SQLite file, where there is none yet, and close it to others with what is beside it.

    SQLite gives the files beside it (`-wal`, `-shm`) the file's own mode.

    Args:
        engine: On the database; one that is no file is left alone.
    """
    if engine.dialect.name != "sqlite" or not engine.url.database:
        return
    path = Path(engine.url.database)
    with suppress(OSError):  # it is there, or cannot be made, which opening it tells
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))
    for one in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        _close_to_others(one)


def _close_to_others(path: Path) -> None:
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode) and mode & OTHERS:
            path.chmod(FILE_MODE)
    except FileNotFoundError:
        pass
    except OSError as error:
        _log.warning(
            "The database file %s is open to others, and stays so (%s): make it 0600.",
            path,
            error.strerror,
        )
