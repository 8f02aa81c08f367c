"""What a model was compiled with reaches donors, unless the submitter says otherwise."""

from __future__ import annotations

from typing import Any

from tests.support.coordinator import Coordinator
from tests.support.keras_files import saved
from tests.support.scripted_donor import ScriptedDonor, random_result
from tests.support.waiting import PATIENCE_S


def compiled_model() -> bytes:
    import keras

    dense = keras.layers.Dense(3, activation="softmax")
    model = keras.Sequential([keras.Input((4,)), dense])
    rate = keras.optimizers.schedules.CosineDecay(0.05, 30)
    focal = keras.losses.CategoricalFocalCrossentropy(gamma=3.0)
    model.compile(keras.optimizers.AdamW(rate, clipnorm=1.5), focal, metrics=["log_cosh"])
    return saved(model, ".keras")


def leased(coordinator: Coordinator, **options: Any) -> tuple[Any, Any]:
    client = coordinator.client()
    study = client.submit(model=compiled_model(), data="iris", trials=1, epochs=1, **options)
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.await_lease()
        donor.complete(lease, random_result(donor, lease))
    study.wait(timeout=PATIENCE_S, progress=False)
    return study, lease.unit


def test_donors_train_as_the_model_was_compiled(coordinator: Coordinator) -> None:
    study, unit = leased(coordinator)
    assert unit.loss == "categorical_focal_crossentropy"
    assert unit.loss_options.gamma == 3.0
    assert unit.optimizer.name == "adamw"
    assert unit.optimizer.learning_rate == 0.05
    assert unit.optimizer.clipnorm == 1.5
    assert unit.optimizer.schedule.name == "cosine"
    assert unit.optimizer.schedule.decay_epochs == 10  # 30 steps; 90 rows in batches of 32
    assert study.plan.compiled == {
        "loss": "categorical_focal_crossentropy",
        "loss_options.gamma": 3.0,
        "optimizer": "adamw",
        "learning_rate": 0.05,
        "clipnorm": 1.5,
        "schedule": "cosine",
        "decay_epochs": 10.0,
    }
    assert any("log_cosh is not measured" in said for said in study.plan.warnings)


def test_what_the_submitter_says_wins(coordinator: Coordinator) -> None:
    options = {"optimizer": "sgd", "learning_rate": 0.25}
    study, unit = leased(coordinator, loss="kl_divergence", search=options)
    assert (unit.loss, unit.optimizer.name) == ("kl_divergence", "sgd")
    assert (unit.optimizer.learning_rate, unit.optimizer.clipnorm) == (0.25, None)
    assert study.plan.compiled == {}
    assert any("the study says which optimizer" in said for said in study.plan.warnings)
