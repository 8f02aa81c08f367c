"""How often somebody may ask: by account where the credential is known, else by address."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from math import ceil

from throttled import MemoryStore, RateLimiterType, Throttled, rate_limiter

from potluck_coordinator.core.access import hash_token
from potluck_coordinator.core.errors import Crowded, TooOften
from potluck_coordinator.settings import Settings

MOST_REMEMBERED = 50_000
"""Askers of a kind; the one unheard longest is forgotten first: strangers cannot fill memory."""
MOST_CREDENTIALS = 10_000


class Rate(StrEnum):
    """What is counted a minute. The value is the end of the refusal's code and of the setting."""

    REQUESTS = "requests"
    UPLOADS = "uploads"
    UPLOAD_BYTES = "upload_bytes"
    SIGN_INS = "sign_ins"
    NEW_SOCKETS = "new_sockets"
    LEASE_REQUESTS = "lease_requests"
    LEASE_BYTES = "lease_bytes"
    LEASE_STATES = "lease_states"
    """Of one lease."""
    VISITOR_BYTES = "visitor_bytes"
    """In a day."""
    CHANGES = "changes"
    """In a day: what most often adds to ledgers, which nobody can shorten."""
    MESSAGES = "messages"
    """Of one socket. Never refused: who says too much is heard more slowly."""
    ADDRESS_MESSAGES = "address_messages"
    """Of all sockets together, and never refused either."""


DAILY = (Rate.VISITOR_BYTES, Rate.CHANGES)
WORDS: dict[Rate, tuple[str, str]] = {
    Rate.REQUESTS: ("Too many requests came from here.", "requests"),
    Rate.UPLOADS: ("Too many models and datasets were uploaded from here.", "uploads"),
    Rate.UPLOAD_BYTES: ("Too much was uploaded from here at once.", "bytes of models and datasets"),
    Rate.SIGN_INS: ("Too many unknown tokens came from here.", "unknown tokens"),
    Rate.NEW_SOCKETS: ("Donors here connect too often.", "new sockets"),
    Rate.LEASE_REQUESTS: ("Donors here ask for too many artifacts.", "requests with lease tokens"),
    Rate.LEASE_BYTES: ("Donors here upload too much at once.", "bytes of states"),
    Rate.LEASE_STATES: ("This lease uploads states too often.", "states"),
    Rate.CHANGES: ("Too much was made and changed from here today.", "changes"),
    Rate.VISITOR_BYTES: ("Too much came from here today.", "bytes of models and datasets"),
}


def upload_rates(*, visitor: bool) -> tuple[Rate, ...]:
    """Name the rates by which bytes of models and datasets count.

    Args:
        visitor: They come from somebody without an account.
    """
    return (Rate.UPLOAD_BYTES, Rate.VISITOR_BYTES) if visitor else (Rate.UPLOAD_BYTES,)


class Rates:
    """Counts what everybody does. In memory, as one server owns a data folder.

    Each count is a bucket that holds a minute's worth and refills evenly (GCRA): a full minute's
    worth may come at once, and never more than two of them in any minute.
    """

    def __init__(self, settings: Settings) -> None:
        self._limits: dict[Rate, int] = {
            rate: getattr(settings, f"rate_{rate.value}") for rate in Rate
        }
        self._counts = {rate: _bucket(rate, most) for rate, most in self._limits.items() if most}
        self._accounts: OrderedDict[str, str] = OrderedDict()
        self._sockets: dict[str, int] = {}
        self._sockets_each = settings.sockets_per_address
        self._sockets_most = settings.sockets

    def charge(self, rate: Rate, who: str, cost: int = 1, *, already: int = 0) -> None:
        """Count an act of somebody.

        What costs more than a whole minute's worth takes all of it, or it could never be.

        Args:
            rate: What is counted.
            who: For whom.
            cost: How much it is.
            already: What was charged before for the same act, which costs more than it seemed to.

        Raises:
            TooOften: `rate.*`.
        """
        bucket = self._counts.get(rate)
        if bucket is None:
            return
        most = self._limits[rate]
        whole = min(already + cost, most)
        cost = whole - min(already, most)
        if cost <= 0:
            return
        counted = bucket.limit(who, cost)
        if counted.limited:
            again = counted.state.retry_after
            if already:  # when all of it may be, from its beginning
                again = (whole - bucket.peek(who).remaining) / most * _seconds(rate)
            raise self._refusal(rate, again)

    def give_back(self, rate: Rate, who: str, charged: int, *, kept: int) -> None:
        """Give back what was charged for something that did not come.

        Args:
            rate: What was counted.
            who: For whom.
            charged: What was charged in all.
            kept: What of it stays charged.
        """
        bucket = self._counts.get(rate)
        if bucket is None:
            return
        most = self._limits[rate]
        back = min(charged, most) - min(kept, most)
        used = most - bucket.peek(who).remaining
        back = min(back, used - 1)  # never more than is open; the last one is soon free anyway
        if back > 0:
            bucket.limiter.limit(who, -back)

    def look(self, rate: Rate, who: str) -> None:
        """Raise what `charge` would for one more act, and count nothing."""
        bucket = self._counts.get(rate)
        if bucket is None:
            return
        found = bucket.peek(who)
        if found.remaining < 1:
            raise self._refusal(rate, found.retry_after)

    def pause_before(self, rate: Rate, who: str) -> float:
        """Count an act, and give 0; or the seconds until it may be, and count nothing."""
        bucket = self._counts.get(rate)
        if bucket is None:
            return 0.0
        counted = bucket.limit(who)
        return counted.state.retry_after if counted.limited else 0.0

    def learn(self, credential: str, account: str) -> None:
        """Remember whose a token or a sign-in's cookie is, so that it counts for the account."""
        self._accounts[hash_token(credential)] = account
        self._accounts.move_to_end(hash_token(credential))
        while len(self._accounts) > MOST_CREDENTIALS:
            self._accounts.popitem(last=False)

    def account_of(self, credential: str) -> str | None:
        """Give whose credential it was when it was last shown; None for one that is not known."""
        return self._accounts.get(hash_token(credential))

    def forget(self, credential: str) -> None:
        """Forget a credential that opens nothing any more."""
        self._accounts.pop(hash_token(credential), None)

    @contextmanager
    def socket(self, network: str) -> Iterator[None]:
        """Count a socket while it is open. Raises Crowded `rate.sockets`."""
        here = self._sockets.get(network, 0)
        if self._sockets_each and here >= self._sockets_each:
            raise _crowded("Too many sockets are open from here.", self._sockets_each, here)
        everywhere = sum(self._sockets.values()) if self._sockets_most else 0
        if self._sockets_most and everywhere >= self._sockets_most:
            raise _crowded("Too many sockets are open.", self._sockets_most, everywhere)
        self._sockets[network] = here + 1
        try:
            yield
        finally:
            self._sockets[network] -= 1
            if not self._sockets[network]:
                del self._sockets[network]

    def _refusal(self, rate: Rate, retry_after: float) -> TooOften:
        message, unit = WORDS[rate]
        span = "day" if rate in DAILY else "minute"
        seconds = max(1, ceil(retry_after))
        return TooOften(
            f"rate.{rate.value}",
            message,
            retry_after=float(seconds),
            expected=f"at most {self._limits[rate]} {unit} a {span}",
            got="more",
            hint=f"Try again in {told_seconds(seconds)}.",
        )


def _seconds(rate: Rate) -> float:
    """Give the time in which a whole bucket refills."""
    return 86_400.0 if rate in DAILY else 60.0


def told_seconds(seconds: int) -> str:
    """Give a time to wait as people say it: `7 seconds`, `3 minutes`, `2 hours`."""
    for unit, length in (("hour", 3600), ("minute", 60)):
        if seconds >= 2 * length:
            return f"{ceil(seconds / length)} {unit}s"
    return f"{seconds} second{'' if seconds == 1 else 's'}"


def _bucket(rate: Rate, most: int) -> Throttled:
    return Throttled(
        using=RateLimiterType.GCRA.value,
        quota=rate_limiter.per_day(most) if rate in DAILY else rate_limiter.per_min(most),
        store=MemoryStore(options={"MAX_SIZE": MOST_REMEMBERED}),
    )


def _crowded(message: str, most: int, got: int) -> Crowded:
    return Crowded(
        "rate.sockets",
        message,
        retry_after=30.0,
        expected=f"at most {most} at a time",
        got=f"{got}",
        hint="Close other tabs that donate, or try again in 30 seconds.",
    )
