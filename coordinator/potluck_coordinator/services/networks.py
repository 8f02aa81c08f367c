"""From which network each donor came last: what it does may be judged after it has gone."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

REMEMBERED_S = 3600.0
"""So long a network is remembered after its donor has gone: as long as failures count."""
MOST_REMEMBERED = 20_000


class Networks:
    """Donors' networks. In memory, bounded: who came longest ago is forgotten first.

    Args:
        clock: Gives the time in seconds, from any beginning.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._by_donor: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def came(self, donor_id: str, network: str) -> None:
        """Note that a donor was there until now.

        Args:
            donor_id: The donor.
            network: Its network.
        """
        self._by_donor[donor_id] = (network, self._clock())
        self._by_donor.move_to_end(donor_id)
        while len(self._by_donor) > MOST_REMEMBERED:
            self._by_donor.popitem(last=False)

    def of(self, donor_id: str) -> str | None:
        """Give the network from which a donor came within the last hour, if it is remembered.

        Args:
            donor_id: The donor.
        """
        found = self._by_donor.get(donor_id)
        if found is None or self._clock() - found[1] > REMEMBERED_S:
            return None
        return found[0]
