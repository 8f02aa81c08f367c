"""Every error that this package raises on purpose.

PotluckError
├── ApiError                 the coordinator refused; carries status, code, expected, got, hint
│   ├── BadInput         400, 422  what came cannot be used
│   ├── NotSignedIn      401       the act needs a token
│   ├── NotAllowed       403       the token does not give this right
│   ├── NotFound         404       no such thing, or none that you may see
│   ├── Conflict         409       the thing is in a state that does not allow the act
│   ├── TooLarge         413       more bytes than the coordinator takes
│   ├── Busy             429, 503  try again later
│   └── ServerFault      5xx       the coordinator failed
├── ConnectionFailed         nobody answered at that address
├── UnexpectedAnswer         something answered, but not a coordinator that we understand
├── BadArgument              an argument cannot be used; also a ValueError
├── StudyFailed              the study that was waited for failed
├── WaitTimeout              the time to wait is over; also a TimeoutError
└── MissingExtra             the act needs a library that is not installed; also an ImportError
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the wire types take longer to load than many commands take to run
    from potluck.protocol.base import ErrorDetail


class PotluckError(Exception):
    """The root: whatever goes wrong on purpose is one of these."""

    def _render_traceback_(self) -> list[str]:
        """Give what IPython and notebooks show: the message alone says what to do."""
        return [f"{type(self).__name__}: {self}"]


class ApiError(PotluckError):
    """The coordinator refused; its words are in `code`, `expected`, `got`, `hint` and `where`."""

    def __init__(self, status: int, detail: ErrorDetail) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail

    @property
    def code(self) -> str:
        """Give the stable code, such as `dataset.target_missing`."""
        return self.detail.code

    @property
    def message(self) -> str:
        """Say what is wrong in one sentence."""
        return self.detail.message

    @property
    def expected(self) -> str:
        """Say what would have been right."""
        return self.detail.expected

    @property
    def got(self) -> str:
        """Say what came instead."""
        return self.detail.got

    @property
    def hint(self) -> str:
        """Say what to do; where the model could be fitted to the rows, how to ask for that."""
        offer = self.detail.offer
        if offer is None:
            return self.detail.hint
        which = "the model's first layer" if offer.layers else "the model that was uploaded"
        act = "be fitted to" if offer.layers else "take"
        return (
            f"{self.detail.hint} Or let {which} {act} {offer.width} numbers: "
            "fit_first_layer=True (potluck submit --fit-first-layer)."
        ).strip()

    @property
    def where(self) -> str:
        """Name the field, layer, column or file concerned."""
        return self.detail.where

    def __str__(self) -> str:
        parts = [f"{self.message} [{self.code}]"]
        for label, text in (
            ("where", self.where),
            ("expected", self.expected),
            ("got", self.got),
            ("what to do", self.hint),
        ):
            if text:
                parts.append(f"  {label}: {text}")
        return "\n".join(parts)


class BadInput(ApiError):
    """What came cannot be used."""


class NotSignedIn(ApiError):
    """The act needs a token."""


class NotAllowed(ApiError):
    """The token does not give this right."""


class NotFound(ApiError):
    """No such thing, or none that the asker may see."""


class Conflict(ApiError):
    """The thing is in a state that does not allow the act."""


class TooLarge(ApiError):
    """More bytes than the coordinator takes."""


class Busy(ApiError):
    """The coordinator asks to come back later."""


class ServerFault(ApiError):
    """The coordinator failed."""


class ConnectionFailed(PotluckError):
    """Nobody answered at that address."""


class UnexpectedAnswer(PotluckError):
    """Something answered, but not a coordinator that this version understands."""


class BadArgument(PotluckError, ValueError):
    """An argument cannot be used."""


class StudyFailed(PotluckError):
    """The study that was waited for failed."""


class WaitTimeout(PotluckError, TimeoutError):
    """The time to wait is over; the study goes on."""


class MissingExtra(PotluckError, ImportError):
    """The act needs a library that is not installed."""


_BY_STATUS: dict[int, type[ApiError]] = {
    400: BadInput,
    401: NotSignedIn,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    422: BadInput,
    429: Busy,
    503: Busy,
}


def api_error(status: int, detail: ErrorDetail) -> ApiError:
    """Choose the class that fits an HTTP status."""
    kind = _BY_STATUS.get(status)
    if kind is None:
        kind = ServerFault if status >= 500 else ApiError
    return kind(status, detail)
