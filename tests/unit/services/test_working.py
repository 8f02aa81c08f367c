"""How workers fail is known in one place, and each kind of work says its own refusal."""

from __future__ import annotations

import pytest

from potluck_coordinator.core.errors import BadInput, Busy, PotluckError
from potluck_coordinator.scoring import JobTooLarge, WorkerLost, WorkersClosed
from potluck_coordinator.services.working import refusing

SLOW = BadInput("job.too_slow", "It took too long.")


def lost(error: WorkerLost) -> PotluckError:
    """Say which error it was."""
    return BadInput("job.lost", type(error).__name__, got=str(error))


@pytest.mark.parametrize(
    ("failure", "code", "message"),
    [
        (TimeoutError(), "job.too_slow", "It took too long."),
        (WorkersClosed("closed"), "busy.closing", "The coordinator shuts down."),
        (JobTooLarge("8 GB"), "job.lost", "JobTooLarge"),
        (WorkerLost("twice"), "job.lost", "WorkerLost"),
    ],
)
def test_a_workers_failure_is_the_refusal_of_its_work(
    failure: Exception, code: str, message: str
) -> None:
    with pytest.raises(PotluckError) as refusal, refusing(SLOW, lost):
        raise failure
    assert (refusal.value.code, refusal.value.message) == (code, message)
    assert refusal.value.__cause__ is failure
    assert isinstance(refusal.value, Busy) == (code == "busy.closing")


def test_what_the_work_itself_refuses_comes_as_it_is() -> None:
    with pytest.raises(ValueError, match="no column"), refusing(SLOW, lost):
        raise ValueError("no column")
