"""Growing pauses for donors whose attempts come to nothing, by key and by address."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

from potluck_coordinator.core.trust import pause_after

NETWORK_FREE = 12
"""Failures of an address beyond those that one key may have: many people may share it."""
FORGIVEN_AFTER_S = 3600.0
MOST_REMEMBERED = 20_000


def network_of(address: str) -> str:
    """Name the network that an address belongs to: an IPv6 subscriber has a whole /64.

    Example: `network_of("2001:db8::1")` is `2001:db8::/64`; what is no address names itself.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 6 and found.ipv4_mapped is None:
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found.ipv4_mapped or found) if found.version == 6 else str(found)


@dataclass
class _Record:
    failures: int
    at: float


class Manners:
    """Remembers who failed how often, for an hour. In memory: a restart forgives.

    `failed` and `did_well` tell what happened; `pause_left` says how long a donor waits.
    """

    def __init__(self) -> None:
        self._keys: OrderedDict[str, _Record] = OrderedDict()
        self._networks: OrderedDict[str, _Record] = OrderedDict()

    def failed(self, donor_id: str, network: str | None, now: float) -> None:
        """Count an attempt without progress."""
        _count(self._keys, donor_id, now)
        if network is not None:
            _count(self._networks, network, now)

    def did_well(self, donor_id: str) -> None:
        """Forgive a donor whose work was proven."""
        self._keys.pop(donor_id, None)

    def pause_left(
        self, donor_id: str, network: str | None, now: float, *, delivered: bool
    ) -> float:
        """Give the seconds that a donor still has to wait; 0: none.

        `delivered`: it has handed in something that counts; then its neighbours' failures are not
        held against it.
        """
        left = _left(self._keys, donor_id, now, free=0)
        if network is not None and not delivered:
            left = max(left, _left(self._networks, network, now, free=NETWORK_FREE))
        return left


def _count(known: OrderedDict[str, _Record], name: str, now: float) -> None:
    found = known.pop(name, None)
    old = found is None or now - found.at > FORGIVEN_AFTER_S
    known[name] = _Record(1 if old or found is None else found.failures + 1, now)
    while len(known) > MOST_REMEMBERED:
        known.popitem(last=False)


def _left(known: OrderedDict[str, _Record], name: str, now: float, *, free: int) -> float:
    found = known.get(name)
    if found is None or now - found.at > FORGIVEN_AFTER_S:
        return 0.0
    return max(0.0, found.at + pause_after(found.failures - free) - now)
