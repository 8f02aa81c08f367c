"""What an owner's studies may keep of states: start states, results and predictions."""

from __future__ import annotations

import enum
from math import inf

from potluck_coordinator.core.quotas import Whose
from potluck_coordinator.core.records import Study
from potluck_coordinator.core.units import units_of
from potluck_coordinator.services.sharing import most_of, visitors_of
from potluck_coordinator.services.site import Site
from potluck_coordinator.services.sizes import size_of
from potluck_coordinator.storage import access, holdings, models
from potluck_coordinator.storage.transaction import Transaction

STATES_SECONDS = 5.0
MOST_OWNERS = 1000


class Room(enum.Enum):
    """Whether a study may make another trial: yes, when those that run have ended, or no more."""

    YES = "yes"
    LATER = "later"
    NO = "no"


def room_for_states(site: Site, tx: Transaction, study: Study) -> Room:
    """Say whether another trial's states have room in the quotas of a study's owner.

    Args:
        site: The coordinator.
        tx: A transaction.
        study: A running study.
    """
    account = access.find_account(tx, study.owner)
    if account is not None and account.role == "admin" and not site.settings.quota_admins:
        return Room.YES
    to_come, starts = holdings.bytes_to_come(tx, study.id), starts_to_come(site, tx, study)
    mine = Whose(study.owner)
    most = most_states(site, mine)
    used = states_lately(site, tx, mine, most - starts) + starts if most else 0
    if most and used >= most:
        return Room.LATER if to_come else Room.NO
    if most and to_come and used + to_come >= most:
        return Room.LATER
    # What other visitors keep stops nobody's study: it waits until they keep less.
    for whose in visitors_of(site, study.owner, site.whence.network_of(study.id) or ""):
        most = most_states(site, whose)
        if most and states_lately(site, tx, whose, most - starts) + starts + to_come >= most:
            return Room.LATER
    return Room.YES


def starts_to_come(site: Site, tx: Transaction, study: Study) -> int:
    """Estimate the bytes of the start states of a study's next trial.

    Trials of the same shapes start from the same states, which are there once.

    Args:
        site: The coordinator.
        tx: A transaction.
        study: The study.
    """
    before = holdings.start_bytes(tx, study.id)
    if before is not None:
        return before
    starts = units_of(1, study.wire_plan["folds"], study.spec["repeats"], 1)
    return starts * size_of(site, models.get(tx, study.model_id).weights)


def states_lately(site: Site, tx: Transaction, whose: Whose, most: int) -> int:
    """Count as `states_kept` does, or did a few seconds ago: trials and studies come in crowds.

    What says that nothing may be added, `most` or more, is never old: something may have gone.

    Args:
        site: The coordinator.
        tx: A transaction.
        whose: Whose studies.
        most: From how many bytes on nothing may be added.
    """
    now = site.now()
    at, used = site.states_kept.get(whose, (-inf, 0))
    if used >= most or not now - STATES_SECONDS < at <= now:
        used = states_kept(site, tx, whose)
        if len(site.states_kept) >= MOST_OWNERS:
            site.states_kept.clear()
        site.states_kept[whose] = (now, used)
    return used


def states_kept(site: Site, tx: Transaction, whose: Whose) -> int:
    """Count the bytes of states that somebody's studies keep.

    Args:
        site: The coordinator.
        tx: A transaction.
        whose: Whose studies; of a network those that are remembered to have come from there.
    """
    if whose.network is not None:
        return holdings.state_bytes_of(tx, site.whence.things_of(whose.network))
    return holdings.state_bytes(tx, whose.owner)


def most_states(site: Site, whose: Whose) -> int:
    """Give the bytes of states that somebody's studies may keep; 0: any number.

    Args:
        site: The coordinator.
        whose: Whose studies.
    """
    disk = site.artifacts.disk_bytes() or 0
    own, joint = site.settings.quota_states, site.settings.visitors_states
    return most_of(
        site, whose, disk // 4 if own is None else own, disk // 2 if joint is None else joint
    )
