"""How to donate, as it was asked for on the command line."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from potluck.errors import BadArgument
from potluck_coordinator.donor.engine_host import PLATFORMS, Platform

SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([MG])(?:I?B)?")
MOST_WORKERS = 16
"""Leases that one donor may hold at a time."""


@dataclass(frozen=True)
class Options:
    """How to donate. `patience_s`: with `once`, how long there must have been no work."""

    url: str
    workers: int = 1
    platform: Platform = "auto"
    once: bool = False
    patience_s: float = 10.0
    fresh: bool = False
    state: Path | None = None
    memory_bytes: int | None = None
    """What one unit may take, estimated; None: no limit."""
    token: str | None = None
    """Shown at the coordinator: for whom this donates, beside everyone."""
    join: str | None = None
    """A group's link, or its code, to be joined first."""


def options_from(*, backend: str, memory: str | None = None, **options: Any) -> Options:
    """Check what was asked for. Raises BadArgument."""
    if backend not in PLATFORMS:
        raise BadArgument(f"--backend is {backend!r}; it may be {', '.join(PLATFORMS)}.")
    found = Options(platform=cast(Platform, backend), **options)
    if not 1 <= found.workers <= MOST_WORKERS:
        raise BadArgument(f"--workers is {found.workers}; it may be 1 to {MOST_WORKERS}.")
    if found.token is not None:
        found = replace(found, token=token_of(found.token))
    if memory is None:
        return found
    return replace(found, memory_bytes=size_of(memory) // found.workers)


def token_of(text: str) -> str | None:
    """Give a token without the line's end that a file adds; None where there is nothing else.

    Args:
        text: What was given as a token.

    Raises:
        BadArgument: For what holds a character that no token has.
    """
    word = text.strip()
    if not all("!" <= letter <= "~" for letter in word):
        raise BadArgument("--token holds a blank or another character that no token has.")
    return word or None


def size_of(text: str) -> int:
    """Read a size such as `512M` or `4G`. Raises BadArgument."""
    match = SIZE.fullmatch(text.strip().upper())
    if match is None:
        raise BadArgument(f"--memory is {text!r}; it may be a size such as 512M or 4G.")
    return int(float(match[1]) * (1 << {"M": 20, "G": 30}[match[2]]))


def origin_of(url: str) -> str:
    """Give a coordinator's origin from its address, or that of any of its pages."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise BadArgument(f"{url!r} is no address of a coordinator, such as http://host:8000.")
    return f"{parts.scheme}://{parts.netloc}"


def code_of(link: str, origin: str) -> str:
    """Give the code in a group's link; a code is its own.

    Raises BadArgument for the link of another coordinator.
    """
    place, found, code = link.strip().rpartition("/join/")
    if found and place and origin_of(place) != origin:
        raise BadArgument(f"--join names {origin_of(place)}, and this donates to {origin}.")
    return code.strip("/") if found else link.strip()
