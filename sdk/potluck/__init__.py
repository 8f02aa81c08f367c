"""Potluck: many people's browsers carry one trustworthy hyperparameter search.

import potluck
client = potluck.Client("http://127.0.0.1:8000")
study = client.submit(model="cnn.h5", data=(X, y),
                      search={"learning_rate": potluck.Float(1e-4, 1e-1, log=True)})
study.wait()
study.best.save("best.keras")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from potluck.best import Best
    from potluck.client import Client
    from potluck.errors import (
        ApiError,
        BadArgument,
        BadInput,
        Busy,
        Conflict,
        ConnectionFailed,
        MissingExtra,
        NotAllowed,
        NotFound,
        NotSignedIn,
        PotluckError,
        ServerFault,
        StudyFailed,
        TooLarge,
        UnexpectedAnswer,
        WaitTimeout,
    )
    from potluck.space import Choice, Fixed, Float, Int
    from potluck.study import Study
    from potluck.verification import Verification, verify_ledger

__all__ = [
    "ApiError",
    "BadArgument",
    "BadInput",
    "Best",
    "Busy",
    "Choice",
    "Client",
    "Conflict",
    "ConnectionFailed",
    "Fixed",
    "Float",
    "Int",
    "MissingExtra",
    "NotAllowed",
    "NotFound",
    "NotSignedIn",
    "PotluckError",
    "ServerFault",
    "Study",
    "StudyFailed",
    "TooLarge",
    "UnexpectedAnswer",
    "Verification",
    "WaitTimeout",
    "verify_ledger",
]
__version__ = "0.1.0"

_HOMES = {
    "potluck.best": ("Best",),
    "potluck.client": ("Client",),
    "potluck.errors": (
        "ApiError",
        "BadArgument",
        "BadInput",
        "Busy",
        "Conflict",
        "ConnectionFailed",
        "MissingExtra",
        "NotAllowed",
        "NotFound",
        "NotSignedIn",
        "PotluckError",
        "ServerFault",
        "StudyFailed",
        "TooLarge",
        "UnexpectedAnswer",
        "WaitTimeout",
    ),
    "potluck.space": (
        "Choice",
        "Fixed",
        "Float",
        "Int",
    ),
    "potluck.study": ("Study",),
    "potluck.verification": (
        "Verification",
        "verify_ledger",
    ),
}


def __getattr__(name: str) -> Any:
    """Load a name when it is first asked for: `potluck convert` needs none of them."""
    for home, names in _HOMES.items():
        if name in names:
            value = globals()[name] = getattr(import_module(home), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
