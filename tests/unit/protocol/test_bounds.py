"""What a donor may say is bounded: each bound is met exactly, and one more is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from potluck.protocol import donor as wire

SHA = "0" * 64
SAID: TypeAdapter[Any] = TypeAdapter(wire.DonorMessage)
BEAT = {"lease_id": "ls_1", "epoch": 1, "step": 2}
DONE = {"lease_id": "ls_1", "token": "t", "artifact": SHA, "step": 3}
REPORT = {"backend": "cpu", "samples_per_second": 1.5, "right": True}
HELLO = {
    "type": "hello",
    "protocol": 1,
    "client": "c",
    "donor_key": "k" * 16,
    "backends": [],
    "backend": "cpu",
}


def heartbeat(**changes: Any) -> dict[str, Any]:
    return {"type": "heartbeat", "leases": [{**BEAT, **changes}]}


def complete(**changes: Any) -> dict[str, Any]:
    return {"type": "complete", "leases": [{**DONE, **changes}]}


def commits(number: int) -> dict[int, str]:
    return dict.fromkeys(range(number), SHA)


BOUNDS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "leases in a heartbeat",
        {"type": "heartbeat", "leases": [BEAT] * 16},
        {"type": "heartbeat", "leases": [BEAT] * 17},
    ),
    (
        "leases in a result",
        {"type": "complete", "leases": [DONE] * 16},
        {"type": "complete", "leases": [DONE] * 17},
    ),
    ("steps", heartbeat(step=2**31 - 1), heartbeat(step=2**31)),
    ("epochs from zero", heartbeat(epoch=0), heartbeat(epoch=-1)),
    ("commitments", heartbeat(commitments=commits(8)), heartbeat(commitments=commits(9))),
    ("finite losses", heartbeat(loss=1e300), heartbeat(loss=float("inf"))),
    (
        "finite speeds",
        heartbeat(samples_per_second=0.0),
        heartbeat(samples_per_second=float("nan")),
    ),
    ("a lease's name", heartbeat(lease_id="x" * 64), heartbeat(lease_id="x" * 65)),
    ("a token", complete(token="x" * 128), complete(token="x" * 129)),
    (
        "claims",
        complete(claims={str(n): 0.5 for n in range(16)}),
        complete(claims={str(n): 0.5 for n in range(17)}),
    ),
    ("a claim's name", complete(claims={"x" * 64: 1.0}), complete(claims={"x" * 65: 1.0})),
    ("finite claims", complete(claims={"loss": 0.0}), complete(claims={"loss": float("nan")})),
    ("the client's name", {**HELLO, "client": "x" * 64}, {**HELLO, "client": "x" * 65}),
    ("backends", {**HELLO, "backends": [REPORT] * 8}, {**HELLO, "backends": [REPORT] * 9}),
    ("tokens held", {**HELLO, "leases": ["t"] * 64}, {**HELLO, "leases": ["t"] * 65}),
]


@pytest.mark.parametrize(("what", "most", "more"), BOUNDS, ids=[bound[0] for bound in BOUNDS])
def test_a_donor_may_say_so_much_and_no_more(
    what: str, most: dict[str, Any], more: dict[str, Any]
) -> None:
    assert SAID.validate_python(most), what
    with pytest.raises(ValidationError):
        SAID.validate_python(more)


def test_a_drivers_long_message_is_cut_and_no_reason_to_turn_a_donor_away() -> None:
    said = SAID.validate_python({**HELLO, "backends": [{**REPORT, "note": "shader " * 5000}]})
    assert len(said.backends[0].note) == 500
    assert said.backends[0].note.startswith("shader shader")
