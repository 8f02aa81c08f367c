"""The donor engine on its check page, in a real Chromium: any backend, any unit."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Browser
from safetensors.numpy import load, save

from tests.support.static_site import static_site
from tests.support.waiting import PATIENCE_S

STATIC = Path(__file__).parents[2] / "coordinator/potluck_coordinator/static"

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Trained:
    """What the engine says: weights `layer/weight`, whether the known answer came, samples/s.

    `state` is all of the checkpoint, by its own names.
    `loss`: the mean row loss of the epoch in hand, or of the one just ended.
    `companions` are the weights of units that trained together with it, `leaked` tensors left.
    """

    weights: dict[str, NDArray[np.float32]]
    companions: list[dict[str, NDArray[np.float32]]]
    leaked: int
    known_answer: bool | None
    samples_per_second: float | None
    bytes: int | None
    state: dict[str, NDArray[Any]]
    loss: float
    fits: list[dict[str, Any]]
    """What was chosen for the unit: `kind`, `backend`, and what was `measured`."""


class EnginePage:
    """The built client's check page; `with EnginePage(browser) as page: page.train(...)`."""

    def __init__(self, browser: Browser, static: Path = STATIC) -> None:
        self._browser = browser
        self._static = static
        self._stack = ExitStack()

    def __enter__(self) -> EnginePage:
        if not (self._static / "engine-check.html").exists():
            raise AssertionError("the web client is not built: run `make setup`")
        with ExitStack() as stack:
            site = stack.enter_context(static_site(self._static, isolated=True))
            self._page = self._browser.new_page()
            stack.callback(self._page.close)
            self._page.set_default_timeout(1_000 * PATIENCE_S)
            self._page.goto(f"{site}/engine-check.html")
            self._ready()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def reload(self) -> None:
        """Forget every Worker; what comes next trains in a new one."""
        self._page.reload()
        self._ready()

    def _ready(self) -> None:
        self._page.wait_for_function("window.potluckCheck !== undefined")

    def train(
        self,
        backend: str,
        recipe: Mapping[str, Any],
        topology: Mapping[str, Any],
        weights: Arrays,
        data: Arrays,
        to_step: int,
        *,
        break_kernel: str | None = None,
        judge: bool = False,
        measure: bool = False,
        weigh: bool = False,
        companions: Sequence[tuple[Mapping[str, Any], Mapping[str, Any], Arrays]] = (),
        by_kernels: bool = False,
        half_floats: bool = False,
        fit: Sequence[str] = (),
    ) -> Trained:
        """Train a fresh unit to a step, in this page's Worker for the backend.

        `recipe`: the fields of a unit that decide its weights.
        `judge`: say whether the known answer comes. `measure`: say how fast it trains.
        `weigh`: say how many bytes the first step takes.
        `by_kernels`: by TF.js also where loops over one memory are faster, as with a broken kernel.
        `half_floats`: as on a device whose WebGL has 16 bits. `fit`: choose among these backends
        for the unit beforehand, twice. `companions`, (recipe, topology, weights) each, train
        together with it as one graph.
        """
        tensors = _text(save({name: np.ascontiguousarray(a) for name, a in data.items()}))
        units = [
            {
                "recipe": dict(one),
                "topology": _text(json.dumps(network).encode()),
                "checkpoint": _text(fresh_checkpoint(start)),
                "tensors": tensors,
            }
            for one, network, start in [(recipe, topology, weights), *companions]
        ]
        asked = {
            **units[0],
            "companions": units[1:],
            "backend": backend,
            "toStep": to_step,
            "breakKernel": break_kernel,
            "judge": judge,
            "measure": measure,
            "weigh": weigh,
            "byKernels": by_kernels or break_kernel is not None,
            "halfFloats": half_floats,
            "fit": list(fit),
        }
        told = self._page.evaluate("(asked) => window.potluckCheck.train(asked)", asked)
        trained = load(base64.b64decode(told["checkpoint"]))
        total, rows = trained["accumulators/loss"]
        return Trained(
            _weights(told["checkpoint"]),
            [_weights(one) for one in told["companions"]],
            int(told["leaked"]),
            told["knownAnswer"],
            told["samplesPerSecond"],
            told["bytes"],
            trained,
            float(total / rows) if rows else 0.0,
            told["fits"],
        )

    def endure(
        self,
        backend: str,
        unit: Mapping[str, Any],
        topology: Mapping[str, Any],
        weights: Arrays,
        data: Arrays,
        looks: Sequence[int],
        *,
        settle: bool = True,
    ) -> list[int]:
        """Train one unit again and again in one Worker; give the bytes in use after so many."""
        asked = {
            "backend": backend,
            "unit": dict(unit),
            "looks": list(looks),
            "settle": settle,
            "topology": _text(json.dumps(topology).encode()),
            "checkpoint": _text(fresh_checkpoint(weights)),
            "tensors": _text(save({name: np.ascontiguousarray(a) for name, a in data.items()})),
        }
        told = self._page.evaluate("(asked) => window.potluckCheck.endure(asked)", asked)
        assert told["finished"] == looks[-1]
        return list(told["bytes"])


def fresh_checkpoint(weights: Arrays) -> bytes:
    """Write a state before the first step, as docs/protocol.md says."""
    tensors = {f"weights/{name}": np.asarray(value, order="C") for name, value in weights.items()}
    tensors["optimizer/iteration"] = np.zeros(1, np.int32)
    tensors["accumulators/loss"] = np.zeros(2, np.float32)
    return save(tensors, {"format": "potluck.checkpoint.v1", "epoch": "0", "step": "0"})


def distance(got: Arrays, expected: Arrays, start: Arrays) -> float:
    """Give the largest error of any weight, relative to how far training moved that weight's array.

    An array that did not move must be where it was: any error there is infinite.
    """
    worst = 0.0
    for name, right in expected.items():
        moved = float(np.max(np.abs(right - start[name]), initial=0.0))
        error = float(np.max(np.abs(got[name] - right), initial=0.0))
        if np.isnan(error) or (moved == 0.0 and error > 0.0):
            return float("inf")
        if moved > 0.0:
            worst = max(worst, error / moved)
    return worst


def _weights(checkpoint: str) -> dict[str, NDArray[np.float32]]:
    found = load(base64.b64decode(checkpoint))
    return {k.removeprefix("weights/"): v for k, v in found.items() if k.startswith("weights/")}


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
