"""Losses and weights of a study over HTTP, and what of them reaches a donor."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load

from potluck.errors import ApiError
from tests.support.coordinator import Coordinator
from tests.support.keras_files import dense_h5
from tests.support.scripted_donor import ScriptedDonor, random_result
from tests.support.waiting import PATIENCE_S

ROWS = 60


def survey() -> dict[str, Any]:
    """Give two features, a column of weights that would teach nothing, and an uneven answer."""
    draw = np.random.default_rng(4)
    return {
        "age": draw.integers(18, 90, ROWS),
        "household_weight": np.arange(ROWS) % 4 / 2,
        "income": draw.integers(1, 50, ROWS),
        "answer": (np.arange(ROWS) % 4 == 0).astype(np.int64),
    }


def submitted(coordinator: Coordinator, model: bytes, **changes: Any) -> Any:
    data = survey()
    options = {"target": "answer", "features": ["age", "income"], "trials": 1, "epochs": 1}
    return coordinator.client().submit(model=model, data=data, **{**options, **changes})


def fetched(donor: ScriptedDonor, lease: Any) -> dict[str, Any]:
    answer = donor.get(lease.unit.tensors, lease.token)
    assert answer.status_code == 200
    return load(answer.content)


def test_class_weights_reach_donors_as_numbers_of_the_training_rows(
    coordinator: Coordinator,
) -> None:
    study = submitted(coordinator, dense_h5(2, 1, "sigmoid"), class_weight="balanced")
    assert study.plan.class_weight == "balanced"
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.await_lease()
        tensors = fetched(donor, lease)
        donor.complete(lease, random_result(donor, lease))
    study.wait(timeout=PATIENCE_S, progress=False)
    yes = tensors["y"][:, 0] == 1
    assert tensors["w"].dtype == np.float32
    assert tensors["w"].shape == (lease.unit.rows,)
    assert tensors["w"][yes] == pytest.approx(len(yes) / (2 * yes.sum()))
    assert tensors["w"][~yes] == pytest.approx(len(yes) / (2 * (~yes).sum()))


def test_a_column_of_weights_weighs_is_no_feature_and_leaves_without_its_name(
    coordinator: Coordinator,
) -> None:
    study = submitted(
        coordinator,
        dense_h5(2, 1, "sigmoid"),
        features=None,
        sample_weight="household_weight",
    )
    assert study.plan.features == ["age", "income"]
    assert study.plan.sample_weight == "household_weight"
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.await_lease()
        tensors = fetched(donor, lease)
        for sha in (lease.unit.topology, lease.unit.start):
            donor.get(sha, lease.token)
        told = [lease.model_dump_json().encode(), *donor.fetched.values()]
        donor.complete(lease, random_result(donor, lease))
    study.wait(timeout=PATIENCE_S, progress=False)
    assert tensors["x"].shape == (lease.unit.rows, 2)
    assert set(tensors["w"].tolist()) <= {0.0, 0.5, 1.0, 1.5}
    assert not any(b"household_weight" in content for content in told)


def test_a_study_with_a_hinge_is_scored_by_its_margins(coordinator: Coordinator) -> None:
    study = submitted(coordinator, dense_h5(2, 1, "linear"), loss="hinge", metric="roc_auc")
    assert "log_loss" not in study.plan.metrics
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.await_lease()
        assert (lease.unit.loss, lease.unit.from_logits) == ("hinge", False)
        assert set(np.unique(fetched(donor, lease)["y"])) == {-1.0, 1.0}
        donor.complete(lease, random_result(donor, lease))
    study.wait(timeout=PATIENCE_S, progress=False)
    score = next(entry for entry in study.ledger().entries if entry.kind == "score")
    assert {"hinge", "roc_auc", "accuracy", "precision"} <= set(score.body["metrics"])
    shown = study.best.predictions()
    margins = [row[0] for row in shown.raw]
    named = [prediction.predicted for prediction in shown.predictions]
    assert named == [("0", "1")[margin > 0] for margin in margins]
    assert all(prediction.probabilities is None for prediction in shown.predictions)


def test_smoothed_labels_reach_donors_as_keras_s_categorical_loss(
    coordinator: Coordinator,
) -> None:
    client = coordinator.client()
    options = {"label_smoothing": 0.1}
    study = client.submit(model=dense_h5(), data="iris", loss_options=options, trials=1, epochs=1)
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.await_lease()
        donor.complete(lease, random_result(donor, lease))
    study.wait(timeout=PATIENCE_S, progress=False)
    assert lease.unit.loss == study.plan.loss == "categorical_crossentropy"
    assert lease.unit.loss_options.label_smoothing == 0.1
    assert study.plan.loss_options.label_smoothing == 0.1


@pytest.mark.parametrize(
    ("activation", "changes", "code"),
    [
        ("sigmoid", {"loss": "hinge"}, "pipeline.loss_unsuited"),
        ("sigmoid", {"loss": "kl_divergence"}, "pipeline.loss_unsuited"),
        ("sigmoid", {"loss_options": {"delta": 2.0}}, "pipeline.loss_option"),
        ("linear", {"loss": "hinge", "metric": "log_loss"}, "pipeline.metric_unsuited"),
        ("sigmoid", {"class_weight": {"maybe": 2.0}}, "pipeline.weights"),
        (
            "sigmoid",
            {"class_weight": "balanced", "sample_weight": "household_weight"},
            "pipeline.weights",
        ),
        ("sigmoid", {"sample_weight": "answer"}, "pipeline.weights"),
    ],
)
def test_what_cannot_be_is_refused(
    coordinator: Coordinator, activation: str, changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(ApiError) as refused:
        submitted(coordinator, dense_h5(2, 1, activation), **changes)
    assert refused.value.code == code
