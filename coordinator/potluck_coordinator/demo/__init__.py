"""A whole study on this machine: coordinator, SDK, donor tabs, and a check of what came out."""

from __future__ import annotations

from pathlib import Path


def run_demo(
    stay: bool = False, *, out: Path = Path("demo-best.h5"), tabs: int = 2, trials: int = 12
) -> int:
    """Run the demo; gives the exit status. See `potluck_coordinator.demo.run`."""
    # Imported late: Keras and Playwright take seconds, and only this command needs them.
    from potluck_coordinator.demo import run

    return run.run_demo(stay, out=out, tabs=tabs, trials=trials)
