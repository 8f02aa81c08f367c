"""Units that their holders make no headway with: see `core.stalls`."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from potluck_coordinator.core.groups import Reach
from potluck_coordinator.core.scheduling import Candidate
from potluck_coordinator.core.stalls import (
    OVERDUE_TIMES,
    Held,
    Pace,
    overdue_after,
    pace_of,
    stalled_after,
)
from potluck_coordinator.storage import stalls
from potluck_coordinator.storage.transaction import Transaction

MOST_REMEMBERED = 1000
PACE_KEPT_TIMES = 0.25
"""A pace is looked up again after such a share of the least time in which a unit can stall."""
MOST_OF_OWNER = 64
MOST_OFFERED = 512


class StudyPaces:
    """What the units of studies take. In memory, bounded: many grants ask for the same."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[float, Pace | None]] = OrderedDict()

    def of(
        self, tx: Transaction, study_ids: Collection[str], now: float, keep_s: float
    ) -> dict[str, Pace | None]:
        """Give the paces of studies; None where no unit was finished.

        Args:
            tx: A transaction.
            study_ids: The studies.
            now: The time in seconds.
            keep_s: For how many seconds what is looked up counts.
        """
        due = {s for s in study_ids if s not in self._kept or self._kept[s][0] <= now}
        for study in due:
            self._kept[study] = (now + keep_s, pace_of(stalls.took(tx, study)))
            self._kept.move_to_end(study)
        found = {study: self._kept[study][1] for study in study_ids}
        while len(self._kept) > MOST_REMEMBERED:
            self._kept.popitem(last=False)
        return found


Waiting = tuple[Held, float]


@dataclass(frozen=True)
class Stalls:
    """Stalled units, as somebody finds them who asks for work.

    `stalled`: all that stalled, the longest held first. `overdue`: those of them that stand among
    the units that are ready. Each with the time since which it does.
    """

    stalled: list[Waiting] = field(default_factory=list)
    overdue: list[Waiting] = field(default_factory=list)

    def without(self, busy: Mapping[str, int]) -> dict[str, int]:
        """Give what submitters have under way where overdue units do not count.

        Args:
            busy: Their leased units.
        """
        gone = Counter(held.owner for held, _ in self.overdue)
        return {owner: max(0, count - gone[owner]) for owner, count in busy.items()}


def look(
    paces: StudyPaces,
    tx: Transaction,
    donor_id: str,
    now: float,
    least_s: float,
    *,
    only_overdue: bool,
) -> Stalls:
    """Find the units that stalled.

    Args:
        paces: What the coordinator remembers of studies' paces.
        tx: A transaction.
        donor_id: Who asks.
        now: The time in seconds.
        least_s: No unit stalls before so many seconds.
        only_overdue: Leave `stalled` empty, and do not look at what cannot be overdue yet.
    """
    held = stalls.held(tx, donor_id, now - least_s * (OVERDUE_TIMES if only_overdue else 1.0))
    if not held:  # most often
        return Stalls()
    known = paces.of(tx, {one.study_id for one in held}, now, PACE_KEPT_TIMES * least_s)
    found = Stalls()
    for one in held:
        pace = known[one.study_id]
        stalls_at = one.since + stalled_after(one, pace, least_s)
        overdue_at = one.since + overdue_after(one, pace, least_s)
        if not only_overdue and now > stalls_at:
            found.stalled.append((one, stalls_at))
        if now > overdue_at:
            found.overdue.append((one, overdue_at))
    return found


def offered(
    tx: Transaction,
    held: Iterable[Waiting],
    reach: Reach,
    memory_bytes: int | None,
    most: int = MOST_OFFERED,
) -> list[Candidate]:
    """Give those that a donor may get as a second holder; some of every submitter.

    Args:
        tx: A transaction.
        held: Stalled units.
        reach: Whose units the donor may get.
        memory_bytes: What a unit may take there; None: no limit is known.
        most: How many at most.
    """
    found: dict[str, float] = {}
    of_owner: Counter[str] = Counter()
    for one, since in held:
        fits = memory_bytes is None or one.memory_bytes <= memory_bytes
        if one.mine or not fits or not reach.permits(one.circle):
            continue
        of_owner[one.owner] += 1
        if of_owner[one.owner] <= MOST_OF_OWNER and len(found) < most:
            found[one.unit_id] = since
    return stalls.candidates(tx, found) if found else []
