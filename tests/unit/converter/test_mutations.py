"""Valid architectures with something in them exchanged: always a model or a typed refusal."""

from __future__ import annotations

import copy
import io
import json
from typing import Any

import h5py
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck_converter import (
    ConversionError,
    Graph,
    Model,
    graph_from_json,
    graph_to_json,
    read_model,
    write_tfjs,
)
from potluck_converter.limits import DEFAULT_LIMITS
from potluck_converter.readers.keras_config import read_architecture
from tests.unit.converter import oracles

junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.sampled_from(["", "relu", "Dense", "same", "in", "float32", "\u0000"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "config", "class_name", "x"]), inner, max_size=3)
    ),
    max_leaves=5,
)


def architecture(content: bytes) -> Any:
    with h5py.File(io.BytesIO(content)) as file:
        return json.loads(file.attrs["model_config"])


def places(value: Any) -> list[tuple[Any, Any]]:
    found = []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, child in items:
        found.append((value, key))
        if isinstance(child, dict | list):
            found += places(child)
    return found


@settings(max_examples=250)
@given(st.sampled_from(["cnn", "functional", "branches"]), st.data())
def test_a_changed_architecture_is_read_or_refused(name: str, data: st.DataObject) -> None:
    content = oracles.oracle(name).content if name == "branches" else oracles.keras2(name).content
    config = copy.deepcopy(architecture(content))
    for _ in range(data.draw(st.integers(1, 3))):
        found = places(config)
        parent, key = found[data.draw(st.integers(0, len(found) - 1))]
        if data.draw(st.booleans()):
            parent[key] = data.draw(junk)
        else:
            del parent[key]
        if not config:
            break
    outcome: Graph | ConversionError
    try:
        outcome = read_architecture(config, DEFAULT_LIMITS, keras3=True).graph
    except ConversionError as error:
        outcome = error
    if isinstance(outcome, Graph):
        assert graph_from_json(graph_to_json(outcome)) == outcome
    else:
        assert outcome.code.startswith("model.")


@settings(max_examples=100)
@given(st.data())
def test_a_changed_model_json_is_read_or_refused(data: st.DataObject) -> None:
    files = write_tfjs(read_model({"m.h5": oracles.keras2("cnn").content}))
    head = json.loads(files["model.json"])
    del head["modelTopology"]["config"]["layers"][4:]
    found = places(head)
    parent, key = found[data.draw(st.integers(0, len(found) - 1))]
    parent[key] = data.draw(junk)
    outcome: Model | ConversionError
    try:
        outcome = read_model({**files, "model.json": json.dumps(head).encode()})
    except ConversionError as error:
        outcome = error
    assert isinstance(outcome, Model) or outcome.code.startswith("model.")
