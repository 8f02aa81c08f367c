"""Uploads under way have their room; it is given back as they write, and at their end."""

from __future__ import annotations

import shutil
import tempfile
from types import SimpleNamespace
from typing import Any

import pytest

from potluck_coordinator.core.errors import NoRoom
from potluck_coordinator.services.incoming import Incoming
from potluck_coordinator.services.room import writing


def test_what_is_promised_and_not_written_counts() -> None:
    incoming = Incoming()
    first, second = incoming.upload(), incoming.upload()
    first.promise(100)
    second.promise(50)
    first.promise(80)  # less than before is as before
    assert (incoming.bytes, first.promised) == (150, 100)
    first.wrote(30)
    assert incoming.bytes == 120
    first.wrote(90)  # more than was promised takes nobody else's
    assert incoming.bytes == 50
    first.close()
    second.close()
    second.close()
    assert incoming.bytes == 0


def test_jobs_that_write_see_each_others_room_and_give_it_back() -> None:
    free = shutil.disk_usage(tempfile.gettempdir()).free
    store = SimpleNamespace(free_bytes=lambda: None)
    floor = SimpleNamespace(disk_floor=free // 4)
    site: Any = SimpleNamespace(settings=floor, incoming=Incoming(), artifacts=store)
    half = free // 2
    with writing(site, half):
        with pytest.raises(NoRoom) as refused, writing(site, half):
            pass
        assert refused.value.code == "disk.full"
        with writing(site, 0):
            pass
    with pytest.raises(KeyError), writing(site, half):
        raise KeyError
    assert site.incoming.bytes == 0
