from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from potluck_coordinator.pipeline import (
    Dataset,
    Encoded,
    Plan,
    decode,
    encode,
    from_safetensors,
    plan_study,
    split_rows,
    to_safetensors,
)
from tests.unit.pipeline.cases import amounts, arrays, flowers, model, plan_table, spec, table

NUMBERS = st.floats(-1e6, 1e6, width=32)
SCALINGS = st.sampled_from(["standard", "minmax", "none"])


def encoded(dataset: Dataset, plan: Plan) -> Encoded:
    splits = split_rows(dataset, plan)
    assert splits.validation is not None
    return encode(dataset, plan, splits.train, splits.validation)


def same(one: dict[str, NDArray[Any]], other: dict[str, NDArray[Any]]) -> bool:
    return to_safetensors(one) == to_safetensors(other)


@given(
    st.lists(st.tuples(NUMBERS, NUMBERS), min_size=12, max_size=12),
    st.lists(st.tuples(NUMBERS, NUMBERS), min_size=4, max_size=4),
    SCALINGS,
)
def test_held_rows_change_nothing_that_a_donor_gets(
    rows: list[tuple[float, float]], others: list[tuple[float, float]], scaling: str
) -> None:
    train, held = np.arange(0, 8), np.arange(8, 12)
    _, plan = plan_table(amounts(12), 1, 1, "linear", scaling=scaling)

    def run(all_rows: list[tuple[float, float]]) -> Encoded:
        text = "a,amount\n" + "".join(f"{a},{y}\n" for a, y in all_rows)
        return encode(table(text), plan, train, held)

    one, two = run(rows), run([*rows[:8], *others])
    assert one.encoder == two.encoder
    assert same(one.train, two.train)


def test_a_fit_on_all_rows_would_be_noticed() -> None:
    dataset, plan = plan_table(amounts(12), 1, 1, "linear")
    train, held = np.arange(0, 8), np.arange(8, 12)
    fitted = encode(dataset, plan, train, held)
    leaking = encode(dataset, plan, np.arange(12), held)
    assert fitted.encoder != leaking.encoder


@given(st.lists(NUMBERS, min_size=4, max_size=30), SCALINGS)
def test_decoding_an_encoded_amount_gives_it_back(values: list[float], scaling: str) -> None:
    text = "a,amount\n" + "".join(f"{i},{v!r}\n" for i, v in enumerate(values))
    _, plan = plan_table(amounts(12), 1, 1, "linear", scaling=scaling)
    rows = np.arange(len(values))
    found = encode(table(text), plan, rows, rows)
    decoded = decode(json.loads(json.dumps(found.encoder)), found.held["y"])
    spread = max(float(np.ptp(values)), float(np.abs(values).max()), 1e-30)
    assert np.abs(decoded.values - np.array(values)).max() <= 1e-6 * spread
    assert np.array_equal(found.held["truth"], values)


@given(st.permutations(list(range(60))))
def test_decoding_encoded_labels_gives_them_back(order: list[int]) -> None:
    dataset, plan = plan_table(flowers(), 4, 3, "softmax")
    rows = np.asarray(order, dtype=np.int64)
    found = encode(dataset, plan, rows[:40], rows[40:])
    assert found.held["y"].dtype == np.int32
    one_hot = np.eye(3, dtype=np.float32)[found.held["y"]]
    decoded = decode(found.encoder, one_hot)
    assert decoded.labels == ["abc"[row % 3] for row in order[40:]]
    assert decoded.probabilities is not None
    assert np.array_equal(decoded.probabilities, one_hot)


def test_a_binary_target_with_one_output_is_a_column_of_floats() -> None:
    text = "a,y\n" + "".join(f"{i},{('no', 'yes')[i % 2]}\n" for i in range(20))
    dataset, plan = plan_table(text, 1, 1, "sigmoid")
    found = encode(dataset, plan, np.arange(10), np.arange(10, 20))
    assert found.train["y"].dtype == np.float32
    assert found.train["y"].shape == (10, 1)
    assert decode(found.encoder, found.held["y"]).labels == ["no", "yes"] * 5


@pytest.mark.parametrize(("outputs", "activation"), [(1, "sigmoid"), (2, "softmax")])
def test_logits_and_probabilities_decode_alike(outputs: int, activation: str) -> None:
    text = "a,y\n" + "".join(f"{i},{('no', 'yes')[i % 2]}\n" for i in range(20))
    dataset, plan = plan_table(text, 1, outputs, activation)
    dataset, bare = plan_table(text, 1, outputs, "linear")
    logits = np.random.default_rng(0).normal(size=(50, outputs)) * 30
    if outputs == 1:
        probabilities = 1 / (1 + np.exp(-logits))
    else:
        probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    rows = np.arange(10)
    from_logits = decode(encode(dataset, bare, rows, rows).encoder, logits)
    plain = decode(encode(dataset, plan, rows, rows).encoder, probabilities)
    assert from_logits.labels == plain.labels
    assert from_logits.probabilities is not None
    assert plain.probabilities is not None
    assert np.allclose(from_logits.probabilities, plain.probabilities, atol=1e-12)
    assert np.allclose(from_logits.probabilities.sum(axis=1), 1)


def test_numbers_and_words_stand_side_by_side() -> None:
    dataset, plan = plan_table("n,w,y\n2,b,p\n4,a,q\n6,c,p\n9,a,q\n", 4, 1, "sigmoid")
    found = encode(dataset, plan, np.arange(3), np.array([3]))
    spread = np.sqrt(8 / 3)
    expected = [[-2 / spread, 0, 1, 0], [0, 1, 0, 0], [2 / spread, 0, 0, 1]]
    assert np.allclose(found.train["x"], expected)
    assert np.allclose(found.held["x"], [[5 / spread, 1, 0, 0]])
    assert found.encoder["vocabularies_of"] == "all rows"


def test_minmax_spans_the_training_rows() -> None:
    dataset, plan = plan_table("n,y\n2,p\n4,q\n6,p\n10,q\n", 1, 1, "sigmoid", scaling="minmax")
    found = encode(dataset, plan, np.arange(3), np.array([3]))
    assert found.train["x"][:, 0].tolist() == [0, 0.5, 1]
    assert found.held["x"][:, 0].tolist() == [2]


def test_a_column_that_never_changes_stays_finite() -> None:
    dataset, plan = plan_table("n,m,y\n0.1,1,p\n0.1,2,q\n0.1,3,p\n0.1,4,q\n", 2, 1, "sigmoid")
    found = encode(dataset, plan, np.arange(3), np.array([3]))
    assert np.abs(found.train["x"][:, 0]).max() < 1e-6
    assert np.isfinite(found.held["x"]).all()


def test_pictures_share_one_scale_and_flat_rows_have_one_a_column() -> None:
    x = np.random.default_rng(1).random((20, 2, 2)) * [[1, 100], [1, 1]]
    labels = np.arange(20) % 2
    pictures = arrays(x=x, y=labels)
    flat = arrays(x=x.reshape(20, 4), y=labels)
    one = encoded(pictures, plan_study(pictures, spec(), model((2, 2), 1, "sigmoid")))
    each = encoded(flat, plan_study(flat, spec(), model((4,), 1, "sigmoid")))
    assert len(one.encoder["features"][0]["scale"]) == 1
    assert len(each.encoder["features"][0]["scale"]) == 4
    assert abs(float(one.train["x"].mean())) < 1e-5
    assert np.allclose(each.train["x"].std(axis=0), 1, atol=1e-5)


def test_tokens_travel_as_they_are() -> None:
    x = np.random.default_rng(0).integers(0, 9, (30, 7))
    dataset = arrays(x=x, y=np.arange(30) % 2)
    plan = plan_study(dataset, spec(), model((7,), 1, "sigmoid", vocabulary=9))
    found = encode(dataset, plan, np.arange(20), np.arange(20, 30))
    assert found.train["x"].dtype == np.int32
    assert np.array_equal(found.train["x"], x[:20])


def test_tensors_survive_safetensors() -> None:
    dataset, plan = plan_table(flowers(), 4, 3, "softmax")
    found = encoded(dataset, plan)
    back = from_safetensors(to_safetensors(found.held))
    assert same(back, found.held)
    assert set(back) == {"x", "y", "truth"}
    assert set(found.train) == {"x", "y"}
