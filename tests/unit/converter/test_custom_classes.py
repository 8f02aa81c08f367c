"""A class of the submitter's is refused as one, also where it has the name of one of Keras's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import pytest

from potluck_converter import ConversionError, read_model
from tests.support.keras_files import saved

L: Any = keras.layers
HERE, NOTEBOOK = __name__, "__main__"


def mine(base: Any, module: str = NOTEBOOK, name: str = "") -> Any:
    """Make a class over one of Keras's, of its name, as a notebook or a module has it."""
    return type(name or base.__name__, (base,), {"__module__": module})


def layers(*made: Any, shape: tuple[int, ...] = (4, 3)) -> Any:
    return keras.Sequential([keras.Input(shape), *made])


def refusal(model: Any, suffix: str = ".keras") -> ConversionError:
    with pytest.raises(ConversionError) as caught:
        read_model({f"m{suffix}": saved(model, suffix)})
    return caught.value


def registered(base: Any) -> Any:
    return keras.saving.register_keras_serializable("My")(mine(base))


LAYERS: dict[str, tuple[Callable[[], Any], str]] = {
    "registered": (lambda: registered(L.Dense)(2, name="it"), "My>Dense"),
    "of a notebook": (lambda: mine(L.GaussianNoise)(0.1, name="it"), "GaussianNoise"),
    "of a module": (lambda: mine(L.Dropout, HERE)(0.1, name="it"), "Dropout"),
    "an input alone": (lambda: mine(L.Rescaling)(2.0, name="it"), "Rescaling"),
    "of a name of its own": (lambda: mine(L.Dense, HERE, "Mine")(2, name="it"), "Mine"),
    "a model": (lambda: mine(keras.Sequential)([L.Dense(2)], name="it"), "Sequential"),
}


@pytest.mark.parametrize("functional", [False, True])
@pytest.mark.parametrize("case", LAYERS)
def test_a_custom_layer_of_keras_s_name_is_refused_as_custom(case: str, functional: bool) -> None:
    make, named = LAYERS[case]
    model = layers(make())
    if functional:
        x = keras.Input((4, 3))
        model = keras.Model(x, make()(x))
    error = refusal(model)
    assert (error.code, error.where) == ("model.unsupported_layer", "it")
    assert "it is a custom class" in error.message
    assert named in error.message
    assert error.hint


INSIDE: dict[str, Callable[[], Any]] = {
    "layer": lambda: L.TimeDistributed(mine(L.Dense)(2), name="it"),
    "direction": lambda: L.Bidirectional(registered(L.LSTM)(2), name="it"),
    "cell": lambda: L.RNN(mine(L.LSTMCell)(2), name="it"),
    "stacked cell": lambda: L.RNN([L.GRUCell(2), mine(L.LSTMCell)(2)], name="it"),
    "initializer": lambda: L.Dense(
        2, kernel_initializer=mine(keras.initializers.Zeros)(), name="it"
    ),
    "regularizer": lambda: L.Dense(
        2, kernel_regularizer=mine(keras.regularizers.L2)(0.1), name="it"
    ),
    "constraint": lambda: L.Dense(2, bias_constraint=mine(keras.constraints.NonNeg)(), name="it"),
    "activation": lambda: L.Dense(2, activation=mine(L.Layer, name="Mish")(), name="it"),
}


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("case", INSIDE)
def test_so_is_what_a_layer_holds(case: str, suffix: str) -> None:
    # In a `.h5`, too, Keras says of what a layer holds where its class is from.
    error = refusal(layers(INSIDE[case]()), suffix)
    assert error.where.startswith("it")
    assert "it is custom" in error.message


def test_a_model_of_a_class_of_one_s_own_is_refused() -> None:
    model = mine(keras.Sequential)([keras.Input((3,)), L.Dense(2)])
    assert "not Keras's own Sequential" in refusal(model).message


class Attention(L.Layer):  # type: ignore[misc]
    def __init__(self, width: int = 3, **options: Any) -> None:
        super().__init__(**options)
        self.width = width

    def call(self, x: Any) -> Any:
        return x * 2


class Rescaling(Attention):
    def get_config(self) -> Any:
        return {**super().get_config(), "width": self.width}


class BatchNormalization(L.Layer):  # type: ignore[misc]
    def call(self, x: Any) -> Any:
        return x


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("kind", [Attention, Rescaling])
@pytest.mark.parametrize("functional", [False, True])
def test_a_layer_of_other_options_is_custom_in_every_form(
    kind: Any, suffix: str, functional: bool
) -> None:
    model = layers(kind(5), L.Dense(1))
    if functional:
        x = keras.Input((4, 3))
        model = keras.Model(x, L.Dense(1)(kind(5)(x)))
    error = refusal(model, suffix)
    assert "custom" in error.message
    assert "autocast" not in error.message
    assert kind.__name__ in error.message


def test_options_of_a_base_class_written_out_are_a_mark_of_a_custom_class() -> None:
    for suffix in (".keras", ".h5"):
        error = refusal(layers(BatchNormalization(autocast=False, name="it")), suffix)
        assert "it is a custom class" in error.message
        assert error.where == "it"
