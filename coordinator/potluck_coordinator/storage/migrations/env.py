"""What Alembic runs: it takes a connection from its caller, never an address."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlmodel.sql.sqltypes import AutoString

from potluck_coordinator.storage.metadata import metadata


def render_item(kind: str, item: Any, _autogen: AutogenContext) -> str | Literal[False]:
    """Write SQLModel's own string type as plain SQLAlchemy: a revision imports nothing of ours."""
    return "sa.String()" if kind == "type" and isinstance(item, AutoString) else False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    render_item=render_item,
    compare_server_default=True,
    # SQLite can undo DDL too, given a driver that begins when it is told to (see engine.py).
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
