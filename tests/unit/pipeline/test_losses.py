"""Which losses and weights a study may ask for, and what they make of its tensors."""

from __future__ import annotations

import json
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck.protocol.study import LossName, StudySpec
from potluck_coordinator.core.errors import BadInput, BadStudy
from potluck_coordinator.pipeline import Plan, encode, plan_study, read_dataset
from potluck_coordinator.pipeline.losses import KINDS, suited_losses
from potluck_coordinator.pipeline.weights import class_called, settle_weights
from tests.unit.pipeline.cases import amounts, flowers, model, table

SOFT = model((4,), 3, "softmax")
LOGITS = model((4,), 3, "linear")
FREE = model((1,), 1, "linear")
POSITIVE = model((1,), 1, "softplus")
ROWS = np.arange(60)


def spec(loss: str | None = None, metric: str | None = None, **changes: Any) -> StudySpec:
    given = {"name": "study", "model_id": "m", "dataset_id": "d", "loss": loss, **changes}
    return StudySpec.model_validate({**given, "objective": {"metric": metric}})


def answers() -> str:
    """Give a table of two classes, three of the first for one of the second."""
    rows = "".join(f"{i},{('yes', 'no')[i % 4 > 0]},{i % 5}\n" for i in range(60))
    return "a,answer,count\n" + rows


def weighted_flowers() -> str:
    lines = flowers().splitlines()
    rows = [f"{line},{i % 4 / 2}" for i, line in enumerate(lines[1:])]
    return "\n".join([lines[0] + ",importance", *rows]) + "\n"


TWO: dict[str, Any] = {"pipeline": {"target": "answer", "features": ["a"]}}
SMOOTH: dict[str, Any] = {"loss_options": {"label_smoothing": 0.1}}
BY_COLUMN: dict[str, Any] = {"pipeline": {"sample_weight": "importance"}}


def test_label_smoothing_makes_the_loss_of_class_numbers_that_of_one_hot_rows() -> None:
    plain = plan_study(table(flowers()), spec(), SOFT)
    smooth = plan_study(table(flowers()), spec(**SMOOTH), SOFT)
    assert (plain.loss, plain.loss_options) == ("sparse_categorical_crossentropy", {})
    assert smooth.loss == "categorical_crossentropy"
    assert smooth.loss_options == {"label_smoothing": 0.1}


def test_what_is_not_said_is_keras_s_default() -> None:
    options: dict[str, Any] = {"loss_options": {"gamma": 3}}
    plan = plan_study(table(flowers()), spec("categorical_focal_crossentropy", **options), SOFT)
    assert plan.loss_options == {"gamma": 3, "alpha": 0.25, "label_smoothing": 0}
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


@pytest.mark.parametrize("activation", ["linear", "tanh"])
@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_a_hinge_has_signs_as_targets_and_margins_as_outputs(loss: str, activation: str) -> None:
    dataset = table(answers())
    plan = plan_study(dataset, spec(loss, **TWO), model((1,), 1, activation))
    assert plan.margins
    assert not plan.from_logits
    found = encode(dataset, plan, ROWS[:40], ROWS[40:])
    signs = [1.0 if i % 4 == 0 else -1.0 for i in range(40)]
    assert found.train["y"].tolist() == [[sign] for sign in signs]
    assert found.held["truth"].tolist() == [int(i % 4 == 0) for i in range(40, 60)]
    assert "hinge" in plan.metrics
    assert "log_loss" not in plan.metrics


@pytest.mark.parametrize(
    ("loss", "facts"),
    [("poisson", POSITIVE), ("mean_squared_logarithmic_error", FREE)],
)
def test_a_loss_that_needs_amounts_as_they_are_gets_them(loss: str, facts: Any) -> None:
    dataset = table(amounts())
    plan = plan_study(dataset, spec(loss), facts)
    found = encode(dataset, plan, ROWS[:40], ROWS[40:])
    assert found.train["y"][:, 0].tolist() == [row * 3.25 + 100.5 for row in range(40)]
    scaled = encode(dataset, plan_study(dataset, spec("huber"), FREE), ROWS[:40], ROWS[40:])
    assert abs(scaled.train["y"].mean()) < 1e-6


@pytest.mark.parametrize("loss", get_args(LossName))
def test_every_loss_suits_some_model_and_a_plan_lists_it(loss: LossName) -> None:
    kind = KINDS[loss]
    shape = kind.shapes[0]
    activations = tuple(kind.activations) or ("linear",)
    activation = "sigmoid" if loss in ("dice", "tversky") else activations[0]
    text = {"two": answers(), "several": flowers(), "amount": amounts()}[shape]
    facts = model((4 if shape == "several" else 1,), 3 if shape == "several" else 1, activation)
    changes = TWO if shape == "two" else {}
    plan = plan_study(table(text), spec(loss, **changes), facts)
    assert plan.loss == loss
    assert loss in plan.losses
    assert plan.losses == suited_losses(shape, activation)
    assert plan.metric in plan.metrics


def test_balanced_weights_are_of_the_training_rows_and_no_other() -> None:
    dataset = table(answers())
    plan = plan_study(dataset, spec(class_weight="balanced", **TWO), model((1,), 1, "sigmoid"))
    train = ROWS[:30]  # 8 of 30 say yes
    found = encode(dataset, plan, train, ROWS[30:])
    expected = [30 / (2 * 8) if i % 4 == 0 else 30 / (2 * 22) for i in train]
    assert found.train["w"].dtype == np.float32
    assert found.train["w"] == pytest.approx(expected)
    assert "w" not in found.held
    other = encode(dataset, plan, ROWS[:20], ROWS[30:])
    assert other.encoder["weights"] != found.encoder["weights"]


@given(st.lists(st.integers(0, 2), min_size=4, max_size=40))
def test_balanced_weights_give_each_class_an_equal_part(labels: list[int]) -> None:
    rows = "".join(f"{i},{'abc'[label]}\n" for i, label in enumerate(labels))
    extra = "".join(f"{1000 + i},{'abc'[i % 3]}\n" for i in range(30))
    dataset = table("a,kind\n" + rows + extra)
    plan = plan_study(dataset, spec(class_weight="balanced"), model((1,), 3, "softmax"))
    found = encode(dataset, plan, np.arange(len(labels)), np.arange(len(labels), dataset.rows))
    parts = [found.train["w"][found.train["y"] == number].sum() for number in set(labels)]
    assert parts == pytest.approx([len(labels) / len(parts)] * len(parts))


def test_classes_weigh_what_was_said_and_1_else() -> None:
    dataset = table(flowers())
    plan = plan_study(dataset, spec(class_weight={"b": 0, "c": 2.5}), SOFT)
    found = encode(dataset, plan, ROWS[:6], ROWS[6:])
    assert found.train["w"].tolist() == [1, 0, 2.5, 1, 0, 2.5]


def test_a_column_of_weights_is_no_feature_and_no_target_whatever_its_place() -> None:
    dataset = table(weighted_flowers())
    plan = plan_study(dataset, spec(**BY_COLUMN), SOFT)
    assert plan.target == "kind"  # the last column but for the weights
    assert plan.features == ("height", "width", "colour")
    found = encode(dataset, plan, ROWS[:8], ROWS[8:])
    assert found.train["w"].tolist() == [0, 0.5, 1, 1.5] * 2
    asked = ["height", "width", "colour", "importance"]
    pipeline: dict[str, Any] = {"pipeline": {"sample_weight": "importance", "features": asked}}
    named = plan_study(dataset, spec(**pipeline), SOFT)
    assert named.features == plan.features
    assert any("importance" in said for said in named.warnings)


def test_without_weights_nothing_weighs() -> None:
    dataset = table(flowers())
    found = encode(dataset, plan_study(dataset, spec(), SOFT), ROWS[:40], ROWS[40:])
    assert set(found.train) == {"x", "y"}


def column(values: str) -> str:
    return "a,importance,kind\n" + "".join(
        f"{i},{values if i == 5 else 1},{'pqr'[i % 3]}\n" for i in range(30)
    )


THREE = model((1,), 3, "softmax")
ZEROS = "a,importance,kind\n" + "".join(f"{i},0,{'pqr'[i % 3]}\n" for i in range(30))


@pytest.mark.parametrize(
    ("text", "facts", "changes", "code"),
    [
        (flowers(), SOFT, {"loss": "hinge"}, "pipeline.loss_unsuited"),
        (flowers(), SOFT, {"loss": "huber"}, "pipeline.loss_unsuited"),
        (flowers(), LOGITS, {"loss": "kl_divergence"}, "pipeline.loss_unsuited"),
        (flowers(), LOGITS, {"loss": "dice"}, "pipeline.loss_unsuited"),
        (
            flowers(),
            model((4,), 3, "relu"),
            {"loss": "cosine_similarity"},
            "pipeline.loss_unsuited",
        ),
        (flowers(), model((4,), 3, "sigmoid"), {"loss": "dice"}, "pipeline.loss_unsuited"),
        (answers(), model((1,), 1, "sigmoid"), {"loss": "hinge", **TWO}, "pipeline.loss_unsuited"),
        (answers(), model((1,), 1, "softmax"), {"loss": "dice", **TWO}, "pipeline.loss_unsuited"),
        (amounts(), FREE, {"loss": "poisson"}, "pipeline.loss_unsuited"),
        (
            "a,y\n" + "".join(f"{i},{i - 2.5}\n" for i in range(30)),
            POSITIVE,
            {"loss": "poisson"},
            "pipeline.loss_unsuited",
        ),
        (
            "a,y\n" + "".join(f"{i},{i}\n" for i in range(30)),
            FREE,
            {"loss": "mean_absolute_percentage_error"},
            "pipeline.loss_unsuited",
        ),
        (amounts(), FREE, SMOOTH, "pipeline.loss_option"),
        (flowers(), SOFT, {"loss_options": {"delta": 2}}, "pipeline.loss_option"),
        (flowers(), SOFT, {"loss": "categorical_hinge", **SMOOTH}, "pipeline.loss_option"),
        (
            answers(),
            model((1,), 1, "linear"),
            {"loss": "hinge", "metric": "log_loss", **TWO},
            "pipeline.metric_unsuited",
        ),
        (flowers(), SOFT, {"metric": "hinge"}, "pipeline.metric_unsuited"),
        (flowers(), SOFT, {"metric": "precision"}, "pipeline.metric_unsuited"),
        (flowers(), SOFT, {"metric": "top_3_accuracy"}, "pipeline.metric_unsuited"),
        (amounts(), FREE, {"class_weight": "balanced"}, "pipeline.weights"),
        (flowers(), SOFT, {"class_weight": {"d": 2}}, "pipeline.weights"),
        (flowers(), SOFT, {"class_weight": {"a": 0, "b": 0, "c": 0}}, "pipeline.weights"),
        (column("2"), THREE, {"class_weight": "balanced", **BY_COLUMN}, "pipeline.weights"),
        (flowers(), SOFT, BY_COLUMN, "pipeline.weights"),
        (
            column("2"),
            THREE,
            {"pipeline": {"sample_weight": "importance", "target": "importance"}},
            "pipeline.weights",
        ),
        (column("-0.5"), THREE, BY_COLUMN, "dataset.sample_weight"),
        (column(""), THREE, BY_COLUMN, "dataset.sample_weight"),
        (column("many"), THREE, BY_COLUMN, "dataset.sample_weight"),
        (column("1e7"), THREE, BY_COLUMN, "dataset.sample_weight"),
        (ZEROS, THREE, BY_COLUMN, "dataset.sample_weight"),
    ],
)
def test_what_cannot_be_is_refused_with_its_code(
    text: str, facts: Any, changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(BadInput) as caught:
        plan_study(read_dataset(text.encode(), "table.csv"), spec(**changes), facts)
    assert caught.value.code == code
    assert caught.value.expected
    assert caught.value.got


@pytest.mark.parametrize(
    ("label", "classes", "name"),
    [
        ("0.0", ("0", "1"), "0"),
        ("0", ("0.0", "1.0"), "0.0"),
        ("False", ("0", "1"), "0"),
        ("True", ("False", "True"), "True"),
        ("True", ("false", "true"), "true"),
        ("1", ("False", "True"), "True"),
        ("1.0", ("false", "true"), "true"),
        ("True", ("no", "yes"), "yes"),
        ("False", ("OFF", "ON"), "OFF"),
        ("1", ("01", "1"), "1"),
        ("1", ("01", "1.0"), None),
        ("True", ("1", "yes"), None),
        ("1", ("no", "yes"), None),
        ("nan", ("nan ", "b"), None),
        ("maybe", ("no", "yes"), None),
    ],
)
def test_a_label_means_the_only_class_of_its_value(
    label: str, classes: tuple[str, ...], name: str | None
) -> None:
    assert class_called(label, classes) == name


def test_weights_are_kept_by_the_classes_own_names() -> None:
    asked = spec(class_weight={"True": 3, "False": 0.5}, **TWO)
    dataset = read_dataset(answers().encode(), "answers.csv")
    plan = plan_study(dataset, asked, model((1,), 1, "sigmoid"))
    assert plan.class_weight == {"yes": 3, "no": 0.5}


def test_two_labels_of_one_class_are_refused() -> None:
    with pytest.raises(BadStudy, match="two weights"):
        settle_weights(spec(class_weight={"0": 1, "0.0": 2}), ("0", "1"))
