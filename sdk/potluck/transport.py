"""HTTP to a coordinator: retries, and refusals as typed errors. The only module that sends."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar

import httpx2
from pydantic import TypeAdapter, ValidationError

from potluck.errors import ApiError, BadArgument, ConnectionFailed, UnexpectedAnswer, api_error
from potluck.protocol.base import ErrorBody, ErrorDetail, Wire
from potluck.visitor import VisitorKey, is_loopback

Answer = TypeVar("Answer")


class _Named(Protocol):
    @property
    def id(self) -> str: ...


Listed = TypeVar("Listed", bound=_Named)
Upload = tuple[str, tuple[str, bytes | IO[bytes]]]
"""A form field's name, then the file's name and content."""

ATTEMPTS = 5
FIRST_PAUSE_S = 0.25
TOO_OFTEN = 429
LONGEST_WAIT_S = 120.0
"""What a coordinator may ask to wait before the same is sent once more."""
PASSING_STATUSES = frozenset({502, 503, 504})
TIMEOUT = httpx2.Timeout(120.0, connect=10.0)
CHUNK_BYTES = 1 << 20


class Transport:
    """Send requests to one coordinator.

    A GET is tried up to five times with growing pauses when the connection fails or the coordinator
    is busy; anything else only when it never left this machine, so that nothing happens twice.
    Whoever came too often (429) waits as long as the coordinator asks, up to two minutes, and tries
    again, whatever it was: nothing was done then.
    Without a token a visitor's key goes along, by which an open coordinator knows whose is what.
    """

    def __init__(
        self,
        url: str,
        token: str | None,
        *,
        transport: httpx2.BaseTransport | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = checked_address(url)
        self._pause = pause
        address = httpx2.URL(self.url)
        headers = _authorization(token)
        self._http = httpx2.Client(
            base_url=self.url,
            headers=headers,
            # A name and password in the address are a proxy's, and take the header.
            auth=None if headers or address.userinfo else VisitorKey(self.url),
            timeout=TIMEOUT,
            follow_redirects=True,
            trust_env=not is_loopback(address.host),  # no proxy can reach this machine's own ports
            transport=transport,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, kind: type[Answer], path: str) -> Answer:
        """Read a resource as `kind` (a wire type or a list of them)."""
        return _read(kind, self._send("GET", path))

    def get_all(self, kind: type[list[Listed]], path: str) -> list[Listed]:
        """Read a list page by page, to its end.

        Args:
            kind: The list of a wire type that has an `id`.
            path: Its address, which takes `offset`.
        """
        found: dict[str, Listed] = {}
        while True:
            address = path + (f"?offset={len(found)}" if found else "")
            page = self.get(kind, address)
            new = {one.id: one for one in page if one.id not in found}
            if not new:  # the end, or an older coordinator, which has no pages
                return list(found.values())
            found |= new

    def get_bytes(self, path: str) -> bytes:
        """Read a small file into memory."""
        return self._send("GET", path).content

    def download(self, path: str, to: Path) -> Path:
        """Write a file; it appears under its name only when it is whole."""
        part = to.with_name(to.name + ".part")
        try:
            for attempt in range(ATTEMPTS):
                try:
                    with self._http.stream("GET", path) as response, part.open("wb") as file:
                        if response.is_error:
                            response.read()
                            self._wait_or_raise(response, attempt)
                            continue
                        for chunk in response.iter_bytes(CHUNK_BYTES):
                            file.write(chunk)
                    break
                except httpx2.TransportError as error:
                    self._after_failure(attempt, error)
            part.replace(to)
        finally:
            part.unlink(missing_ok=True)
        return to

    def post(
        self,
        kind: type[Answer],
        path: str,
        body: Wire | None = None,
    ) -> Answer:
        """Send a body, and read the answer as `kind`."""
        options: dict[str, Any] = {}
        if body is not None:
            options["json"] = body.model_dump(mode="json")
        return _read(kind, self._send("POST", path, **options))

    def make(self, kind: type[Answer], path: str, body: Wire) -> tuple[Answer, bool]:
        """Send a body; gives the answer, and whether it is new (201) or was there before (200)."""
        response = self._send("POST", path, json=body.model_dump(mode="json"))
        return _read(kind, response), response.status_code == 201

    def upload(
        self, kind: type[Answer], path: str, files: Sequence[Upload], name: str
    ) -> tuple[Answer, bool]:
        """Send files; gives the answer, and whether it is new (201) or was there before (200)."""
        response = self._send("POST", path, files=list(files), data={"name": name})
        return _read(kind, response), response.status_code == 201

    def patch(self, kind: type[Answer], path: str, body: Wire) -> Answer:
        """Change a resource, and read it as `kind`."""
        return _read(kind, self._send("PATCH", path, json=body.model_dump(mode="json")))

    def delete(self, path: str) -> None:
        """Delete a resource."""
        self._send("DELETE", path)

    def _send(self, method: str, path: str, **options: Any) -> httpx2.Response:
        attempt = 0
        while True:
            try:
                response = self._http.request(method, path, **options)
            except httpx2.TransportError as error:
                never_left = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout)
                again = method == "GET" or never_left
                self._after_failure(attempt if again else ATTEMPTS, error)
            except (httpx2.InvalidURL, UnicodeError) as error:
                raise BadArgument(
                    f"{ascii(path)[:200]} or what goes with it is no text that can be sent: "
                    f"{error}. Expected whole characters, and none that control."
                ) from None
            else:
                if not response.is_error:
                    return response
                passing = method == "GET" and response.status_code in PASSING_STATUSES
                if passing and attempt + 1 < ATTEMPTS:
                    self._pause(_pause_s(attempt))
                else:
                    self._wait_or_raise(response, attempt)
            attempt += 1

    def _wait_or_raise(self, response: httpx2.Response, attempt: int) -> None:
        """Wait as long as an answer asks; raise it where it does not, or asks for too much."""
        told = response.headers.get("Retry-After", "")
        seconds = float(told) if told.isdigit() else FIRST_PAUSE_S * 2.0**attempt
        too_often = response.status_code == TOO_OFTEN
        if not too_often or attempt + 1 >= ATTEMPTS or seconds > LONGEST_WAIT_S:
            raise refusal(response.status_code, response.content)
        self._pause(seconds * random.uniform(1.0, 1.1))

    def _after_failure(self, attempt: int, error: httpx2.TransportError) -> None:
        if attempt + 1 >= ATTEMPTS or isinstance(error, httpx2.UnsupportedProtocol):
            raise ConnectionFailed(
                f"No answer from the coordinator at {self.url}: {error or type(error).__name__}. "
                "Is it running, and is the address right?"
            ) from error
        self._pause(_pause_s(attempt))


@contextmanager
def open_files(paths: Sequence[Path]) -> Iterator[list[tuple[str, IO[bytes]]]]:
    """Open files for an upload, so that they are streamed and not read into memory first."""
    opened: list[tuple[str, IO[bytes]]] = []
    try:
        for path in paths:
            opened.append((path.name, path.open("rb")))
        yield opened
    finally:
        for _, file in opened:
            file.close()


def _authorization(token: str | None) -> dict[str, str]:
    """Give the header that carries a token; it is never part of a message. Raises `BadArgument`."""
    if token is not None and not isinstance(token, str):
        raise BadArgument(f"The access token must be text, got a {type(token).__name__}.")
    # A file or a copied line ends with a line break that is no part of the token.
    word = (token or "").strip()
    if not all(" " <= letter <= "~" for letter in word):
        raise BadArgument(
            "The access token holds a line break or another character that no token has. "
            "Copy it again, in one line."
        )
    return {"Authorization": f"Bearer {word}"} if word else {}


def checked_address(url: str) -> str:
    """Give a coordinator's address without a trailing slash. Raises `BadArgument`."""
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, TypeError, ValueError) as error:
        raise BadArgument(f"{url!r} is no address: {error}.") from None
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise BadArgument(f"A coordinator's address looks like http://127.0.0.1:8000, got {url!r}.")
    return url.rstrip("/")


def _pause_s(attempt: int) -> float:
    # Jitter, so that many clients of a restarted coordinator do not come back at one moment.
    return FIRST_PAUSE_S * 2.0**attempt * random.uniform(0.75, 1.25)


def _read(kind: type[Answer], response: httpx2.Response) -> Answer:
    try:
        # A newer coordinator may say more than this version knows.
        return TypeAdapter(kind).validate_json(response.content, extra="ignore")
    except ValidationError as error:
        raise UnexpectedAnswer(
            f"{response.request.url} answered with something else than expected. Is it a Potluck "
            f"coordinator of this version?\n{error}"
        ) from None


def refusal(status: int, content: bytes) -> ApiError:
    """Turn an error answer into the exception that fits it, whoever wrote its body."""
    try:
        # A newer coordinator may say more than this version knows.
        detail = ErrorBody.model_validate_json(content, extra="ignore").error
    except ValidationError:
        text = content.decode(errors="replace").strip()
        detail = ErrorDetail(
            code=f"http.{status}", message=f"The answer was HTTP {status}.", got=text[:500]
        )
    return api_error(status, detail)
