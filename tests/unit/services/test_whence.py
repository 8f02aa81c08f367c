"""What visitors made is remembered by network, within bounds: nobody pushes out another's."""

from __future__ import annotations

from potluck_coordinator.services.whence import Whence


def test_a_thing_is_its_last_networks_until_it_is_deleted() -> None:
    whence = Whence()
    whence.note("st_1", "192.0.2.1")
    whence.note("st_2", "192.0.2.1")
    whence.note("st_1", "192.0.2.2")
    assert whence.things_of("192.0.2.1") == {"st_2"}
    assert whence.network_of("st_1") == "192.0.2.2"
    whence.forget("st_1")
    whence.forget("st_1")
    assert whence.network_of("st_1") is None
    assert whence.things_of("192.0.2.2") == frozenset()


def test_who_makes_most_is_forgotten_first() -> None:
    whence = Whence(most=10)
    whence.note("mine", "192.0.2.2")
    for number in range(100):
        whence.note(f"st_{number}", "192.0.2.1")
    assert whence.network_of("mine") == "192.0.2.2"
    assert whence.things_of("192.0.2.1") == {f"st_{n}" for n in range(91, 100)}
