"""By chance: which of the results that were just handed in are trained again."""

from __future__ import annotations

import secrets

from potluck_coordinator.core.records import Unit
from potluck_coordinator.core.trust import Why, backend_class, replay_probability
from potluck_coordinator.services.chains import segments_of
from potluck_coordinator.services.challenges import challenge
from potluck_coordinator.services.replays import ask, ask_for_network, checks, takes_longer
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import donor_standings
from potluck_coordinator.storage.transaction import Transaction


def draw(site: Site, tx: Transaction, unit: Unit) -> bool:
    """Decide whether what led to a unit's new result is trained again: each segment by itself.

    The last one is as a whole, or in one interval of it: its donor is there to bring the states.
    Gives whether it was challenged.
    """
    if not checks(site):
        return False
    if unit.diverged:  # it fails a trial: nothing that led to it is left to chance
        ask_for_network(site, tx, unit, Why.DIVERGED)
        return False
    challenged = False
    longest = min(site.settings.own_donor_whole_seconds, site.settings.own_donor_seconds)
    for segment in segments_of(tx, unit):
        lease = segment.lease
        last = lease.id == unit.result_lease
        kind = backend_class(lease.backend, lease.stacked)
        agreements = donor_standings.of(tx, lease.donor_id, kind).agreements
        if secrets.randbelow(10**6) >= 10**6 * replay_probability(agreements):
            continue
        if last and takes_longer(site, unit, segment, longest):
            challenge(site, tx, unit, segment)
            challenged = True
        elif not takes_longer(site, unit, segment, site.settings.own_donor_seconds):
            ask(site, tx, unit, segment, Why.SAMPLED)
    return challenged
