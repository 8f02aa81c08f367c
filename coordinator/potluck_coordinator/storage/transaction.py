"""The one name under which services know a database session: they only pass it on."""

from __future__ import annotations

from collections.abc import Callable

from sqlmodel import Session as Transaction

from potluck_coordinator.storage.writer import AFTER_COMMIT

__all__ = ["Transaction", "after_commit"]


def after_commit(tx: Transaction, hook: Callable[[], object]) -> None:
    """Run a quick function once this transaction is durable."""
    tx.info[AFTER_COMMIT].append(hook)
