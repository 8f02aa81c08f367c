"""States between a start and a result: none is believed because something honest came after it."""

from __future__ import annotations

from safetensors.numpy import save

from potluck.protocol import donor as wire
from tests.faults.attacks.checked import finish_honestly, submit, verdicts
from tests.support.coordinator import Coordinator
from tests.support.honest_donor import trained
from tests.support.scripted_donor import ScriptedDonor, end_step, random_state
from tests.support.waiting import until


def test_a_result_that_names_no_epoch_or_another_is_refused(checking: Coordinator) -> None:
    study = submit(checking)
    with ScriptedDonor(checking.url) as liar:
        for epoch in (None, "", "7", "x"):
            lease = liar.await_lease()
            weights = liar.start_weights(lease)
            named = {"format": "potluck.checkpoint.v1", "step": str(end_step(lease.unit))}
            named |= {} if epoch is None else {"epoch": epoch}
            told = liar.complete(lease, save(weights, metadata=named))
            assert told.error is not None
            assert told.error.code == "result.step"
            if epoch == "7":
                break  # the third failure brings a pause
    study.delete()


def test_an_honest_last_step_after_ones_own_false_state_is_found_out(
    checking: Coordinator,
) -> None:
    study = submit(checking)
    with ScriptedDonor(checking.url) as liar:
        lease = liar.await_lease()
        before = end_step(lease.unit) - 1
        liar.checkpoint(lease, random_state(liar, lease, before), before)
        liar.hand_back(lease, "closing")
        again = liar.await_lease()
        assert again.unit.start != lease.unit.start
        liar.complete(again, trained(liar, again))
        until(lambda: "refuted" in verdicts(study), what="the verdict on the false state")
        until(lambda: study.refresh().record.counts.ready == 1, what="the unit back in the queue")
    finish_honestly(checking, study)
    study.delete()


def misled(checking: Coordinator) -> tuple[str, wire.Lease, bytes] | None:
    """Let a donor take over a false state and upload a result; None where it was found out before.

    Gives the donor's key, its lease and the result.
    """
    with ScriptedDonor(checking.url) as liar, ScriptedDonor(checking.url) as heir:
        lease = liar.await_lease()
        assert heir.request() == []  # passes its check
        first = lease.unit.from_epoch * lease.unit.steps_per_epoch + 1
        result = random_state(liar, lease, end_step(lease.unit))
        liar.checkpoint(lease, random_state(liar, lease, first), first)
        liar.hand_back(lease, "closing")
        again = next(iter(heir.request()), None)
        if again is None or again.unit.start == lease.unit.start:
            return None
        _, put = heir.put(result, again.token)
        return (heir.key, again, result) if put.status_code == 204 else None


def test_what_goes_on_from_a_refuted_state_comes_too_late(checking: Coordinator) -> None:
    study = submit(checking, trials=1)
    key, lease, result = until(lambda: misled(checking), what="a false start that was taken over")
    until(lambda: "refuted" in verdicts(study), what="the verdict on the false state")
    until(lambda: study.refresh().record.counts.ready == 1, what="the unit back in the queue")
    with ScriptedDonor(checking.url, key=key) as late:
        assert late.complete(lease, result).outcome == "refused"
        assert study.refresh().record.counts.ready == 1
    finish_honestly(checking, study)
    study.delete()
