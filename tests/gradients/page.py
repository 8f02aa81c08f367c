"""The gradients page in a real Chromium: TF.js as it comes, or with ours installed."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page

from tests.gradients.case import Case
from tests.support.static_site import static_site
from tests.support.tfjs_page import OURS, build_page
from tests.support.waiting import PATIENCE_S

ROOT = Path(__file__).parents[2]
PAGE = Path(__file__).parent / "page"
BUILT = ROOT / ".make" / "gradients"

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Analytic:
    """What TF.js says: flat arrays by what is differentiated by; `problems` are its own words."""

    output: Floats
    gradients: Mapping[str, Floats]
    problems: Mapping[str, str]
    error: str | None = None


@dataclass(frozen=True)
class Slope:
    """The slope along one direction of one input or weight, by finite differences."""

    name: str
    direction: Floats
    slope: float
    doubt: float
    """How far two step lengths disagreed; large where a kink lies between."""


class GradientsPage:
    """One build of TF.js: a page for each backend, which is the first that its TF.js meets.

    TF.js keeps what it learned from its first backend, the size of its epsilon for one.
    """

    def __init__(self, open_page: Callable[[], Page], *, stock: bool) -> None:
        self._open = open_page
        self._stock = stock
        self._pages: dict[str, Page] = {}

    def analytic(self, case: Case, backend: str) -> Analytic:
        """Differentiate a case on a backend."""
        told = self._ask(backend, "analytic", case.job(stock=self._stock), backend)
        if "error" in told:
            return Analytic(np.zeros(0, np.float32), {}, {}, told["error"])
        gradients = {name: _floats(text) for name, text in told["gradients"].items()}
        return Analytic(_floats(told["output"]), gradients, told.get("problems", {}))

    def numeric(self, case: Case) -> list[Slope]:
        """Measure slopes on the CPU backend. Raises AssertionError where there is no output."""
        told = self._ask("cpu", "numeric", case.job(stock=self._stock))
        if "error" in told:
            raise AssertionError(f"{case.name}: {told['error']}")
        return [
            Slope(one["name"], _floats(one["direction"]), one["slope"], one["doubt"])
            for one in told["slopes"]
        ]

    def spoil(self, kernel: str, backend: str) -> None:
        """Let a kernel's results be a hundredth too large from now on."""
        self._ask(backend, "spoil", kernel, backend)

    def _ask(self, backend: str, what: str, *given: Any) -> dict[str, Any]:
        if backend not in self._pages:
            self._pages[backend] = self._open()
        script = "([what, ...given]) => window.gradients[what](...given)"
        told: dict[str, Any] = self._pages[backend].evaluate(script, [what, *given])
        return told


def _floats(text: str) -> Floats:
    return np.frombuffer(base64.b64decode(text), "<f4")


@contextmanager
def gradients_pages(browser: Browser) -> Iterator[tuple[GradientsPage, GradientsPage]]:
    """Give pages as long as the context lasts: with ours installed, and TF.js as it comes."""
    build_page(PAGE, BUILT)
    with TemporaryDirectory(prefix="potluck-gradients-") as temporary:
        folder = Path(temporary) / "site"
        shutil.copytree(BUILT, folder)
        shutil.copyfile(OURS, folder / "potluck-tfjs.js")
        with static_site(folder, isolated=False) as site, ExitStack() as stack:

            def opener(query: str) -> Callable[[], Page]:
                def open_page() -> Page:
                    page = _open(browser, f"{site}/index.html{query}")
                    stack.callback(page.close)
                    return page

                return open_page

            yield (
                GradientsPage(opener(""), stock=False),
                GradientsPage(opener("?stock"), stock=True),
            )


def _open(browser: Browser, url: str) -> Page:
    page = browser.new_page()
    page.set_default_timeout(1_000 * PATIENCE_S)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(url)
    try:
        page.wait_for_function("window.gradients !== undefined")
    except Exception as error:
        raise AssertionError("the page did not start: " + "; ".join(errors)) from error
    return page
