"""What runs after a commit: hooks that a function of the writer leaves with its session."""

from __future__ import annotations

from collections.abc import Callable

from sqlmodel import Session

Hook = Callable[[], object]
AFTER_COMMIT = "after_commit"


def after_commit(session: Session, hook: Hook) -> None:
    """Run a quick function once this transaction is durable; never where no writer runs it."""
    session.info.get(AFTER_COMMIT, []).append(hook)
