"""The same network for rows of another width."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck_converter import (
    ConversionError,
    Limits,
    Model,
    from_files,
    infer_shapes,
    input_fit,
    read_model,
    to_files,
    with_input_width,
    write_keras_zip,
)
from potluck_converter.graph import OptimizerState
from potluck_coordinator.scoring.network import build_network, weight_variables
from tests.support.keras_files import saved
from tests.unit.converter.oracles import Build, L, chain

TOLERANCE = 1e-5


def read(network: Any) -> Model:
    """Read a Keras model as an upload is read."""
    return read_model({"m.keras": saved(network, ".keras")})


def predicts(model: Model, x: Any) -> Any:
    """Predict with the network that scoring builds."""
    network = build_network(model.graph)
    for full, variable in weight_variables(network, model.graph).items():
        variable.assign(model.weights[full])
    return np.asarray(network(x, training=False))


def refusal(network: Any, width: int = 7) -> ConversionError:
    with pytest.raises(ConversionError) as caught:
        with_input_width(read(network), width)
    return caught.value


def functional(build: Any, *shape: int | None) -> Any:
    """Build a functional model from a function of its input."""
    entry = keras.Input(shape)
    return keras.Model(entry, build(entry))


def behind(*layers: Any) -> Any:
    return chain((5,), *layers, L.Dense(6, activation="tanh"), L.Dense(2))()


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 6), st.integers(1, 9), st.booleans(), st.integers(0, 2**32 - 1))
def test_with_the_old_rows_of_the_kernel_it_predicts_as_before(
    was: int, width: int, functional_form: bool, seed: int
) -> None:
    layers = [L.Dense(4, activation="tanh", name="first"), L.Dense(3), L.Dense(2)]
    network = chain((was,), *layers)()
    if functional_form:
        entry = keras.Input((was,))
        network = keras.Model(entry, network(entry))
    model = read(network)
    fitted, fit = with_input_width(model, width, seed=seed)
    same = min(was, width)
    weights = {name: value.copy() for name, value in fitted.weights.items()}
    kernel = weights["first/kernel"]
    assert kernel.shape == (width, 4)
    kernel[:same] = model.weights["first/kernel"][:same]
    # Columns that only one of the two has are 0, and so say nothing.
    x = np.random.default_rng(seed).normal(size=(3, same)).astype(np.float32)

    def padded(n: int) -> Any:
        return np.pad(x, ((0, 0), (0, n - same)))

    before = predicts(model, padded(was))
    after = predicts(replace(fitted, weights=weights), padded(width))
    assert np.abs(before - after).max() <= TOLERANCE
    if width != was:
        assert np.abs(before - predicts(fitted, padded(width))).max() > TOLERANCE
        assert [layer.name for layer in fit.fresh] == ["first"]


@settings(max_examples=8, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                L.BatchNormalization(),
                L.LayerNormalization(),
                L.Dropout(0.3),
                L.GaussianNoise(0.1),
                L.Activation("tanh"),
                L.PReLU(),
                L.Rescaling(0.5),
                L.Flatten(),
                L.UnitNormalization(),
            ]
        ),
        max_size=3,
    ),
    st.integers(1, 12),
)
def test_whatever_stands_before_the_first_dense_is_as_wide_as_the_rows(
    before: list[Any], width: int
) -> None:
    copies = [type(one).from_config({**one.get_config(), "name": None}) for one in before]
    model = read(behind(*copies))
    fitted, _ = with_input_width(model, width)
    again = from_files(*to_files(fitted))
    assert again.graph == fitted.graph
    x = np.random.default_rng(0).normal(size=(3, width)).astype(np.float32)
    opened = read_model({"m.keras": write_keras_zip(fitted)})
    assert np.abs(predicts(opened, x) - predicts(fitted, x)).max() <= TOLERANCE
    assert np.isfinite(predicts(fitted, x)).all()
    for name in list(model.weights)[-3:]:  # the first bias, the last kernel and its bias
        assert np.array_equal(model.weights[name], fitted.weights[name])


def test_layers_for_each_feature_start_anew_as_their_initializers_say() -> None:
    network = behind(L.BatchNormalization(name="norm"))
    for variable in network.get_layer("norm").weights:
        variable.assign(variable + 3.0)
    fitted, fit = with_input_width(read(network), 7)
    expected = {"gamma": 1.0, "beta": 0.0, "moving_mean": 0.0, "moving_variance": 1.0}
    for name, value in expected.items():
        assert np.array_equal(fitted.weights[f"norm/{name}"], np.full(7, value, np.float32))
    assert fit.fresh[0].name == "norm"
    assert fit.text.startswith("norm, starts anew: 28 weights; dense")


def test_it_says_what_starts_anew_and_what_stays() -> None:
    network = chain((5,), L.Dense(32, name="first"), *(L.Dense(3) for _ in range(3)))()
    fit = input_fit(read(network).graph, 192)
    assert (fit.was, fit.width, fit.kept) == (5, 192, 3)
    assert fit.text == (
        "The first layer, first, starts anew: 192 × 32 weights (the layer's other weights stay). "
        "The other 3 layers keep their weights."
    )
    alone = input_fit(read(chain((5,), L.Dense(2, use_bias=False, name="one"))()).graph, 3)
    assert alone.text == (
        "The first layer, one, starts anew: 3 × 2 weights. No other layer has weights."
    )


def test_new_weights_come_from_the_seed_and_the_layers_own_initializer() -> None:
    model = read(chain((5,), L.Dense(3, kernel_initializer="he_uniform", name="first"))())
    kernels = [with_input_width(model, 500, seed=s)[0].weights["first/kernel"] for s in (1, 1, 2)]
    assert np.array_equal(kernels[0], kernels[1])
    assert not np.array_equal(kernels[0], kernels[2])
    limit = np.sqrt(6 / 500)
    assert 0.98 * limit < np.abs(kernels[0]).max() <= limit


@pytest.mark.parametrize("options", [{}, {"axis": None}, {"mean": 3.0, "variance": 4.0}])
def test_a_fitted_normalization_is_reset_and_it_is_said(options: dict[str, Any]) -> None:
    norm = L.Normalization(**options)
    if "mean" not in options:
        norm.adapt(np.random.default_rng(0).normal(3, 2, (50, 5)))
    network = keras.Sequential([keras.Input((5,)), norm, L.Dense(2)])
    fitted, fit = with_input_width(read(network), 7)
    [name] = fit.reset
    x = np.random.default_rng(0).normal(size=(3, 7)).astype(np.float32)
    dense = next(layer.name for layer in fitted.graph.layers if layer.class_name == "Dense")
    expected = x @ fitted.weights[f"{dense}/kernel"] + fitted.weights[f"{dense}/bias"]
    assert np.abs(predicts(fitted, x) - expected).max() <= TOLERANCE
    assert f'"{name}" was fitted to other columns' in fitted.warnings[-1]
    assert input_fit(fitted.graph, 7).reset == ()


def test_rows_that_come_past_the_first_layer_widen_what_they_join() -> None:
    def build(entry: Any) -> Any:
        hidden = L.Dense(4, activation="relu", name="deep")(entry)
        return L.Dense(2, name="out")(L.Concatenate()([entry, hidden]))

    model = read(functional(build, 5))
    fitted, fit = with_input_width(model, 7)
    assert [layer.name for layer in fit.fresh] == ["deep", "out"]
    assert fitted.weights["out/kernel"].shape == (11, 2)


@pytest.mark.parametrize(
    "layer",
    [
        L.LSTM(3),
        L.GRU(3),
        L.SimpleRNN(3),
        L.Conv1D(3, 6),
        L.Bidirectional(L.LSTM(2)),
        L.Flatten(),
        L.GlobalAveragePooling1D(),
    ],
)
def test_steps_of_features_are_fitted_too(layer: Any) -> None:
    model = read(chain((6, 5), layer, L.Dense(2))())
    fitted, _ = with_input_width(model, 9)
    assert infer_shapes(fitted.graph)[fitted.graph.inputs[0].layer] == (6, 9)
    x = np.random.default_rng(0).normal(size=(3, 6, 9)).astype(np.float32)
    assert predicts(fitted, x).shape in ((3, 2), (3, 1, 2))
    names = [name for name in model.weights if name.endswith(("recurrent_kernel", "bias"))]
    assert all(np.array_equal(model.weights[name], fitted.weights[name]) for name in names)


def gate(entry: Any) -> Any:
    return L.Dense(2)(L.Multiply()([entry, L.Dense(5, activation="softmax")(entry)]))


def stretched(entry: Any) -> Any:
    return L.Dense(2)(L.Add()([entry, L.Dense(1)(entry)]))


def shared(entry: Any) -> Any:
    both = L.Dense(5)
    return L.Dense(2)(both(both(entry)))


def two_inputs() -> Any:
    a, b = keras.Input((5,)), keras.Input((5,))
    return keras.Model([a, b], L.Dense(2)(L.Concatenate()([a, b])))


# Built when they are tried: every process that shares the tests reads this file.
NEEDS_ITS_WIDTH: dict[str, Build] = {
    "gate": lambda: functional(gate, 5),
    "stretched": lambda: functional(stretched, 5),
    "shared": lambda: functional(shared, 5),
    "two inputs": two_inputs,
    "reshaped": lambda: behind(L.Reshape((5, 1)), L.Flatten()),
    "reshaped and convolved": lambda: behind(L.Reshape((-1, 1)), L.Conv1D(2, 2), L.Flatten()),
    "rescaled by feature": lambda: behind(L.Rescaling([1.0, 2.0, 3.0, 4.0, 5.0])),
    "groups": lambda: behind(L.GroupNormalization(5)),
    "embedded": chain((5,), L.Embedding(9, 4), L.Flatten(), L.Dense(2)),
    "activation alone": chain((5,), L.Activation("softmax")),
    "images": chain((8, 8, 3), L.Flatten(), L.Dense(2)),
    "groups of channels": chain((6, 4), L.Conv1D(4, 2, groups=2), L.LSTM(2)),
    "permuted": chain((6, 5), L.Permute((2, 1)), L.LSTM(2)),
}


@pytest.mark.parametrize("build", NEEDS_ITS_WIDTH.values(), ids=NEEDS_ITS_WIDTH)
def test_what_needs_its_width_is_refused_by_the_layers_name(build: Build) -> None:
    error = refusal(build(), 8)
    assert error.code == "model.cannot_fit"
    assert error.expected
    assert error.got
    assert error.hint
    assert error.where


@pytest.mark.parametrize("layer", [L.Dense(6), L.BatchNormalization()])
def test_a_frozen_first_layer_is_refused(layer: Any) -> None:
    layer.trainable = False
    network = keras.Sequential([keras.Input((5,)), layer, L.Dense(2)])
    error = refusal(network)
    assert (error.code, error.where) == ("model.cannot_fit", layer.name)
    assert "trainable = True" in error.hint


@pytest.mark.parametrize("width", [0, -1])
def test_a_row_has_at_least_one_number(width: int) -> None:
    assert refusal(behind(), width).code == "model.cannot_fit"


def test_parameters_are_bounded_before_anything_is_drawn() -> None:
    with pytest.raises(ConversionError) as caught:
        with_input_width(read(behind()), 100, Limits(parameters=500))
    assert caught.value.code == "model.too_large"


def test_what_was_compiled_stays_and_the_optimizers_state_goes() -> None:
    state = OptimizerState(("iteration",), (np.zeros((), np.float32),))
    model = replace(read(behind()), training_config={"loss": "mse"}, optimizer_state=state)
    fitted, _ = with_input_width(model, 7)
    assert fitted.training_config == {"loss": "mse"}
    assert fitted.optimizer_state is None
    same, fit = with_input_width(model, 5)
    assert same == model
    assert fit.text == "All layers keep their weights."
