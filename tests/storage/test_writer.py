from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlmodel import Session

from potluck_coordinator.core.errors import Busy
from potluck_coordinator.storage.engine import make_engine, migrate
from potluck_coordinator.storage.writer import MOST_JOBS, Writer

WAIT = 30.0  # seconds until a hang counts as a failure


def add_donor(name: str) -> Callable[[Session], str]:
    """Give a function that writes one row, and returns its key."""

    def add(session: Session) -> str:
        session.execute(text("INSERT INTO donor VALUES (:id, :id, 1, 1, 0, '0', 0)"), {"id": name})
        return name

    return add


def donors(session: Session) -> list[str]:
    return list(session.execute(text("SELECT id FROM donor ORDER BY id")).scalars())


@pytest.fixture
def writer(engine: Engine) -> Iterator[Writer]:
    """Give a writer whose batches end only when they are full, or the queue is empty."""
    writer = Writer(engine, most_seconds=WAIT)
    yield writer
    writer.close()


@contextmanager
def held_up(writer: Writer) -> Iterator[None]:
    """Keep the writer busy, so that what is submitted meanwhile becomes one batch."""
    began, go_on = threading.Event(), threading.Event()

    def wait(_session: Session) -> None:
        began.set()
        assert go_on.wait(WAIT)

    waiting = writer.submit(wait)
    assert began.wait(WAIT)
    try:
        yield
    finally:
        go_on.set()
        waiting.result(WAIT)


def test_many_callers_share_few_commits(engine: Engine, writer: Writer) -> None:
    commits = 0

    def count(_connection: object) -> None:
        nonlocal commits
        commits += 1

    event.listen(engine, "commit", count)
    names = [f"d{number:04}" for number in range(600)]
    with held_up(writer):
        futures = [writer.submit(add_donor(name)) for name in names]
    assert [future.result(WAIT) for future in futures] == names
    assert writer.read_sync(donors) == names
    assert commits == math.ceil(601 / MOST_JOBS)


def test_a_failure_undoes_its_own_work_alone(writer: Writer) -> None:
    def half(session: Session) -> None:
        add_donor("half")(session)
        raise LookupError("half-way")

    with held_up(writer):
        before = writer.submit(add_donor("before"))
        failing = writer.submit(half)
        twice = [writer.submit(add_donor("same")) for _ in range(2)]
        after = writer.submit(add_donor("zafter"))
    assert (before.result(WAIT), after.result(WAIT)) == ("before", "zafter")
    with pytest.raises(LookupError, match="half-way"):
        failing.result(WAIT)
    assert twice[0].result(WAIT) == "same"
    with pytest.raises(IntegrityError):
        twice[1].result(WAIT)
    assert writer.read_sync(donors) == ["before", "same", "zafter"]


def test_a_caller_hears_when_others_can_already_see_its_work(
    engine: Engine, writer: Writer
) -> None:
    seen: list[list[str]] = []

    def look(_future: Future[str]) -> None:
        with Session(engine.execution_options(potluck_read_only=True)) as other:
            seen.append(donors(other))

    with held_up(writer):
        future = writer.submit(add_donor("first"))
        future.add_done_callback(look)
        second = writer.submit(add_donor("second"))
    second.result(WAIT)
    assert seen == [["first", "second"]]


def test_hooks_run_after_the_commit_in_order_and_before_the_caller_hears(
    writer: Writer,
) -> None:
    heard: list[str] = []

    def with_hook(name: str) -> Callable[[Session], None]:
        def write(session: Session) -> None:
            add_donor(name)(session)
            session.info["after_commit"].append(
                lambda: heard.append(f"{name} sees {len(writer.read_sync(donors))}")
            )

        return write

    with held_up(writer):
        futures = [writer.submit(with_hook(name)) for name in ("a", "b")]
        futures[1].add_done_callback(lambda _: heard.append("b told"))
    futures[1].result(WAIT)
    writer.close()
    assert heard == ["a sees 2", "b sees 2", "b told"]


def test_hooks_of_a_failure_never_run_and_a_failing_hook_harms_nobody(
    writer: Writer, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[str] = []

    def fails(session: Session) -> None:
        session.info["after_commit"].append(lambda: heard.append("undone"))
        raise LookupError

    def hook_fails(session: Session) -> str:
        session.info["after_commit"].append(lambda: heard.index("no"))
        session.info["after_commit"].append(lambda: heard.append("kept"))
        return add_donor("a")(session)

    with held_up(writer):
        failing, kept = writer.submit(fails), writer.submit(hook_fails)
    assert kept.result(WAIT) == "a"
    assert isinstance(failing.exception(WAIT), LookupError)
    assert heard == ["kept"]
    assert "hook failed" in caplog.text


def test_a_commit_that_fails_fails_everybody_in_it_and_the_next_one_works(
    engine: Engine, writer: Writer
) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE parent (id INTEGER PRIMARY KEY)"))
        connection.execute(
            text(
                "CREATE TABLE child (id INTEGER REFERENCES parent (id)"
                " DEFERRABLE INITIALLY DEFERRED)"
            )
        )

    def orphan(session: Session) -> None:
        session.execute(text("INSERT INTO child VALUES (7)"))

    with suppress(IntegrityError), held_up(writer):
        jobs: list[Callable[[Session], object]] = [add_donor("a"), orphan, add_donor("b")]
        futures = [writer.submit(job) for job in jobs]
    for future in futures:
        assert isinstance(future.exception(WAIT), IntegrityError)
    assert writer.submit(add_donor("c")).result(WAIT) == "c"
    assert writer.read_sync(donors) == ["c"]


def test_a_job_does_not_see_rows_as_an_earlier_job_remembered_them(writer: Writer) -> None:
    from potluck_coordinator.storage.tables import DonorRow

    kept: list[DonorRow] = []

    def load(session: Session) -> None:
        row = session.get(DonorRow, "a")
        assert row is not None
        kept.append(row)

    def rename(session: Session) -> None:
        session.execute(text("UPDATE donor SET name = 'new'"))

    def name(session: Session) -> str | None:
        row = session.get(DonorRow, "a")
        return None if row is None else row.name

    with held_up(writer):
        writer.submit(add_donor("a"))
        writer.submit(load)
        writer.submit(rename)
        found = writer.submit(name)
    assert found.result(WAIT) == "new"
    assert kept[0].name == "a"


def test_readers_see_one_state_and_do_not_wait_for_the_writer(writer: Writer) -> None:
    writer.submit(add_donor("a")).result(WAIT)

    async def read() -> list[str]:
        return await asyncio.wait_for(writer.read(donors), WAIT)

    began, go_on = threading.Event(), threading.Event()

    def slow(session: Session) -> None:
        add_donor("b")(session)
        began.set()
        assert go_on.wait(WAIT)

    writing = writer.submit(slow)
    assert began.wait(WAIT)
    try:
        assert asyncio.run(read()) == ["a"]
    finally:
        go_on.set()
    writing.result(WAIT)
    assert asyncio.run(read()) == ["a", "b"]


def test_a_reader_cannot_write(writer: Writer) -> None:
    with pytest.raises(DBAPIError):
        asyncio.run(writer.read(add_donor("a")))
    assert writer.read_sync(donors) == []


def test_a_caller_that_goes_away_before_its_turn_is_skipped(writer: Writer) -> None:
    with held_up(writer):
        gone, stays = writer.submit(add_donor("gone")), writer.submit(add_donor("stays"))
        assert gone.cancel()
    assert stays.result(WAIT) == "stays"
    with pytest.raises(CancelledError):
        gone.result(WAIT)
    assert writer.read_sync(donors) == ["stays"]


def test_a_busy_queue_does_not_keep_the_first_caller_waiting(engine: Engine) -> None:
    writer = Writer(engine, most_seconds=0)
    with held_up(writer):
        first = writer.submit(add_donor("first"))
        seen: list[list[str]] = []
        first.add_done_callback(lambda _: seen.append(writer.read_sync(donors)))
        second = writer.submit(add_donor("second"))
    second.result(WAIT)
    writer.close()
    assert seen == [["first"]]


def test_many_coroutines_write_at_once(writer: Writer) -> None:
    async def write_all() -> list[str]:
        return await asyncio.gather(*(writer.run(add_donor(f"d{n:02}")) for n in range(50)))

    assert asyncio.run(write_all()) == writer.read_sync(donors)


def test_closing_finishes_what_is_queued_and_takes_no_more(engine: Engine) -> None:
    writer = Writer(engine)
    with held_up(writer):
        futures = [writer.submit(add_donor(f"d{n:03}")) for n in range(300)]
        closing = threading.Thread(target=writer.close)
        closing.start()
    closing.join(WAIT)
    assert all(future.done() and future.exception() is None for future in futures)
    with pytest.raises(Busy, match="shutting down"):
        writer.submit(add_donor("late"))
    writer.close()


def test_a_locked_sqlite_file_is_busy_and_not_the_end(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'potluck.db'}"
    engine = make_engine(url, busy_timeout_s=0.05)
    migrate(engine)
    writer = Writer(engine)
    # A transaction of ours holds SQLite's one lock, as another process's could.
    with engine.begin(), pytest.raises(Busy) as refusal:
        writer.submit(add_donor("a")).result(WAIT)
    assert refusal.value.code == "busy.database"
    assert writer.submit(add_donor("b")).result(WAIT) == "b"
    assert writer.read_sync(donors) == ["b"]
    writer.close()
    engine.dispose()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_batch_runs_again_when_postgresql_asks_for_it(writer: Writer) -> None:
    tries = 0

    def contended(session: Session) -> str:
        nonlocal tries
        tries += 1
        add_donor("contended")(session)
        if tries < 3:
            session.execute(text("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$"))
        return "contended"

    with held_up(writer):
        futures = [writer.submit(fn) for fn in (add_donor("a"), contended, add_donor("z"))]
    assert [future.result(WAIT) for future in futures] == ["a", "contended", "z"]
    assert tries == 3
    assert writer.read_sync(donors) == ["a", "contended", "z"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_batch_that_never_gets_through_is_busy(writer: Writer) -> None:

    def hopeless(session: Session) -> None:
        session.execute(text("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$"))

    with pytest.raises(Busy):
        writer.submit(hopeless).result(WAIT)
    assert writer.submit(add_donor("a")).result(WAIT) == "a"
