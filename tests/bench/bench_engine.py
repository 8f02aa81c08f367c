"""The donor engine beside stock TF.js and native Keras, in one browser, in one run.

    python -m tests.bench.bench_engine [--backends wasm,cpu,webgl,webgpu] [--only MLP] [--seconds 2]

Stock is `model.fit` of TF.js 4.22. The sides take turns, several times; a figure is a side's best
turn, the ratio that of the best turns. Kernels, and draws or dispatches on GPUs, are counted over
an epoch and are the same on every machine. Native is Keras on JAX on this machine's processor, in
the same minutes. On machines without a GPU, WebGL and WebGPU run on the processor (SwiftShader).
Then several units together as one graph beside one of them alone: many short turns, and the median
of the ratios of neighbouring turns.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")

import numpy as np
from playwright.sync_api import Page, sync_playwright

from potluck_coordinator.browser.chromium import ensure_chromium, launch_options
from tests.bench.engine_models import BENCHES, CLASSES, STACKS, Bench, build, task
from tests.bench.engine_share import print_shares
from tests.support.static_site import static_site

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "client_web"
PAGE = CLIENT / "bench"
BUILT = ROOT / ".make" / "engine-bench"
SAY = sys.stdout.write
TURNS = 3
STACK_TURNS = 9
TIMEOUT_MS = 180_000.0


@dataclass
class Measured:
    """A side's best turn, and what it launches a step; `problem` where it cannot train at all."""

    samples_per_second: float = 0.0
    kernels: float = 0.0
    launches: float = 0.0
    loss: float = float("nan")
    problem: str = ""
    by_kernel: dict[str, list[float]] = field(default_factory=dict)
    """Calls and launches a step."""


def open_page(stack: ExitStack) -> Page:
    """Build the bench page, serve it, and open it in Chromium."""
    vite = CLIENT / "node_modules/.bin/vite"
    subprocess.run(
        [str(vite), "build", "--config", str(PAGE / "vite.config.ts"), "--outDir", str(BUILT)],
        cwd=CLIENT,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    site = stack.enter_context(static_site(BUILT, isolated=True))
    playwright = stack.enter_context(sync_playwright())
    browser = playwright.chromium.launch(**launch_options(ensure_chromium(print), webgpu=True))
    stack.callback(browser.close)
    page = browser.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    page.goto(f"{site}/index.html")
    page.wait_for_function("window.bench !== undefined")
    return page


def ask(page: Page, side: str, what: dict[str, Any]) -> dict[str, Any]:
    """Ask one side's Worker."""
    answer: dict[str, Any] = page.evaluate(
        "([side, what]) => window.bench.ask(side, what)", [side, what]
    )
    return answer


def measure(page: Page, bench: Bench, backend: str, seconds: float) -> dict[str, Measured]:
    """Let both sides train in turn."""
    found = {"stock": Measured(), "ours": Measured()}
    given = task(bench, backend)
    page.evaluate("window.bench.close()")
    for side, measured in found.items():
        try:
            ask(page, side, {"type": "open", "task": given})
            counted = ask(page, side, {"type": "count"})
        except Exception as error:
            measured.problem = str(error).splitlines()[0][:200]
        else:
            measured.kernels, measured.launches = counted["kernels"], counted["launches"]
            measured.by_kernel = counted["byKernel"]
    for _ in range(TURNS):
        for side, measured in found.items():
            if not measured.problem:
                turn = ask(page, side, {"type": "run", "seconds": seconds})
                speed = 1000 * turn["samples"] / turn["milliseconds"]
                measured.samples_per_second = max(measured.samples_per_second, speed)
                measured.loss = turn["loss"]
    page.evaluate("window.bench.close()")
    return found


def stacked(page: Page, bench: Bench, backend: str, seconds: float) -> str:
    """Train one unit alone and several together in turn; write one row of the table."""
    page.evaluate("window.bench.close()")
    given, sides = task(bench, backend), ("ours", "kernels", "stacked")
    for side in sides:
        ask(page, side, {"type": "open", "task": given})
    counted = {side: ask(page, side, {"type": "count"}) for side in sides}
    times: list[list[float]] = []
    for _ in range(STACK_TURNS):
        turns = [ask(page, side, {"type": "run", "seconds": seconds}) for side in sides]
        times.append([bench.batch * t["milliseconds"] / t["samples"] for t in turns])
    page.evaluate("window.bench.close()")
    alone, kernels, together = (statistics.median(side) for side in zip(*times, strict=True))
    ratio = statistics.median(both / one for one, _, both in times)
    to_kernels = statistics.median(both / one for _, one, both in times)
    what = "launches" if counted["ours"]["launches"] else "kernels"
    launched = " -> ".join(f"{counted[side][what]:.0f}" for side in sides)
    return (
        f"| {bench.units} x {bench.name} | {bench.batch} | {backend} | {kernels:.2f} | "
        f"{alone:.2f} | {together:.2f} | {to_kernels:.2f} | {ratio:.2f} | {launched} {what} |\n"
    )


def native(bench: Bench, seconds: float) -> float:
    """Train with Keras on JAX; samples a second."""
    import keras

    model = build(bench.network)
    optimizer = keras.optimizers.Adam() if bench.optimizer == "adam" else keras.optimizers.SGD()
    model.compile(optimizer, "sparse_categorical_crossentropy")
    random = np.random.default_rng(3)
    x = random.uniform(-1, 1, (bench.rows, *model.input_shape[1:])).astype(np.float32)
    y = random.integers(0, CLASSES, bench.rows)
    model.fit(x, y, batch_size=bench.batch, verbose=0)
    best = 0.0
    for _ in range(TURNS):
        begun, epochs = time.perf_counter(), 0
        while time.perf_counter() - begun < seconds:
            model.fit(x, y, batch_size=bench.batch, verbose=0)
            epochs += 1
        best = max(best, epochs * bench.rows / (time.perf_counter() - begun))
    return best


def line(bench: Bench, backend: str, found: dict[str, Measured], keras: float) -> str:
    """Write one row of the table."""
    stock, ours = found["stock"], found["ours"]
    ratio = (
        f"{ours.samples_per_second / stock.samples_per_second:.1f} x" if not stock.problem else "-"
    )
    stock_speed = f"{stock.samples_per_second:,.0f}" if not stock.problem else "cannot"
    launched = f"{stock.launches:.0f} -> {ours.launches:.0f}" if ours.launches else ""
    return (
        f"| {bench.name} | {bench.batch} | {backend} | {stock_speed} | "
        f"{ours.samples_per_second:,.0f} | {ratio} | "
        f"{stock.kernels:.0f} -> {ours.kernels:.0f} | {launched} | "
        f"{ours.samples_per_second / keras:.2f} |\n"
    )


def listing(measured: Measured) -> str:
    """Say which kernels a step is made of, and what each launches."""
    ordered = sorted(measured.by_kernel.items(), key=lambda item: (-item[1][1], -item[1][0]))
    return "".join(f"    {name}: {calls:g} ({launched:g})\n" for name, (calls, launched) in ordered)


def shares(page: Page, options: argparse.Namespace) -> None:
    """Print how well shares of the device are kept."""
    print_shares(page, BENCHES[0], options.backends.split(","), options.share_seconds)


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backends", default="wasm,cpu,webgl,webgpu")
    parser.add_argument("--only", default="", help="part of a network's name")
    parser.add_argument("--seconds", type=float, default=2.0, help="of one turn")
    parser.add_argument("--kernels", action="store_true", help="list what a step of ours launches")
    parser.add_argument("--share", action="store_true", help="only how well shares are kept")
    parser.add_argument("--share-seconds", type=float, default=10.0, help="for each share")
    parser.add_argument("--stacks", action="store_true", help="only units together")
    options = parser.parse_args()
    if options.share:
        with ExitStack() as stack:
            shares(open_page(stack), options)
        return
    SAY("| network | batch | backend | stock, samples/s | ours | ratio | kernels a step |")
    SAY(" draws or dispatches | of native Keras |\n|---|---|---|---|---|---|---|---|---|\n")
    problems = []
    with ExitStack() as stack:
        page = open_page(stack)
        wanted = [] if options.stacks else [b for b in BENCHES if options.only in b.name]
        for bench in wanted:
            keras = native(bench, options.seconds)
            for backend in options.backends.split(","):
                found = measure(page, bench, backend, options.seconds)
                SAY(line(bench, backend, found, keras))
                if options.kernels:
                    SAY(listing(found["ours"]))
                sys.stdout.flush()
                problems += [
                    f"{bench.name}, {side}, {backend}: {measured.problem}"
                    for side, measured in found.items()
                    if measured.problem
                ]
        SAY("\n| units together | batch | backend | one by kernels, ms a step |")
        SAY(" one as tabs train it | all together | of one by kernels |")
        SAY(" of one as tabs do | a step |\n")
        SAY("|---|---|---|---|---|---|---|---|---|\n")
        for bench in (b for b in STACKS if options.only in b.name):
            for backend in options.backends.split(","):
                SAY(stacked(page, bench, backend, options.seconds / 4))
                sys.stdout.flush()
        if not options.stacks:
            shares(page, options)
    SAY("\n" + "\n".join(sorted(set(problems))) + "\n")


if __name__ == "__main__":
    main()
