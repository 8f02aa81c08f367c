"""What a model was compiled with is a study's default, and what is not taken is said."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import metrics, optimizers
from keras.optimizers import schedules

from potluck.protocol.study import Choice, Fixed, Float, StudySpec
from potluck_converter import compiled, read_model, write_tfjs
from potluck_converter.training_config import understood
from potluck_coordinator.pipeline import ModelFacts, Plan, plan_study
from potluck_coordinator.services.compiled import compiled_parameters, study_space
from potluck_coordinator.services.facts import facts_from_json, facts_of, facts_to_json
from potluck_coordinator.services.training import optimizer
from potluck_coordinator.training.optimizers.rates import rate_at
from tests.support.keras_files import saved
from tests.unit.pipeline.cases import flowers, spec, table

ROWS = 320
STEPS = 10  # of an epoch: 320 rows in batches of 32


def amounts(rows: int = 60) -> str:
    """Give a table of one measure, and a target whose name says that it is one."""
    return "a,y\n" + "".join(f"{row / 4},{row * 3.25 + 100.5}\n" for row in range(rows))


def network(outputs: int = 1, activation: str = "linear", inputs: int = 1) -> Any:
    dense = keras.layers.Dense(outputs, activation=activation)
    return keras.Sequential([keras.Input((inputs,)), dense])


def facts(ending: str = ".keras", model: Any = None, **options: Any) -> ModelFacts:
    model = model or network()
    model.compile(**{"loss": "mse", **options})
    found = facts_of(read_model({f"m{ending}": saved(model, ending)}))
    return facts_from_json(json.loads(json.dumps(facts_to_json(found))))


def told(given: dict[str, Any], **parameters: Any) -> tuple[dict[str, Any], list[str]]:
    """Give parameters and warnings for a training configuration as a file states it."""
    asked = spec().model_copy(update={"parameters": parameters})
    found = compiled({"loss": "mse", **given})
    settled, said = compiled_parameters(asked, found, ROWS)
    study_space(asked, settled)  # every one of them is read
    return settled, [*(found or {})["left_out"], *said]


def of_optimizer(config: dict[str, Any], name: str = "Adam", **parameters: Any) -> Any:
    return told({"optimizer_config": {"class_name": name, "config": config}}, **parameters)


OPTIMIZERS = [
    optimizers.SGD(0.03, momentum=0.9, nesterov=True, weight_decay=0.01),
    optimizers.Adam(0.002, beta_1=0.8, beta_2=0.98, epsilon=1e-4, amsgrad=True, clipvalue=0.5),
    optimizers.AdamW(0.003, weight_decay=0.02, clipnorm=1.0),
    optimizers.Adamax(0.01, beta_1=0.7),
    optimizers.Nadam(0.02, global_clipnorm=2.0),
    optimizers.RMSprop(0.005, rho=0.8, momentum=0.3, centered=True),
    optimizers.Adagrad(0.05, initial_accumulator_value=0.2),
    optimizers.Adadelta(0.5, rho=0.9),
    optimizers.Lion(0.0003, beta_1=0.8, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=7),
    optimizers.Ftrl(0.04, learning_rate_power=-0.25, l1_regularization_strength=0.1, beta=0.2),
]


@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize("theirs", OPTIMIZERS, ids=lambda one: type(one).__name__)
def test_an_optimizer_trains_with_all_its_compiled_numbers(theirs: Any, ending: str) -> None:
    found, said = compiled_parameters(
        spec(), facts(ending, optimizer=type(theirs).from_config(theirs.get_config())).compiled, 9
    )
    assert said == []
    ours = optimizer(found, 10).model_dump(exclude={"name", "schedule"})
    config = theirs.get_config()
    for field, value in ours.items():
        assert value == pytest.approx(config[field]), field
    assert ours["learning_rate"] == float(f"{ours['learning_rate']:.6g}")  # no 0.0020000000949


SCHEDULES = [
    schedules.CosineDecay(0.1, 200),
    schedules.CosineDecay(0.01, 150, alpha=0.1, warmup_target=0.2, warmup_steps=35),
    schedules.CosineDecay(0.1, 80, warmup_steps=9),
    schedules.ExponentialDecay(0.1, 55, 0.7),
    schedules.ExponentialDecay(0.1, 25, 0.5, staircase=True),
    schedules.PiecewiseConstantDecay([33, 77], [0.1, 0.01, 0.001]),
]


@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize("theirs", SCHEDULES, ids=lambda one: type(one).__name__)
def test_a_schedule_gives_keras_s_rate_at_every_step(theirs: Any, ending: str) -> None:
    given = facts(ending, optimizer=optimizers.SGD(theirs)).compiled
    found, said = compiled_parameters(spec(), given, ROWS)
    assert said == []
    ours = optimizer(found, 30)
    for step in range(0, 300, 7):
        assert rate_at(ours, STEPS, step, None) == pytest.approx(float(theirs(step)), rel=1e-4)


@pytest.mark.parametrize(
    "theirs",
    [
        schedules.PolynomialDecay(0.1, 100),
        schedules.InverseTimeDecay(0.1, 10, 0.5),
        schedules.CosineDecayRestarts(0.1, 100),
        schedules.PiecewiseConstantDecay([5, 9], [0.1, 0.05, 0.01]),
        schedules.ExponentialDecay(0.1, 10, 1.5),
    ],
    ids=lambda one: type(one).__name__,
)
def test_another_schedule_is_said_and_its_first_rate_kept(theirs: Any) -> None:
    found, said = compiled_parameters(
        spec(), facts(optimizer=optimizers.SGD(theirs)).compiled, ROWS
    )
    assert found == {"optimizer": "sgd", "learning_rate": 0.1}
    assert len(said) == 1
    assert "stays constant" in said[0]


def test_files_of_keras_2_and_tfjs_say_the_same_in_their_words() -> None:
    old = {"lr": 0.0010000000474974513, "beta_1": 0.8, "decay": 0.0, "amsgrad": False}
    assert of_optimizer(old) == (
        {"optimizer": "adam", "learning_rate": 0.001, "beta_1": 0.8},
        [],
    )
    found, said = of_optimizer({"lr": 0.01, "decay": 0.001}, "SGD")
    assert found == {"optimizer": "sgd", "learning_rate": 0.01}
    assert "decay" in said[0]
    tfjs = {"learningRate": 0.02, "momentum": 0.9, "useNesterov": True}
    assert of_optimizer(tfjs, "Momentum")[0] == {
        "optimizer": "sgd",
        "learning_rate": 0.02,
        "momentum": 0.9,
        "nesterov": True,
    }
    assert of_optimizer({"learning_rate": 0.1, "decay": 0.7}, "RMSProp")[0]["rho"] == 0.7
    assert of_optimizer({"learning_rate": 0.1, "beta1": 0.7}, "Adam")[0]["beta_1"] == 0.7
    inner = {"class_name": "Adam", "config": {"learning_rate": 0.5}}
    wrapped = of_optimizer({"inner_optimizer": inner, "dynamic": True}, "LossScaleOptimizer")
    assert wrapped == ({"optimizer": "adam", "learning_rate": 0.5}, [])


def test_a_folder_that_tfjs_opens_says_it_too() -> None:
    model = network()
    model.compile(optimizers.RMSprop(0.25, rho=0.75), "mae")
    files = write_tfjs(read_model({"m.keras": saved(model, ".keras")}))
    found = facts_of(read_model(files)).compiled
    assert compiled_parameters(spec(), found, ROWS)[0] == {
        "optimizer": "rmsprop",
        "learning_rate": 0.25,
        "rho": 0.75,
    }
    assert (found or {})["loss"]["name"] == "mean_absolute_error"


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"learning_rate": True}, "learning_rate"),
        ({"learning_rate": 10**400}, "learning_rate"),
        ({"learning_rate": ["x"] * 9}, "learning_rate"),
        ({"beta_1": 1.5}, "beta_1"),
        ({"beta_1": "0.5"}, "beta_1"),
        ({"amsgrad": 3}, "amsgrad"),
        ({"clipnorm": 0.0}, "clipnorm"),
        ({"clipnorm": 1.0, "clipvalue": 1.0}, "clipvalue"),
        ({"use_ema": True, "ema_overwrite_frequency": 2.5}, "ema_overwrite_frequency"),
        ({"gradient_accumulation_steps": 4}, "gradient_accumulation_steps"),
        ({"learning_rate": {"class_name": "Mine", "config": {}, "module": "mine"}}, "Mine"),
        ({"learning_rate": {"class_name": "CosineDecay", "config": {}}}, "CosineDecay"),
        (
            {
                "learning_rate": {
                    "class_name": "PiecewiseConstantDecay",
                    "config": {"boundaries": list(range(1, 999)), "values": [0.1] * 999},
                }
            },
            "PiecewiseConstantDecay",
        ),
    ],
)
def test_numbers_that_cannot_be_are_left_out_and_said(config: Any, named: str) -> None:
    found, said = of_optimizer(config)
    assert said
    assert any(named in sentence for sentence in said)
    assert all(len(sentence) < 300 for sentence in said)
    assert optimizer(found, 10).learning_rate == 0.001


@pytest.mark.parametrize(
    "given",
    [
        {"class_name": "MyAdam", "config": {"learning_rate": 0.1}},
        {"class_name": "Custom>Adam", "config": {"learning_rate": 0.1}},
        {"class_name": "Adam", "config": {}, "module": "mine", "registered_name": "mine>Adam"},
        {"class_name": "Muon", "config": {"learning_rate": 0.1}, "module": "keras.optimizers"},
        {"class_name": ["Adam"], "config": {}},
        {"class_name": "Adam", "config": 3},
        7,
    ],
)
def test_a_custom_optimizer_is_said(given: Any) -> None:
    found, said = told({"optimizer": given})
    assert found == {}
    assert "custom" in said[0]
    assert "Adam is used instead" in said[1]


def test_keras_2_calls_its_own_optimizer_custom() -> None:
    content = Path("tests/fixtures/models/keras2_cnn.h5").read_bytes()
    given = read_model({"m.h5": content}).training_config
    found = compiled(given)
    assert found is not None
    assert found["left_out"] == []
    assert (found["optimizer"]["name"], found["optimizer"]["numbers"]["beta_2"]) == ("adam", 0.999)
    config = {"learning_rate": 0.1, "is_legacy_optimizer": False}
    assert of_optimizer(config, "Custom>Lion") == (
        {"optimizer": "lion", "learning_rate": 0.1},
        [],
    )
    assert "custom" in of_optimizer(config, "Custom>MyAdam")[1][0]
    # In a file of Keras 3, which has no such option, the class is the submitter's.
    assert "custom" in of_optimizer({"learning_rate": 0.1}, "Custom>Adam")[1][0]
    ours = {"loss": "mse", "optimizer_config": {"class_name": "Custom>Adam", "config": {}}}
    assert understood(ours) is None
    assert understood(given) is not None


class Notebook(type):
    """Make classes as a script or a notebook makes them: Keras then writes no module."""

    def __new__(cls, name: str, bases: Any, fields: dict[str, Any], **more: Any) -> Any:
        return super().__new__(cls, name, bases, {**fields, "__module__": "__main__"}, **more)


class SGD(optimizers.SGD, metaclass=Notebook):  # type: ignore[misc]
    pass


class MeanSquaredError(keras.losses.Loss, metaclass=Notebook):  # type: ignore[misc]
    def call(self, true: Any, predicted: Any) -> Any:
        return keras.ops.mean(true - predicted)


class Precision(metrics.Precision):  # type: ignore[misc]
    pass


def precision(true: Any, predicted: Any) -> Any:
    return keras.ops.mean(true - predicted)


def mse(true: Any, predicted: Any) -> Any:
    return keras.ops.mean(true - predicted)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"optimizer": SGD()}, 'optimizer "SGD" is custom'),
        ({"loss": MeanSquaredError()}, 'loss "MeanSquaredError" is custom'),
        ({"metrics": [Precision()]}, 'metric "Precision" is custom'),
        ({"metrics": [precision]}, 'metric "precision" is custom'),
        ({"metrics": [mse]}, 'metric "mse" is custom'),
        ({"loss": mse}, 'loss "mse" is custom'),
    ],
    ids=["optimizer", "loss", "metric", "function", "short name", "loss function"],
)
def test_what_only_has_a_name_of_keras_s_is_custom(options: Any, said: str) -> None:
    found = facts(**options).compiled
    assert found is not None
    assert [said in one for one in found["left_out"]] == [True]
    assert found["metrics"] == []


def test_keras_s_own_functions_and_classes_are_taken_from_what_it_saves() -> None:
    given = [keras.metrics.mean_squared_error, "mse", metrics.MeanSquaredError(), "precision"]
    found = facts(loss=keras.losses.huber, metrics=given).compiled
    assert found is not None
    assert (found["loss"]["name"], found["left_out"]) == ("huber", [])
    names = [one["name"] for one in found["metrics"]]
    assert names == [*["mean_squared_error"] * 3, "precision"]


def test_a_custom_class_is_not_carried_under_keras_s_name() -> None:
    for options in ({"optimizer": SGD()}, {"loss": MeanSquaredError()}):
        model = network()
        model.compile(**{"loss": "mse", **options})
        given = read_model({"m.keras": saved(model, ".keras")}).training_config
        assert given is not None
        assert understood(given) is None


def test_the_submitter_s_words_win() -> None:
    config = {
        "learning_rate": {
            "class_name": "CosineDecay",
            "config": {"initial_learning_rate": 0.1, "decay_steps": 100},
        },
        "beta_1": 0.8,
        "clipnorm": 1.0,
        "use_ema": True,
        "ema_momentum": 0.5,
    }
    searched = of_optimizer(config, learning_rate=Float(low=0.1, high=1.0))[0]
    assert "learning_rate" not in searched
    assert (searched["schedule"], searched["decay_epochs"]) == ("cosine", 10)
    own = of_optimizer(config, schedule=Fixed(value="constant"), clipvalue=Fixed(value=2.0))[0]
    assert own["learning_rate"] == 0.1
    assert not {"schedule", "decay_epochs", "clipnorm"} & set(own)
    assert "ema_momentum" not in of_optimizer(config, use_ema=Fixed(value=False))[0]
    assert of_optimizer(config, optimizer=Fixed(value="adam"))[0]["beta_1"] == 0.8
    for other in (Fixed(value="sgd"), Choice(choices=["sgd", "adam"])):
        found, said = of_optimizer(config, optimizer=other)
        assert found == {}
        assert "the study says which optimizer" in said[0]
    larger = of_optimizer(config, batch_size=Fixed(value=64))[0]
    assert larger["decay_epochs"] == 20
    assert "batches of 32" in of_optimizer(config, batch_size=Choice(choices=[8, 64]))[1][0]


def planned(model: ModelFacts, text: str, **options: Any) -> Plan:
    asked = {**spec().model_dump(), **options}
    return plan_study(table(text), StudySpec.model_validate(asked), model)


def huber(delta: float | None) -> ModelFacts:
    """Give a model compiled by Keras 2, which saves Huber's delta, or by Keras 3."""
    given = facts(".h5", loss=keras.losses.Huber(delta=2.0), metrics=["mae", metrics.R2Score()])
    config = {"name": "huber_loss", "reduction": "auto", "delta": delta}
    old = {"class_name": "Huber", "config": {k: v for k, v in config.items() if v is not None}}
    as_keras_2 = compiled({"loss": {"out": old}, "metrics": [["mae"]]})
    return given if delta is None else replace(given, compiled=as_keras_2)


def test_a_delta_that_keras_3_did_not_save_is_said() -> None:
    plan = planned(huber(None), amounts())
    assert (plan.loss, plan.loss_options) == ("huber", {"delta": 1.0})
    assert any("does not hold the delta" in said for said in plan.warnings)
    assert planned(huber(None), amounts(), loss_options={"delta": 2.0}).warnings == ()


def test_a_compiled_loss_keeps_its_options_and_its_metric() -> None:
    given = huber(2.0)
    plan = planned(given, amounts())
    assert (plan.loss, plan.loss_options, plan.metric) == ("huber", {"delta": 2.0}, "mae")
    assert plan.compiled == {"loss": "huber", "loss_options.delta": 2.0, "metric": "mae"}
    assert plan.direction == "minimize"
    own = planned(given, amounts(), loss="log_cosh", objective={"metric": "rmse"})
    assert (own.loss, own.metric, own.compiled) == ("log_cosh", "rmse", {})
    sharper = planned(given, amounts(), loss_options={"delta": 3.0})
    assert (sharper.loss, sharper.loss_options) == ("huber", {"delta": 3.0})


LOSSES: list[tuple[Any, str, dict[str, float]]] = [
    (keras.losses.CategoricalFocalCrossentropy(gamma=3.0), "categorical_focal_crossentropy",
     {"gamma": 3.0}),
    (keras.losses.CategoricalCrossentropy(label_smoothing=0.1), "categorical_crossentropy",
     {"label_smoothing": 0.1}),
    (keras.losses.KLDivergence(), "kl_divergence", {}),
    ("categorical_hinge", "categorical_hinge", {}),
    (keras.losses.Tversky(alpha=0.3, beta=0.7), "tversky", {"alpha": 0.3, "beta": 0.7}),
]  # fmt: skip


@pytest.mark.parametrize(("loss", "name", "options"), LOSSES, ids=lambda one: str(one)[:30])
def test_losses_of_classes_are_taken(loss: Any, name: str, options: dict[str, float]) -> None:
    plan = planned(facts(model=network(3, "softmax", 4), loss=loss), flowers())
    assert plan.loss == name
    assert options.items() <= plan.loss_options.items()
    assert not plan.warnings or name == "tversky"


def mine(true: Any, predicted: Any) -> Any:
    return keras.ops.mean(true - predicted)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"loss": mine}, 'loss "mine" is custom'),
        ({"loss": "mse", "metrics": [mine]}, 'metric "mine" is custom'),
        ({"loss": "binary_crossentropy"}, "does not suit"),
        ({"loss": keras.losses.MeanAbsoluteError(reduction="sum")}, "reduction (sum)"),
        ({"loss": "mse", "loss_weights": [2.0]}, "loss weights"),
        ({"loss": "mse", "metrics": ["cosine_similarity"]}, "not measured"),
        ({"loss": "ctc"}, "not known here"),
    ],
)
def test_what_cannot_be_taken_is_a_warning_of_the_plan(options: Any, said: str) -> None:
    plan = planned(facts(".keras", **options), amounts())
    assert any(said in warning for warning in plan.warnings), plan.warnings


def test_squared_errors_of_classes_stay_a_question_of_classes() -> None:
    text = "a,y\n" + "".join(f"{i / 4},{i % 2}\n" for i in range(40))
    squashed = planned(facts(model=network(1, "sigmoid"), loss="mse"), text)
    assert (squashed.loss, squashed.compiled) == ("binary_crossentropy", {})
    assert any("mean_squared_error" in said for said in squashed.warnings)
    free = planned(facts(model=network(1, "linear"), loss="mse"), text)
    assert (free.task, free.loss, free.warnings) == ("regression", "mean_squared_error", ())


def test_logits_are_read_by_the_last_activation_and_a_contradiction_is_said() -> None:
    loss = keras.losses.SparseCategoricalCrossentropy
    right = planned(facts(model=network(3, "linear", 4), loss=loss(from_logits=True)), flowers())
    assert (right.from_logits, right.warnings) == (True, ())
    wrong = planned(facts(model=network(3, "softmax", 4), loss=loss(from_logits=True)), flowers())
    assert not wrong.from_logits
    assert "from_logits=True" in wrong.warnings[0]


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_stateful_layer_is_a_warning_of_the_plan(wrapped: bool) -> None:
    layer: Any = keras.layers.LSTM(2, stateful=True)
    layer = keras.layers.Bidirectional(layer) if wrapped else layer
    model = keras.Sequential([keras.Input((3, 1), batch_size=4), layer, keras.layers.Dense(1)])
    given = facts(model=model)
    text = "a,b,c,y\n" + "".join(f"{i / 4},{i * 2 % 7},{i * 3 % 5},{i + 0.5}\n" for i in range(50))
    assert any("stateful" in said for said in planned(given, text).warnings)


def test_a_model_that_was_never_compiled_has_no_defaults() -> None:
    found = facts_of(read_model({"m.h5": saved(network())}))
    assert found.compiled is None
    assert compiled_parameters(spec(), found.compiled, ROWS) == ({}, [])
    assert np.array_equal(planned(found, amounts()).warnings, ())


WORDS = st.sampled_from(
    ["Adam", "Huber", "function", "CosineDecay", "class_name", "mse", "keras", "mine"]
)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | WORDS
KEYS = st.sampled_from(
    [
        "class_name",
        "config",
        "module",
        "registered_name",
        "learning_rate",
        "decay_steps",
        "values",
        "name",
        "delta",
        "decay",
        "initial_learning_rate",
        "boundaries",
        "fn",
        "inner_optimizer",
    ]
)
ANYTHING = st.recursive(
    PLAIN, lambda some: st.lists(some, max_size=4) | st.dictionaries(KEYS, some), max_leaves=20
)
PARTS = st.sampled_from(["loss", "optimizer", "optimizer_config", "metrics", "loss_weights"])


@given(st.dictionaries(PARTS, ANYTHING))
@settings(deadline=None)
def test_whatever_a_file_says_there_is_a_plan(anything: dict[str, Any]) -> None:
    found = compiled(anything)
    json.dumps(found, allow_nan=False)
    asked, model = spec(), ModelFacts({"in": (1,)}, {"out": (1,)}, "linear", compiled=found)
    plan = planned(model, amounts())
    settled, said = compiled_parameters(asked, found, ROWS)
    study_space(asked, settled)
    optimizer(settled, 10)
    assert all(len(sentence) < 400 for sentence in (*plan.warnings, *said))
    assert len(plan.warnings) + len(said) < 60


def test_a_file_that_lists_a_hundred_custom_metrics_gets_a_short_warning() -> None:
    found = compiled({"metrics": [f"mine_{i}" for i in range(100)]})
    assert found is not None
    assert len(found["left_out"]) == 13
