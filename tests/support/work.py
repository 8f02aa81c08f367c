"""How much a database does: statements that it is told, and steps of SQLite's machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, event

EVERY = 10


@dataclass
class Work:
    """What was done. A step is one of SQLite's machine: each row takes some."""

    statements: list[str] = field(default_factory=list)
    steps: int = 0


@contextmanager
def counted(engine: Engine) -> Iterator[Work]:
    """Count what an engine's connections do; others' time and load count nothing.

    Steps are counted on SQLite alone.

    Args:
        engine: The engine.
    """
    work = Work()

    counting = True

    def step() -> int:
        work.steps += EVERY if counting else 0
        return 0

    def before(_connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        work.statements.append(statement)
        if engine.dialect.name == "sqlite":
            cursor.connection.set_progress_handler(step, EVERY)

    event.listen(engine, "before_cursor_execute", before)
    try:
        yield work
    finally:
        counting = False
        event.remove(engine, "before_cursor_execute", before)
