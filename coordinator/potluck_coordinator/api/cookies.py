"""Our own cookies: read by name without ever being unquoted, and set as the connection allows."""

from __future__ import annotations

import re
from typing import Literal

from fastapi import Request, Response
from starlette.requests import HTTPConnection

from potluck_coordinator.services.site import Site

COOKIE = "potluck_session"
VISITOR_COOKIE = "potluck_visitor"
GROUPS_COOKIE = "potluck_groups"
"""The keys of the groups that a browser joined."""
OURS = (COOKIE, VISITOR_COOKIE, GROUPS_COOKIE)
MOST_CHARACTERS = 16 * 1024
"""Of all cookies that a request brings, those of other sites on the same name among them."""
_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,4096}")
"""What ours consist of. Browsers keep no longer ones."""


def cookie_of(connection: HTTPConnection, name: str) -> str | None:
    """Give a cookie of ours; None where there is none, or one that we never set.

    Args:
        connection: The request, or the socket.
        name: The cookie's.
    """
    headers = connection.headers.getlist("cookie")
    if sum(map(len, headers)) > MOST_CHARACTERS:
        return None
    found = None
    for part in ";".join(headers).split(";"):
        key, _, value = part.partition("=")
        if key.strip() == name:
            found = value.strip()  # the last one counts, as it does elsewhere
    return found if found is not None and _PLAIN.fullmatch(found) else None


def only_ours(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Give a request's headers without the cookies that are not ours, or that we never set.

    `connection.cookies`, which FastAPI reads at every route, unquotes every value that a stranger
    writes: that takes time by the square of its length in some versions of Python.

    Args:
        headers: As the server gives them, with names in small letters.
    """
    others = [one for one in headers if one[0] != b"cookie"]
    if len(others) == len(headers):
        return headers
    connection = HTTPConnection({"type": "http", "headers": headers})
    found = {name: cookie_of(connection, name) for name in OURS}
    kept = "; ".join(f"{name}={value}" for name, value in found.items() if value is not None)
    return [*others, (b"cookie", kept.encode())] if kept else others


def set_cookie(
    site: Site,
    request: Request,
    response: Response,
    name: str,
    value: str,
    *,
    seconds: float,
    samesite: Literal["lax", "strict"] = "strict",
) -> None:
    """Let a browser keep a secret that no script reads; what came over HTTPS goes over HTTPS alone.

    Args:
        site: The coordinator.
        request: The browser's.
        response: The answer that sets it.
        name: The cookie's.
        value: Letters, digits, `.`, `_` and `-`.
        seconds: How long it is kept; 0: it goes.
        samesite: Whether it comes along from links of elsewhere (`lax`) or not.
    """
    response.set_cookie(
        name,
        value,
        max_age=int(seconds),
        httponly=True,
        samesite=samesite,
        secure=site.settings.secure_cookies or request.url.scheme == "https",
    )
