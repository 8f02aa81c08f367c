"""Why a unit, a trial or a study came to nothing, in one line that names the cause."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from potluck_coordinator.core.errors import PotluckError

DIVERGED = "Training diverged: its weights became NaN or infinite."
NO_TRIAL = "No trial could be completed."
REFIT_FAILED = "The best trial could not be trained again on all training rows."
NO_ROOM = (
    "The studies of its owner keep as many results here as they may. Delete studies that are no "
    "longer needed, then resume this one."
)
_LEASE = re.compile(r"ls_\w+: ")


def of_refusal(error: PotluckError) -> str:
    """Say why a result was refused: the code, the message, and which tensor it is about."""
    where = f" ({error.where})" if error.where else ""
    facts = [f"expected {error.expected}" if error.expected else ""]
    facts += [f"got {error.got}" if error.got else ""]
    told = ", ".join(fact for fact in facts if fact)
    return f"{error.code}: {error.message.rstrip('.')}{where}" + (f": {told}." if told else ".")


def of_unit(reasons: Sequence[str]) -> str:
    """Say why a unit was set aside: the last of its attempts' reasons, without the lease's id."""
    last = _LEASE.sub("", reasons[-1], count=1) if reasons else "no reason is known"
    return f"A unit was set aside: {last}"


def of_study(trials: Sequence[str]) -> str:
    """Say why no trial was completed: the reason that most trials have."""
    known = Counter(reason for reason in trials if reason)
    if not known:
        return NO_TRIAL
    [(reason, number)] = known.most_common(1)
    share = f"In {number} of {len(trials)} trials: " if number < len(trials) else ""
    return f"{NO_TRIAL} {share}{reason}"
