"""What the coordinator makes for somebody counts as if it had been uploaded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from potluck_coordinator.services.access import Asker
from potluck_coordinator.services.rates import Rate, upload_rates
from potluck_coordinator.services.site import Site


class Making:
    """What one request lets the coordinator make and keep."""

    def __init__(self) -> None:
        self.kept = 0
        """Bytes of it that are new here; nothing counts until somebody says so."""


@contextmanager
def making(site: Site, asker: Asker, most: int) -> Iterator[Making]:
    """Count bytes that a request lets be made for the same rates as uploads.

    They are counted before the work, and what was not kept is given back.

    Args:
        site: The coordinator.
        asker: Who asks for it.
        most: Bytes that it may be.

    Raises:
        TooOften: `rate.upload_bytes`; `rate.visitor_bytes` for who has no account.
    """
    made = Making()
    with ExitStack() as stack:
        who = f"account {asker.account_id}" if asker.account_id else asker.network
        for rate in upload_rates(visitor=not asker.account_id):
            site.rates.charge(rate, who, most)
            stack.callback(_settle, site, rate, who, most, made)
        yield made


def _settle(site: Site, rate: Rate, who: str, charged: int, made: Making) -> None:
    site.rates.give_back(rate, who, charged, kept=made.kept)
