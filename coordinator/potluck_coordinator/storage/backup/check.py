"""Check a backup from its first byte to its last, before anything of it is believed."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from potluck_coordinator.core.errors import CannotStart
from potluck_coordinator.storage.backup.archive import (
    CHUNK,
    MANIFEST,
    NAME,
    Manifest,
    artifact_name,
    rows_name,
)
from potluck_coordinator.storage.schema import known_revisions

MOST_MANIFEST_BYTES = 1 << 30
PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)


@dataclass(frozen=True)
class Checked:
    """A backup whose every hash was found right, and where its members lie."""

    manifest: Manifest
    members: dict[str, tarfile.TarInfo]


def checked(archive: tarfile.TarFile) -> Checked:
    """Read a whole backup and check each name, kind, size and hash.

    Raises:
        CannotStart: `backup.damaged` for what is no whole backup, or holds anything else than a
            backup does; `backup.newer` where a newer Potluck made it.
    """
    members: dict[str, tarfile.TarInfo] = {}
    found: dict[str, str] = {}
    try:
        for member in archive:
            _require_plain(member, members)
            members[member.name] = member
            found[member.name] = _sha256(archive, member)
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise damaged(f"it cannot be read to its end: {error}") from error
    manifest = _manifest(archive, members)
    due = {artifact_name(sha): (sha, size) for sha, size in manifest.artifacts.items()}
    for name, table in manifest.tables.items():
        due[rows_name(name)] = (table.sha256, table.bytes)
    if due.keys() != members.keys() - {MANIFEST}:
        odd = min(due.keys() ^ (members.keys() - {MANIFEST}))
        raise damaged(f"{odd[:90]} is in the manifest or in the file, not in both")
    for name, (sha, size) in due.items():
        if (found[name], members[name].size) != (sha, size):
            raise damaged(f"{name} does not have the hash and size that the manifest gives")
    if manifest.revision not in known_revisions():
        raise CannotStart(
            "backup.newer",
            f"The backup is of revision {manifest.revision[:40]!r} (Potluck "
            f"{manifest.potluck[:40]!r}), and this Potluck knows revisions up to "
            f"{known_revisions()[-1]!r}: restore it with the newer Potluck.",
        )
    return Checked(manifest, members)


def damaged(what: str) -> CannotStart:
    """Say that a file is no whole backup."""
    return CannotStart(
        "backup.damaged",
        f"This is no whole backup of Potluck's ({' '.join(what.split())[:200]}): "
        "nothing was restored, so take another copy of it.",
    )


def contents(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    """Give a member's bytes piece by piece."""
    file = archive.extractfile(member)
    if file is None:
        raise damaged(f"{member.name[:90]} is no file")
    left = member.size
    while left:
        piece = file.read(min(CHUNK, left))
        if not piece:
            raise damaged(f"{member.name[:90]} is cut off")
        left -= len(piece)
        yield piece


def _require_plain(member: tarfile.TarInfo, members: dict[str, tarfile.TarInfo]) -> None:
    shown = ascii(member.name[:90])
    if member.type not in PLAIN or member.sparse is not None:
        raise damaged(f"{shown} is no plain file")
    if NAME.fullmatch(member.name) is None:
        raise damaged(f"{shown} is no name of a backup's")
    if member.name in members:
        raise damaged(f"{shown} is there twice")


def _sha256(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    digest = hashlib.sha256()
    for piece in contents(archive, member):
        digest.update(piece)
    return digest.hexdigest()


def _manifest(archive: tarfile.TarFile, members: dict[str, tarfile.TarInfo]) -> Manifest:
    if MANIFEST not in members or members[MANIFEST].size > MOST_MANIFEST_BYTES:
        raise damaged("it has no manifest at its end")
    try:
        return Manifest.model_validate_json(b"".join(contents(archive, members[MANIFEST])))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part)[:40] for part in first["loc"])
        raise damaged(
            f"its manifest is wrong at {where or 'its beginning'}: {first['msg']}"
        ) from None
