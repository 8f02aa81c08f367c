"""A real Chromium, and people's acts in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.donor_tab import give, press
from tests.support.waiting import PATIENCE_S

expect.set_options(timeout=1_000 * PATIENCE_S)

Donate = Callable[..., Page]


@pytest.fixture
def person(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Give a function that opens a fresh profile's page; page errors fail the test."""
    errors: list[str] = []
    with ExitStack() as stack:

        def open_page(url: str, **context: object) -> Page:
            made = browser.new_context(**context)  # type: ignore[arg-type]  # passed on
            stack.callback(made.close)
            made.set_default_timeout(1_000 * PATIENCE_S)
            page = made.new_page()
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.goto(url)
            return page

        yield open_page
    assert not errors, errors


@pytest.fixture
def donate(person: Callable[..., Page]) -> Donate:
    """Give a function that opens /donate as somebody new, and presses start."""

    def start(url: str, backend: str = "wasm", share: int = 100) -> Page:
        page = person(f"{url}/donate?backend={backend}")
        give(page, share)
        press(page)
        return page

    return start
