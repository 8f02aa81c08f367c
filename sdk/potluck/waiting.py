"""Waiting for a study: a progress bar in a terminal and in a notebook."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from potluck.errors import Busy, ConnectionFailed, ServerFault, WaitTimeout
from potluck.notices import say
from potluck.progress import progress_bar
from potluck.protocol.records import Study

ENDED = frozenset({"completed", "stopped", "failed"})
POLL_S = 1.0
PATIENCE_S = 180.0
"""How long a coordinator may be away (it may be restarting) before waiting gives up."""


def wait_for_end(
    read: Callable[[], Study],
    *,
    address: str,
    reattach: str,
    timeout: float | None = None,
    progress: bool = True,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Study:
    """Read a study once a second until it ends; gives its last record.

    `timeout` is in seconds. Raises `WaitTimeout` when it is over and `ConnectionFailed` when the
    coordinator stays away for three minutes. Ctrl-C ends the waiting, never the study.
    """
    began = clock()
    answered = began
    bar: Any = None
    try:
        bar = progress_bar(clock) if progress else None
        while True:
            try:
                record = read()
            except (ConnectionFailed, Busy, ServerFault):
                if clock() - answered > PATIENCE_S:
                    raise
                if bar is not None:
                    bar.set_description("The coordinator does not answer; trying again")
                    bar.refresh()
            else:
                answered = clock()
                if bar is not None:
                    show(bar, record, address)
                if record.state in ENDED:
                    return record
            left = None if timeout is None else timeout - (clock() - began)
            if left is not None and left <= 0:
                raise WaitTimeout(
                    f"The study has not ended after {timeout:g} s; it goes on. {reattach}"
                )
            pause(POLL_S if left is None else min(POLL_S, left))
    except KeyboardInterrupt:
        say(f"No longer waiting; the study goes on. {reattach}")
        raise
    finally:
        if bar is not None:
            bar.close()


def show(bar: Any, study: Study, address: str) -> None:
    """Bring a bar up to what the record says."""
    counts = study.counts
    bar.total = max(planned(study), counts.scored) or None
    bar.n = counts.scored
    bar.set_description(_state(study, address))
    facts = [f"trials {study.trials_done}/{study.plan.trials}"]
    if study.best is not None:
        facts.append(f"best {study.plan.metric} {study.best:.4f}")
    if counts.set_aside:
        facts.append(f"set aside {counts.set_aside}")
    bar.set_postfix_str(", ".join(facts))
    bar.refresh()


def planned(study: Study) -> int:
    """Count the units that a study takes in all, those included that are still to be made."""
    counts = study.counts
    made = (
        counts.blocked + counts.ready + counts.leased + counts.returned + counts.scored
    ) + counts.set_aside
    return study.units_planned or made


def _state(study: Study, address: str) -> str:
    if study.state == "running" and not study.donors and not study.counts.returned:
        return f"Waiting for donors at {address}/donate"
    if study.state == "running":
        return f"{donors_counted(study)} at work"
    return study.state.capitalize()


def donors_counted(study: Study) -> str:
    """Say how many donors train a study now: `1 donor`, `2 donors`."""
    number = len(study.donors)
    return "1 donor" if number == 1 else f"{number} donors"
