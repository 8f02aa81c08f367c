"""The form of a backup: a plain tar of artifacts, rows and, at its end, a manifest.

    artifacts/<sha256>     an artifact's bytes
    rows/<table>.jsonl     a table's rows, one JSON object a line
    manifest.json          what there is, with the hash of each

Rows are JSON, and no database's own file, so that any database can be restored from any other's.
Nothing is compressed (weights cannot be), so that no small file unfolds into a large one.
"""

from __future__ import annotations

import re
import tarfile
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

MANIFEST = "manifest.json"
NAME = re.compile(r"artifacts/([0-9a-f]{64})|rows/([a-z_]{1,60})\.jsonl|manifest\.json")
CHUNK = 1 << 20

Sha = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]


class TableOfRows(BaseModel):
    """A table in a backup."""

    model_config = ConfigDict(extra="forbid", strict=True)

    sha256: Sha
    bytes: Count
    rows: Count


class Manifest(BaseModel):
    """What a backup holds. `lost`: artifacts that the database names and the store lacked."""

    model_config = ConfigDict(extra="forbid", strict=True)

    format: Literal[1] = 1
    potluck: str
    revision: str
    made_at: str
    tables: dict[str, TableOfRows]
    artifacts: dict[Sha, Count]
    lost: list[Sha]


def artifact_name(sha: str) -> str:
    """Name an artifact's member."""
    return f"artifacts/{sha}"


def rows_name(table: str) -> str:
    """Name a table's member."""
    return f"rows/{table}.jsonl"


def member(name: str, size: int) -> tarfile.TarInfo:
    """Describe a plain file that is its owner's alone."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info
