"""A folder of files as a site on this machine, for pages that a browser opens."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class _Plain(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: output is for failures and figures."""


class _Isolated(_Plain):
    """Static files, isolated as the coordinator isolates its pages (WASM threads need it)."""

    def end_headers(self) -> None:
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()


@contextmanager
def static_site(folder: Path, *, isolated: bool) -> Iterator[str]:
    """Serve a folder as long as the context lasts; gives the address, without a slash behind."""
    handler = functools.partial(_Isolated if isolated else _Plain, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
