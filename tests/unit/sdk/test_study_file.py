"""Studies written down in YAML."""

from __future__ import annotations

from pathlib import Path

import pytest

from potluck import BadArgument
from potluck.protocol.study import Choice, Float
from potluck.specification import StudyOptions, study_spec
from potluck.study_file import read_study_file

GOOD = """
model: cnn.h5
data: digits
search:
  learning_rate: {low: 1e-4, high: 1e-1, log: true}
  layers.dense.units: [32, 64]
  momentum: 1e-3
trials: 5
folds: 3
duplicates: together
name: A study
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "study.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_study_file_says_what_submit_would_be_told(tmp_path: Path) -> None:
    (tmp_path / "cnn.h5").touch()
    found = read_study_file(written(tmp_path, GOOD))
    assert found.model == str(tmp_path / "cnn.h5")
    assert found.data == "digits"
    spec = study_spec(found.options, model_id="m", dataset_id="d", default_name="x")
    assert spec.parameters["learning_rate"] == Float(low=1e-4, high=1e-1, log=True)
    assert spec.pipeline.split.duplicates == "together"
    assert spec.parameters["layers.dense.units"] == Choice(choices=[32, 64])
    assert spec.parameters["momentum"].model_dump() == {"kind": "fixed", "value": 0.001}
    assert (spec.trials, spec.pipeline.split.folds, spec.name) == (5, 3, "A study")


def test_what_a_file_leaves_out_is_as_submit_leaves_it_out(tmp_path: Path) -> None:
    found = read_study_file(written(tmp_path, "model: a.h5\ndata: b.csv\nmetric:\n"))
    assert found.options == StudyOptions()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model: a.h5\n", "data is missing"),
        ("data: a.csv\nmodel: ''\n", "model is missing"),
        ("model: [1]\ndata: b\n", r"model must be a path or a list of paths, got \[1\]"),
        ("model: 5\ndata: b\n", "model must be a path.*got 5.*quotation marks"),
        ("model: a\ndata: 2024\n", "data must be a path, got 2024.*quotation marks"),
        ("model: a\ndata: 0\n", "data must be a path, got 0"),
        ("model: a\ndata: [d.csv, d.csv]\n", r"data must be a path, got \['d.csv', 'd.csv'\]"),
        ("model: a\ndata: b\nepochs: 5\nepochs: 50\n", "'epochs'.*in line 3 and in line 4"),
        (
            "model: a\ndata: b\nsearch: {momentum: 0, 'momentum': 1}\n",
            "'momentum'.*twice in line 3",
        ),
        ("model: a\ndata: b\nclass_weight:\n  1: 2\n  '1': 3\n", "'1'.*line 4 and in line 5"),
        ("model: a\ndata: b\nclass_weight: {yes: 2, true: 3}\n", "'true'.*twice"),
        ("model: a\ndata: b\nsearch:\n  a: {low: 1,\n    low: 2}\n", "'low'.*line 4 and"),
        ("model: a\ndata: b\nlr: 0.1\n", "under search: `search: {learning_rate: ...}`"),
        ("model: a\ndata: b\nlearning_rate: 0.1\n", "under search"),
        ("model: a\ndata: b\nbatch_size: 8\n", "under search"),
        ("model: a\ndata: b\nmin_lr: 8\n", "under search"),
        ("model: a\ndata: b\nlayers.dense.units: 8\n", "under search"),
        ("model: a\ndata: b\ntrails: 3\n", "Did you mean trials"),
        ("model: a\ndata: b\nsearch: [1]\n", "search maps"),
        ("- a\n", "one key a line"),
        ("a: [\n", "no YAML"),
        ("model: !!python/object/apply:os.system ['true']\ndata: b\n", "no YAML"),
    ],
)
def test_a_file_that_cannot_be_followed_says_why(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(BadArgument, match=words):
        read_study_file(written(tmp_path, text))


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadArgument, match="cannot be read"):
        read_study_file(tmp_path / "none.yaml")
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadArgument, match="UTF-8"):
        read_study_file(tmp_path / "b.yaml")


def test_a_model_may_be_several_files(tmp_path: Path) -> None:
    (tmp_path / "net.json").write_text("{}")
    file = tmp_path / "study.yaml"
    file.write_text("model: [net.json, net.weights.h5]\ndata: digits\n")
    assert read_study_file(file).model == [str(tmp_path / "net.json"), "net.weights.h5"]
    for wrong in ("[]", "[1]", "{a: b}", "[net.json, '']"):
        file.write_text(f"model: {wrong}\ndata: digits\n")
        with pytest.raises(BadArgument, match="model must be a path"):
            read_study_file(file)


def test_anchors_may_be_merged_and_overridden(tmp_path: Path) -> None:
    text = """
model: a
data: b
search:
  learning_rate: &rate {low: 1e-3, high: 1}
  momentum: &half {<<: *rate, high: 0.5}
  rho: {<<: *half, low: 0.1}
"""
    search = read_study_file(written(tmp_path, text)).options.search
    assert search["rho"] == {"low": 0.1, "high": 0.5}


@pytest.mark.parametrize(
    "text", ["['1e-3']", "'0.01'", "{choices: ['1']}", "{low: '1e-3', high: 1}"]
)
def test_a_number_in_quotation_marks_is_no_value_of_a_parameter(tmp_path: Path, text: str) -> None:
    file = written(tmp_path, f"model: a\ndata: b\nsearch: {{learning_rate: {text}}}\n")
    options = read_study_file(file).options
    with pytest.raises(BadArgument, match="without quotation marks"):
        study_spec(options, model_id="m", dataset_id="d", default_name="x")
