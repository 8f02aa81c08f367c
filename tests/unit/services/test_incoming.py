"""Uploads under way have their room; it is given back as they write, and at their end."""

from __future__ import annotations

from potluck_coordinator.services.incoming import Incoming


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
