"""A body counts for its rates and for the disk by the most of what it says, brings and becomes."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from potluck_coordinator.api.coming import STEP, Coming
from potluck_coordinator.core.errors import NoRoom, TooOften
from potluck_coordinator.services.incoming import Incoming
from potluck_coordinator.services.rates import Rate, Rates
from potluck_coordinator.services.site import Site
from potluck_coordinator.settings import Settings
from potluck_coordinator.storage.artifacts import ArtifactStore

MB = 1 << 20
WHO = "192.0.2.1"
FLOOR = 100 * MB


class Disk:
    """A disk whose free bytes a test says."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.free = 1000 * MB
        patch.setattr(shutil, "disk_usage", lambda _place: SimpleNamespace(free=self.free))


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """Give the disk that the coordinator sees."""
    return Disk(monkeypatch)


def site(folder: Path, disk: Disk, **given: Any) -> Site:
    """Give as much of a coordinator as a body is counted with."""
    assert disk.free > FLOOR
    settings = Settings(data=folder, disk_floor=FLOOR, **given)
    parts = {
        "settings": settings,
        "rates": Rates(settings),
        "incoming": Incoming(),
        "artifacts": ArtifactStore(folder),
    }
    return cast(Site, SimpleNamespace(**parts))


def body(of: Site, **given: Any) -> Coming:
    return Coming(of, [(Rate.LEASE_BYTES, WHO)], **given)


def test_what_a_body_becomes_is_charged_as_it_comes(tmp_path: Path, disk: Disk) -> None:
    here = site(tmp_path, disk, rate_lease_bytes=10 * MB)
    with body(here) as first:
        first.declares(1000)
        first.reaches(4 * MB)
    with body(here) as second:
        second.declares(1000)
        second.reaches(5 * MB)
        with pytest.raises(TooOften) as refused:
            second.reaches(8 * MB)
    assert refused.value.code == "rate.lease_bytes"
    # When all of it may come, from its beginning: 8 MB, of which about one is left now.
    assert 38 <= refused.value.retry_after <= 43
    assert here.incoming.bytes == 0


def test_a_body_of_more_than_a_minutes_worth_takes_all_of_it(tmp_path: Path, disk: Disk) -> None:
    here = site(tmp_path, disk, rate_lease_bytes=10 * MB)
    with body(here) as large:
        for size in range(MB, 30 * MB, MB):
            large.reaches(size)
    with body(here) as next_one, pytest.raises(TooOften):
        next_one.reaches(MB)


def test_what_was_declared_and_did_not_come_is_given_back(tmp_path: Path, disk: Disk) -> None:
    here = site(tmp_path, disk, rate_lease_bytes=10 * MB)
    with body(here) as cut_off:
        cut_off.declares(9 * MB)
        cut_off.reaches(MB)
        with body(here) as meanwhile, pytest.raises(TooOften):
            meanwhile.reaches(2 * MB)
    with body(here) as whole:
        whole.declares(8 * MB)
        whole.reaches(8 * MB)
    with body(here) as too_much, pytest.raises(TooOften):
        too_much.reaches(2 * MB)


def test_bodies_that_come_at_once_do_not_find_the_same_room(tmp_path: Path, disk: Disk) -> None:
    here = site(tmp_path, disk)
    disk.free = FLOOR + 3 * MB
    with body(here) as first, body(here) as second:
        first.declares(2 * MB)
        first.reaches(1)
        assert here.incoming.bytes == 2 * MB
        with pytest.raises(NoRoom):
            second.declares(2 * MB)
    with body(here) as again:
        again.declares(2 * MB)


def test_what_was_written_is_counted_by_the_disk_and_not_twice(tmp_path: Path, disk: Disk) -> None:
    here = site(tmp_path, disk)
    disk.free = FLOOR + 10 * MB
    with body(here) as written:
        written.declares(8 * MB)
        for size in range(MB, 9 * MB, MB):
            written.reaches(size)
            written.wrote(MB)
            disk.free -= MB
        assert here.incoming.bytes == 0


def test_the_disk_is_looked_at_again_while_a_body_comes(tmp_path: Path, disk: Disk) -> None:
    here = site(tmp_path, disk)
    with body(here) as plain:
        plain.declares(100 * MB)
        plain.reaches(MB)
        disk.free = FLOOR  # others wrote meanwhile
        plain.reaches(4 * MB)
        with pytest.raises(NoRoom) as refused:
            plain.reaches(6 * MB)
    assert refused.value.code == "disk.full"


def test_who_sends_slowly_keeps_little_room_from_others(tmp_path: Path, disk: Disk) -> None:
    here = site(tmp_path, disk)
    with body(here) as slow:
        slow.declares(500 * MB)
        slow.reaches(1000)
        assert here.incoming.bytes <= STEP + 1000
    with body(here) as small:
        small.most = 5000
        small.reaches(10)
        assert here.incoming.bytes == 5000


def test_what_is_written_twice_has_room_for_both(tmp_path: Path, disk: Disk) -> None:
    here = site(tmp_path, disk)
    disk.free = FLOOR + 5 * MB
    with body(here, spooled=True) as form, pytest.raises(NoRoom):
        form.declares(3 * MB)
    with body(here, spooled=True) as form:
        form.declares(2 * MB)
        form.comes(2 * MB, 2 * MB)
        assert here.incoming.bytes == 2 * MB
