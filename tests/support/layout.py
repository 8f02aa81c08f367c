"""How far a page's parts moved by themselves: Chromium's layout shifts, as a reader meets them."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.sync_api import Page

MOST_SHIFT = 0.05
"""In all, of one visit; 0.1 is what browsers' makers call good."""

_WATCH = """(() => {
  window.shiftsSeen = [];
  const told = ({ node, previousRect: from, currentRect: to }) =>
    `${(node?.outerHTML ?? node?.textContent ?? "gone").slice(0, 80)} from ${from.x},${from.y}`
    + ` to ${to.x},${to.y}`;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries())
      if (!entry.hadRecentInput) window.shiftsSeen.push([entry.value, entry.sources.map(told)]);
  }).observe({ type: "layout-shift", buffered: true });
})()"""


@dataclass(frozen=True)
class Shifts:
    """The sum of a page's shifts, and the largest of them with what moved."""

    total: float
    largest: list[tuple[float, list[str]]]


def watch_layout(page: Page) -> None:
    """Count layout shifts in all pages that this tab opens from now on."""
    page.add_init_script(_WATCH)


def shifts(page: Page) -> Shifts:
    """Give what moved on the present page without anybody's click or key."""
    seen = [(float(value), told) for value, told in page.evaluate("window.shiftsSeen")]
    return Shifts(sum(value for value, _ in seen), sorted(seen, reverse=True)[:4])
