"""One budget of memory for everything that works beside the server: a job states what it takes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from potluck_coordinator.core.errors import TooLarge


class Admission:
    """Lets jobs in while what they take together fits into `budget` bytes.

    They come in the order in which they asked, so that a large one is not passed by small ones for
    ever. Only for the event loop's thread.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.held = 0
        """Bytes that the jobs inside have stated."""
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def room(self, need: int, what: str) -> AsyncIterator[None]:
        """Hold `need` bytes while inside. Raises TooLarge `size.memory` for more than there is."""
        await self.take(need, what)
        try:
            yield
        finally:
            self.give(need)

    async def take(self, need: int, what: str) -> None:
        """Wait until there is room for `need` bytes, and hold them until `give`.

        `what` names the job in a refusal. Raises TooLarge `size.memory`.
        """
        if need > self.budget:
            raise TooLarge(
                "size.memory",
                f"{what} takes more memory than this coordinator has for it.",
                expected=f"at most {self.budget} bytes (POTLUCK_MEMORY)",
                got=f"about {need} bytes",
                hint="Make it smaller, or ask the operator for more memory.",
            )
        if not self._waiting and self.held + need <= self.budget:
            self.held += need
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (need, turn)
        self._waiting.append(entry)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give(need)  # let in at the moment when it was told to go
            else:
                self._waiting.remove(entry)
                self._let_in()
            raise

    def give(self, need: int) -> None:
        """Give back what `take` held."""
        self.held -= need
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting and self.held + self._waiting[0][0] <= self.budget:
            need, turn = self._waiting.popleft()
            if turn.cancelled():
                continue
            self.held += need
            turn.set_result(None)
