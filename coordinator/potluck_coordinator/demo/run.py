"""`potluck demo`: the whole of Potluck once, on this machine, with nothing pretended."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console

from potluck import Client, PotluckError, Study
from potluck.waiting import ENDED
from potluck_coordinator.browser.chromium import NoChromium, ensure_chromium
from potluck_coordinator.browser.donors import Donors, DonorsFailed
from potluck_coordinator.demo.check import LEAST_ACCURACY, predict_again
from potluck_coordinator.demo.network import RUNGS, SEARCH, write_network
from potluck_coordinator.demo.server import Server, ServerDied
from potluck_coordinator.demo.show import StudyProgress, leaderboard_table

DEFAULT_OUT = Path("demo-best.h5")
POLL_S = 0.5
STUDY_TIMEOUT_S = 900.0
EXIT_FAILED = 1
EXIT_INTERRUPTED = 130
ENDING_SIGNALS = [signal.SIGINT, signal.SIGTERM]
if os.name == "posix":
    ENDING_SIGNALS.append(signal.SIGHUP)


class DemoFailed(Exception):
    """The demo's study did not come to the end that it must."""


def run_demo(
    stay: bool = False, *, out: Path = DEFAULT_OUT, tabs: int = 2, trials: int = 12
) -> int:
    """Run the demo; gives the exit status.

    Starts a coordinator on a free port with temporary data, writes a Keras network as `.h5`,
    submits a random search of `trials` trials on the handwritten digits through the SDK, trains it
    in `tabs` headless Chromium tabs, prints the leaderboard, saves the best model at `out` and
    predicts the validation rows again with Keras. 0 only if the best scored validation accuracy is
    at least 0.95 and Keras's predictions equal the stored ones within 1e-4. With `stay` the
    coordinator and the tabs run on until Ctrl-C.
    """
    # Before Keras is imported for the first time.
    os.environ["KERAS_BACKEND"] = "jax"
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = 100  # a log file has no width; the leaderboard needs one
    try:
        with _signals_unwind():
            return _demo(console, stay, out, tabs, trials)
    except (DemoFailed, NoChromium, PotluckError, ServerDied, DonorsFailed) as error:
        console.print(f"\n[bold red]The demo failed.[/] {type(error).__name__}:")
        console.print(str(error), markup=False)
        return EXIT_FAILED
    except KeyboardInterrupt:
        console.print("\nStopped. The browser and the coordinator are closed.")
        return EXIT_INTERRUPTED


def _demo(console: Console, stay: bool, out: Path, tabs: int, trials: int) -> int:
    chromium = ensure_chromium(console.print)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="potluck-demo-", ignore_cleanup_errors=True) as folder:
        console.print("[bold]1.[/] Starting a coordinator (SQLite and a folder, temporary).")
        with Server(Path(folder) / "data") as server, Client(server.url, "") as client:
            console.print(f"   It listens on {server.url}")
            study = _submit(console, client, Path(folder), trials)
            console.print(
                f"[bold]4.[/] Opening {tabs} headless Chromium tabs on {server.url}/donate"
            )
            with Donors(server.url, tabs, chromium) as donors:
                _watch(console, study, server, donors)
                status = _conclude(console, study, out)
                console.print(f"   The demo took {time.monotonic() - began:.0f} s.")
                if stay:
                    _stay(console, study, server, donors)
    return status


def _submit(console: Console, client: Client, folder: Path, trials: int) -> Study:
    path = folder / "digits_cnn.h5"
    console.print("[bold]2.[/] Writing a small convolutional network with Keras.")
    parameters = write_network(path)
    console.print(f"   {path.name}: {parameters:,} parameters, {path.stat().st_size:,} bytes")
    console.print("[bold]3.[/] Submitting a random search on the handwritten digits by the SDK.")
    study = client.submit(
        model=path,
        data="digits",
        search=SEARCH,
        trials=trials,
        rungs=RUNGS,
        metric="accuracy",
        name="Demo: handwritten digits",
        description="Started by `potluck demo`.",
    )
    console.print(f"   {study.plan.trials} trials, rungs {RUNGS}, {study.plan.units} units")
    console.print(f"   Study page: {study.url}")
    return study


def _watch(console: Console, study: Study, server: Server, donors: Donors) -> None:
    deadline = time.monotonic() + STUDY_TIMEOUT_S
    with StudyProgress(console) as progress:
        while True:
            server.require_alive()
            record = study.refresh().record
            progress.update(record)
            if record.state in ENDED:
                break
            if time.monotonic() > deadline:
                raise DemoFailed(
                    f"The study has not ended after {STUDY_TIMEOUT_S:.0f} s: {record.counts}\n"
                    f"{donors.describe()}"
                )
            donors.pause(POLL_S)
    if record.state != "completed":
        raise DemoFailed(f"The study ended as {record.state}: {record.reason}")


def _conclude(console: Console, study: Study, out: Path) -> int:
    console.print(leaderboard_table(study.trials(), study.plan.metric), soft_wrap=False)
    console.print(f"Study page: {study.url}")
    console.print("[bold]5.[/] Opening the best model with Keras and predicting again.")
    best = study.best
    found = predict_again(best, out)
    console.print(f"   Saved as {out}: trial {best.trial}, {best.parameters}")
    console.print(
        f"   Scored validation accuracy {found.scored:.4f} (at least {LEAST_ACCURACY} is asked); "
        f"largest difference on {found.rows} rows {found.largest_difference:.1e}"
    )
    failures = found.failures()
    for failure in failures:
        console.print(f"   [bold red]{failure}[/]")
    if not failures:
        console.print("[bold]The demo succeeded.[/]")
    return EXIT_FAILED if failures else 0


def _stay(console: Console, study: Study, server: Server, donors: Donors) -> None:
    console.print(f"Staying. Open {study.url} in a browser; Ctrl-C ends everything.")
    try:
        while True:
            server.require_alive()
            donors.pause(POLL_S)
    except KeyboardInterrupt:
        console.print("\nClosing the browser and the coordinator.")


@contextmanager
def _signals_unwind() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into what Ctrl-C is, so that everything is closed on the way out."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _interrupt) for number in ENDING_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del frame
    # Once: a second one must not break off the closing.
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
