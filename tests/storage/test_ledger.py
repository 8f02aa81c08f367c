from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select
from sqlmodel import Session

from potluck_coordinator.core.ledger import GENESIS, SITE_CHAIN, verify
from potluck_coordinator.storage import ledger
from potluck_coordinator.storage.engine import make_engine
from potluck_coordinator.storage.ledger_tables import LedgerOutbox
from potluck_coordinator.storage.writer import Writer

WAIT = 30.0
SCRIPT = Path(__file__).parent / "recording_process.py"


def put(writer: Writer, chain: str, number: int) -> None:
    writer.submit(
        lambda session: ledger.record(session, chain, "fact", {"n": number}, 1700000000.5)
    ).result(WAIT)


def outbox_size(session: Session) -> int:
    count: int = session.execute(select(func.count()).select_from(LedgerOutbox)).scalar_one()
    return count


def test_what_a_transaction_made_true_is_chained_when_it_commits(writer: Writer) -> None:
    for number in range(3):
        put(writer, SITE_CHAIN, number)
    chain = writer.read_sync(lambda session: ledger.entries(session, SITE_CHAIN))
    head = writer.read_sync(lambda session: ledger.head(session, SITE_CHAIN))
    assert [entry.body for entry in chain] == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert [entry.seq for entry in chain] == [0, 1, 2]
    assert chain[0].at == "2023-11-14T22:13:20.500Z"
    assert verify(chain, head) is None
    assert writer.read_sync(outbox_size) == 0


def test_a_fact_that_was_undone_is_in_no_chain(writer: Writer) -> None:
    def undone(session: Session) -> None:
        ledger.record(session, SITE_CHAIN, "fact", {}, 1.0)
        raise LookupError

    assert isinstance(writer.submit(undone).exception(WAIT), LookupError)
    assert writer.read_sync(lambda session: ledger.entries(session, SITE_CHAIN)) == []
    assert writer.read_sync(lambda session: ledger.head(session, SITE_CHAIN)) == GENESIS


def test_chains_do_not_know_each_other(engine: Engine, writer: Writer) -> None:
    def both(session: Session) -> None:
        for number in range(4):
            ledger.record(session, f"study-{number % 2}", "fact", {"n": number}, 1.0)

    writer.submit(both).result(WAIT)
    with Session(engine) as session:
        for number in (0, 1):
            found = ledger.entries(session, f"study-{number}")
            assert [entry.body["n"] for entry in found] == [number, number + 2]
            assert verify(found) is None


def test_a_seal_takes_no_more_than_its_limit_and_the_next_goes_on(engine: Engine) -> None:
    with Session(engine) as session:
        for number in range(5):
            ledger.record(session, SITE_CHAIN, "fact", {"n": number}, 1.0)
        assert [ledger.seal(session, 2) for _ in range(4)] == [2, 2, 1, 0]
        session.commit()
        assert verify(ledger.entries(session, SITE_CHAIN)) is None


def test_a_chain_is_read_in_pages(writer: Writer) -> None:
    for number in range(5):
        put(writer, SITE_CHAIN, number)
    page = writer.read_sync(lambda session: ledger.entries(session, SITE_CHAIN, 1, 2))
    assert [entry.seq for entry in page] == [2, 3]


def test_the_chain_holds_while_several_coordinators_write(database_url: str) -> None:
    engines = [make_engine(database_url) for _ in range(3)]
    writers = [Writer(engine) for engine in engines]
    with ThreadPoolExecutor(12) as pool:
        jobs = [
            pool.submit(put, writers[number % 3], f"study-{number % 2}", number)
            for number in range(240)
        ]
        for job in jobs:
            job.result(WAIT)
    facts = []
    with Session(engines[0]) as session:
        for chain in ("study-0", "study-1"):
            found = ledger.entries(session, chain)
            assert verify(found, ledger.head(session, chain)) is None
            facts += [entry.body["n"] for entry in found]
        assert outbox_size(session) == 0
    assert sorted(facts) == list(range(240))
    for writer, engine in zip(writers, engines, strict=True):
        writer.close()
        engine.dispose()


@pytest.mark.parametrize(
    ("tampering", "broken"),
    [
        ("UPDATE ledger_entry SET body = '{\"n\":9}' WHERE seq = 2", 2),
        ("UPDATE ledger_entry SET kind = 'other' WHERE seq = 0", 0),
        ("UPDATE ledger_entry SET at = '2020-01-01T00:00:00.000Z' WHERE seq = 3", 3),
        (f"UPDATE ledger_entry SET previous = '{GENESIS}' WHERE seq = 1", 1),
        (f"UPDATE ledger_entry SET hash = '{GENESIS}' WHERE seq = 4", 4),
        ("DELETE FROM ledger_entry WHERE seq = 2", 2),
        ("DELETE FROM ledger_entry WHERE seq = 4", 4),
        ("UPDATE ledger_entry SET seq = seq + 10 WHERE seq >= 3", 3),
        ("UPDATE ledger_entry SET at = at", None),
    ],
)
def test_tampering_is_found_where_it_happened(
    engine: Engine, writer: Writer, tampering: str, broken: int | None
) -> None:
    for number in range(5):
        put(writer, SITE_CHAIN, number)
    with engine.begin() as connection:
        connection.exec_driver_sql(tampering)
    chain, head = writer.read_sync(
        lambda session: (ledger.entries(session, SITE_CHAIN), ledger.head(session, SITE_CHAIN))
    )
    assert verify(chain, head) == broken


def test_what_was_acknowledged_survives_kill_9(database_url: str) -> None:
    """A process writes as fast as it can and prints what it was told is kept; then it dies."""
    acknowledged = []
    with subprocess.Popen(
        [sys.executable, str(SCRIPT), database_url], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            acknowledged.append(int(line))
            if len(acknowledged) == 300:
                os.kill(process.pid, signal.SIGKILL)
                break
        acknowledged += [int(line) for line in process.stdout if line.endswith("\n")]
    assert process.returncode == -signal.SIGKILL
    engine = make_engine(database_url)
    with Session(engine) as session:
        chain = ledger.entries(session, SITE_CHAIN)
        assert verify(chain, ledger.head(session, SITE_CHAIN)) is None
        assert outbox_size(session) == 0
        kept = [entry.body["n"] for entry in chain]
    assert set(acknowledged) <= set(kept)
    assert len(kept) == len(set(kept))
    writer = Writer(engine)
    put(writer, SITE_CHAIN, -1)
    assert verify(writer.read_sync(lambda s: ledger.entries(s, SITE_CHAIN))) is None
    writer.close()
    engine.dispose()
