"""One coordinator a data folder."""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from potluck_coordinator.core.errors import CannotStart
from potluck_coordinator.storage.private import FOLDER_MODE, tighten_folder

NAME = "potluck.lock"
MOST_BYTES = 200

_log = logging.getLogger(__name__)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a folder as long as the context lasts; the system lets go of it with this process.

    The file stays when the process is killed, and blocks nobody: what counts is the lock on it.
    Processes that this one starts do not inherit it.

    Args:
        folder: The data folder; it is made where there is none, and closed to others.

    Raises:
        CannotStart: `start.folder_in_use` where another process holds it, `start.folder` where
            it cannot be written to.
    """
    number = _open(folder)
    try:
        _lock(number, folder)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        os.ftruncate(number, 0)
        os.pwrite(number, json.dumps({"process": os.getpid(), "started": now}).encode(), 0)
        yield
    finally:
        os.close(number)


def _open(folder: Path) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        tighten_folder(folder)
        return os.open(folder / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotStart(
            "start.folder",
            f"The data folder {folder} cannot be used ({error.strerror}): "
            "choose another one with --data.",
        ) from error


def _lock(number: int, folder: Path) -> None:
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise CannotStart(
            "start.folder_in_use",
            f"The data folder {folder} is in use by another coordinator{_holder(number)}: "
            "stop that one, or choose another folder with --data.",
        ) from error
    except OSError as error:  # some network file systems have no locks
        _log.warning(
            "The data folder %s cannot be locked (%s): see to it that one coordinator uses it.",
            folder,
            error.strerror,
        )


def _holder(number: int) -> str:
    """Say what the holder wrote; nothing where it has not come to that."""
    try:
        said = json.loads(os.pread(number, MOST_BYTES, 0))
        return f" (process {int(said['process'])}, started {said['started']})"
    except (ValueError, KeyError, TypeError):
        return ""
