"""When a donor's work is trained again, and what the comparison says of it.

A *replay* trains what a lease trained, from the same state to the same step, and compares the two
ends. What differs is measured by how far training itself moved the weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from statistics import median, median_low

KNOWN_AFTER = 10
"""Agreements in a row from which a donor counts as known: until then all its work is replayed."""
LEAST_PROBABILITY = 0.02
TOLERANCE = 0.02
"""Allowed distance, as a share of the way that training moved, where nothing else is known."""
MOST_TOLERANCE = 0.25
"""No chaos of training allows more than this."""
MOST_LEARNED_TOLERANCE = 0.04
"""Nothing that was learned from donors allows more than this."""
SPREAD_ALLOWED = 5.0
"""How many times its own sensitivity to rounding a training may be off."""
LEARNED_NETWORKS = 5
"""Networks that must have shown more before more is allowed."""
LEARNED_ACCOUNTS = 2
"""So many of them must have donors that are signed in to accounts of this coordinator."""
LEARNED_EACH = 5
"""Agreements of a network from which it has a voice."""
LEARNED_MARGIN = 3.0


STEPS_BEYOND = 256
"""A divergence shows itself here so many steps later at most, beside twice the claimed ones."""


def diverges_by(from_step: int, claimed: int, last: int) -> int:
    """Give the step by which a claimed divergence must have shown itself here too.

    Other rounding moves it, the more the longer the whole network was trained; a claim at the first
    step must not ask for the whole unit.

    Args:
        from_step: Where the lease began, counted over the whole trial, as all of these are.
        claimed: The step at which its donor says that training diverged.
        last: The unit's last step.

    Example: `diverges_by(0, 100, 10_000)` is 456.
    """
    claimed = min(max(claimed, from_step), last)
    return min(last, 2 * claimed + STEPS_BEYOND)


class ReplayState(StrEnum):
    """Where a replay is."""

    ASKED = "asked"
    """The donor was asked for the two states between which it is trained again."""
    UNANSWERED = "unanswered"
    """The donor did not bring them: its work earns no credit, and proves nothing."""
    OPEN = "open"
    AGREED = "agreed"
    REFUTED = "refuted"
    UNDECIDED = "undecided"
    """It could not be trained again here, or training is too chaotic to compare."""
    DROPPED = "dropped"
    """Nobody needs it any more."""
    UNDONE = "undone"
    """An operator took the verdict back."""


class Why(StrEnum):
    """Why a lease's work is trained again."""

    SAMPLED = "sampled"
    CHALLENGE = "challenge"
    """Sampled, of a unit that is too long to be trained again as a whole: one interval of it."""
    FINALIST = "finalist"
    DIVERGED = "diverged"
    """It fails a trial if it is true."""
    CHECKPOINT = "checkpoint"
    """Another donor went on from it."""
    STUCK = "stuck"
    """Donors could not train the unit: can the coordinator train its first steps?"""
    REFUTED_BEFORE = "refuted_before"
    """Another of the same donor's results was refuted."""


PRIORITY = {
    Why.DIVERGED: 0,
    Why.STUCK: 1,
    Why.CHECKPOINT: 2,
    Why.FINALIST: 3,
    Why.REFUTED_BEFORE: 4,
    Why.SAMPLED: 5,
    Why.CHALLENGE: 6,
}
"""Which replay is done first: those for which a study waits."""


def replay_probability(agreements: int) -> float:
    """Say how likely the next work of a donor is trained again.

    `agreements`: its agreements in a row with this backend class. 1 below ten, then 1/n, at least
    0.02. Example: `replay_probability(20)` is 0.05.
    """
    if agreements < KNOWN_AFTER:
        return 1.0
    return max(1.0 / agreements, LEAST_PROBABILITY)


def backend_class(backend: str, stacked: bool) -> str:
    """Name what trained: units trained together sum in another order than alone."""
    return f"{backend}+stacked" if stacked else backend


@dataclass(frozen=True)
class Interval:
    """What lies between two neighbouring committed states. Steps count over the whole trial.

    `start`, `end`: the states' SHA-256; None where the donor committed to nothing there.
    """

    from_step: int
    to_step: int
    start: str | None
    end: str | None


def intervals(
    first: tuple[int, str],
    last: tuple[int, str],
    commitments: Mapping[int, str],
    steps: Sequence[int],
) -> list[Interval]:
    """Cut what a lease trained at its commit steps.

    `first`, `last`: (step, SHA-256) of where it began and of its result. `commitments`: what the
    donor committed to, by step. `steps`: the unit's commit steps. Example: a lease from step 0 to
    8 with the commit steps (4, 8) has two intervals.
    """
    between = [step for step in steps if first[0] < step < last[0]]
    points = [first, *((step, commitments.get(step)) for step in between), last]
    return [
        Interval(one_step, other_step, one, other)
        for (one_step, one), (other_step, other) in pairwise(points)
    ]


@dataclass(frozen=True)
class Comparison:
    """What a replay measured. Lengths are Euclidean, over all weights.

    `distance`: between the two ends, as a share of how far training moved (the largest over all
    weights together and over each weight array). `spread`: the same between two replays of which
    one began a rounding error away; None where it was not needed. `diverged`: the replay's end is
    not finite.
    """

    distance: float
    spread: float | None = None
    diverged: bool = False


def tolerance_for(learned: float | None) -> float:
    """Give the tolerance of a pair of backend classes; `learned` by `learned_tolerance`."""
    return min(MOST_LEARNED_TOLERANCE, max(TOLERANCE, learned or 0.0))


@dataclass(frozen=True)
class Voice:
    """What a network's known donors of a backend class showed.

    `distances`: at which they agreed. `signed_in`: these are of donors that are signed in to
    accounts, which the admin makes; a network may have another voice of those that are not.
    """

    network: str
    distances: Sequence[float]
    signed_in: bool


def learned_tolerance(voices: Sequence[Voice]) -> float | None:
    """Learn a tolerance from what several networks showed; None where they are too few.

    Each network has one voice, its middle distance, and the middle voice counts. It counts no more
    than the middle voice of those who have accounts here: strangers alone widen nothing.

    Args:
        voices: Of one backend class.
    """
    told: dict[str, list[float]] = {}
    ours: dict[str, list[float]] = {}
    for voice in voices:
        told.setdefault(voice.network, []).extend(voice.distances)
        if voice.signed_in:
            ours.setdefault(voice.network, []).extend(voice.distances)
    everybody = [median(found) for found in told.values() if len(found) >= LEARNED_EACH]
    established = [median(found) for found in ours.values() if len(found) >= LEARNED_EACH]
    if len(everybody) < LEARNED_NETWORKS or len(established) < LEARNED_ACCOUNTS:
        return None
    shown = min(median_low(everybody), median_low(established))
    return min(MOST_LEARNED_TOLERANCE, LEARNED_MARGIN * shown)


def judge(found: Comparison, tolerance: float, *, claimed_divergence: bool) -> ReplayState:
    """Decide what a replay says of the work that it repeated.

    A claimed divergence is true if the replay diverged too. Else the distance counts: within the
    tolerance it agrees; where training itself spreads rounding errors, up to five times its own
    spread does, but never more than a quarter of the way. What is beyond that quarter while the
    training spreads as much cannot be compared.
    """
    if claimed_divergence or found.diverged:
        same = claimed_divergence and found.diverged
        return ReplayState.AGREED if same else ReplayState.REFUTED
    if found.distance <= tolerance:
        return ReplayState.AGREED
    chaos = SPREAD_ALLOWED * (found.spread or 0.0)
    if found.distance > chaos:
        return ReplayState.REFUTED
    return ReplayState.AGREED if found.distance <= MOST_TOLERANCE else ReplayState.UNDECIDED


FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 1800.0


def pause_after(failures: int) -> float:
    """Say how long a donor waits after so many failures in a row, in seconds: doubling.

    The first two cost nothing: one bad unit is no fault of the donor's.
    """
    if failures <= 2:
        return 0.0
    return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures - 3, 20))


def most_leases(delivered: int, agreements: int, *, others_wait: bool, most: int) -> int:
    """Say how many leases a donor may hold. Caps never bind while nobody else waits.

    One until it has delivered; then twice what it delivered, and all once it is known.
    """
    if not others_wait or agreements >= KNOWN_AFTER:
        return most
    return max(1, min(most, 2 * delivered))
