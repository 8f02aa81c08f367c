from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.parity.browser import ParityPage


@pytest.fixture(scope="session")
def page(browser: Browser) -> Iterator[ParityPage]:
    """Give one page that all parity tests share."""
    with ParityPage(browser) as found:
        yield found
