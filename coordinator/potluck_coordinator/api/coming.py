"""One request's body as it comes: charged to who sends it, and held against the disk's room."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import cast

from starlette.requests import Request
from starlette.types import Scope

from potluck_coordinator.services.rates import Rate
from potluck_coordinator.services.room import must_have_room
from potluck_coordinator.services.site import Site

NAME = "potluck.coming"
STEP = 4 << 20
"""Bytes for which an upload has room ahead of what it has brought; then the disk is looked at
again. It is no more, or whoever sends slowly could keep a whole disk's room from others."""


class Coming:
    """What one body brings. A body that nothing is counted of costs nothing.

    What counts is the most of what is declared, what comes, and what that unfolds to.
    """

    def __init__(
        self, site: Site, counted: Sequence[tuple[Rate, str]], *, spooled: bool = False
    ) -> None:
        """Begin to count.

        Args:
            site: The coordinator.
            counted: The rates that its bytes count for, each with who sends them.
            spooled: Its bytes are written as they come, and once more by who takes them in.
        """
        self._site = site
        self._counted = counted
        self._spooled = spooled
        self._times = 2 if spooled else 1
        self._room = site.incoming.upload()
        self._declared = 0
        self._reached = 0
        self._charged = 0
        self._looked = 0
        self.most: int | None = None
        """Bytes that it may have at most, where they are known."""

    def __enter__(self) -> Coming:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go of the room; what was declared and did not come is given back to the rates."""
        self._room.close()
        for rate, who in self._counted:
            self._site.rates.give_back(rate, who, self._charged, kept=self._reached)

    def declares(self, size: int) -> None:
        """Count what a body says that it will bring.

        Args:
            size: Its bytes.

        Raises:
            TooOften: `rate.*`.
            NoRoom: `disk.full`.
        """
        if self._counted and size > self._declared:
            must_have_room(self._site, self._times * size)
            self._charge(size)
            self._declared = size

    def comes(self, size: int, more: int) -> None:
        """Count what has come.

        Args:
            size: Bytes in all.
            more: Those of them that came just now.

        Raises:
            TooOften: `rate.*`.
            NoRoom: `disk.full`.
        """
        self.reaches(size)
        if self._spooled:
            self.wrote(more)

    def reaches(self, size: int) -> None:
        """Count what a body has brought so far, as it came or unfolded.

        Args:
            size: Bytes in all.

        Raises:
            TooOften: `rate.*`.
            NoRoom: `disk.full`.
        """
        if not self._counted or size <= self._reached:
            return
        self._charge(size)
        self._reached = size
        if self._times * size > self._room.promised or size >= self._looked + STEP:
            self._look(size)

    def wrote(self, size: int) -> None:
        """Count that so many bytes more of it are on the disk.

        Args:
            size: Bytes.
        """
        self._room.wrote(size)

    def _charge(self, size: int) -> None:
        for rate, who in self._counted:
            self._site.rates.charge(rate, who, size - self._charged, already=self._charged)
        self._charged = max(size, self._charged)

    def _look(self, size: int) -> None:
        """See whether the disk has room until the next look."""
        ahead = size + STEP if self.most is None else min(size + STEP, self.most)
        if self._declared >= size:
            ahead = min(ahead, self._declared)
        promise = self._times * max(size, ahead)
        must_have_room(self._site, max(0, promise - self._room.promised))
        self._room.promise(promise)
        self._looked = size


def coming(request: Request) -> Coming:
    """Give what counts a request's body.

    Args:
        request: It came through `BodyLimits`.
    """
    return cast(Coming, request.scope[NAME])


def keep_in(scope: Scope, body: Coming) -> None:
    """Let `coming` find what counts a request's body.

    Args:
        scope: The request's.
        body: What counts it.
    """
    scope[NAME] = body


async def counted(pieces: AsyncIterator[bytes], body: Coming) -> AsyncIterator[bytes]:
    """Count pieces that somebody writes, one after the other: who asks for the next wrote the last.

    Args:
        pieces: What a body brings, unfolded.
        body: What counts it.
    """
    total = 0
    async for piece in pieces:
        total += len(piece)
        body.reaches(total)
        yield piece
        body.wrote(len(piece))
