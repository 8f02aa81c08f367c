"""Fresh processes that read and write models' files: few at once, apart from the workers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import TypeVar

from potluck_coordinator.core.turns import Kind
from potluck_coordinator.services.admission import Admission

T = TypeVar("T")


class Converters:
    """Waits for such processes in threads of its own: nothing else waits for them.

    `at_once`: how many of each kind there are at most, as `memory` sees to.
    """

    def __init__(self, memory: Admission, at_once: int) -> None:
        self._memory = memory
        self._threads = ThreadPoolExecutor(2 * at_once, thread_name_prefix="converter")

    async def run(
        self,
        need: int,
        what: str,
        fn: Callable[..., T],
        *args: object,
        kind: Kind = Kind.CONVERT,
        account: str = "",
        holding: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> T:
        """Run a function that waits for one process. Raises what it raises.

        What is held for it is held until the process has ended, also where the caller left before.

        Args:
            need: Bytes of memory that it takes.
            what: How a refusal calls it.
            fn: The function.
            args: What it gets.
            kind: What it is for.
            account: Whose turn it takes.
            holding: Opened when it is its turn, in the loop's thread: holds what else it needs.

        Raises:
            TooLarge: `size.memory` for more than there is at all.
        """
        room = await self._memory.take(need, what, kind=kind, account=account)
        loop, held = asyncio.get_running_loop(), ExitStack()
        held.callback(self._memory.give, room)

        def ended(_: Future[T]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended before the process
                loop.call_soon_threadsafe(held.close)

        try:
            held.enter_context(holding())
            future = self._threads.submit(fn, *args)
        except BaseException:  # no room, or closed
            held.close()
            raise
        future.add_done_callback(ended)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Start no more; those that run end by their own deadline."""
        self._threads.shutdown(wait=False, cancel_futures=True)
