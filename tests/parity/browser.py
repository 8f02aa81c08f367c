"""TF.js in a real Chromium: opens converted models, predicts and differentiates on any backend."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Browser

from tests.support.static_site import static_site
from tests.support.tfjs_page import OURS, build_page
from tests.support.waiting import PATIENCE_S

ROOT = Path(__file__).parents[2]
PAGE = Path(__file__).parent / "page"
BUILT = ROOT / ".make" / "parity"

Array = NDArray[Any]
Floats = NDArray[np.float32]
Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Answer:
    """What TF.js says of a model; gradients by `<layer>/<weight>` and `input:<index>`."""

    predictions: list[Floats]
    twin: list[Floats]
    gradients: dict[str, Floats]
    gradient_twin: dict[str, Floats]
    topology: Any


class TfjsFailed(AssertionError):
    """TF.js did not open the model, or an operation failed in it."""


class ParityPage:
    """A browser's parity page, on a plain static server."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._stack = ExitStack()
        self._count = 0

    def __enter__(self) -> ParityPage:
        build_page(PAGE, BUILT)
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="potluck-parity-")))
            self._folder = folder / "site"
            shutil.copytree(BUILT, self._folder)
            shutil.copyfile(OURS, self._folder / "potluck-tfjs.js")
            site = stack.enter_context(static_site(self._folder, isolated=False))
            self._page = self._browser.new_page()
            stack.callback(self._page.close)
            self._page.set_default_timeout(1_000 * PATIENCE_S)
            self._errors: list[str] = []
            self._page.on("pageerror", lambda error: self._errors.append(str(error)))
            self._page.goto(f"{site}/index.html")
            try:
                self._page.wait_for_function("window.parity !== undefined")
            except Exception as error:
                raise TfjsFailed("the page did not start: " + "; ".join(self._errors)) from error
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def run(
        self,
        backend: str,
        files: Files,
        inputs: Sequence[Array],
        cotangents: Sequence[Array] = (),
        *,
        training: bool = False,
        by_inputs: bool = True,
        parts: Sequence[str] = ("predictions",),
    ) -> Answer:
        """Open a converted model's files and answer the parts asked. Raises TfjsFailed.

        Parts: predictions, twin (one weight disturbed), gradients, gradientTwin, topology.
        """
        self._count += 1
        folder = self._folder / "models" / str(self._count)
        folder.mkdir(parents=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        told = self._page.evaluate(
            "(job) => window.parity.run(job)",
            {
                "backend": backend,
                "url": f"models/{self._count}/model.json",
                "inputs": [_to_page(x) for x in inputs],
                "cotangents": [_to_page(x) for x in cotangents],
                "training": training,
                "byInputs": by_inputs,
                "parts": list(parts),
            },
        )
        shutil.rmtree(folder)
        if "error" in told:
            raise TfjsFailed(f"{backend}: {told['error']}")
        return Answer(
            [_from_page(y) for y in told.get("predictions", ())],
            [_from_page(y) for y in told.get("twin", ())],
            {name: _from_page(g) for name, g in told.get("gradients", {}).items()},
            {name: _from_page(g) for name, g in told.get("gradientTwin", {}).items()},
            told.get("topology"),
        )


def _to_page(array: Array) -> dict[str, Any]:
    whole = np.issubdtype(array.dtype, np.integer)
    plain = np.ascontiguousarray(array, "<i4" if whole else "<f4")
    return {
        "shape": list(array.shape),
        "dtype": "int32" if whole else "float32",
        "data": base64.b64encode(plain.tobytes()).decode(),
    }


def _from_page(told: Mapping[str, Any]) -> Floats:
    return np.frombuffer(base64.b64decode(told["data"]), "<f4").reshape(told["shape"])
