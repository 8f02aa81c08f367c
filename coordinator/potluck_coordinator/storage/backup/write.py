"""Write a backup while the coordinator runs."""

from __future__ import annotations

import os
import tarfile
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from obstore.exceptions import BaseError
from sqlalchemy import Engine

from potluck_coordinator.core.errors import CannotStart, NotFound
from potluck_coordinator.storage.artifacts import ArtifactStore
from potluck_coordinator.storage.backup.archive import (
    MANIFEST,
    Manifest,
    TableOfRows,
    artifact_name,
    member,
    rows_name,
)
from potluck_coordinator.storage.backup.rows import tables_of, write_rows
from potluck_coordinator.storage.backup.stream import Pieces
from potluck_coordinator.storage.condition import revision_of, shown
from potluck_coordinator.storage.private import FILE_MODE
from potluck_coordinator.storage.reading import read_only

ROUNDS = 10
NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL


def back_up(engine: Engine, store: ArtifactStore, path: Path, version: str) -> Manifest:
    """Write one consistent state of a database and every artifact that it names.

    The coordinator may go on working. What it deletes meanwhile may be named by the state that was
    read: then a newer one is read, until all that it names is there.

    Args:
        engine: On the database.
        store: Its artifacts.
        path: The file to write; it appears when it is whole, readable by its owner alone.
        version: Potluck's, for the manifest.

    Returns:
        What was written. `lost` are artifacts that the store lacks, or holds damaged.

    Raises:
        CannotStart: `backup.exists` or `backup.file` where the file cannot be written,
            `backup.empty` where there is nothing, and what `revision_of` raises.
    """
    revision = revision_of(engine)
    if revision is None:
        raise CannotStart(
            "backup.empty",
            f"The database {shown(engine)} is empty: name the data folder of a coordinator.",
        )
    if path.exists():
        raise CannotStart("backup.exists", f"There is a file {path} already: name another one.")
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as scratch:
            part = Path(scratch) / "backup.tar"  # no table is called so, and nobody else made it
            with os.fdopen(os.open(part, NEW_FILE, FILE_MODE), "wb") as file:
                manifest = _Backup(engine, store, file, Path(scratch)).write(revision, version)
                os.fsync(file.fileno())
            part.replace(path)
    except OSError as error:
        raise CannotStart(
            "backup.file", f"The backup {path} could not be written: {error.strerror or error}."
        ) from error
    except BaseError as error:
        said = str(error).split("\n")[0][:200]
        raise CannotStart("backup.store", f"The artifact store does not answer: {said}") from error
    return manifest


class _Backup:
    def __init__(
        self, engine: Engine, store: ArtifactStore, file: IO[bytes], scratch: Path
    ) -> None:
        self._engine = engine
        self._store = store
        self._file = file
        self._archive = tarfile.open(fileobj=file, mode="w:", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        self._scratch = scratch
        self._kept: dict[str, int] = {}

    def write(self, revision: str, version: str) -> Manifest:
        lost: set[str] = set()
        for _ in range(ROUNDS):
            made_at = datetime.now(UTC).isoformat(timespec="seconds")
            tables, named = self._read_rows()
            missing = {sha for sha in sorted(named - self._kept.keys()) if not self._add(sha)}
            if missing <= lost:
                break  # what is missing was missing before, too: nobody has just deleted it
            lost = missing
        for name in tables:
            path = self._scratch / name
            with path.open("rb") as file:
                self._archive.addfile(member(rows_name(name), path.stat().st_size), file)
        manifest = Manifest(
            potluck=version,
            revision=revision,
            made_at=made_at,
            tables=tables,
            artifacts=self._kept,
            lost=sorted(missing),
        )
        content = manifest.model_dump_json(indent=1).encode()
        self._archive.addfile(member(MANIFEST, len(content)), Pieces([content]))
        self._archive.close()
        self._file.flush()
        return manifest

    def _read_rows(self) -> tuple[dict[str, TableOfRows], set[str]]:
        """Write the rows of one state into files; give what they are and name."""
        named: set[str] = set()
        tables = {}
        with read_only(self._engine).connect() as connection, connection.begin():
            for table in tables_of(connection):
                path = self._scratch / table.name
                path.unlink(missing_ok=True)
                tables[table.name] = write_rows(connection, table, path, named)
        return tables, named

    def _add(self, sha: str) -> bool:
        """Add an artifact; False, and nothing added, where it is missing or damaged."""
        begin = self._archive.offset
        try:
            size, pieces = self._store.open_sync(sha)
            with closing(Pieces(pieces)) as reader:
                self._archive.addfile(member(artifact_name(sha), size), reader)
            whole = reader.sha256 == sha
        except NotFound:
            whole = False
        if not whole:
            self._file.seek(begin)
            self._file.truncate()
            self._archive.offset = begin
            return False
        self._kept[sha] = size
        self._archive.getmembers().clear()  # it would remember every one
        return True
