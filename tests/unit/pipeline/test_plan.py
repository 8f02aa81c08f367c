from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from potluck_coordinator.core.errors import BadInput
from potluck_coordinator.pipeline import (
    Dataset,
    LayerFacts,
    ModelFacts,
    Plan,
    bundled,
    bundled_file,
    plan_study,
    profile,
    read_dataset,
)
from tests.unit.pipeline.cases import (
    amounts,
    arrays,
    flowers,
    model,
    plan_table,
    spec,
    table,
)

WHOLE_AMOUNTS = "a,y\n" + "".join(f"{row},{row + 7}\n" for row in range(12))
FITTING = {
    "digits": model((8, 8, 1), 10, "softmax"),
    "iris": model((4,), 3, "softmax"),
    "breast_cancer": model((30,), 1, "sigmoid"),
    "diabetes": model((10,), 1, "linear"),
}


@pytest.mark.parametrize("entry", bundled(), ids=lambda entry: entry.name)
def test_a_bundled_dataset_is_what_the_catalogue_says(entry: Any) -> None:
    name, content = bundled_file(entry.name)
    assert bundled_file(entry.name) == (name, content)
    dataset = read_dataset(content, name)
    assert dataset.rows == entry.rows
    assert profile(dataset).suggested_target == entry.target
    plan = plan_study(dataset, spec(), FITTING[entry.name])
    assert (plan.task, plan.target, plan.warnings) == (entry.task, entry.target, ())


def test_iris_keeps_the_names_of_its_species() -> None:
    name, content = bundled_file("iris")
    plan = plan_study(read_dataset(content, name), spec(), FITTING["iris"])
    assert plan.classes == ("setosa", "versicolor", "virginica")


def test_a_plan_survives_json() -> None:
    _, plan = plan_table(flowers(), 4, 3, "softmax")
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


@pytest.mark.parametrize(
    ("text", "inputs", "outputs", "activation", "expected"),
    [
        (flowers(), 4, 3, "softmax", ("classification", "sparse_categorical_crossentropy", False)),
        (flowers(), 4, 3, "linear", ("classification", "sparse_categorical_crossentropy", True)),
        (amounts(), 1, 1, "linear", ("regression", "mean_squared_error", False)),
        ("a,y\n1,0\n2,1\n3,0\n4,1\n5,0\n6,1\n", 1, 1, "sigmoid", ("binary", "", False)),
        ("a,y\n1,0\n2,1\n3,0\n4,1\n5,0\n6,1\n", 1, 1, "linear", ("binary", "", True)),
        (WHOLE_AMOUNTS, 1, 1, "linear", ("regression", "", False)),
    ],
)
def test_task_and_loss_follow_from_target_and_model(
    text: str, inputs: int, outputs: int, activation: str, expected: tuple[str, str, bool]
) -> None:
    _, plan = plan_table(text, inputs, outputs, activation)
    task, loss, from_logits = expected
    if task == "binary":
        task, loss = "classification", "binary_crossentropy"
    assert plan.task == task
    assert plan.loss == (loss or "mean_squared_error")
    assert plan.from_logits == from_logits
    assert plan.metric == ("accuracy" if task == "classification" else "r2")
    assert plan.direction == "maximize"


def test_numbers_that_are_classes_are_ordered_by_size() -> None:
    _, plan = plan_table(
        "a,y\n" + "".join(f"{i},{i % 3 * 5}\n" for i in range(30)), 1, 3, "softmax"
    )
    assert plan.classes == ("0", "5", "10")


def test_an_error_is_to_be_minimised() -> None:
    plan = plan_study(table(amounts()), spec(metric="rmse"), model((1,), 1, "linear"))
    assert plan.direction == "minimize"


def test_a_flat_row_takes_the_shape_of_the_models_input() -> None:
    dataset = arrays(x=np.random.default_rng(0).random((30, 64)), y=np.arange(30) % 2)
    plan = plan_study(dataset, spec(), model((8, 8, 1), 1, "sigmoid"))
    assert plan.input_shape == (8, 8, 1)


def test_an_open_length_takes_the_datas() -> None:
    dataset = arrays(x=np.random.default_rng(0).integers(0, 9, (30, 7)), y=np.arange(30) % 2)
    plan = plan_study(dataset, spec(), model((None,), 1, "sigmoid", vocabulary=9))
    assert (plan.input_shape, plan.tokens) == ((7,), True)


def test_the_target_among_the_features_is_left_out_and_said() -> None:
    _, plan = plan_table(flowers(), 4, 3, "softmax", features=["height", "kind", "width", "colour"])
    assert plan.features == ("height", "width", "colour")
    assert any("kind" in said for said in plan.warnings)


def test_uploaded_weights_are_kept_where_a_layer_is_frozen() -> None:
    def with_layer(layer: LayerFacts) -> str:
        facts = ModelFacts({"i": (4,)}, {"o": (3,)}, "softmax", (layer,))
        return plan_study(table(flowers()), spec(), facts).init

    assert with_layer(LayerFacts("d", "Dense", weighted=True, trainable=True)) == "fresh"
    assert with_layer(LayerFacts("d", "Dense", weighted=True, trainable=False)) == "uploaded"
    assert with_layer(LayerFacts("r", "ReLU", weighted=False, trainable=False)) == "fresh"
    assert with_layer(LayerFacts("n", "Normalization", True, True, fitted=True)) == "uploaded"


TWO = ModelFacts({"a": (4,), "b": (4,)}, {"o": (3,)}, "softmax")
WIDE = ModelFacts({"a": (4,)}, {"o": (3, 3)}, "softmax")
TOKENS = model((2,), 3, "softmax", vocabulary=10)
SOFT = model((4,), 3, "softmax")
FREE = model((1,), 1, "linear")
GAP = "a,b,y\n1,2,p\n3,,q\n5,6,p\n"
HOLE = "a,y\n1,p\n3,\n5,q\n"
PLAIN = "a,y\n1,p\n2,p\n"
SAME = "a,y\n1,p\n1,q\n1,p\n"
ONE = model((1,), 1, "sigmoid")
LONG = "w,y\n" + "".join(f"w{i},{'pq'[i % 2]}\n" for i in range(600))


@pytest.mark.parametrize(
    ("text", "facts", "changes", "code"),
    [
        (flowers(), SOFT, {"target": "size"}, "dataset.target_missing"),
        ("a\n1\n2\n", SOFT, {}, "dataset.target_missing"),
        (PLAIN, model((1,), 1, "sigmoid"), {}, "dataset.one_class"),
        ("a,y\n1,3.5\n2,3.5\n", FREE, {}, "dataset.one_class"),
        (GAP, model((2,), 1, "sigmoid"), {}, "dataset.missing_values"),
        (HOLE, model((1,), 1, "sigmoid"), {}, "dataset.missing_values"),
        ("a,y\ninf,p\n2,q\n3,p\n", model((1,), 1, "sigmoid"), {}, "dataset.missing_values"),
        ("a,y\n1e35,p\n2,q\n3,p\n", model((1,), 1, "sigmoid"), {}, "dataset.not_finite"),
        (flowers(), model((4,), 4, "softmax"), {}, "pipeline.output_mismatch"),
        (flowers(), model((4,), 2, "softmax"), {"target": "kind"}, "pipeline.output_mismatch"),
        (flowers(), model((4,), 1, "sigmoid"), {"target": "kind"}, "pipeline.output_mismatch"),
        (flowers(), model((4,), 3, "relu"), {}, "pipeline.output_mismatch"),
        (flowers(), WIDE, {}, "pipeline.not_yet"),
        (amounts(), model((1,), 2, "linear"), {"task": "regression"}, "pipeline.output_mismatch"),
        (
            flowers(),
            FREE,
            {"task": "regression", "target": "kind"},
            "dataset.target_not_numeric",
        ),
        (flowers(), model((5,), 3, "softmax"), {}, "pipeline.input_mismatch"),
        (flowers(), TWO, {}, "pipeline.not_yet"),
        (flowers(), SOFT, {"features": ["height", "depth"]}, "pipeline.unknown_feature"),
        (flowers(), SOFT, {"features": []}, "pipeline.no_features"),
        (flowers(), SOFT, {"features": ["kind"]}, "pipeline.no_features"),
        (LONG, model((600,), 1, "sigmoid"), {}, "pipeline.too_many_categories"),
        (flowers(), TOKENS, {"features": ["height", "width"]}, "pipeline.tokens_mismatch"),
        (flowers(), TOKENS, {"features": ["colour"]}, "pipeline.tokens_mismatch"),
        (flowers(), SOFT, {"loss": "mean_squared_error"}, "pipeline.loss_unsuited"),
        (flowers(), SOFT, {"metric": "r2"}, "pipeline.metric_unsuited"),
        (amounts(), FREE, {"task": "regression", "metric": "accuracy"}, "pipeline.metric_unsuited"),
        (flowers(), SOFT, {"split": {"folds": 17}}, "pipeline.too_many_folds"),
        (
            amounts(9),
            FREE,
            {"target": "amount", "split": {"folds": 9}},
            "pipeline.too_many_folds",
        ),
        (
            flowers(),
            SOFT,
            {"split": {"folds": 3, "validation": 0.2}},
            "pipeline.folds_and_validation",
        ),
        (flowers(), SOFT, {"split": {"validation": None}}, "pipeline.nothing_to_score"),
        (flowers(), SOFT, {"split": {"validation": 0.5, "test": 0.5}}, "pipeline.split_too_large"),
        (SAME, ONE, {"split": {"duplicates": "together"}}, "pipeline.too_few_rows"),
    ],
)
def test_what_cannot_be_is_refused_with_its_code(
    text: str, facts: ModelFacts, changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(BadInput) as caught:
        plan_study(table(text), spec(**changes), facts)
    assert caught.value.code == code
    assert caught.value.expected
    assert caught.value.got


def two_pictures() -> Dataset:
    return arrays(a=np.zeros((4, 2, 2)), b=np.zeros((4, 2, 2)), y=[0, 1, 0, 1])


def test_arrays_that_cannot_be_joined_are_refused() -> None:
    with pytest.raises(BadInput) as caught:
        plan_study(two_pictures(), spec(features=["a", "b"]), model((4,), 1, "sigmoid"))
    assert caught.value.code == "pipeline.several_inputs"


def test_an_array_as_target_is_refused() -> None:
    with pytest.raises(BadInput) as caught:
        plan_study(two_pictures(), spec(target="a"), model((4,), 1, "sigmoid"))
    assert caught.value.code == "pipeline.not_yet"


def test_an_embedding_that_is_too_small_hears_how_large_it_must_be() -> None:
    text = "word,kind\n" + "".join(f"{i % 12},{'xyz'[i % 3]}\n" for i in range(60))
    with pytest.raises(BadInput) as caught:
        plan_study(table(text), spec(features=["word"]), model((1,), 3, "softmax", vocabulary=10))
    assert caught.value.code == "pipeline.tokens_mismatch"
    assert "input_dim of 12" in caught.value.hint
