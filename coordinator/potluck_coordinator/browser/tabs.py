"""Donor tabs: real pages in a real headless Chromium, started as a person starts them.

`python -m potluck_coordinator.browser.tabs URL COUNT CHROMIUM` donates until its input ends. The
first line that it is sent is `{"session": value}`, of a sign-in's cookie, or null. It says one JSON
object a line: `{"ready": true}`, `{"failed": why}`, and `{"shown": text}` for each further line.
"""

from __future__ import annotations

import json
import os
import queue
import re
import sys
import threading
from contextlib import suppress
from pathlib import Path

from playwright.sync_api import Browser, Error, Page, sync_playwright

from potluck_coordinator.browser.chromium import launch_options

SESSION_COOKIE = "potluck_session"
START_BUTTON = re.compile(r"^\s*start\b", re.IGNORECASE)
PAGE_TIMEOUT_MS = float(os.environ.get("POTLUCK_DEMO_PAGE_TIMEOUT_MS", "60000"))
TURN_MS = 200.0
SHOWN_CHARACTERS = 600


class TabFailed(Exception):
    """A donor's page did not offer what a person needs, or is gone."""


class Tabs:
    """The pages of one browser, each with a browser context of its own, as of different people."""

    def __init__(self, browser: Browser, session: str | None) -> None:
        self._browser = browser
        self._session = session
        self._pages: list[Page] = []
        self._complaints: list[str] = []
        self._crashed = False

    def donate(self, url: str) -> None:
        """Open the donate page in one more tab and press its start button."""
        context = self._browser.new_context()
        if self._session is not None:
            context.add_cookies(
                [
                    {
                        "name": SESSION_COOKIE,
                        "value": self._session,
                        "url": url,
                        "httpOnly": True,
                        "sameSite": "Strict",
                    }
                ]
            )
        page = context.new_page()
        self._pages.append(page)
        page.on("pageerror", lambda error: self._complaints.append(f"Page error: {error}"))
        page.on("crash", lambda _: self._crash())
        page.on(
            "console",
            lambda message: self._complain(message.text) if message.type == "error" else None,
        )
        try:
            page.goto(f"{url}/donate", timeout=PAGE_TIMEOUT_MS)
            page.get_by_role("button", name=START_BUTTON).first.click(timeout=PAGE_TIMEOUT_MS)
        except Error as error:
            raise TabFailed(
                f"The donate page cannot be opened and started: {error.message}\n{self.describe()}"
            ) from None

    def turn(self) -> None:
        """Read the browser's messages for a moment. Raises `TabFailed` if a tab is gone."""
        try:
            self._pages[0].wait_for_timeout(TURN_MS)
        except Error as error:
            raise TabFailed(f"A donor's tab is gone: {error.message}") from None
        if self._crashed:
            raise TabFailed(f"A donor's tab crashed.\n{self.describe()}")

    def describe(self) -> str:
        """Say what the tabs show and what their consoles complained of."""
        lines = []
        for number, page in enumerate(self._pages, 1):
            text = "(it cannot be read)"
            with suppress(Error):
                text = page.inner_text("main", timeout=2000)[:SHOWN_CHARACTERS]
            lines.append(f"Tab {number} shows: {' '.join(text.split())}")
        return "\n".join([*lines, *self._complaints[-10:]])

    def _complain(self, text: str) -> None:
        self._complaints.append(f"Console: {text}")

    def _crash(self) -> None:
        self._crashed = True


def donate_until_input_ends(url: str, count: int, chromium: Path) -> None:
    """Donate in `count` tabs as long as somebody holds the other end of the input."""
    first = sys.stdin.readline()
    if not first:
        return
    session = json.loads(first)["session"]
    asked: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_read_input, args=(asked,), daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**launch_options(chromium))
        try:
            tabs = Tabs(browser, session)
            for _ in range(count):
                tabs.donate(url)
            _say("ready", True)
            while True:
                tabs.turn()
                with suppress(queue.Empty):
                    if asked.get_nowait() is None:
                        return
                    _say("shown", tabs.describe())
        finally:
            with suppress(Error):
                browser.close()


def _read_input(asked: queue.Queue[str | None]) -> None:
    for line in sys.stdin:
        asked.put(line)
    asked.put(None)


def _say(key: str, value: object) -> None:
    with suppress(BrokenPipeError):
        sys.stdout.write(json.dumps({key: value}) + "\n")
        sys.stdout.flush()


def main() -> int:
    """Donate; gives the exit status."""
    url, count, chromium = sys.argv[1:]
    try:
        donate_until_input_ends(url, int(count), Path(chromium))
    except (Error, TabFailed) as error:
        _say("failed", str(error))
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
