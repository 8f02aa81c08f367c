"""A study's first places are trained again before it ends: asked for by a few statements."""

from __future__ import annotations

from collections.abc import Sequence

from potluck_coordinator.core.records import Unit
from potluck_coordinator.core.trust import PRIORITY, ReplayState, Why
from potluck_coordinator.services.chains import all_segments
from potluck_coordinator.services.replays import ask, checks, is_of
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import replays
from potluck_coordinator.storage.transaction import Transaction

FINALISTS = 3
"""So many first places are trained again before a study ends."""


def ask_for_finalists(site: Site, tx: Transaction, leading: Sequence[Unit]) -> bool:
    """Let everything that led to the first places be trained again; say whether some is open.

    This is asked at every verdict, and most often everything was asked for before: then it is
    looked up by a few statements, whatever the number of units.

    Args:
        site: The coordinator.
        tx: The transaction.
        leading: The scored units of the first places.
    """
    if not checks(site):
        return False
    led = all_segments(tx, leading)
    known = replays.of_leases(tx, [segment.lease.id for _, segment in led])
    waiting = False
    late: list[str] = []
    for unit, segment in led:
        replay = known.get(segment.lease.id)
        if replay is None or not is_of(replay, segment):
            replay = ask(site, tx, unit, segment, Why.FINALIST)
        elif replay.state == ReplayState.OPEN and _is_less_urgent(replay.why):
            late.append(replay.id)
        waiting |= replay.state == ReplayState.OPEN
    if late:
        replays.raise_priority(tx, late, Why.FINALIST)
    return waiting


def _is_less_urgent(why: str) -> bool:
    return PRIORITY[Why(why)] > PRIORITY[Why.FINALIST]
