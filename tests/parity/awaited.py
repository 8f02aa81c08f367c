"""What is not right yet: each name stands here until it is, and a test insists that it is not."""

from __future__ import annotations

UNREAD: dict[str, str] = {}
"""Saved by Keras, refused by the converter."""

WRONG: dict[str, str] = {}
"""Opened, and wrong on the CPU."""

WRONG_ON: dict[str, dict[str, str]] = {}
"""Opened, right on the CPU, wrong on one backend."""

OTHERWISE: dict[str, str] = {}
"""Read back from TF.js as another graph, of the same meaning."""


def expected(backend: str, name: str) -> bool:
    """Say whether a case must be right on a backend."""
    return not (name in UNREAD or name in WRONG or name in WRONG_ON.get(backend, {}))
