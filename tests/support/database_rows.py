"""Every row of a database, and whether its ledger's chains hold."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, MetaData, text
from sqlmodel import Session

from potluck_coordinator.core.ledger import verify
from potluck_coordinator.storage import ledger

Rows = dict[str, list[dict[str, Any]]]


def all_rows(engine: Engine) -> Rows:
    """Read every row of every table, in the order of their text."""
    tables = MetaData()
    tables.reflect(engine)
    with engine.connect() as connection:
        return {
            table.name: sorted(
                (dict(row._mapping) for row in connection.execute(table.select())), key=repr
            )
            for table in tables.sorted_tables
        }


def chains(engine: Engine) -> dict[str, int | None]:
    """Give the first broken entry of every chain, None where it holds."""
    with Session(engine) as session:
        names = session.connection().execute(text("SELECT chain FROM ledger_head")).scalars().all()
        return {
            name: verify(ledger.entries(session, name), ledger.head(session, name))
            for name in names
        }
