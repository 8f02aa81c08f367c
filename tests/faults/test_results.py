"""Tokens and weights that are not what they should be: refused calmly, and nothing is lost."""

from __future__ import annotations

import gzip
from typing import Any

import numpy as np
import pytest

import potluck
from potluck.protocol import donor as wire
from potluck.verification import verify_ledger
from potluck_coordinator.core import reasons
from tests.support.coordinator import Coordinator
from tests.support.keras_files import dense_h5
from tests.support.scripted_donor import ScriptedDonor, end_step, random_result, state
from tests.support.waiting import PATIENCE_S, until


@pytest.fixture
def study(coordinator: Coordinator) -> Any:
    """Give a study of one trial on the irises; deleted afterwards."""
    made = coordinator.client().submit(
        model=dense_h5(), data="iris", trials=1, epochs=2, search={}, name="Irises"
    )
    yield made
    made.delete()


def error_of(settlement: wire.Settlement) -> str:
    """Give the code of a refusal."""
    assert settlement.outcome == "refused", settlement
    assert settlement.error is not None
    return settlement.error.code


def unit_state(study: potluck.Study) -> str:
    """Give the state of the study's one unit."""
    counts = study.refresh().record.counts.model_dump()
    return next(name for name, number in counts.items() if number)


def test_a_result_is_scored_and_counts_once(coordinator: Coordinator, study: potluck.Study) -> None:
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.await_lease()
        result = random_result(donor, lease)
        assert donor.complete(lease, result).outcome == "accepted"
        until(lambda: unit_state(study) == "scored", what="the score")
        again = {"lease_id": lease.id, "token": lease.token, "step": end_step(lease.unit)}
        sha, _ = donor.put(result, lease.token)
        donor.say({"type": "complete", "leases": [{**again, "artifact": sha}], "next": None})
        answer = donor.hear()
        assert isinstance(answer, wire.Settled)
        assert answer.leases[0].outcome == "duplicate"
        assert answer.record.units == 1
    study.wait(timeout=PATIENCE_S, progress=False)
    assert study.refresh().record.counts.scored == 1


def test_a_result_names_what_trained_it(coordinator: Coordinator, study: potluck.Study) -> None:
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.await_lease()
        granted = study.trial(0).units[0].leases[0].backend
        assert granted != "webgl"
        result = random_result(donor, lease)
        assert donor.complete(lease, result, backend="webgl").outcome == "accepted"
    assert study.trial(0).units[0].leases[0].backend == "webgl"
    ended = next(entry for entry in study.ledger().entries if entry.kind == "result")
    assert ended.body["backend"] == "webgl"
    assert verify_ledger(study.ledger()).holds


def test_claims_that_no_curve_can_show_break_no_page(coordinator: Coordinator) -> None:
    made = coordinator.client().submit(
        model=dense_h5(), data="iris", trials=1, epochs=2, search={}, folds=2
    )
    with ScriptedDonor(coordinator.url) as one, ScriptedDonor(coordinator.url) as other:
        leases = [one.await_lease(), other.await_lease()]
        assert leases[0].unit.trial == leases[1].unit.trial
        for donor, lease in zip((one, other), leases, strict=True):
            donor.heartbeat(lease, epoch=1, step=1, loss=1.7e308)
        one.heartbeat(leases[0], epoch=2, step=2, loss=0.5)
        (curve,) = made.curves()
        assert [point.value for point in curve.claims] == [0.5]
        assert len(made.refresh().leaderboard()) == 1
        assert made.trial(0).units
    made.delete()


def test_a_very_long_unit_keeps_one_claim_of_many_epochs(coordinator: Coordinator) -> None:
    made = coordinator.client().submit(
        model=dense_h5(), data="iris", trials=1, epochs=100_000, search={}, quiet=True
    )
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.await_lease()
        for epoch in (1, 2, 199, 200, 201, 250, 99_999):
            donor.heartbeat(lease, epoch=epoch, step=epoch, loss=1.0 / epoch)
        (curve,) = made.curves()
        assert [point.epoch for point in curve.claims] == [200, 250, 99_999]
        assert curve.claims[-1].value == 1.0 / 99_999
        assert made.trials()[0].claim_loss == 1.0 / 99_999
    made.delete()


def test_a_token_that_is_wrong_or_anothers_opens_nothing(
    coordinator: Coordinator, study: potluck.Study
) -> None:
    with ScriptedDonor(coordinator.url) as holder, ScriptedDonor(coordinator.url) as thief:
        lease = holder.await_lease()
        result = random_result(holder, lease)
        assert thief.get(lease.unit.start, "wrong").status_code == 404
        assert thief.put(result, "wrong")[1].status_code == 404
        assert error_of(thief.complete(lease, result)) == "lease.unknown"
        forged = lease.model_copy(update={"token": "x" * 43})
        assert error_of(thief.complete(forged, result)) == "lease.unknown"
        assert error_of(holder.hand_back(forged)) == "lease.unknown"
        assert thief.heartbeat(lease).stop == {lease.id: "unknown"}
        assert unit_state(study) == "leased"
        assert holder.complete(lease, result).outcome == "accepted"


def test_a_token_is_spent_once(coordinator: Coordinator, study: potluck.Study) -> None:
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.await_lease()
        result = random_result(donor, lease)
        assert donor.hand_back(lease).outcome == "handed_back"
        assert unit_state(study) == "ready"
        assert error_of(donor.hand_back(lease)) == "lease.spent"
        assert error_of(donor.complete(lease, result)) == "lease.spent"
        assert donor.get(lease.unit.tensors, lease.token).status_code == 404


def spoil_shape(weights: dict[str, Any]) -> dict[str, Any]:
    name = sorted(weights)[0]
    return {**weights, name: np.zeros((3, 3), np.float32)}


def spoil_nan(weights: dict[str, Any]) -> dict[str, Any]:
    name = sorted(weights)[0]
    return {**weights, name: np.full_like(weights[name], np.nan)}


def spoil_dtype(weights: dict[str, Any]) -> dict[str, Any]:
    name = sorted(weights)[0]
    return {**weights, name: weights[name].astype(np.float64)}


def spoil_missing(weights: dict[str, Any]) -> dict[str, Any]:
    return dict(list(weights.items())[1:])


def spoil_extra(weights: dict[str, Any]) -> dict[str, Any]:
    return {**weights, "weights/more/kernel": np.zeros(3, np.float32)}


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (spoil_shape, "result.shape"),
        (spoil_nan, "result.not_finite"),
        (spoil_dtype, "result.dtype"),
        (spoil_missing, "result.names"),
        (spoil_extra, "result.names"),
    ],
)
def test_weights_that_cannot_be_right_are_refused_and_the_unit_is_free_again(
    coordinator: Coordinator, study: potluck.Study, spoil: Any, code: str
) -> None:
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.await_lease()
        bad = state(spoil(donor.start_weights(lease)), lease.unit, end_step(lease.unit))
        assert error_of(donor.complete(lease, bad)) == code
        assert unit_state(study) == "ready"
        honest = donor.await_lease()
        assert donor.complete(honest, random_result(donor, honest)).outcome == "accepted"
        until(lambda: unit_state(study) == "scored", what="the score")


@pytest.mark.usefixtures("study")
def test_uploads_are_bounded_and_named_by_their_hash(coordinator: Coordinator) -> None:
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.await_lease()
        too_many = bytes(lease.unit.limits.upload_bytes + 1)
        assert donor.put(too_many, lease.token)[1].status_code == 413
        packed = gzip.compress(too_many)
        answer = donor.http.put(
            f"/api/v1/donor/artifacts/{'0' * 64}",
            content=packed,
            headers={"X-Potluck-Lease": lease.token, "Content-Encoding": "gzip"},
        )
        assert answer.status_code == 413
        misnamed = donor.http.put(
            f"/api/v1/donor/artifacts/{'0' * 64}",
            content=b"something else",
            headers={"X-Potluck-Lease": lease.token},
        )
        assert misnamed.json()["error"]["code"] == "result.hash"
        result = random_result(donor, lease)
        missing = donor.complete(lease, too_many, artifact="1" * 64)
        assert error_of(missing) == "result.not_uploaded"
        again = donor.await_lease()
        assert donor.complete(again, result).outcome == "accepted"


@pytest.mark.usefixtures("study")
def test_a_result_that_stops_short_is_refused(coordinator: Coordinator) -> None:
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.await_lease()
        result = random_result(donor, lease)
        assert error_of(donor.complete(lease, result, step=1)) == "result.incomplete"


def test_divergence_is_believed_only_of_weights_that_show_it(
    coordinator: Coordinator, study: potluck.Study
) -> None:
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.await_lease()
        claimed = donor.complete(lease, random_result(donor, lease), diverged=True)
        assert error_of(claimed) == "result.not_diverged"
        for _ in range(2):  # nobody is there who could try it too: it has to happen twice
            lease = donor.await_lease()
            shown = state(spoil_nan(donor.start_weights(lease)), lease.unit, 3)
            assert donor.complete(lease, shown, diverged=True, step=3).outcome == "accepted"
        ended = until(
            lambda: study.refresh().record if study.refresh().state != "running" else None,
            what="the study's end",
        )
        told = f"{reasons.NO_TRIAL} {reasons.DIVERGED}"
        assert (ended.state, ended.reason) == ("failed", told)


def until_ended(study: potluck.Study) -> Any:
    return until(
        lambda: study.record if study.refresh().state != "running" else None,
        what="the study's end",
    )


def test_a_study_that_refusals_end_names_the_weight_on_every_level(
    coordinator: Coordinator, study: potluck.Study
) -> None:
    with ScriptedDonor(coordinator.url) as donor:
        for _ in range(3):
            lease = donor.await_lease()
            bad = state(spoil_dtype(donor.start_weights(lease)), lease.unit, end_step(lease.unit))
            assert error_of(donor.complete(lease, bad)) == "result.dtype"
        why = (
            "result.dtype: A tensor has another type than it should (weights/hidden/bias): "
            "expected F32, got F64."
        )
        ended = until_ended(study)
    assert ended.state == "failed"
    assert ended.reason == f"No trial could be completed. A unit was set aside: {why}"
    detail = study.trial(0)
    assert (detail.row.state, detail.row.reason) == ("incomplete", f"A unit was set aside: {why}")
    assert [lease.reason for lease in detail.units[0].leases] == [why] * 3
    with pytest.raises(potluck.StudyFailed, match="weights/hidden/bias"):
        study.wait(progress=False)


def test_what_a_donor_says_of_its_failure_is_shown_as_one_short_line(
    coordinator: Coordinator, study: potluck.Study
) -> None:
    detail = "Layer drop (Dropout):\n\x1b[31mno such \u202ekernel " + "x" * 5000
    with ScriptedDonor(coordinator.url) as donor:
        for _ in range(3):
            lease = donor.await_lease()
            back = {"lease_id": lease.id, "token": lease.token, "reason": "error", "detail": detail}
            donor.say({"type": "abort", "leases": [back]})
            assert isinstance(donor.hear(), wire.Settled)
        reason = until_ended(study).reason
    assert "error: Layer drop (Dropout): [31mno such kernel xxx" in reason
    assert reason.isprintable()
    assert len(reason) < 700


def test_trials_of_a_stopped_study_do_not_read_running(
    coordinator: Coordinator, study: potluck.Study
) -> None:
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.await_lease()
        study.stop()
        [row] = study.trials()
        assert (row.state, row.rank) == ("stopped", None)
        assert row.reason == study.record.reason != ""
        assert study.trial(0).row.state == study.curves()[0].state == "stopped"
        study.resume()
        assert [(row.state, row.reason) for row in study.trials()] == [("running", "")]
        donor.heartbeat(lease)


def test_words_that_make_no_sense_are_answered(coordinator: Coordinator) -> None:
    with ScriptedDonor(coordinator.url) as donor:
        for text in ("no json", "{}", '{"type": "dance"}', '{"type": "heartbeat"}'):
            donor.say(text)
            answer = donor.hear()
            assert isinstance(answer, wire.Problem)
            assert answer.error.code == "protocol.unknown_message"
        assert donor.request() == []
