"""Donor tabs: real pages in a real headless Chromium, started as a person starts them."""

from __future__ import annotations

import re
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType

from playwright.sync_api import Browser, Error, Page, sync_playwright

from potluck_coordinator.demo.chromium import launch_options

START_BUTTON = re.compile(r"^\s*start\b", re.IGNORECASE)
PAGE_TIMEOUT_MS = 60_000.0
SHOWN_CHARACTERS = 600


class TabFailed(Exception):
    """A donor's page did not offer what a person needs."""


class DonorTabs:
    """Donate in several tabs, each with a browser context of its own, as different people would."""

    def __init__(self, url: str, count: int, chromium: Path) -> None:
        self._url = url
        self._count = count
        self._chromium = chromium
        self._stack = ExitStack()
        self._pages: list[Page] = []
        self._complaints: list[str] = []

    def __enter__(self) -> DonorTabs:
        try:
            playwright = self._stack.enter_context(sync_playwright())
            browser = playwright.chromium.launch(**launch_options(self._chromium))
            self._stack.callback(_close, browser)
            for _ in range(self._count):
                self._pages.append(self._donate(browser))
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def pause(self, seconds: float) -> None:
        """Wait while the browser's messages are read. Raises `TabFailed` if a tab crashed."""
        if any("crashed" in complaint for complaint in self._complaints):
            raise TabFailed("\n".join(self._complaints))
        try:
            self._pages[0].wait_for_timeout(seconds * 1000)
        except Error as error:
            raise TabFailed(f"A donor's tab is gone: {error.message}") from None

    def describe(self) -> str:
        """Say what the tabs show and what their consoles complained of, for a failure's report."""
        lines = []
        for number, page in enumerate(self._pages, 1):
            text = "(it cannot be read)"
            with suppress(Error):
                text = page.inner_text("main", timeout=2000)[:SHOWN_CHARACTERS]
            lines.append(f"Tab {number} shows: {' '.join(text.split())}")
        return "\n".join([*lines, *self._complaints[-10:]])

    def _donate(self, browser: Browser) -> Page:
        page = browser.new_context().new_page()
        page.on("pageerror", lambda error: self._complaints.append(f"Page error: {error}"))
        page.on("crash", lambda _: self._complaints.append("A tab crashed."))
        page.on(
            "console",
            lambda message: (
                self._complaints.append(f"Console: {message.text}")
                if message.type == "error"
                else None
            ),
        )
        page.goto(f"{self._url}/donate", timeout=PAGE_TIMEOUT_MS)
        try:
            page.get_by_role("button", name=START_BUTTON).first.click(timeout=PAGE_TIMEOUT_MS)
        except Error as error:
            self._pages.append(page)
            raise TabFailed(
                f"The donate page has no start button that can be pressed: {error.message}\n"
                f"{self.describe()}"
            ) from None
        return page


def _close(browser: Browser) -> None:
    # After Ctrl-C the browser may already be gone: that is what was wanted.
    with suppress(Error):
        browser.close()
