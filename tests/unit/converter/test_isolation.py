from __future__ import annotations

import pickle
import random
from pathlib import Path

import numpy as np
import pytest

from potluck_converter import (
    ConversionError,
    Limits,
    Model,
    convert_isolated,
    read_model,
    write_tfjs,
)
from tests.unit.converter.hostile import h5
from tests.unit.converter.oracles import FIXTURES, keras2


def test_a_model_comes_out_of_the_subprocess_as_it_would_in_this_one() -> None:
    content = keras2("functional").content
    here, there = read_model({"m.h5": content}), convert_isolated({"m.h5": content})
    assert there.graph == here.graph
    assert (there.source, there.warnings) == (here.source, here.warnings)
    assert there.training_config == here.training_config
    assert all(np.array_equal(here.weights[name], there.weights[name]) for name in here.weights)


def test_a_folder_is_read_too(tmp_path: Path) -> None:
    model = read_model({"m.h5": keras2("cnn").content})
    for name, content in write_tfjs(model, shard_bytes=500).items():
        (tmp_path / name).write_bytes(content)
    assert convert_isolated(tmp_path).graph == model.graph


def test_names_from_outside_write_nowhere_else(tmp_path: Path) -> None:
    target = tmp_path / "escaped.h5"
    convert_isolated({str(target): h5()})
    convert_isolated({"../../escaped.h5": h5()})
    assert not list(tmp_path.iterdir())


def test_a_refusal_passes_through() -> None:
    with pytest.raises(ConversionError) as caught:
        convert_isolated({"m.h5": (FIXTURES / "keras2_weights_only.h5").read_bytes()})
    assert caught.value.code == "model.weights_only"
    assert caught.value.hint


@pytest.mark.parametrize(
    ("limits", "codes"),
    [
        (Limits(seconds=0.01), {"model.too_slow"}),
        (Limits(memory_bytes=64 << 20), {"model.unreadable", "model.too_large"}),
        (Limits(output_bytes=64), {"model.unreadable"}),
        (Limits(open_files=3), {"model.unreadable"}),
        (Limits(file_bytes=10), {"model.too_large"}),
        (Limits(parameters=2), {"model.too_large"}),
    ],
)
def test_what_passes_its_limits_ends_with_an_error(limits: Limits, codes: set[str]) -> None:
    with pytest.raises(ConversionError) as caught:
        convert_isolated({"m.h5": h5()}, limits)
    assert caught.value.code in codes


@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_file_ends_in_a_model_or_an_error(seed: int) -> None:
    dice = random.Random(seed)
    content = bytearray(keras2("cnn").content)
    for _ in range(dice.choice([1, 4, 32, 256])):
        content[dice.randrange(len(content))] = dice.randrange(256)
    outcome: Model | ConversionError
    try:
        outcome = convert_isolated({"m.h5": bytes(content)})
    except ConversionError as error:
        outcome = error
    assert isinstance(outcome, Model) or outcome.code.startswith("model.")


def test_an_error_survives_pickling() -> None:
    error = ConversionError("model.x", "No.", expected="a", got="b", hint="c", where="d")
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(again, ConversionError)
    assert again.as_dict() == error.as_dict()
    assert "model.x" in str(again)
