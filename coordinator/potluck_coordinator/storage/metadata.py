"""All tables in one place, for migrations and for tests."""

from __future__ import annotations

from sqlalchemy import MetaData

from potluck_coordinator.storage import (
    access_tables,
    ledger_tables,
    rendered_tables,
    tables,
    trust_tables,
)
from potluck_coordinator.storage.naming import SQLModel

TABLE_MODULES = (access_tables, ledger_tables, rendered_tables, tables, trust_tables)
"""Importing them is what fills `metadata`."""

metadata: MetaData = SQLModel.metadata
