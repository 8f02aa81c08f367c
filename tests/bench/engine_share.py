"""How well the engine keeps to a share of the device, by the clock of its own Worker."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from playwright.sync_api import Page

from tests.bench.engine_models import Bench, task

SHARES = (0.1, 0.25, 0.5, 1.0)
SAY = sys.stdout.write


def print_shares(page: Page, bench: Bench, backends: Sequence[str], seconds: float) -> None:
    """Print asked and got for each backend; a slice is what is computed between two rests."""
    SAY(f"\nShare of the device, {bench.name}, {seconds:g} s each\n\n")
    SAY("| backend | asked | got | slices | half of them under | 95% under |\n")
    SAY("|---|---|---|---|---|---|\n")
    for backend in backends:
        for share in SHARES:
            asked = {"task": task(bench, backend), "share": share, "seconds": seconds}
            try:
                told = page.evaluate("asked => window.bench.share(asked)", asked)
            except Exception as error:
                SAY(f"| {backend} | {share:.0%} | {str(error).splitlines()[0][:120]} | | | |\n")
                continue
            SAY(
                f"| {backend} | {share:.0%} | {told['got']:.1%} | {told['slices']} | "
                f"{told['medianMs']:.1f} ms | {told['longMs']:.1f} ms |\n"
            )
            sys.stdout.flush()
