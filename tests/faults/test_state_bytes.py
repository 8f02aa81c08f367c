"""Bytes of states: counted by what they become, held against the disk, never all in memory."""

from __future__ import annotations

import gzip
import hashlib
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import potluck
from potluck.protocol import donor as wire
from tests.conftest import Start
from tests.support.coordinator import Coordinator, offers
from tests.support.inside import Inside, inside
from tests.support.keras_files import dense_h5
from tests.support.peak_memory import forget_peak, needs_peaks, peak
from tests.support.raw_connection import RawConnection
from tests.support.scripted_donor import ScriptedDonor, end_step, random_result, state
from tests.support.waiting import until

RATES = {"learning_rate": [0.01, 0.02, 0.05, 0.1]}
FLOOR = 1 << 30


def submit(client: potluck.Client, trials: int = 1, model: bytes | None = None) -> potluck.Study:
    return client.submit(
        model=model or dense_h5(),
        data="iris",
        trials=trials,
        epochs=4,
        search=RATES if trials > 1 else {},
        name="Irises",
    )


def kept(data: Path) -> set[str]:
    """Name what lies in the store, half-written uploads too."""
    return {path.name for path in (data / "artifacts").rglob("*") if path.is_file()}


def code_of(answer: Any) -> str:
    return str(answer.json()["error"]["code"])


def zeros(size: int, number: int) -> bytes:
    return bytes(size - 1) + bytes([number])


def test_what_came_zipped_is_charged_by_what_it_becomes(start_coordinator: Start) -> None:
    coordinator = start_coordinator(rate_lease_bytes=100_000, workers=1)
    submit(coordinator.client())
    with ScriptedDonor(coordinator.url) as donor:
        token = donor.begin().token
        before = kept(coordinator.data)
        answers = []
        for number in range(2):
            data = zeros(60_000, number)
            sha, sent = hashlib.sha256(data).hexdigest(), gzip.compress(data)
            assert len(sent) < 1000
            headers = {"X-Potluck-Lease": token, "Content-Encoding": "gzip"}
            address = f"/api/v1/donor/artifacts/{sha}"
            answers.append(donor.http.put(address, content=sent, headers=headers))
        assert [answer.status_code for answer in answers] == [204, 429]
        assert code_of(answers[1]) == "rate.lease_bytes"
        assert int(answers[1].headers["retry-after"]) >= 5
        assert len(kept(coordinator.data) - before) == 1


@dataclass
class SmallDisk:
    """A coordinator, and the free bytes that its disk says it has: nothing that is written counts.

    A study waits for three donors.
    """

    coordinator: Inside
    free: int = 4 * FLOOR
    total: int = 8 * FLOOR


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallDisk]:
    """Give a coordinator on a disk of which a test says how full it is."""
    with inside(tmp_path, workers=1, disk_floor=FLOOR) as found:
        disk = SmallDisk(found)
        monkeypatch.setattr(shutil, "disk_usage", lambda _place: disk)
        with potluck.Client(found.url) as client:
            submit(client, trials=3)
        yield disk


def test_uploads_that_come_at_once_do_not_fill_the_disk(
    small_disk: SmallDisk, tmp_path: Path
) -> None:
    found = small_disk.coordinator
    with ScriptedDonor(found.url) as donor, ScriptedDonor(found.url, address="127.0.0.2") as other:
        token, others = donor.begin().token, other.begin().token
        small_disk.free = FLOOR + 60_000
        first, second = zeros(40_000, 1), zeros(40_000, 2)
        sha = hashlib.sha256(first).hexdigest()
        with RawConnection(found.url) as slow:
            slow.begin(
                "PUT", f"/api/v1/donor/artifacts/{sha}", len(first), f"X-Potluck-Lease: {token}"
            )
            slow.say(first[:10])
            until(lambda: found.site.incoming.bytes > 0, "the first upload's room")
            refused = other.put(second, others)[1]
            assert (refused.status_code, code_of(refused)) == (507, "disk.full")
            slow.say(first[10:])
            until(lambda: sha in kept(tmp_path), "the first upload's end")
        until(lambda: found.site.incoming.bytes == 0, "the room to be given back")
        assert other.put(second, others)[1].status_code == 204


def test_one_networks_donors_leave_half_of_the_disks_room_to_others(small_disk: SmallDisk) -> None:
    url = small_disk.coordinator.url
    with (
        ScriptedDonor(url, address="127.0.0.2") as one,
        ScriptedDonor(url, address="127.0.0.2") as near,
        ScriptedDonor(url, address="127.0.0.3") as far,
    ):
        tokens = [donor.begin().token for donor in (one, near, far)]
        small_disk.free = FLOOR + 60_000
        assert one.put(zeros(40_000, 1), tokens[0])[1].status_code == 204
        refused = near.put(zeros(40_000, 2), tokens[1])[1]
        assert (refused.status_code, code_of(refused)) == (507, "disk.share")
        assert far.put(zeros(40_000, 3), tokens[2])[1].status_code == 204


def test_an_upload_that_unfolds_beyond_the_disks_room_leaves_nothing(
    small_disk: SmallDisk, tmp_path: Path
) -> None:
    with ScriptedDonor(small_disk.coordinator.url) as donor:
        token, before = donor.begin().token, kept(tmp_path)
        small_disk.free = FLOOR + 20_000
        data = zeros(60_000, 1)
        sha, sent = hashlib.sha256(data).hexdigest(), gzip.compress(data)
        headers = {"X-Potluck-Lease": token, "Content-Encoding": "gzip"}
        refused = donor.http.put(f"/api/v1/donor/artifacts/{sha}", content=sent, headers=headers)
        assert (refused.status_code, code_of(refused)) == (507, "disk.full")
        assert kept(tmp_path) == before


def test_an_expired_lease_keeps_what_it_needs_to_be_finished(start_coordinator: Start) -> None:
    coordinator = start_coordinator(
        lease_seconds=10, sweep_seconds=0.1, clean_seconds=0.2, rate_lease_states=0, workers=1
    )
    study = submit(coordinator.client())
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.begin()
        before = kept(coordinator.data)
        going = state(donor.start_weights(lease), lease.unit, 3)
        donor.checkpoint(lease, going, 3)
        for number in range(6):
            assert donor.put(b"a state that nothing names %d" % number, lease.token)[1].is_success
        result = random_result(donor, lease)
        ours = {hashlib.sha256(data).hexdigest() for data in (going, result)}
        assert donor.put(result, lease.token)[1].status_code == 204
        until(lambda: offers(study), what="the lease's end")
        until(lambda: kept(coordinator.data) - before == ours, what="all but these to go")
        answers = [donor.put(b"late %d" % number, lease.token)[1] for number in range(2)]
        assert [answer.status_code for answer in answers] == [204, 400]
        assert code_of(answers[1]) == "result.too_many_uploads"
        assert donor.complete(lease, result).outcome == "accepted"


def wide_h5() -> bytes:
    """Save a network of four million weights: with what optimizers keep, its states have 64 MB."""
    import keras

    from tests.support.keras_files import saved

    layers = [keras.Input((4,))]
    layers += [keras.layers.Dense(2000, activation="relu", name=name) for name in ("a", "b")]
    layers += [keras.layers.Dense(3, activation="softmax", name="out")]
    return saved(keras.Sequential(layers))


def large_state(
    donor: ScriptedDonor,
    lease: wire.Lease,
    step: int,
    *,
    slots: tuple[str, ...] = ("momentum", "velocity"),
) -> bytes:
    """Give a state with what Adam keeps of each weight, or other slots."""
    weights = donor.start_weights(lease)
    for name, values in list(weights.items()):
        for slot in slots:
            weights[name.replace("weights/", f"optimizer/{slot}/")] = np.zeros_like(values)
    return state(weights, lease.unit, step)


@needs_peaks
def test_states_that_are_named_at_once_are_not_held(start_coordinator: Start) -> None:
    coordinator: Coordinator = start_coordinator(workers=1)
    submit(coordinator.client(), trials=4, model=wide_h5())
    with ExitStack() as stack:
        donors = [stack.enter_context(ScriptedDonor(coordinator.url)) for _ in range(4)]
        leases = [donor.begin() for donor in donors]
        named = []
        for donor, lease in zip(donors, leases, strict=True):
            data = large_state(donor, lease, 1)
            assert len(data) > 45_000_000
            sha, sent = hashlib.sha256(data).hexdigest(), gzip.compress(data, 1)
            headers = {"X-Potluck-Lease": lease.token, "Content-Encoding": "gzip"}
            put = donor.http.put(f"/api/v1/donor/artifacts/{sha}", content=sent, headers=headers)
            assert put.status_code == 204, put.text
            named.append({"lease_id": lease.id, "artifact": sha, "epoch": 0, "step": 1})
        before = forget_peak(coordinator.pid)
        for donor, one in zip(donors, named, strict=True):
            donor.say({"type": "checkpoint", "leases": [one]})
        for donor, lease in zip(donors, leases, strict=True):
            heard = donor.hear()
            assert isinstance(heard, wire.Heard), heard
            assert heard.held == [lease.id]
        assert peak(coordinator.pid) - before < 40_000_000  # less than one of them


def test_only_what_may_count_is_read_and_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from potluck_coordinator.services import leases, results, states

    read: list[str] = []

    async def counting(*given: Any, **more: Any) -> None:
        read.append(given[3])
        await states.check_state(*given, **more)

    monkeypatch.setattr(results, "check_state", counting)
    monkeypatch.setattr(leases, "check_state", counting)
    with inside(tmp_path, workers=1) as found:
        with potluck.Client(found.url) as client:
            submit(client)
        with ScriptedDonor(found.url) as donor:
            lease = donor.begin()
            going = state(donor.start_weights(lease), lease.unit, 3)
            sha = donor.put(going, lease.token)[0]
            one = {"lease_id": lease.id, "artifact": sha, "epoch": 0, "step": 3}
            for _ in range(2):
                donor.say({"type": "checkpoint", "leases": [one, one]})
                heard = donor.hear()
                assert isinstance(heard, wire.Heard), heard
            assert read == [sha]
            result = random_result(donor, lease)
            done = {
                "lease_id": lease.id,
                "token": lease.token,
                "artifact": donor.put(result, lease.token)[0],
                "step": end_step(lease.unit),
            }
            donor.say({"type": "complete", "leases": [done, done], "next": None})
            settled = donor.hear()
            assert isinstance(settled, wire.Settled), settled
            assert [one.outcome for one in settled.leases] == ["accepted", "duplicate"]
            assert read == [sha, done["artifact"]]
            donor.say({"type": "complete", "leases": [{**done, "artifact": sha}], "next": None})
            settled = donor.hear()
            assert isinstance(settled, wire.Settled), settled
            assert settled.leases[0].error is not None
            assert settled.leases[0].error.code == "lease.spent"
            assert read == [sha, done["artifact"]]


def test_slots_that_a_units_optimizer_does_not_keep_are_refused(start_coordinator: Start) -> None:
    """They would only make a result larger, until there is no memory to score it."""
    coordinator: Coordinator = start_coordinator(workers=1)
    study = submit(coordinator.client())
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.await_lease()
        padded = large_state(donor, lease, end_step(lease.unit), slots=("momentum", "norm"))
        settled = donor.complete(lease, padded)
        assert settled.outcome == "refused"
        assert settled.error is not None
        assert settled.error.code == "result.names"
        assert "optimizer/norm/" in settled.error.got
        lease = donor.await_lease()
        whole = large_state(donor, lease, end_step(lease.unit))
        assert donor.complete(lease, whole).outcome == "accepted"
    study.wait(timeout=60, progress=False)
