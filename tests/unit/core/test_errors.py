"""Refusals keep their details across processes, and each has a status."""

from __future__ import annotations

import pickle

from potluck_coordinator.api.errors import STATUS, status_of
from potluck_coordinator.core import errors
from potluck_coordinator.core.ids import donor_name, spell


def test_a_refusal_survives_the_trip_from_a_worker() -> None:
    sent = errors.BadDataset("dataset.ragged", "Odd.", expected="a", got="b", hint="c", where="d")
    back = pickle.loads(pickle.dumps(sent))
    assert type(back) is errors.BadDataset
    assert (back.code, back.message, back.details()) == (sent.code, sent.message, sent.details())


def test_every_kind_of_refusal_has_a_status() -> None:
    def kinds(kind: type[errors.PotluckError]) -> list[type[errors.PotluckError]]:
        return [kind] + [k for child in kind.__subclasses__() for k in kinds(child)]

    for kind in kinds(errors.PotluckError)[1:]:
        assert 400 <= status_of(kind("x.y", "z")) < 600
        assert any(ancestor in STATUS for ancestor in kind.__mro__)


def test_ids_and_names_are_stable() -> None:
    assert spell("st", bytes(10)) == "st_" + "0" * 16
    assert donor_name("dn_abc") == donor_name("dn_abc")
