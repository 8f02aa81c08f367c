"""Who listens to what: topics, and a wake-up for each listener. In process; carries no data.

A listener reads the state afresh when it wakes, so a missed wake-up costs nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

SITE = "site"
WORK = "work"
CONDUCTOR = "conductor"
ACCESS = "access"
"""A token, an account or a group's member ended, or was changed."""


class Hub:
    """Topics and their listeners. `publish` may be called from any thread."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listeners: dict[str, set[asyncio.Event]] = {}

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Say which loop the listeners live on."""
        self._loop = loop

    @contextmanager
    def listen(self, topic: str) -> Iterator[asyncio.Event]:
        """Give an event that is set whenever something happens in a topic."""
        event = asyncio.Event()
        listeners = self._listeners.setdefault(topic, set())
        listeners.add(event)
        try:
            yield event
        finally:
            listeners.discard(event)
            if not listeners:
                self._listeners.pop(topic, None)

    def publish(self, *topics: str) -> None:
        """Wake the listeners of these topics."""
        if self._loop is None or self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._wake, topics)

    def _wake(self, topics: tuple[str, ...]) -> None:
        for topic in topics:
            for event in self._listeners.get(topic, ()):
                event.set()
