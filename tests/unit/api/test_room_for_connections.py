"""Room for a new connection is made without looking at all that are open."""

from __future__ import annotations

from pathlib import Path

import pytest

from potluck_coordinator.api.connections import CarefulProtocol, Connections
from potluck_coordinator.settings import Settings


class Connection(CarefulProtocol):
    """A connection without a socket, which counts how often it is looked at."""

    looks = 0

    def __init__(self, room: Connections, name: str) -> None:
        self.room, self.name, self.idle = room, name, True
        self.given_way = False

    def __hash__(self) -> int:
        return id(self)

    def is_idle(self) -> bool:
        Connection.looks += 1
        return self.idle

    def give_way(self) -> None:
        self.given_way = True
        self.room.remove(self)


@pytest.fixture
def room(tmp_path: Path) -> Connections:
    return Connections(Settings(data=tmp_path), most=1)


def opened(room: Connections, network: str, many: int, *, idle: bool = True) -> list[Connection]:
    found = [Connection(room, f"{network} {n}") for n in range(many)]
    for one in found:
        room.add(one, network)
        room.note(one, idle)
        one.idle = idle
    return found


def test_the_connection_that_is_idle_longest_goes_of_the_network_with_most_of_them(
    room: Connections,
) -> None:
    busy = opened(room, "busy", 9, idle=False)
    few, many = opened(room, "few", 2), opened(room, "many", 3)
    room.note(many[0], False)
    room.note(many[0], True)  # it had a request meanwhile
    newest = Connection(room, "newest")
    room.add(newest, "new")
    gone = []
    while room.make_room(newest):
        gone += [one.name for one in (*few, *many) if one.given_way and one.name not in gone]
    assert gone[0] == "many 1"
    assert set(gone) == {one.name for one in (*few, *many)}
    assert not any(one.given_way for one in busy)
    assert set(room.open) == {*busy, newest}


def test_one_that_is_idle_no_more_without_a_word_is_passed_over(room: Connections) -> None:
    first, second = opened(room, "near", 2)
    first.idle = False  # its other end went away
    assert room.make_room(Connection(room, "newest"))
    assert second.given_way
    assert not first.given_way
    assert not room.make_room(Connection(room, "newest"))


@pytest.mark.parametrize("many", [10, 2000])
def test_making_room_looks_at_one_connection_however_many_are_open(
    room: Connections, many: int
) -> None:
    opened(room, "busy", many, idle=False)
    opened(room, "idle", many)
    before = Connection.looks
    assert room.make_room(Connection(room, "newest"))
    assert Connection.looks - before == 1
