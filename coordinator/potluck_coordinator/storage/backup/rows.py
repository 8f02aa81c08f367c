"""A database's rows as lines of JSON, and back; the same for SQLite and PostgreSQL."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, Connection, Integer, MetaData, Table, false, text

from potluck_coordinator.storage.artifact_uses import COLUMNS, MADE_AGAIN, keeps
from potluck_coordinator.storage.backup.archive import TableOfRows
from potluck_coordinator.storage.condition import VERSION_TABLE

BATCH = 500


def tables_of(connection: Connection) -> list[Table]:
    """List a database's tables of ours, those that others refer to first."""
    found = MetaData()
    found.reflect(connection)
    return [table for table in found.sorted_tables if table.name != VERSION_TABLE]


def write_rows(connection: Connection, table: Table, path: Path, named: set[str]) -> TableOfRows:
    """Write a table's rows into a file; add what they name of artifacts to `named`.

    Of a table whose rows can all be made again none is written.
    """
    digest, size, count = hashlib.sha256(), 0, 0
    naming = [name for name in COLUMNS.get(table.name, ()) if name in table.columns]
    order = list(table.primary_key.columns)
    query = table.select().order_by(*order)
    if table.name in MADE_AGAIN:
        query = query.where(false())
    found = connection.execution_options(yield_per=BATCH).execute(query)
    with path.open("xb") as file:
        for row in found:
            values = dict(row._mapping)
            line = json.dumps(values, separators=(",", ":")).encode() + b"\n"
            digest.update(line)
            size, count = size + len(line), count + 1
            file.write(line)
            if keeps(table.name, values):
                named.update(values[name] for name in naming if values[name])
    return TableOfRows(sha256=digest.hexdigest(), bytes=size, rows=count)


def insert_rows(connection: Connection, table: Table, lines: Iterable[bytes]) -> None:
    """Insert the rows of a table that holds none.

    Raises `ValueError` for a line that is no row of this table, and what the database raises.
    """
    for batch in _batches(lines):
        rows = [_row(table, line) for line in batch]
        connection.execute(table.insert(), rows)
    if connection.dialect.name == "postgresql":
        _count_on(connection, table)


def _batches(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    for line in lines:
        batch.append(line)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _row(table: Table, line: bytes) -> dict[str, Any]:
    row = json.loads(line)
    if not isinstance(row, dict) or set(row) != set(table.columns.keys()):
        raise ValueError(f"a line is no row of the table {table.name!r}")
    return row


def _count_on(connection: Connection, table: Table) -> None:
    """Let PostgreSQL number new rows from the last one on."""
    for column in table.primary_key.columns:
        if isinstance(column.type, (Integer, BigInteger)) and column.server_default is not None:
            connection.execute(
                text(
                    "SELECT setval(pg_get_serial_sequence(:table, :column),"
                    f' (SELECT coalesce(max("{column.name}"), 0) + 1 FROM "{table.name}"), false)'
                ),
                {"table": table.name, "column": column.name},
            )
