"""What one owner may keep and have under way, and what to say where it would be more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from potluck_coordinator.core.errors import OverQuota

NAMED = 3
"""How many of the largest things a refusal names."""


@dataclass(frozen=True)
class Thing:
    """Something that counts: a dataset, model or study by its bytes, or a study by its units."""

    kind: str
    name: str
    size: int


@dataclass(frozen=True)
class Whose:
    """Whose things a quota counts: an owner's, or those of visitors together."""

    owner: str | None
    """None: of all visitors, or of those of a network."""
    network: str | None = None

    @property
    def together(self) -> bool:
        """Say whether it counts things of others than who asks: these are not named."""
        return self.owner is None

    def told(self) -> str:
        """Give the words for who has the things."""
        if self.owner is not None:
            return "You"
        return f"All visitors{'' if self.network is None else ' of your network'} together"

    def studies_told(self) -> str:
        """Give the words for their studies."""
        if self.owner is not None:
            return "Your studies"
        of_network = "" if self.network is None else " of your network"
        return f"The studies of all visitors{of_network} together"


def check_bytes(
    kept: Sequence[Thing], more: int, allowed: int, whose: str, *, named: bool = True
) -> None:
    """Refuse more bytes than may be kept; what is there already may stay.

    Args:
        kept: The datasets, models and studies that are kept.
        more: Bytes to come.
        allowed: Bytes that may be kept; 0: any number.
        whose: Who keeps them, to say `{whose} would keep more ...`.
        named: Name the largest; not where they belong to others than who asks.

    Raises:
        OverQuota: `quota.bytes`.
    """
    used = sum(thing.size for thing in kept)
    if allowed and used + more > allowed:
        raise OverQuota(
            "quota.bytes",
            f"{whose} would keep more models, datasets and studies here than may be.",
            expected=f"at most {told_bytes(allowed)}",
            got=f"{told_bytes(used)} kept, and {told_bytes(more)} more",
            hint=f"Delete what is no longer needed. {_named(kept, told_bytes, named)}".strip(),
        )


def check_studies(running: Sequence[Thing], more: int, allowed: int, whose: str) -> None:
    """Refuse more running studies than may be. Raises OverQuota `quota.studies`."""
    if allowed and more and len(running) + more > allowed:
        raise OverQuota(
            "quota.studies",
            f"{whose} would have more studies running here than may be.",
            expected=f"at most {allowed} at a time",
            got=f"{len(running)} running, and {more} more",
            hint="Wait until one ends, or stop one.",
        )


KEPT = {
    "kept_studies": "studies, those that ended included",
    "uploads": "models and datasets",
    "groups": "groups",
}
"""What is counted by its number: the ends of the codes, and words for it."""


def check_number(what: str, kept: int, allowed: int, whose: str) -> None:
    """Refuse one more thing than may be kept, however small it is: its row takes room, too.

    Args:
        what: One of `KEPT`.
        kept: How many there are.
        allowed: How many there may be; 0: any number.
        whose: Who keeps them, to say `{whose} would keep more ...`.

    Raises:
        OverQuota: `quota.` with `what`.
    """
    if allowed and kept >= allowed:
        raise OverQuota(
            f"quota.{what}",
            f"{whose} would keep more {KEPT[what].partition(',')[0]} here than may be.",
            expected=f"at most {allowed:,} {KEPT[what]}",
            got=f"{kept:,} kept, and one more",
            hint="Delete what is no longer needed of them.",
        )


def check_units(
    running: Sequence[Thing], more: int, allowed: int, whose: str, *, named: bool = True
) -> None:
    """Refuse more units in running studies than may be. Raises OverQuota `quota.units`.

    Args:
        running: The studies that run, with their units.
        more: Units to come.
        allowed: Units that may be in all of them; 0: any number.
        whose: Whose they are, to say `{whose} would have more ...`.
        named: Name the largest; not where they belong to others than who asks.
    """
    used = sum(thing.size for thing in running)
    if allowed and used + more > allowed:
        raise OverQuota(
            "quota.units",
            f"{whose} would have more units under way here than may be.",
            expected=f"at most {allowed:,} in all running studies",
            got=f"{used:,} under way, and {more:,} more",
            hint=(
                "Ask for fewer trials, folds or repeats, or stop a study. "
                + _named(running, "{:,} units".format, named)
            ).strip(),
        )


def check_states(used: int, starts: int, allowed: int, whose: str) -> None:
    """Refuse to let a study begin where its first trial would make studies keep too much.

    Args:
        used: Bytes of start states, results and predictions that are kept.
        starts: Bytes of the start states of a trial to come.
        allowed: Bytes that may be kept; 0: any number.
        whose: Whose studies they are, to say `{whose} keep ...`.

    Raises:
        OverQuota: `quota.states`.
    """
    if allowed and used + starts >= allowed:
        raise OverQuota(
            "quota.states",
            f"{whose} keep as many results here as they may.",
            expected=f"less than {told_bytes(allowed)} of start states, results and predictions",
            got=f"{told_bytes(used)} kept, and {told_bytes(starts)} of start states to come",
            hint="Delete studies that are no longer needed.",
        )


def told_bytes(size: int) -> str:
    """Give bytes as people read them: `1.5 GiB`."""
    for unit, least in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size >= least:
            return f"{size / least:.1f} {unit}"
    return f"{size} bytes"


def _named(things: Iterable[Thing], told: Callable[[int], str], named: bool) -> str:
    if not named:
        return ""
    largest = sorted(things, key=lambda thing: -thing.size)[:NAMED]
    if not largest:
        return ""
    return "The largest: " + ", ".join(
        f"{thing.kind} “{thing.name[:60]}” ({told(thing.size)})" for thing in largest
    )
