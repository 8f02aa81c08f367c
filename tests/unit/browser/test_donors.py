"""Donors in tabs: real tabs on a real page, closed however the demo ends."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from potluck_coordinator.browser.chromium import NoChromium, ensure_chromium, find_chromium, starts
from potluck_coordinator.browser.donors import Donors, DonorsFailed

START = b"<main><button onclick=\"this.textContent='training'\">Start donating</button></main>"
NO_BUTTON = b"<main>Nothing here.</main>"


@contextmanager
def site(page: bytes) -> Iterator[str]:
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_each_tab_presses_the_start_button_and_leaving_ends_the_browser() -> None:
    with site(START) as url, Donors(url, 2, ensure_chromium(print)) as donors:
        assert donors.describe().splitlines()[:2] == [
            "Tab 1 shows: training",
            "Tab 2 shows: training",
        ]
        donors.pause(0)
    with pytest.raises(DonorsFailed):
        donors.pause(0)


def test_a_page_without_a_start_button_is_told_with_what_it_shows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("POTLUCK_DEMO_PAGE_TIMEOUT_MS", "1500")
    with (
        site(NO_BUTTON) as url,
        pytest.raises(DonorsFailed, match=r"Nothing here\."),
        Donors(url, 1, ensure_chromium(print)),
    ):
        pytest.fail("It started.")


def test_an_environment_that_names_no_browser_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    found = find_chromium()
    assert found is not None
    assert starts(found)
    monkeypatch.setenv("POTLUCK_CHROMIUM", "/bin/true")
    with pytest.raises(NoChromium, match="/bin/true"):
        find_chromium()
