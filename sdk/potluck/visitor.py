"""The key by which an open coordinator knows whose study is whose, where there is no token.

One secret lies in the user's configuration folder. Each coordinator gets a key that is derived from
it and from that coordinator's address: no coordinator can use what it got at another.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import os
import re
import secrets
import tempfile
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import httpx2
from platformdirs import user_config_path

from potluck.notices import say

KEY_PREFIX = "potluck_visitor_"
FOLDER_VARIABLE = "POTLUCK_CONFIG"
FILE_NAME = "visitor-secret"
_SECRET = re.compile(r"[0-9a-f]{64}")
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_of_this_process: dict[Path, str] = {}
"""Secrets that could not be kept in their file."""


class VisitorKey(httpx2.Auth):
    """Sign requests to one coordinator with this user's key for it.

    The secret is made when something is first changed at a coordinator, not by looking at one.

    Args:
        url: The coordinator's address.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Add the key, where there is one or there must be one.

        Args:
            request: The request to be sent.
        """
        secret = secret_of(secret_file(), make=request.method not in _READING)
        if secret is not None:
            request.headers["Authorization"] = f"Bearer {key_for(secret, self._url)}"
        yield request


def key_for(secret: str, url: str) -> str:
    """Derive the key for one coordinator.

    Args:
        secret: The user's secret.
        url: The coordinator's address; this machine's own names count as one.
    """
    derived = hmac.new(secret.encode(), _place(url).encode(), hashlib.sha256).digest()
    return KEY_PREFIX + base64.urlsafe_b64encode(derived).decode().rstrip("=")


def secret_file() -> Path:
    """Give the file of the secret: in POTLUCK_CONFIG, or the platform's configuration folder."""
    given = os.environ.get(FOLDER_VARIABLE)
    folder = Path(given).absolute() if given else user_config_path("potluck", appauthor=False)
    return folder / FILE_NAME


def secret_of(file: Path, *, make: bool) -> str | None:
    """Read the user's secret, or make it.

    Where it cannot be kept, a notice says so, and one counts that this process alone knows.

    Args:
        file: Where it lies.
        make: Whether to make it where there is none; else None is given then.
    """
    if file in _of_this_process:
        return _of_this_process[file]
    try:
        return _read(file)
    except FileNotFoundError:
        if not make:
            return None
    except (OSError, ValueError) as error:
        return _for_this_process(file, f"{file} cannot be read: {_why(error)}.")
    try:
        return _make(file)
    except (OSError, ValueError) as error:
        return _for_this_process(file, f"{file} cannot be written: {_why(error)}.")


def _read(file: Path) -> str:
    with file.open("rb") as opened:
        found = opened.read(200).decode("ascii", errors="replace").strip()
        if _SECRET.fullmatch(found) is None:
            raise ValueError("it holds something else than a secret of 64 hexadecimal digits")
        if os.name == "posix" and os.fstat(opened.fileno()).st_mode & 0o077:
            with suppress(OSError):  # somebody else's file, that this user may read
                os.fchmod(opened.fileno(), 0o600)
    return found


def _make(file: Path) -> str:
    """Write a new secret; it appears under its name only when it is whole, and only once."""
    if not file.is_absolute():
        raise ValueError("this user has no home folder")
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(prefix=f"{FILE_NAME}-", dir=file.parent)  # mode 0600
    try:
        with os.fdopen(handle, "w") as opened:
            opened.write(f"{secrets.token_hex(32)}\n")
        with suppress(FileExistsError):  # another process was faster: its secret counts
            os.link(part, file)
    finally:
        Path(part).unlink()
    return _read(file)


def _for_this_process(file: Path, problem: str) -> str:
    say(
        f"Note: {problem} Studies that this process submits to an open coordinator without a token "
        f"can be stopped or deleted by this process alone. {FOLDER_VARIABLE} names another folder."
    )
    return _of_this_process.setdefault(file, secrets.token_hex(32))


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _place(url: str) -> str:
    parsed = httpx2.URL(url)
    host = "localhost" if is_loopback(parsed.host) else parsed.host
    port = parsed.port or {"http": 80, "https": 443}[parsed.scheme]
    return f"{parsed.scheme}://{host}:{port}{parsed.path.rstrip('/')}"


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine itself.

    Args:
        host: A name or an address, without a port.
    """
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
