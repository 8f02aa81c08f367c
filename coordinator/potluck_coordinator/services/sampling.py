"""By chance: which of the results that were just handed in are trained again."""

from __future__ import annotations

import secrets

from potluck_coordinator.core.records import Unit
from potluck_coordinator.core.trust import Why, backend_class, replay_probability
from potluck_coordinator.services.chains import segments_of
from potluck_coordinator.services.challenges import challenge, too_long
from potluck_coordinator.services.replays import ask, checks
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import donor_standings
from potluck_coordinator.storage.transaction import Transaction


def draw(site: Site, tx: Transaction, unit: Unit) -> None:
    """Decide whether a unit's new result is trained again: as a whole, or one interval of it."""
    if not checks(site):
        return
    segment = segments_of(tx, unit)[0]
    lease = segment.lease
    standing = donor_standings.of(tx, lease.donor_id, backend_class(lease.backend, lease.stacked))
    if unit.diverged:
        ask(site, tx, unit, segment, Why.DIVERGED)
    elif secrets.randbelow(10**6) < 10**6 * replay_probability(standing.agreements):
        if too_long(site, unit, segment):
            challenge(site, tx, unit, segment)
        else:
            ask(site, tx, unit, segment, Why.SAMPLED)
