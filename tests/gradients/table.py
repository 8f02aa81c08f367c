"""Write the audit's table into `docs/gradients.md`, below what people wrote there.

Run it as `make gradients`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from playwright.sync_api import sync_playwright

from potluck_coordinator.browser.chromium import ensure_chromium, launch_options
from tests.gradients.audit import ANOTHER_SHAPE, BACKENDS, Row, Verdict, audit
from tests.gradients.cases import CASES
from tests.gradients.page import gradients_pages

DOCUMENT = Path(__file__).parents[2] / "docs" / "gradients.md"
MARK = "<!-- Below: written by `make gradients`. -->"
TITLES = {"cpu": "CPU", "wasm": "WASM", "webgl": "WebGL", "webgpu": "WebGPU"}
LARGEST_PERCENT = 2_000
STATES = ("right", "wrong", "missing")
_ROW = re.compile(r"^\| `(?P<name>.+?)` \|(?P<cells>.+)\|$", re.MULTILINE)


def table(rows: Sequence[Row]) -> str:
    """Write the summary and the table."""
    return "\n".join([MARK, "", *_summary(rows), "", *_details(rows), ""])


def _summary(rows: Sequence[Row]) -> list[str]:
    counts = [
        f"| {who} | {TITLES[backend]} | "
        + " | ".join(str(sum(_of(row, who)[backend].state == s for row in rows)) for s in STATES)
        + " |"
        for who in ("stock", "ours")
        for backend in BACKENDS
    ]
    head = ["| whose | backend | right | wrong | missing |", "|---|---|---|---|---|"]
    return [f"## Counted: {len(rows)} cases", "", *head, *counts]


def _details(rows: Sequence[Row]) -> list[str]:
    lines = ["## Case by case"]
    for family, members in groupby(rows, key=lambda row: row.case.family):
        # Cases come family by family.
        titles = [f"stock, {TITLES[b]}" for b in BACKENDS] + ["ours, all four"]
        lines += ["", f"### {family}", "", "| case | " + " | ".join(titles) + " |"]
        lines += ["|---" * 6 + "|"]
        for row in members:
            cells = [_said(row.stock[b]) for b in BACKENDS] + [_all(row)]
            lines.append(f"| `{row.case.name}` | " + " | ".join(cells) + " |")
    return lines


def _of(row: Row, who: str) -> dict[str, Verdict]:
    return dict(row.stock if who == "stock" else row.ours)


def _all(row: Row) -> str:
    bad = [f"{TITLES[b]} {_said(v)}" for b, v in row.ours.items() if v.state != "right"]
    return ", ".join(bad) or "right"


def _said(verdict: Verdict) -> str:
    if verdict.state != "wrong":
        return verdict.state
    if verdict.words == ANOTHER_SHAPE or math.isinf(verdict.error):
        return f"wrong: {verdict.words if verdict.words == ANOTHER_SHAPE else 'not a number'}"
    percent = 100 * verdict.error
    # Above that, what was read has nothing to do with the answer.
    if percent > LARGEST_PERCENT:
        return "wrong: garbage"
    return "wrong by " + (f"{percent:.2g} %" if percent < 10 else f"{percent:.0f} %")


def names_in(document: str) -> list[str]:
    """Give the names of the cases in a table, in order."""
    return [found["name"] for found in _ROW.finditer(document)]


def verdicts_of_ours(document: str) -> list[str]:
    """Give what a table says of ours, case by case."""
    return [found["cells"].split("|")[-1].strip() for found in _ROW.finditer(document)]


def states_in(document: str) -> dict[str, list[str]]:
    """Give the states that a table has of each case, without the sizes of errors."""
    return {
        found["name"]: [cell.split()[0].rstrip(":") for cell in found["cells"].split("|")]
        for found in _ROW.finditer(document)
    }


def main() -> None:
    """Audit all cases and write the table."""
    with sync_playwright() as playwright:
        options = launch_options(ensure_chromium(print), webgpu=True)
        browser = playwright.chromium.launch(**options)
        with gradients_pages(browser) as (ours, stock):
            rows = list(audit(ours, stock, CASES.values()))
        browser.close()
    written = DOCUMENT.read_text(encoding="utf-8") if DOCUMENT.exists() else ""
    above = written.split(MARK)[0].rstrip()
    DOCUMENT.write_text(f"{above}\n\n{table(rows)}", encoding="utf-8")
    bad = [row.case.name for row in rows if _all(row) != "right"]
    print(f"{len(rows)} cases; not right with ours: {bad or 'none'}")  # noqa: T201


if __name__ == "__main__":
    main()
