"""Growing pauses for donors whose attempts come to nothing, by key and by address.

Failures are counted in a row; units that were handed back untouched drain away over an hour: a
person may close a tab at any time, and a program may not take units and hand them back all day.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass
from math import ceil

from potluck_coordinator.core.trust import pause_after

NETWORK_FREE = 12
"""Failures of an address beyond those that one key may have: many people may share it."""
FREE_RETURNS = 9
"""Times in an hour that one key may hand back what it did not begin with, without a pause."""
FREE_RETURNS_OF_NETWORK = 300
"""The same of all keys of an address that have delivered nothing: a class's tabs come and go."""
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


@dataclass
class _Level:
    """How often something happened lately, as it stood at a time."""

    height: float
    at: float


class Manners:
    """Remembers who failed how often, for an hour. In memory: a restart forgives.

    `failed`, `did_well`, `returned` and `delivered` tell what happened; `pause_left` says how long
    a donor waits.
    """

    def __init__(self) -> None:
        self._keys: OrderedDict[str, _Record] = OrderedDict()
        self._networks: OrderedDict[str, _Record] = OrderedDict()
        self._returns: OrderedDict[str, _Level] = OrderedDict()
        self._returns_of_networks: OrderedDict[str, _Level] = OrderedDict()

    def failed(self, donor_id: str, network: str | None, now: float) -> None:
        """Count an attempt without progress."""
        _count(self._keys, donor_id, now)
        if network is not None:
            _count(self._networks, network, now)

    def did_well(self, donor_id: str) -> None:
        """Forgive a donor whose work was proven."""
        self._keys.pop(donor_id, None)

    def returned(self, donor_id: str, network: str | None, now: float, *, delivered: bool) -> None:
        """Count that a donor handed back, through nobody's fault, what it had not begun with.

        Args:
            donor_id: Who.
            network: From where, if that is known.
            now: Seconds since 1970.
            delivered: It has handed in something that counts; then its network is not charged.
        """
        _pour(self._returns, donor_id, now, FREE_RETURNS)
        if network is not None and not delivered:
            _pour(self._returns_of_networks, network, now, FREE_RETURNS_OF_NETWORK)

    def delivered(self, donor_id: str) -> None:
        """Forget what a donor handed back: it has trained a unit.

        Args:
            donor_id: Who.
        """
        self._returns.pop(donor_id, None)

    def pause_left(
        self, donor_id: str, network: str | None, now: float, *, delivered: bool
    ) -> float:
        """Give the seconds that a donor still has to wait; 0: none.

        `delivered`: it has handed in something that counts; then its neighbours' failures are not
        held against it.
        """
        left = max(
            _left(self._keys, donor_id, now, free=0),
            _left_over(self._returns, donor_id, now, FREE_RETURNS),
        )
        if network is None or delivered:
            return left
        return max(
            left,
            _left(self._networks, network, now, free=NETWORK_FREE),
            _left_over(self._returns_of_networks, network, now, FREE_RETURNS_OF_NETWORK),
        )


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


def _pour(known: OrderedDict[str, _Level], name: str, now: float, free: int) -> None:
    found = known.pop(name, None)
    left = 0.0
    if found is not None:
        drained = max(0.0, now - found.at) * free / FORGIVEN_AFTER_S
        left = max(0.0, found.height - drained)
    known[name] = _Level(left + 1.0, now)
    while len(known) > MOST_REMEMBERED:
        known.popitem(last=False)


def _left_over(known: OrderedDict[str, _Level], name: str, now: float, free: int) -> float:
    found = known.get(name)
    if found is None:
        return 0.0
    beyond = ceil(found.height - free)
    return 0.0 if beyond <= 0 else max(0.0, found.at + pause_after(2 + beyond) - now)
