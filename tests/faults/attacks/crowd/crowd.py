"""A crowd of donors, some hostile, against a real coordinator; and what came of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx2

import potluck
from tests.faults.attacks.crowd.behaviours import HOSTILE, honest
from tests.faults.attacks.crowd.member import Member, Truth
from tests.support.coordinator import Coordinator
from tests.support.keras_files import dense_h5
from tests.support.waiting import PATIENCE_S, until

RATES = (1e-3, 2e-2)


@dataclass(frozen=True)
class Crowd:
    """The members, and the hashes of what was trained honestly."""

    honest: list[Member]
    hostile: list[Member]
    truth: Truth


def most_rest(number: int) -> float:
    """Give the seconds that an honest member rests: a tenth never does, others up to a minute."""
    return 6.0 * (number % 10)


@contextmanager
def crowd(
    url: str,
    honest_members: int,
    hostile: list[str],
    rest_s: Callable[[int], float] = lambda _: 0.0,
) -> Iterator[Crowd]:
    """Let a crowd donate while the context lasts. Each member has an address of its own."""
    addresses = (f"127.0.{n // 250 + 1}.{n % 250 + 1}" for n in itertools.count())
    truth = Truth()
    good = [
        Member(f"honest {n}", url, next(addresses), truth, honest(rest_s(n)))
        for n in range(honest_members)
    ]
    bad = [Member(name, url, next(addresses), truth, HOSTILE[name]) for name in hostile]
    members = [*bad, *good]  # the hostile ones come first to the queue
    for member in members:
        member.thread.start()
    try:
        yield Crowd(good, bad, truth)
    finally:
        for member in members:
            member.over.set()
        for member in members:
            member.thread.join(60)


def submit(
    coordinator: Coordinator, trials: int, folds: int | None, number: int = 0
) -> potluck.Study:
    """Make a study of short units on the irises. No two numbers have a unit in common."""
    low, high = (rate * (1.0 + number / 20) for rate in RATES)
    return coordinator.client().submit(
        model=dense_h5(),
        data="iris",
        trials=trials,
        epochs=2,
        folds=folds,
        search={"learning_rate": potluck.Float(low, high, log=True)},
        name=f"Study {number}",
    )


def replays_of(study: potluck.Study) -> list[dict[str, object]]:
    """Give a study's replays, newest first."""
    answer = httpx2.get(study.url.replace("/studies/", "/api/v1/studies/") + "/replays")
    found: list[dict[str, object]] = answer.json()
    return found


def settle(
    studies: list[potluck.Study],
    patience_s: float = PATIENCE_S,
    tick_s: float = 0.05,
    tell: Callable[[str], object] = lambda _: None,
) -> None:
    """Wait until every study is completed, and nothing that was drawn is still to be checked.

    Args:
        studies: The studies.
        patience_s: Seconds until the deadline.
        tick_s: Seconds between two looks.
        tell: Hears at each look how far they are.
    """

    def settled() -> bool:
        running = [study for study in studies if study.refresh().state != "completed"]
        waiting = sum(s.record.counts.ready + s.record.counts.leased for s in running)
        unscored = sum(s.record.counts.returned for s in running)
        checks = sum(one["state"] == "open" for s in studies for one in replays_of(s))
        tell(
            f"{len(running)} studies go on: {waiting} units to train, {unscored} to score, "
            f"{checks} to check\n"
        )
        return not running and not checks

    def told() -> str:
        return "; ".join(
            f"{s.record.name} {s.state} {s.record.counts}, {s.record.checks_open} checks open"
            for s in studies
        )

    until(settled, what=told, patience_s=patience_s, tick_s=tick_s)
