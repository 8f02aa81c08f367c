from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck_coordinator.core.errors import TooLarge
from potluck_coordinator.core.turns import MOST_PASSED, Kind, visitors_turn
from potluck_coordinator.services.admission import SMALL, Admission
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


async def _order(
    admission: Admission, asked: Sequence[tuple[str, Kind, str, int]], first: int
) -> list[str]:
    """Let jobs wait while all of the memory is held, then one at a time; give the order."""
    order: list[str] = []

    async def job(name: str, kind: Kind, account: str, need: int) -> None:
        async with admission.room(need, name, kind=kind, account=account):
            order.append(name)

    async with admission.room(first, "first", kind=Kind.CONVERT):
        tasks = [asyncio.create_task(job(*one)) for one in asked]
        await asyncio.sleep(0)
        assert order == []
    await asyncio.gather(*tasks)
    return order


def test_accounts_take_turns_however_many_jobs_each_has() -> None:
    asked = [(f"a{i}", Kind.ENCODE, "a", BUDGET) for i in range(3)]
    asked += [("b0", Kind.ENCODE, "b", BUDGET), ("b1", Kind.ENCODE, "b", BUDGET)]
    order = asyncio.run(_order(Admission(BUDGET), asked, BUDGET))
    assert order == ["a0", "b0", "a1", "b1", "a2"]


def test_many_keys_behind_one_network_take_no_more_turns_than_one() -> None:
    here = [visitors_turn(f"anyone:{n}", "10.0.0.1") for n in range(3)]
    asked = [(f"here {n}", Kind.ENCODE, account, BUDGET) for n, account in enumerate(here)]
    asked += [("account", Kind.ENCODE, "ann", BUDGET)] * 2
    asked += [("there", Kind.ENCODE, visitors_turn("anyone:x", "10.0.0.2"), BUDGET)]
    order = asyncio.run(_order(Admission(BUDGET), asked, BUDGET))
    assert order == ["here 0", "account", "there", "here 1", "account", "here 2"]


def test_accounts_that_come_anew_do_not_come_before_who_waits() -> None:
    async def scenario() -> list[str]:
        admission, order = Admission(BUDGET), []
        tasks: list[asyncio.Task[None]] = []

        async def job(account: str) -> None:
            async with admission.room(BUDGET, "It", account=account):
                order.append(account)
                if len(tasks) < 20:
                    tasks.append(asyncio.create_task(job(f"new {len(tasks)}")))
                await asyncio.sleep(0)  # it asks while this one works

        async with admission.room(BUDGET, "first"):
            tasks += [asyncio.create_task(job("ann")) for _ in range(3)]
            tasks.append(asyncio.create_task(job("another")))
            await asyncio.sleep(0)
        for task in tasks:
            await task
        return order

    order = asyncio.run(scenario())
    assert [place for place, one in enumerate(order) if one == "ann"][-1] < 8


def test_kinds_take_turns_too() -> None:
    asked = [(f"e{i}", Kind.ENCODE, "a", BUDGET) for i in range(3)]
    asked += [("s0", Kind.SCORE, "a", BUDGET), ("v0", Kind.SERVE, "c", BUDGET)]
    order = asyncio.run(_order(Admission(BUDGET), asked, BUDGET))
    assert order == ["e0", "s0", "v0", "e1", "e2"]


def test_a_large_job_is_passed_by_other_accounts_a_few_times_only() -> None:
    async def scenario() -> list[str]:
        admission, order = Admission(BUDGET, workers=1), []

        async def job(name: str, kind: Kind, need: int) -> None:
            async with admission.room(need, name, kind=kind):
                order.append(name)

        async with admission.room(1, "a replay", kind=Kind.REPLAY):
            large = asyncio.create_task(job("large", Kind.ENCODE, BUDGET))
            await asyncio.sleep(0)
            middling = [asyncio.create_task(job("middling", Kind.SCORE, 20)) for _ in range(50)]
            for _ in range(500):
                await asyncio.sleep(0)
            assert order == ["middling"] * MOST_PASSED
            await job("small", Kind.CONVERT, BUDGET // SMALL)  # hardly keeps it waiting
        await asyncio.gather(large, *middling)
        return order

    order = asyncio.run(scenario())
    assert order.index("large") == MOST_PASSED + 1


def test_an_account_that_holds_its_places_holds_nobody_else_up() -> None:
    async def scenario() -> None:
        admission = Admission(BUDGET, workers=2)
        async with admission.room(1, "It", kind=Kind.ENCODE, account="a"):
            waits = asyncio.create_task(admission.take(1, "It", kind=Kind.ENCODE, account="a"))
            await asyncio.sleep(0)
            assert not waits.done()
            for kind, account in ((Kind.ENCODE, "b"), (Kind.SCORE, "a"), (Kind.SERVE, "a")):
                async with admission.room(1, "It", kind=kind, account=account):
                    assert not waits.done()
        admission.give(await waits)
        assert admission.held == 0

    asyncio.run(asyncio.wait_for(scenario(), PATIENCE_S))


def test_what_takes_more_than_there_is_is_refused_at_once() -> None:
    async def scenario() -> None:
        async with Admission(BUDGET).room(BUDGET + 1, "Reading the table"):
            raise AssertionError("let in")

    with pytest.raises(TooLarge) as caught:
        asyncio.run(scenario())
    assert caught.value.code == "size.memory"
    assert "POTLUCK_MEMORY" in caught.value.expected
