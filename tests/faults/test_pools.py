"""Pools are apart and accounts take turns: whoever holds all he can holds nobody else up."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

import potluck
from potluck_coordinator.core.errors import BadInput, TooLarge
from potluck_coordinator.core.turns import Kind
from potluck_coordinator.scoring.limits import SLACK, TIMES
from potluck_coordinator.services.working import Job, in_worker
from tests.support.inside import Inside, inside
from tests.support.keras_files import dense_h5
from tests.support.scripted_donor import hand_in
from tests.support.waiting import PATIENCE_S, until
from tests.unit.scoring import jobs

MB = 2**20


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Inside]:
    with inside(tmp_path / "data", workers=2, memory=1200 * MB) as found:
        yield found


def job(kind: Kind, account: str, need: int = MB, seconds: float = 3600.0) -> Job:
    return Job(kind, account, need, seconds, "The job")


def table(rows: int = 60) -> bytes:
    values = np.random.default_rng(1).normal(size=(rows, 4)).round(3)
    lines = ["a,b,c,d,kind", *(",".join(map(str, [*row, i % 3])) for i, row in enumerate(values))]
    return "\n".join(lines).encode()


def test_jobs_of_one_account_that_never_end_hold_up_nobody_else(
    serving: Inside, tmp_path: Path
) -> None:
    held: list[Future[None]] = []
    for kind in (Kind.ENCODE, Kind.SERVE):
        fifo = tmp_path / kind.value
        os.mkfifo(fifo)
        for _ in range(5):
            work = in_worker(serving.site, job(kind, "greedy"), jobs.say_and_hang, str(fifo))
            held.append(serving.start(work))
        assert int(fifo.read_text())  # one of each kind works, and will never end
    memory = serving.site.memory
    until(lambda: memory.waiting(Kind.ENCODE) == memory.waiting(Kind.SERVE) == 4, "the others")

    # An upload, a plan, trials, a result's score, the best model and a look: all of them go on.
    with potluck.Client(serving.url) as client:
        study = client.submit(
            model=dense_h5(), data=table(), target="kind", trials=1, epochs=1, search={}, name="X"
        )
        hand_in(serving.url, 1)
        study.wait(timeout=PATIENCE_S, progress=False)
        assert len(study.best.predictions().predictions) > 0
        assert study.best.save(tmp_path / "best.h5")
    assert not any(one.done() for one in held)
    for one in held:
        one.cancel()
    until(lambda: memory.held == 0, "the memory to be given back")


def test_an_account_s_second_job_goes_after_the_first_of_another(serving: Inside) -> None:
    done: list[str] = []

    async def work(name: str, account: str) -> None:
        await in_worker(serving.site, job(Kind.ENCODE, account, 700 * MB), jobs.pid)
        done.append(name)

    async def scenario() -> None:
        async with serving.site.memory.room(700 * MB, "It", kind=Kind.CONVERT):
            first = [asyncio.create_task(work(f"a{i}", "a")) for i in range(4)]
            await asyncio.sleep(0)
            second = [asyncio.create_task(work(f"b{i}", "b")) for i in range(2)]
            await asyncio.sleep(0)
        await asyncio.gather(*first, *second)

    serving.asked(scenario())
    assert done == ["a0", "b0", "a1", "b1", "a2", "a3"]


def test_a_job_that_takes_more_than_it_stated_fails_and_the_server_lives(serving: Inside) -> None:
    size = SLACK + TIMES * MB + MB
    for _ in range(2):
        with pytest.raises(TooLarge) as caught:
            serving.asked(in_worker(serving.site, job(Kind.SCORE, "a"), jobs.take, size))
        assert caught.value.code == "job.memory"
    assert serving.asked(in_worker(serving.site, job(Kind.SCORE, "a"), jobs.take, MB)) == MB
    with potluck.Client(serving.url) as client:
        assert client.upload_data(table(), name="t.csv").id


def test_a_job_has_a_deadline(serving: Inside) -> None:
    with pytest.raises(BadInput) as caught:
        serving.asked(in_worker(serving.site, job(Kind.SCORE, "a", seconds=0.2), jobs.hang))
    assert caught.value.code == "job.too_slow"
    assert serving.asked(in_worker(serving.site, job(Kind.SCORE, "a"), jobs.pid))


def test_a_trial_that_takes_more_than_there_is_fails_and_the_others_go_on(
    serving: Inside,
) -> None:
    with potluck.Client(serving.url) as client:
        study = client.submit(
            model=dense_h5(),
            data=table(),
            target="kind",
            sampler="grid",
            trials=2,
            epochs=1,
            search={"layers.hidden.units": [8, 20_000_000]},
            name="Too large",
        )
        hand_in(serving.url, 1)
        study.wait(timeout=PATIENCE_S, progress=False)
        rows = study.trials()
    states = {row.parameters["layers.hidden.units"]: row.state for row in rows}
    assert states == {8: "completed", 20_000_000: "failed"}
