"""Which donors are connected now. In memory: a reconnecting donor says hello again."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from potluck_coordinator.core.groups import EVERYONE, NO_REACH, Circle, Reach
from potluck_coordinator.services.networks import Networks

FRESH_PER_NETWORK = 2
ANSWERS_WITHIN_S = 5.0
"""A donor that is told of work asks for it within so many seconds."""


@dataclass(frozen=True)
class _Waiting:
    donor: str
    memory_bytes: int | None
    until: float


class Presence:
    """Counts each donor's open sockets (a person may have two tabs).

    `clock`: gives the time in seconds, from any beginning.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._open: dict[str, int] = {}
        self._allowed: Counter[int | None] = Counter()
        self._networks: dict[str, str] = {}
        self._came_from = Networks(clock)
        self._waiting: dict[int, _Waiting] = {}
        self._known: set[str] = set()
        self._reaches: dict[str, Reach] = {}

    @contextmanager
    def connected(
        self,
        donor_id: str,
        memory_bytes: int | None = None,
        network: str | None = None,
        *,
        known: bool = True,
        reach: Reach = NO_REACH,
    ) -> Iterator[None]:
        """Count a donor as online, with the memory that it allows, while its socket is open.

        `reach`: whose units it may get; where it has several sockets, that of the newest counts.
        """
        self._reaches[donor_id] = reach
        if network is not None:
            self._networks[donor_id] = network
        if known:
            self._known.add(donor_id)
        self._allowed[memory_bytes] += 1
        self._open[donor_id] = self._open.get(donor_id, 0) + 1
        try:
            yield
        finally:
            self._allowed[memory_bytes] -= 1
            self._allowed += Counter()  # drops what nobody allows any more
            left = self._open[donor_id] - 1
            if left:
                self._open[donor_id] = left
            else:
                del self._open[donor_id]
                here = self._networks.pop(donor_id, None)
                if here is not None:  # remembered from now on
                    self._came_from.came(donor_id, here)
                self._known.discard(donor_id)
                self._reaches.pop(donor_id, None)

    def waits(
        self,
        socket: object,
        donor_id: str,
        memory_bytes: int | None = None,
        *,
        seconds: float = ANSWERS_WITHIN_S,
    ) -> None:
        """Hear that a donor found nothing ready, and waits for work on one of its sockets.

        Args:
            socket: Its socket, or what speaks on it.
            donor_id: The donor.
            memory_bytes: The memory that it allows; None: any.
            seconds: After so many, and some to say so, it asks again: who does not waits no more.
        """
        until = self._clock() + seconds + ANSWERS_WITHIN_S
        self._waiting[id(socket)] = _Waiting(donor_id, memory_bytes, until)

    def was_told(self, socket: object) -> None:
        """Hear that it was told of work: it asks at once, or waits no more."""
        found = self._waiting.get(id(socket))
        if found is not None:
            until = min(found.until, self._clock() + ANSWERS_WITHIN_S)
            self._waiting[id(socket)] = replace(found, until=until)

    def waits_no_more(self, socket: object) -> None:
        """Hear that it asks again, or has gone."""
        self._waiting.pop(id(socket), None)

    def others_wait(
        self, donor_id: str, memory_bytes: int = 0, circles: Collection[Circle] = (EVERYONE,)
    ) -> bool:
        """Say whether another donor waits that could take a unit of so much memory.

        `circles`: whose units there are.
        """
        return any(other != donor_id for other in self._able(memory_bytes, circles))

    def networks_waiting(
        self, memory_bytes: int = 0, circles: Collection[Circle] = (EVERYONE,)
    ) -> set[str | None]:
        """Give the networks from which such donors wait."""
        return {self._networks.get(donor) for donor in self._able(memory_bytes, circles)}

    def _able(self, memory_bytes: int, circles: Collection[Circle]) -> Iterator[str]:
        now = self._clock()
        for one in list(self._waiting.values()):
            allowed = one.memory_bytes
            large = allowed is None or allowed >= memory_bytes
            if one.until > now and large and self._permitted(one.donor, circles):
                yield one.donor

    def _permitted(self, donor_id: str, circles: Collection[Circle]) -> bool:
        reach = self._reaches.get(donor_id, NO_REACH)
        return any(reach.permits(circle) for circle in circles)

    def network_of(self, donor_id: str) -> str | None:
        """Give the network from which a donor is connected, or was within the last hour.

        Args:
            donor_id: The donor.
        """
        return self._networks.get(donor_id) or self._came_from.of(donor_id)

    def is_online(self, donor_id: str) -> bool:
        """Say whether a donor is connected.

        Args:
            donor_id: The donor.
        """
        return donor_id in self._open

    def signed_in(self, donor_id: str) -> bool:
        """Say whether a donor that is connected showed an account's token or sign-in.

        Args:
            donor_id: The donor.
        """
        reach = self._reaches.get(donor_id, NO_REACH)
        return any(token is not None for token in reach.owners.values())

    def expected(self, circle: Circle = EVERYONE) -> int:
        """Count the donors for whom work of a circle is made ahead.

        All that have delivered something before, and two of each network that have not: a hundred
        new sockets of one host are no hundred donors.
        """
        able = {donor for donor in list(self._open) if self._permitted(donor, (circle,))}
        fresh = Counter(self._networks.get(donor) for donor in able - self._known)
        return len(able & self._known) + sum(
            min(FRESH_PER_NETWORK, count) for count in fresh.values()
        )

    def donors(self) -> frozenset[str]:
        """Give the ids of the donors online."""
        return frozenset(self._open)

    def online(self, circle: Circle = EVERYONE) -> int:
        """Count the donors online that may get a circle's units."""
        return sum(self._permitted(donor, (circle,)) for donor in list(self._open))

    def sockets(self) -> int:
        """Count the open sockets."""
        return sum(self._open.values())

    def roomiest(self) -> int | None:
        """Give the most memory that a donor online allows; None: there is no limit, or no donor."""
        return None if None in self._allowed else max(self._limits(), default=None)

    def _limits(self) -> list[int]:
        return [limit for limit in self._allowed if limit is not None]

    def others(self, donor_id: str, circles: Collection[Circle] = (EVERYONE,)) -> bool:
        """Say whether any other donor is online that may get the units of one of these circles."""
        return any(
            other != donor_id and self._permitted(other, circles) for other in list(self._open)
        )

    def elsewhere(self, donor_id: str, circles: Collection[Circle] = (EVERYONE,)) -> bool:
        """Say whether such a donor is online that is not on the same network.

        Args:
            donor_id: The donor.
            circles: Whose units the others may get.
        """
        here = self.network_of(donor_id)
        return any(
            other != donor_id
            and self._permitted(other, circles)
            and (here is None or self._networks.get(other) != here)
            for other in list(self._open)
        )
