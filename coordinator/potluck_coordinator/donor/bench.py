"""The donor's engines: which are ready, and which unit each has in hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from potluck_coordinator.donor.engine_host import EngineHost, Platform
from potluck_coordinator.donor.frames import Frame


@dataclass(eq=False)
class Seat:
    """One engine. Ready once it trained the known answer rightly; then it may hold a unit."""

    host: EngineHost
    ready: bool = False
    lease_id: str | None = None


class Bench:
    """All engines of a donor. `heard(seat, frame)` gets everything that they say."""

    def __init__(
        self, count: int, platform: Platform, heard: Callable[[Seat, Frame], None]
    ) -> None:
        self._heard = heard
        self.seats = [Seat(EngineHost(platform, self._hear)) for _ in range(count)]

    async def start(self, seat: Seat) -> None:
        """Start an engine, or start it again, and have it train the known answer."""
        seat.ready = False
        await seat.host.start()
        seat.host.post(Frame({"type": "prepare"}))

    def free(self) -> Seat | None:
        """Give an engine that is ready and has nothing in hand."""
        return next((s for s in self.seats if s.ready and s.lease_id is None), None)

    def of(self, lease_id: str) -> Seat | None:
        """Give the engine that has a unit in hand."""
        return next((s for s in self.seats if s.lease_id == lease_id), None)

    def release(self, lease_id: str) -> None:
        """Take a unit out of the hands of its engine."""
        seat = self.of(lease_id)
        if seat is not None:
            seat.lease_id = None
            seat.host.post(Frame({"type": "drop", "lease": lease_id}))

    async def close(self) -> None:
        """End all engines."""
        for seat in self.seats:
            await seat.host.close()

    def _hear(self, host: EngineHost, frame: Frame) -> None:
        self._heard(next(seat for seat in self.seats if seat.host is host), frame)
