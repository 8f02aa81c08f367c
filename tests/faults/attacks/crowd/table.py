"""`make bench-trust`: a crowd of 200, a fifth of it hostile, and what came of 2,000 units."""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.attacks.crowd.behaviours import HOSTILE
from tests.faults.attacks.crowd.crowd import Crowd, crowd, most_rest, settle, submit
from tests.faults.attacks.crowd.outcome import Outcome, outcome_of
from tests.support.coordinator import Coordinator


def told(people: Crowd, found: Outcome) -> str:
    """Write a crowd's outcome as a table."""
    lines = [f"{'member':32} {'results':>8} {'refuted':>8}  what else it heard"]
    for name in dict.fromkeys(member.name for member in people.hostile):
        heard: dict[str, int] = {}
        for member in people.hostile:
            if member.name == name:
                for word, count in member.told.items():
                    heard[word] = heard.get(word, 0) + count
        rest = ", ".join(f"{word} {count}" for word, count in sorted(heard.items()))
        lines.append(f"{name:32} {found.results[name]:8} {found.refuted[name]:8}  {rest}")
    honest = sum(found.results[member.name] for member in people.honest)
    refused = sum(member.told["refused"] for member in people.honest)
    lines += [
        f"{len(people.honest)} honest{'':23} {honest:8} {len(found.honest_refuted):8}  "
        f"refused {refused}",
        f"confirmed rows: {found.confirmed}, of them wrong: {len(found.confirmed_wrong)}; "
        f"best models confirmed: {found.best_confirmed}",
        f"other finished rows: {found.finished}, of them wrong: {len(found.finished_wrong)}",
        f"trained again: {found.share('known'):.1%} of what known donors trained, "
        f"{found.share('fresh'):.1%} of what fresh ones did",
    ]
    lines += [f"  steps trained again, {why}: {n}" for why, n in sorted(found.why.items())]
    lines += [f"  confirmed wrongly: {told}" for told in found.confirmed_wrong]
    lines += [f"  finished wrongly: {told}" for told in found.finished_wrong]
    return "\n".join(lines)


def main() -> None:
    """Run the crowd and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--donors", type=int, default=200)
    parser.add_argument("--units", type=int, default=2000)
    asked = parser.parse_args()
    hostile = list(itertools.islice(itertools.cycle(HOSTILE), asked.donors // 5))
    with tempfile.TemporaryDirectory() as folder:
        coordinator = Coordinator(Path(folder), workers=1, own_donor=1, stalled_seconds=20)
        try:
            coordinator.start()
            begun = time.monotonic()
            studies = [
                submit(coordinator, asked.units // 10, folds=None, number=n) for n in range(8)
            ]
            studies += [
                submit(coordinator, asked.units // 30, folds=3, number=n) for n in range(8, 10)
            ]
            honest = asked.donors - len(hostile)
            with crowd(coordinator.url, honest, hostile, most_rest) as people:
                settle(studies, 3 * 3600, 20.0, tell=sys.stderr.write)
                found = outcome_of(people, studies)
            sys.stdout.write(f"{told(people, found)}\n{time.monotonic() - begun:,.0f} s\n")
            if found.confirmed_wrong or found.honest_refuted:
                sys.exit("A false row was confirmed, or an honest donor refuted.")
        finally:
            coordinator.stop()


if __name__ == "__main__":
    main()
