from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck_coordinator.core.errors import TooLarge
from potluck_coordinator.services.admission import Admission
from tests.support.waiting import PATIENCE_S

BUDGET = 100
JOBS = st.lists(
    st.tuples(st.integers(0, BUDGET), st.integers(0, 5), st.booleans()), min_size=1, max_size=30
)
"""What each takes, how many turns of the loop it works, and whether somebody calls it off."""


@given(jobs=JOBS)
def test_jobs_never_hold_more_than_the_budget_and_all_that_stay_are_done(
    jobs: list[tuple[int, int, bool]],
) -> None:
    asyncio.run(asyncio.wait_for(_all_run(jobs), PATIENCE_S))


async def _all_run(jobs: list[tuple[int, int, bool]]) -> None:
    admission, inside, done, entered = Admission(BUDGET), [0], set(), []

    async def job(number: int, need: int, turns: int) -> None:
        async with admission.room(need, "The job"):
            entered.append(number)
            inside[0] += need
            assert inside[0] <= BUDGET
            assert admission.held <= BUDGET
            try:
                for _ in range(turns):
                    await asyncio.sleep(0)
            finally:
                inside[0] -= need
        done.add(number)

    tasks = [asyncio.create_task(job(i, need, turns)) for i, (need, turns, _) in enumerate(jobs)]
    await asyncio.sleep(0)
    for task, (_, turns, called_off) in zip(tasks, jobs, strict=True):
        if called_off:
            for _ in range(turns % 3):
                await asyncio.sleep(0)
            task.cancel()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert not [end for end in ends if isinstance(end, AssertionError)]
    assert {i for i, (_, _, called_off) in enumerate(jobs) if not called_off} <= done
    assert entered == sorted(entered)
    assert admission.held == 0


def test_a_large_job_is_not_passed_by_small_ones() -> None:
    async def scenario() -> None:
        admission, order = Admission(BUDGET), []

        async def job(name: str, need: int) -> None:
            async with admission.room(need, name):
                order.append(name)

        async with admission.room(50, "first"):
            tasks = [asyncio.create_task(job("large", 100)), asyncio.create_task(job("small", 1))]
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert order == []
        await asyncio.gather(*tasks)
        assert order == ["large", "small"]

    asyncio.run(scenario())


def test_what_takes_more_than_there_is_is_refused_at_once() -> None:
    async def scenario() -> None:
        async with Admission(BUDGET).room(BUDGET + 1, "Reading the table"):
            raise AssertionError("let in")

    with pytest.raises(TooLarge) as caught:
        asyncio.run(scenario())
    assert caught.value.code == "size.memory"
    assert "POTLUCK_MEMORY" in caught.value.expected
