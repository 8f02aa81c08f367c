"""Whatever is given for an argument of submit(): a valid study, or one clear refusal."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from potluck import BadArgument, Choice, Float, Int, PotluckError
from potluck.arguments import RULES
from potluck.client import Client
from potluck.data_upload import data_file
from potluck.model_upload import model_files
from potluck.protocol.study import StudySpec
from potluck.specification import StudyOptions, study_spec
from potluck.study_file import read_study_file
from potluck.transport import Transport

OPTIONS = [field.name for field in dataclasses.fields(StudyOptions)]
words = st.sampled_from(
    [
        "adam",
        "sgd",
        "accuracy",
        "mse",
        "balanced",
        "low",
        "high",
        "kind",
        "choices",
        "value",
        "fixed",
        "float",
        "int",
        "log",
        "step",
        "choice",
        "learning_rate",
        "delta",
    ]
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, 2**53, 2**64]),
    st.floats(),
    st.text(st.characters(codec=None), max_size=8),
    words,
)
json_like = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words | st.text(), inner),
    max_leaves=8,
)


@contextlib.contextmanager
def suppressed_if_short() -> Iterator[None]:
    """Let a refusal of few words pass, and nothing else."""
    try:
        yield
    except PotluckError as error:
        if len(str(error)) > 1500:
            raise


def written(options: StudyOptions) -> StudySpec:
    return study_spec(options, model_id="m", dataset_id="d", default_name="n")


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(OPTIONS), json_like)
@example("rungs", 10**6)
@example("rungs", [True])
@example("name", "\ud800")
@example("search", {"\ud800": 1})
@example("search", {"a": {"low": 1, "high": 10**400}})
@example("search", {"a": [[]]})
@example("class_weight", {"a": float("nan")})
def test_any_value_gives_a_study_or_a_refusal(name: str, value: Any) -> None:
    spec = None
    with suppressed_if_short():
        spec = written(StudyOptions(**{name: value}))
    if spec is None:
        return
    sent = json.dumps(spec.model_dump(mode="json"), allow_nan=False, ensure_ascii=False).encode()
    assert StudySpec.model_validate_json(sent) == spec


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(json_like)
@example("~nobody-of-this-name/x")
@example("a" * 5000)
@example("a\0b")
@example({"\ud800": [1]})
@example({"a": [10**400]})
def test_any_value_as_data_or_model_is_sent_or_refused(value: Any) -> None:
    for opened in (data_file, model_files):
        with suppressed_if_short(), opened(value):
            pass


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": 2024}, "name must be text, got 2024 .*quotation marks"),
        ({"epochs": "10"}, "epochs must be a whole number.*got '10' .text.*without quotation"),
        ({"epochs": 2.5}, "epochs must be a whole number"),
        ({"epochs": 10.0}, "Write 10"),
        ({"epochs": True}, "epochs must be a whole number.*true or false"),
        ({"trials": False}, "trials"),
        ({"search": [1]}, "search must be a mapping"),
        ({"search": {1: [0.1]}}, "Its key 1 .a whole number. is no text"),
        ({"features": {"a", "b"}}, "use a list"),
        ({"validation": 0}, "validation must be a fraction of the rows above 0 and below 1, got 0"),
        ({"validation": 20}, "For 20 % write 0.2"),
        ({"test": 1}, "test must be a fraction of the rows from 0 to below 1, got 1"),
        ({"test": -0.1}, "test must be a fraction of the rows from 0 to below 1, got -0.1"),
        ({"rungs": None}, "rungs must be a whole number from 1, or a list"),
        ({"rungs": [1, 2.5]}, "rungs"),
        ({"features": "age"}, r"list of column names.*Write \['age'\]"),
        ({"validation": ([1], [2])}, "the coordinator parts them"),
        ({"validation": (np.zeros(3), np.zeros(3))}, "the coordinator parts them"),
        ({"stratify": 1}, "stratify must be true or false"),
        ({"rows_are_public": "yes"}, "rows_are_public must be true or false"),
        ({"metric": "auc"}, "Did you mean 'roc_auc'"),
        ({"metric": "Accuracy"}, "Did you mean 'accuracy'"),
        ({"metric": "mean_squared_error"}, "Did you mean 'mse'"),
        ({"loss": "mse"}, "Did you mean 'mean_squared_error'"),
        ({"loss": "bce"}, "Did you mean 'binary_crossentropy'"),
        ({"direction": "max"}, "Did you mean 'maximize'"),
        ({"task": "classifier"}, "Did you mean 'classification'"),
        ({"sampler": "grid search"}, "Did you mean 'grid'"),
        ({"class_weight": {"a": "heavy"}}, "class_weight"),
        ({"class_weight": {0: -1, 1: 2}}, "numbers above 0.*The weight of 0 .*is -1"),
        ({"class_weight": {0: 1e7}}, "up to 1000000"),
        ({"class_weight": np.array([1.0, 2.0])}, "Name the labels"),
        ({"class_weight": {0: 1, "0": 2}}, "the label '0' .*twice"),
        ({"sample_weight": [1.0, 2.0]}, "name of a column"),
        ({"search": {"learning_rate": Float("1", 2)}}, "low of 'learning_rate' must be a number"),  # type: ignore[arg-type]
        ({"search": {"a": Int(1, 2.5)}}, "high of 'a' must be a whole number"),  # type: ignore[arg-type]
        ({"search": {"a": Choice(3)}}, "choices of 'a' must be a list"),  # type: ignore[arg-type]
        ({"search": {"a": []}}, "1 to 256 choices"),
        ({"search": {"a": [None]}}, "finite number"),
        ({"search": {"a": {"low": 1}}}, "cannot be read"),
        ({"search": {"a": {"kind": [], "low": 1}}}, "cannot be read"),
    ],
)
def test_a_wrong_type_is_refused_in_one_sentence(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(BadArgument, match=words) as refusal:
        written(StudyOptions(**arguments))
    assert "\n" not in str(refusal.value)


def test_arrays_and_a_frames_columns_are_lists() -> None:
    frame = pd.DataFrame({"a": [1], "b": [2]})
    for columns in (frame.columns, frame.columns.to_numpy(), pd.Series(["a", "b"])):
        options = StudyOptions(features=columns, rungs=np.array([2, 6]))  # type: ignore[arg-type]
        spec = written(options)
        assert spec.pipeline.features == ["a", "b"]
        assert spec.rungs == [2, 6]
    assert written(StudyOptions(test=0)).pipeline.split.test == 0


@pytest.mark.parametrize("name", OPTIONS)
def test_a_number_of_very_many_digits_is_refused(name: str) -> None:
    many = 10**5000
    values: list[Any] = [-many, [many], {"a": many}, {"a": {"low": 1, "high": many}}]
    for value in values:
        with pytest.raises(BadArgument):
            written(StudyOptions(**{name: value}))


def test_every_option_has_a_rule_and_its_own_default_keeps_it() -> None:
    assert set(RULES) == set(OPTIONS)
    assert written(StudyOptions()).trials == 12


def test_labels_of_numpy_are_named_as_pythons_own() -> None:
    keys = {np.int64(0): 1, np.float64(1.0): 2, np.bool_(True): 3}
    for (key, weight), label in zip(keys.items(), ("0", "1.0", "True"), strict=False):
        found = written(StudyOptions(class_weight={key: weight})).class_weight  # type: ignore[dict-item]
        assert found == {label: weight}


def test_numpys_scalars_are_plain_values() -> None:
    spec = written(
        StudyOptions(
            trials=np.int64(3),  # type: ignore[arg-type]
            rungs=[np.int32(2), np.int32(6)],  # type: ignore[list-item]
            test=np.float32(0.5),  # type: ignore[arg-type]
            stratify=np.bool_(False),  # type: ignore[arg-type]
            search={"learning_rate": Float(np.float64(0.1), np.float64(1))},
            class_weight={0: np.float64(2)},  # type: ignore[dict-item]
        )
    )
    assert (spec.trials, spec.rungs, spec.pipeline.split.test) == (3, [2, 6], 0.5)
    assert spec.pipeline.split.stratify is False
    assert spec.class_weight == {"0": 2.0}


@pytest.mark.parametrize(
    "text",
    [
        "name: 2024",
        "epochs: '10'",
        "epochs: 2.5",
        "trials: yes",
        "search: [1]",
        "search: {learning_rate: {low: 1, high: yes}}",
        "name: 2024-01-01",
        "name: 2024-13-45",
        "seed: -1",
        "trials: " + "9" * 5000,
        "search: " + "[" * 5000,
        "features: age",
    ],
)
def test_a_study_file_is_judged_as_submit_is(tmp_path: Path, text: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(f"model: a.h5\ndata: b.csv\n{text}\n")
    with pytest.raises(BadArgument) as refusal:
        written(read_study_file(path).options)
    assert len(str(refusal.value)) < 800


@pytest.mark.parametrize("token", ["se\ncret", "se\r\ncret", "secrét", "se\0cret", b"secret", 7])
def test_a_token_is_never_part_of_a_message(token: Any) -> None:
    with pytest.raises(BadArgument) as refusal:
        Client("http://127.0.0.1:1", token)
    assert "cret" not in str(refusal.value)
    assert "7" not in str(refusal.value)


def test_the_line_break_after_a_copied_token_is_no_part_of_it() -> None:
    sent = Transport("http://127.0.0.1:1", "secret\n")._http.headers["Authorization"]
    assert sent == "Bearer secret"
