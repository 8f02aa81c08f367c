"""A connection on which a test says what it likes, byte by byte."""

from __future__ import annotations

import json
import select
import socket
import time
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from tests.support.waiting import PATIENCE_S


class RawConnection:
    """Connects to a coordinator, from another address of this machine where one is given."""

    def __init__(self, url: str, source: str | None = None) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        where = (parts.hostname, parts.port or 80)
        given = None if source is None else (source, 0)
        self._socket = socket.create_connection(where, PATIENCE_S, source_address=given)
        self._heard = b""

    def __enter__(self) -> RawConnection:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def say(self, text: str | bytes) -> bool:
        """Send; say whether the other end still takes it."""
        try:
            self._socket.sendall(text.encode() if isinstance(text, str) else text)
        except (ConnectionError, TimeoutError):
            return False
        return True

    def begin(self, method: str, path: str, length: int = 0, *headers: str) -> None:
        """Send a request's head."""
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {length}"]
        self.say("\r\n".join([*lines, *headers, "", ""]))

    def has_news(self, within_s: float) -> bool:
        """Say whether the other end says something, or goes, within so many seconds."""
        return bool(select.select([self._socket], [], [], within_s)[0])

    def drip(self, piece: str, every_s: float) -> None:
        """Send a piece again and again until the other end says something, or goes."""
        deadline = time.monotonic() + PATIENCE_S
        while not self.has_news(every_s) and self.say(piece):
            assert time.monotonic() < deadline, "nobody lost patience"

    def hear(self) -> tuple[int, Any]:
        """Read until the other end closes; give the status and the JSON, if it is such."""
        try:
            while piece := self._socket.recv(65536):
                self._heard += piece
        except ConnectionError:
            pass
        return self._read()

    def hear_answer(self) -> tuple[int, Any]:
        """Read one answer of a declared length; the connection may stay open."""
        while b"\r\n\r\n" not in self._heard or len(self._heard) < self._whole():
            piece = self._socket.recv(65536)
            assert piece, self._heard
            self._heard += piece
        return self._read()

    def _whole(self) -> int:
        head, _, _ = self._heard.partition(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-len")]
        return len(head) + 4 + int(lengths[0].partition(b":")[2])

    def _read(self) -> tuple[int, Any]:
        head, _, body = self._heard.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 "), self._heard
        kind = b"application/json" in head
        self._heard = b""
        return int(head[9:12]), json.loads(body) if kind else body
