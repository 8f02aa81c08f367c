"""For whom this machine donates: what it shows at the coordinator, and groups that it joins."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx2

from potluck.errors import BadArgument
from potluck.protocol.access import JoinedGroup, Joining
from potluck.protocol.records import Session, SignIn
from potluck.transport import refusal
from potluck.visitor import key_for, secret_file, secret_of
from potluck_coordinator.donor.memory import Memory
from potluck_coordinator.donor.options import Options, code_of

COOKIE = "potluck_groups"
SESSION_COOKIE = "potluck_session"
CSRF_HEADER = "X-Potluck-CSRF"
KEYS_APART = "."
"""As the coordinator reads them (`services.reach`)."""
MOST_KEYS = 16
TIMEOUT_S = 30.0


async def join(origin: str, link: str, memory: Memory) -> JoinedGroup:
    """Join a group, and keep its key for this and later runs.

    Raises:
        BadArgument: For a link of another coordinator.
        ApiError: Where the coordinator refuses.
        ConnectionFailed: Where it does not answer.
    """
    body = Joining(code=code_of(link, origin), name=_own_name())
    async with httpx2.AsyncClient(base_url=origin, timeout=TIMEOUT_S) as http:
        try:
            answer = await http.post("/api/v1/donor/groups/join", json=body.model_dump())
        except httpx2.HTTPError as error:
            raise BadArgument(
                f"The group could not be joined: {origin} does not answer ({error})."
            ) from error
    if answer.is_error:
        raise refusal(answer.status_code, answer.content)
    joined = JoinedGroup.model_validate_json(answer.content)
    if joined.key is not None:
        memory.keep_group_key(joined.id, joined.key)
    return joined


def headers_of(origin: str, options: Options, memory: Memory) -> dict[str, str]:
    """Give what says for whom this donates: a token, or this user's visitor key; and group keys."""
    found = {}
    secret = secret_of(secret_file(), make=False)
    if options.token:
        found["Authorization"] = f"Bearer {options.token}"
    elif secret is not None:
        # An open coordinator knows by it whose studies are this user's own; others heed it not.
        found["Authorization"] = f"Bearer {key_for(secret, origin)}"
    keys = list(memory.group_keys().values())[-MOST_KEYS:]
    if keys:
        found["Cookie"] = f"{COOKIE}={KEYS_APART.join(keys)}"
    return found


@contextmanager
def signed_in(origin: str, token: str | None) -> Iterator[str | None]:
    """Open a browser's session with a token as long as the context lasts; give its cookie's value.

    The token itself stays in this process: what opens tabs, and the tabs, get the session alone.

    Args:
        origin: The coordinator's.
        token: An account's; None: nobody signs in, and there is no session.

    Raises:
        ApiError: Where the coordinator refuses the token.
        BadArgument: Where it does not answer.
    """
    if token is None:
        yield None
        return
    path = "/api/v1/session"
    with httpx2.Client(base_url=origin, timeout=TIMEOUT_S) as http:
        try:
            answer = http.post(path, json=SignIn(token=token).model_dump())
        except httpx2.HTTPError as error:
            raise BadArgument(
                f"The tabs could not be signed in: {origin} does not answer ({error})."
            ) from error
        if answer.is_error:
            raise refusal(answer.status_code, answer.content)
        session = Session.model_validate_json(answer.content)
        cookie = answer.cookies[SESSION_COOKIE]
        try:
            yield cookie
        finally:
            with suppress(httpx2.HTTPError):  # then it ends with its token, or in a month
                http.delete(path, headers={CSRF_HEADER: session.csrf})


def _own_name() -> str:
    name = "".join(letter for letter in socket.gethostname() if letter.isprintable()).strip()
    return f"potluck donate on {name or 'a machine'}"[:120]
