"""Waiting for a study: until its end, for a time, or until somebody presses Ctrl-C."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from potluck import ConnectionFailed, WaitTimeout
from potluck.protocol.records import Counts, Study
from potluck.waiting import PATIENCE_S, show, wait_for_end

PLAN: dict[str, Any] = {
    "task": "classification", "target": "y", "features": ["x"], "classes": ["0", "1"],
    "loss": "sparse_categorical_crossentropy", "from_logits": False, "metric": "accuracy",
    "direction": "maximize", "init": "fresh", "rows_train": 6, "rows_validation": 2,
    "rows_test": 2, "folds": 0, "input_shape": [2], "trials": 12, "units": 36,
    "total_flops": "1", "warnings": [],
}  # fmt: skip


def study(state: str, scored: int = 0, **counts: int) -> Study:
    return Study.model_validate(
        {
            "id": "s1", "name": "n", "description": "", "submitter": "me", "state": state,
            "visibility": "public", "created_at": 0.0, "finished_at": None, "plan": PLAN,
            "spec": {"name": "n", "model_id": "m", "dataset_id": "d"}, "model_name": "m",
            "dataset_name": "d", "counts": Counts(scored=scored, **counts), "trials_done": 1,
            "best": 0.5, "best_trial": 0, "seconds_left": None, "donors": [], "test_looks": 0,
            "may_edit": True,
        }
    )  # fmt: skip


class Reader:
    """Gives records and errors in turn; the clock moves by what is paused."""

    def __init__(self, *answers: Study | BaseException) -> None:
        self.answers: Iterator[Study | BaseException] = iter(answers)
        self.now = 0.0

    def read(self) -> Study:
        answer = next(self.answers)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def pause(self, seconds: float) -> None:
        self.now += seconds

    def wait(self, timeout: float | None = None) -> Study:
        return wait_for_end(
            self.read,
            address="http://coordinator.test",
            reattach="REATTACH",
            timeout=timeout,
            progress=False,
            clock=lambda: self.now,
            pause=self.pause,
        )


@pytest.mark.parametrize("state", ["completed", "stopped", "failed"])
def test_waiting_ends_with_the_study(state: str) -> None:
    reader = Reader(study("preparing"), study("running", 3, ready=1), study(state, 4))
    assert reader.wait().state == state
    assert reader.now == 2


def test_a_coordinator_that_restarts_is_waited_for() -> None:
    away = [ConnectionFailed("away")] * 5
    assert Reader(study("running"), *away, study("completed")).wait().state == "completed"


def test_a_coordinator_that_stays_away_ends_the_waiting() -> None:
    reader = Reader(*[ConnectionFailed("away")] * 1000)
    with pytest.raises(ConnectionFailed):
        reader.wait()
    assert PATIENCE_S <= reader.now <= PATIENCE_S + 5


def test_a_timeout_is_kept_to_and_says_that_the_study_goes_on() -> None:
    reader = Reader(*[study("running")] * 100)
    with pytest.raises(WaitTimeout, match=r"goes on\. REATTACH"):
        reader.wait(timeout=2.5)
    assert reader.now == 2.5


def test_ctrl_c_says_how_to_reattach(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt):
        Reader(study("running"), KeyboardInterrupt()).wait()
    assert "the study goes on. REATTACH" in capsys.readouterr().err


class Bar:
    """Keeps what a progress bar was told."""

    total: int | None = None
    n = 0

    def __init__(self) -> None:
        self.words: list[str] = []

    def set_description(self, text: str) -> None:
        self.words.append(text)

    def set_postfix_str(self, text: str) -> None:
        self.words.append(text)

    def refresh(self) -> None:
        self.words.append("shown")


def test_the_bar_counts_scored_units_and_says_where_donors_can_help() -> None:
    bar = Bar()
    show(bar, study("running", 3, ready=2, blocked=4, cancelled=9, set_aside=1), "http://c.test")
    assert (bar.n, bar.total) == (3, 10)
    assert bar.words == [
        "Waiting for donors at http://c.test/donate",
        "trials 1/12, best accuracy 0.5000, set aside 1",
        "shown",
    ]
