from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck_converter import (
    Graph,
    Model,
    from_files,
    graph_bytes,
    graph_from_json,
    read_model,
    to_files,
    write_keras_h5,
    write_tfjs,
)
from tests.unit.converter.architectures import graphs, models


def same(a: Model, b: Model) -> bool:
    return (
        a.graph == b.graph
        and list(a.weights) == list(b.weights)
        and all(np.array_equal(a.weights[name], b.weights[name]) for name in a.weights)
    )


@settings(max_examples=60)
@given(models())
def test_what_is_written_as_h5_is_read_as_it_was(model: Model) -> None:
    assert same(read_model({"m.h5": write_keras_h5(model)}), model)


@settings(max_examples=60)
@given(models(), st.integers(1, 500))
def test_what_is_written_for_tfjs_is_read_as_it_was(model: Model, shard_bytes: int) -> None:
    files = write_tfjs(model, shard_bytes)
    assert all(len(content) <= shard_bytes for name, content in files.items() if "shard" in name)
    assert same(read_model(files), model)


@settings(max_examples=60)
@given(models())
def test_stored_files_give_the_model_back(model: Model) -> None:
    graph, weights = to_files(model)
    again = from_files(graph, weights)
    assert same(again, model)
    assert to_files(again) == (graph, weights)


@settings(max_examples=30)
@given(models())
def test_a_changed_weight_is_not_the_same_model(model: Model) -> None:
    for name, value in model.weights.items():
        changed = {**model.weights, name: value + np.float32(1)}
        other = read_model({"m.h5": write_keras_h5(replace(model, weights=changed))})
        assert not same(other, model)


@settings(max_examples=60)
@given(graphs())
def test_one_graph_has_one_text(graph: Graph) -> None:
    text = graph_bytes(graph)
    assert graph_bytes(graph_from_json(json.loads(text))) == text
    assert b" " not in text.replace(b'"in put"', b"")
