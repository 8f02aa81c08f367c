"""A study on a coordinator: poll it, read it, steer it."""

from __future__ import annotations

from typing import Any

from potluck.best import Best
from potluck.errors import StudyFailed
from potluck.protocol import records
from potluck.protocol.study import StudySpec
from potluck.tables import leaderboard_rows, table
from potluck.transport import Transport
from potluck.waiting import wait_for_end


class Study:
    """A handle; `record` is what the coordinator said last. Letting go of it ends nothing."""

    def __init__(self, transport: Transport, record: records.Study) -> None:
        self._transport = transport
        self._path = f"/api/v1/studies/{record.id}"
        self.record = record

    @property
    def id(self) -> str:
        """Give the study's id: `client.study(id)` gives this handle again, anywhere."""
        return self.record.id

    @property
    def name(self) -> str:
        """Give the study's name."""
        return self.record.name

    @property
    def state(self) -> str:
        """Give the state when last asked: preparing, running, completed, stopped or failed."""
        return self.record.state

    @property
    def url(self) -> str:
        """Give the address of the study's page."""
        return f"{self._transport.url}/studies/{self.id}"

    @property
    def spec(self) -> StudySpec:
        """Give what was asked for."""
        return self.record.spec

    @property
    def plan(self) -> records.StudyPlan:
        """Give what the coordinator understood."""
        return self.record.plan

    def refresh(self) -> Study:
        """Ask the coordinator again; gives this handle."""
        self.record = self._transport.get(records.Study, self._path)
        return self

    def wait(
        self,
        timeout: float | None = None,
        *,
        progress: bool = True,
        go_on_with: str | None = None,
    ) -> Study:
        """Wait until the study ends, with a progress bar; gives this handle.

        `timeout` is in seconds. Ctrl-C leaves the study running, and says that one goes on waiting
        with `go_on_with` (a line of Python). Raises `WaitTimeout`, and
        `StudyFailed` if the study failed.
        """
        again = go_on_with or f'potluck.Client("{self._transport.url}").study("{self.id}").wait()'
        self.record = wait_for_end(
            lambda: self.refresh().record,
            address=self._transport.url,
            reattach=f"Go on with {again}",
            timeout=timeout,
            progress=progress,
        )
        if self.record.state == "failed":
            reason = self.record.reason or "The coordinator gave no reason."
            raise StudyFailed(f"The study {self.name!r} failed: {reason} See {self.url}")
        return self

    def leaderboard(self) -> Any:
        """Give the trials by rank: a DataFrame where pandas or polars is installed, else dicts."""
        return table(leaderboard_rows(self.trials()))

    def trials(self) -> list[records.LeaderboardRow]:
        """Give the leaderboard's rows as records."""
        return self._transport.get(list[records.LeaderboardRow], f"{self._path}/leaderboard")

    def trial(self, number: int) -> records.TrialDetail:
        """Give one trial with its units, leases and ledger entries."""
        return self._transport.get(records.TrialDetail, f"{self._path}/trials/{number}")

    def curves(self) -> list[records.Curve]:
        """Give the learning curves: scores by the coordinator, claims by donors."""
        return self._transport.get(list[records.Curve], f"{self._path}/curves")

    def ledger(self) -> records.Ledger:
        """Give the study's ledger; `potluck.verify_ledger` checks it."""
        return self._transport.get(records.Ledger, f"{self._path}/ledger")

    @property
    def best(self) -> Best:
        """Ask for the best model so far. Raises `NotFound` before anything is scored."""
        return Best(self._transport, self._transport.get(records.BestModel, f"{self._path}/best"))

    def stop(self) -> Study:
        """Stop the study; what is scored stays. Gives this handle."""
        return self._act("stop")

    def resume(self) -> Study:
        """Let a stopped study go on; gives this handle."""
        return self._act("resume")

    def extend(self, trials: int) -> Study:
        """Add trials; gives this handle."""
        return self._act("extend", records.StudyExtension(trials=trials))

    def delete(self) -> None:
        """Delete the study. Donors stop working on it."""
        self._transport.delete(self._path)

    def look_at_test(self) -> records.TestLook:
        """Score the best trial on the sealed test rows. Each look is counted and shown for good."""
        return self._transport.post(records.TestLook, f"{self._path}/test-looks")

    def test_looks(self) -> list[records.TestLook]:
        """Give all looks at the test rows so far."""
        return self._transport.get(list[records.TestLook], f"{self._path}/test-looks")

    def _act(self, act: str, body: records.StudyExtension | None = None) -> Study:
        self.record = self._transport.post(records.Study, f"{self._path}/{act}", body)
        return self

    def __repr__(self) -> str:
        return f"<Study {self.id} {self.name!r}: {self.state}, {self.url}>"
