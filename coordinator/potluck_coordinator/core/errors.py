"""Every refusal that the coordinator can give.

    PotluckError
    ├── BadInput            400  what came cannot be used: request.*, name.*
    │   ├── BadModel             model.*
    │   ├── BadDataset           dataset.*
    │   ├── BadStudy             study.*, search.*, pipeline.*
    │   │   ├── OtherWidth           pipeline.input_mismatch
    │   │   └── NotHere         422  study.private_on_open
    │   ├── BadResult            result.*
    │   └── LongHead        431  request.head
    ├── TooLarge            413  size.*
    ├── TooSlow             408  request.too_slow
    ├── NotSignedIn         401  access.*
    ├── NotAllowed          403  access.*
    ├── NotFound            404  *.not_found
    ├── Conflict            409  *.state
    │   └── OverQuota            quota.*
    ├── Busy                503  busy.*
    ├── TooOften            429  rate.*: says after how many seconds to try again
    │   └── Crowded             rate.sockets, rate.connections: too many open at a time
    ├── NoRoom              507  disk.full
    └── CannotStart              start.*, database.*, artifacts.*, backup.*: where it runs

The status belongs to `api/errors.py`; here a refusal only has a stable `code`.
"""

from __future__ import annotations

from dataclasses import dataclass


class PotluckError(Exception):
    """A refusal: stable code, what was expected, what came, what to do."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        expected: str = "",
        got: str = "",
        hint: str = "",
        where: str = "",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.expected = expected
        self.got = got
        self.hint = hint
        self.where = where

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the trip out of a worker process."""
        return _rebuild, (type(self), self.code, self.message, self.details())

    def details(self) -> dict[str, str]:
        """Give everything but code and message."""
        return {
            "expected": self.expected,
            "got": self.got,
            "hint": self.hint,
            "where": self.where,
        }


def _rebuild(
    kind: type[PotluckError], code: str, message: str, details: dict[str, str]
) -> PotluckError:
    return kind(
        code,
        message,
        expected=details["expected"],
        got=details["got"],
        hint=details["hint"],
        where=details["where"],
    )


class BadInput(PotluckError):
    """What came cannot be used."""


class BadModel(BadInput):
    """An upload is no model that we can train."""


class BadDataset(BadInput):
    """An upload is no dataset that we can read, or it does not suit the study."""


class BadStudy(BadInput):
    """A specification asks for what cannot be."""


@dataclass(frozen=True)
class FitOffer:
    """How a model could be fitted to the rows; the fields are those of the wire's FitOffer."""

    model_id: str
    width: int
    was: int
    layers: tuple[str, ...]
    text: str


class OtherWidth(BadStudy):
    """The rows have another number of features than the model's input.

    `width` is theirs. `offer` says how the model could be fitted to it, where it can.
    """

    width: int = 0
    offer: FitOffer | None = None

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the trip out of a worker process, the width too."""
        return (*super().__reduce__(), {"width": self.width})


class NotHere(BadStudy):
    """A specification asks for what this coordinator does not do, and others may."""


class BadResult(BadInput):
    """Returned weights fail a cheap check."""


class LongHead(BadInput):
    """A request's address or headers are longer than anything here needs."""


class TooLarge(PotluckError):
    """More bytes than this coordinator takes."""


class TooSlow(PotluckError):
    """A request that does not come on."""


class NotSignedIn(PotluckError):
    """The act needs a token."""


class NotAllowed(PotluckError):
    """The token does not give this right."""


class NotFound(PotluckError):
    """No such thing, or none that the asker may see."""


class Conflict(PotluckError):
    """The thing is in a state that does not allow the act."""


class OverQuota(Conflict):
    """More than an owner may keep or have under way; something must go or end first."""


class Busy(PotluckError):
    """Try again later."""


class TooOften(PotluckError):
    """More a minute than this coordinator takes from one asker."""

    def __init__(
        self, code: str, message: str, *, retry_after: float = 1.0, **details: str
    ) -> None:
        super().__init__(code, message, **details)
        self.retry_after = retry_after
        """Seconds after which it can be tried again."""


class Crowded(TooOften):
    """More open at a time than this coordinator takes."""


class NoRoom(PotluckError):
    """The disk that keeps the artifacts is as good as full."""


class CannotStart(PotluckError):
    """The coordinator, or a command on its data, cannot work with what it finds there."""
