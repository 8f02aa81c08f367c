"""A view of an engine that reads only."""

from __future__ import annotations

from sqlalchemy import Engine

READ_ONLY = "potluck_read_only"


def read_only(engine: Engine) -> Engine:
    """Give a view of the engine whose transactions see one state and cannot write."""
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return engine.execution_options(**{READ_ONLY: True})
