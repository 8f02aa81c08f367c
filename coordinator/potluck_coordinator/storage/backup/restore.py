"""Restore a backup into an empty place."""

from __future__ import annotations

import asyncio
import shutil
import tarfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from obstore.exceptions import BaseError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from potluck_coordinator.core.errors import BadResult, CannotStart, TooLarge
from potluck_coordinator.storage.artifacts import ArtifactStore
from potluck_coordinator.storage.backup.archive import Manifest, artifact_name, rows_name
from potluck_coordinator.storage.backup.check import Checked, checked, contents, damaged
from potluck_coordinator.storage.backup.rows import insert_rows, tables_of
from potluck_coordinator.storage.condition import revision_of, shown
from potluck_coordinator.storage.folder_lock import held
from potluck_coordinator.storage.opening import engine_for, store_at
from potluck_coordinator.storage.private import tighten_database
from potluck_coordinator.storage.schema import migrated


def restore(path: Path, data: Path, url: str, artifacts: str) -> Manifest:
    """Restore a backup; a coordinator can start on it afterwards.

    The whole file is checked before anything is written. Nothing in it decides where something is
    written: artifacts go by their hash, rows into tables that Potluck makes.

    Args:
        path: The backup.
        data: The data folder, which must be empty or not be there.
        url: The database's address; it must hold no tables.
        artifacts: The artifact store's place; it must be empty.

    Raises:
        CannotStart: `backup.file`, `backup.damaged` or `backup.newer` for the file,
            `backup.not_empty` for the place, and what opening these raises.
    """
    with _reading(path) as archive:
        _require_empty(data)
        found = checked(archive)
        there = data.exists()
        try:
            with held(data):
                _restore_all(archive, found, url, artifacts)
        except BaseException:
            if there:  # it was empty
                for child in data.iterdir():
                    shutil.rmtree(child) if child.is_dir() else child.unlink()
            else:
                shutil.rmtree(data, ignore_errors=True)
            raise
    return found.manifest


@contextmanager
def _reading(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
            yield archive
    except tarfile.TarError as error:
        raise damaged(str(error)) from error
    except (OSError, BaseError) as error:
        said = str(error).split("\n")[0][:200]
        raise CannotStart(
            "backup.file", f"The backup could not be read or restored: {said}."
        ) from error


def _require_empty(data: Path) -> None:
    if data.exists() and (not data.is_dir() or any(data.iterdir())):
        raise _not_empty(f"The data folder {data}")


def _not_empty(what: str) -> CannotStart:
    return CannotStart(
        "backup.not_empty",
        f"{what} is not empty: restore into an empty place, so that nothing is overwritten.",
    )


def _restore_all(archive: tarfile.TarFile, found: Checked, url: str, artifacts: str) -> None:
    engine = engine_for(url)
    try:
        if revision_of(engine) is not None:
            raise _not_empty(f"The database {shown(engine)}")
        store = store_at(artifacts, make=True)
        if not store.is_empty():
            raise _not_empty(f"The artifact store {artifacts}")
        tighten_database(engine)
        try:
            asyncio.run(_restore_artifacts(archive, found, store))
            _restore_rows(archive, found, engine)
        except BaseException:
            asyncio.run(_take_back(store, found))
            raise
    finally:
        engine.dispose()


async def _take_back(store: ArtifactStore, found: Checked) -> None:
    for sha in found.manifest.artifacts:
        with suppress(OSError, BaseError):
            await store.delete(sha)


async def _restore_artifacts(
    archive: tarfile.TarFile, found: Checked, store: ArtifactStore
) -> None:
    for sha, size in found.manifest.artifacts.items():
        member = found.members[artifact_name(sha)]

        async def pieces(member: tarfile.TarInfo = member) -> AsyncIterator[bytes]:
            for piece in contents(archive, member):
                yield piece

        try:
            await store.put_stream(pieces(), size, expected=sha)
        except (BadResult, TooLarge) as error:
            raise damaged(f"{member.name} changed meanwhile") from error


def _restore_rows(archive: tarfile.TarFile, found: Checked, engine: Engine) -> None:
    """Make the tables of the backup's revision, and fill them in one transaction."""
    manifest = found.manifest
    try:
        with migrated(engine, manifest.revision) as connection:
            tables = tables_of(connection)
            if {table.name for table in tables} != manifest.tables.keys():
                raise ValueError("its tables are not those of its revision")
            for table in tables:
                file = archive.extractfile(found.members[rows_name(table.name)])
                assert file is not None
                insert_rows(connection, table, file)
    except (SQLAlchemyError, ValueError, TypeError, ArithmeticError, RuntimeError) as error:
        said = getattr(error, "orig", None) or error
        raise damaged(f"its rows do not fit: {said}") from error
