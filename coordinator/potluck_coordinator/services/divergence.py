"""A claimed divergence fails a trial only when it is proven."""

from __future__ import annotations

from potluck_coordinator.core.records import Unit
from potluck_coordinator.core.trust import ReplayState, Why
from potluck_coordinator.services.chains import segments_of
from potluck_coordinator.services.replays import PROVEN, ask_for_network, checks
from potluck_coordinator.services.site import Site
from potluck_coordinator.services.voiding import void
from potluck_coordinator.storage import donor_standings, leases, studies
from potluck_coordinator.storage.transaction import Transaction

CLAIM = "said that training diverged"
"""The reason that is noted with such a lease."""
MOST_CLAIMS = 6
"""So many are believed of anybody: where nothing can be trained again, nobody ever is proven."""


def believed(site: Site, tx: Transaction, unit: Unit) -> bool:
    """Say whether a returned unit's divergence counts. Sees to a proof where there is none.

    It does once everything that led to it was trained again and agreed, earlier rungs too: from a
    state that nobody trained an honest donor diverges as well. Where the coordinator cannot train
    it again, a second donor must come to the same end: the unit is offered again, or the first rung
    that is not proven is. A donor that is alone has to come to it twice. Only donors count of which
    something was trained again and agreed.
    """
    lease = segments_of(tx, unit)[0].lease
    unproven: list[Unit] = []
    if checks(site):
        asked = ask_for_network(site, tx, unit, Why.DIVERGED)
        if any(replay.state == ReplayState.OPEN for _, replay in asked):
            return False
        unproven = [own for own, replay in asked if replay.state not in PROVEN]
        if not unproven:
            return True
    leases.note(tx, lease.id, CLAIM)
    claims = leases.with_reason(tx, unit.id, CLAIM)
    circle = studies.get(tx, unit.study_id).circle
    alone = not site.presence.others(lease.donor_id, (circle,))
    if checks(site):
        trusted = [one for one in claims if donor_standings.best_of(tx, one.donor_id) > 0]
        claims = claims if len(claims) >= MOST_CLAIMS else trusted
    if len({one.donor_id for one in claims}) > 1 or (alone and len(claims) > 1):
        return True
    first = min(unproven, key=lambda own: own.rung, default=unit)
    void(site, tx, first, f"{lease.id}: {CLAIM}; somebody else tries")
    return False
