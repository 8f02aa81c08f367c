"""The one name under which services know a database session: they only pass it on."""

from __future__ import annotations

from sqlmodel import Session as Transaction

from potluck_coordinator.storage.hooks import after_commit

__all__ = ["Transaction", "after_commit"]
