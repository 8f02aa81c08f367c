"""Units that are held much too long: when a second donor gets one, and whose load it is no more.

A unit *stalls* once it is held three times as long as the study's units took for as much work. It
then goes to a second donor that finds nothing else. It is *overdue* once it is held four times as
long as that: from then on it stands in the queue among the units that are ready, and counts no
longer as work that its submitter has under way. Who holds it may go on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median, median_low

from potluck_coordinator.core.groups import Circle

STALLED_TIMES = 3.0
"""A unit stalls that is held so many times as long as its study's units took."""
UNKNOWN_TIMES = 5.0
"""Where no unit of the study was finished in time yet: so many times the least."""
OVERDUE_TIMES = 4.0
"""Others that are ready wait for no slow donor's unit; who is slower still has a second holder."""
VOICES = 2
"""So many donors must have finished units before a study's pace makes overdue units wait longer."""


@dataclass(frozen=True, slots=True)
class Held:
    """A unit that donors hold.

    `owner`, `circle`: of its study. `flops`: all that training it takes. `since`: when the last
    donor got it. `holders`: how many hold it. `mine`: the donor that asks does.
    """

    unit_id: str
    study_id: str
    owner: str
    circle: Circle
    memory_bytes: int
    flops: float
    since: float
    holders: int
    mine: bool


@dataclass(frozen=True)
class Pace:
    """What a study's units took. `donors`: how many different ones it was taken from."""

    seconds_per_flop: float
    donors: int


def pace_of(took: Iterable[tuple[str, float]]) -> Pace | None:
    """Take a study's pace from what its newest units took; None where none was finished.

    Each donor has one voice, the middle of what it needed, and the middle voice counts: neither
    one donor that lingers nor many units of one donor decide.

    Args:
        took: Of each unit who trained it, and the seconds that it took for each FLOP.
    """
    voices: dict[str, list[float]] = {}
    for donor, seconds in took:
        voices.setdefault(donor, []).append(seconds)
    if not voices:
        return None
    return Pace(median_low(median(told) for told in voices.values()), len(voices))


def stalled_after(held: Held, pace: Pace | None, least_s: float) -> float:
    """Say for how many seconds a unit may be held until it stalls.

    Args:
        held: The unit.
        pace: Its study's; None: not known.
        least_s: It never is fewer seconds.
    """
    if pace is None:
        return UNKNOWN_TIMES * least_s
    return max(least_s, STALLED_TIMES * pace.seconds_per_flop * held.flops)


def overdue_after(held: Held, pace: Pace | None, least_s: float) -> float:
    """Say for how many seconds a unit may be held until it is overdue.

    Each further holder gets more time than the one before: units may take hours, and must not draw
    all donors.

    Args:
        held: The unit.
        pace: Its study's; None: not known. One donor alone may shorten this time, and not lengthen
            it.
        least_s: A unit never stalls before so many seconds.
    """
    times = OVERDUE_TIMES * max(1, held.holders)
    unknown = times * stalled_after(held, None, least_s)
    if pace is None:
        return unknown
    known = times * stalled_after(held, pace, least_s)
    return known if pace.donors >= VOICES else min(known, unknown)
