"""Keys that are gone before they are judged: their address is judged with them."""

from __future__ import annotations

from potluck.protocol import donor as wire
from tests.faults.attacks.checked import submit
from tests.support.coordinator import Coordinator
from tests.support.scripted_donor import ScriptedDonor
from tests.support.waiting import until

HERE, THERE = "127.0.0.7", "127.0.0.8"
MOST = 20


def take_and_go(checking: Coordinator) -> wire.Lease | None:
    """Take a unit with a fresh key; None where this address gets none."""
    with ScriptedDonor(checking.url, address=HERE) as liar:
        return next(iter(liar.request()), None)


def test_an_address_pays_for_keys_that_close_first_and_fail_then(checking: Coordinator) -> None:
    study = submit(checking, trials=1)
    for number in range(MOST):
        lease = take_and_go(checking)
        if lease is None:
            break
        with ScriptedDonor(checking.url, address=THERE) as other:
            back = {"lease_id": lease.id, "token": lease.token, "reason": "error", "detail": "no"}
            sent = {"type": "abort", "leases": [back]}
            assert other.http.post("/api/v1/donor/abort", json=sent).is_success
        until(lambda: study.refresh().record.counts.ready == 1, what=f"the unit back, {number}")
    else:
        raise AssertionError(f"{MOST} keys of one address got work, one after the other")
    with ScriptedDonor(checking.url, address=THERE) as other:
        assert other.request(), "another address waits for nothing"
    study.delete()
