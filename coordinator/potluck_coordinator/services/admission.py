"""One budget of memory, and fair turns, for all work beside the server: a job says what it takes,
and waits.

The server itself takes little: what is large is read, converted, encoded and scored in processes
of their own. They share one machine, so that they share one budget. Who goes next, and what may
run beside what, is decided in `core.turns`.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from potluck_coordinator.core.errors import TooLarge
from potluck_coordinator.core.turns import (
    MOST_PASSED,
    Kind,
    crowd_of,
    may_start,
    most_of_one_account,
)

SMALL = 8
"""A job of an eighth of the budget is small."""


@dataclass(eq=False)
class _Waiting:
    need: int
    kind: Kind
    account: str
    arrived: int
    turn: asyncio.Future[None] = field(repr=False)
    passed: int = 0


@dataclass(frozen=True)
class Room:
    """What a job that was let in holds; given back once."""

    need: int
    kind: Kind
    account: str


class Admission:
    """Lets jobs in while their memory fits into the budget and their kind has a place.

    A large job is passed by a few small ones at most. Only for the event loop's thread.
    """

    def __init__(self, budget: int, workers: int = 2) -> None:
        self.budget = budget
        self.held = 0
        """Bytes that the jobs inside have stated."""
        self._workers = workers
        self._running: Counter[Kind] = Counter()
        self._running_of: Counter[tuple[Kind, str]] = Counter()
        self._waiting: dict[Kind, dict[str, deque[_Waiting]]] = {kind: {} for kind in Kind}
        self._served: dict[Kind, int] = dict.fromkeys(Kind, 0)
        self._served_of: dict[Kind, dict[str, int]] = {kind: {} for kind in Kind}
        self._clock = 0

    @asynccontextmanager
    async def room(
        self, need: int, what: str, *, kind: Kind = Kind.ENCODE, account: str = ""
    ) -> AsyncIterator[None]:
        """Hold `need` bytes while inside. Raises TooLarge `size.memory` for more than there is."""
        room = await self.take(need, what, kind=kind, account=account)
        try:
            yield
        finally:
            self.give(room)

    async def take(
        self, need: int, what: str, *, kind: Kind = Kind.ENCODE, account: str = ""
    ) -> Room:
        """Wait for a job's turn and for `need` bytes, and hold them until `give`.

        `what` names the job in a refusal, `account` is whose it is. Raises TooLarge `size.memory`.
        """
        if need > self.budget:
            raise TooLarge(
                "size.memory",
                f"{what} takes more memory than this coordinator has for it.",
                expected=f"at most {self.budget} bytes (POTLUCK_MEMORY)",
                got=f"about {need} bytes",
                hint="Make it smaller, or ask the operator for more memory.",
            )
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._clock += 1
        entry = _Waiting(need, kind, account, self._clock, turn)
        self._waiting[kind].setdefault(account, deque()).append(entry)
        room = Room(need, kind, account)
        self._let_in()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give(room)  # let in at the moment when it was told to go
            else:
                self._drop(entry)
                self._let_in()
            raise
        return room

    def give(self, room: Room) -> None:
        """Give back what `take` held."""
        self.held -= room.need
        self._running[room.kind] -= 1
        self._running_of[room.kind, room.account] -= 1
        if not self._running_of[room.kind, room.account]:
            del self._running_of[room.kind, room.account]
        self._let_in()

    def waiting(self, kind: Kind) -> int:
        """Count the jobs of a kind that wait."""
        return sum(map(len, self._waiting[kind].values()))

    def _let_in(self) -> None:
        while (entry := self._next()) is not None:
            self._drop(entry)
            self._clock += 1
            self._served[entry.kind] = self._clock
            for whose in (entry.account, crowd_of(entry.account)):
                self._served_of[entry.kind][whose] = self._clock
            if not self._waiting[entry.kind]:
                self._served_of[entry.kind].clear()  # nobody waits whose turn it could be
            self.held += entry.need
            self._running[entry.kind] += 1
            self._running_of[entry.kind, entry.account] += 1
            entry.turn.set_result(None)

    def _next(self) -> _Waiting | None:
        heads = list(self._heads())
        held_back = False
        for entry in heads:
            if entry.passed >= MOST_PASSED:
                if self._fits(entry):
                    return entry
                held_back = True
        if held_back:  # what is small goes on: it hardly keeps the large job waiting
            heads = [one for one in heads if one.need <= self.budget // SMALL]
        before: list[_Waiting] = []
        for entry in heads:
            if self._fits(entry):
                for passed in before:
                    passed.passed += 1
                return entry
            before.append(entry)
        return None

    def _heads(self) -> Iterator[_Waiting]:
        """Give what may begin but for its memory, in the order of turns."""
        for kind in sorted(Kind, key=self._served.__getitem__):
            served = self._served_of[kind]
            queues = self._waiting[kind].values()
            oldest = [entry for entry in map(_first, queues) if entry is not None]
            for entry in sorted(oldest, key=partial(_turn, served)):
                runs = self._running_of[kind, entry.account]
                most = most_of_one_account(self._workers)
                if may_start(kind, runs, self._running, self._workers, most):
                    yield entry

    def _fits(self, entry: _Waiting) -> bool:
        return self.held + entry.need <= self.budget

    def _drop(self, entry: _Waiting) -> None:
        queue = self._waiting[entry.kind][entry.account]
        queue.remove(entry)
        if not queue:
            del self._waiting[entry.kind][entry.account]


def _turn(served: Mapping[str, int], entry: _Waiting) -> tuple[int, int, int]:
    """Give a job's place among those of its kind; `served`: when accounts and crowds were.

    Whoever comes anew comes last: it goes by when an account was served, or began to wait where
    that was later.
    """
    crowd, account = (served.get(one, 0) for one in (crowd_of(entry.account), entry.account))
    return max(crowd, entry.arrived), max(account, entry.arrived), entry.arrived


def _first(queue: deque[_Waiting]) -> _Waiting | None:
    """Give the oldest that still waits: one that was called off may not have left yet."""
    return next((entry for entry in queue if not entry.turn.cancelled()), None)
