"""However wrong a text is, few faults of it are written down: for each of them others wait."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from potluck.protocol import donor as wire
from potluck.protocol.study import StudySpec
from potluck_coordinator.api.messages import LARGEST_MESSAGE, MOST_FAULTS, first_fault, read_message
from potluck_coordinator.core.errors import BadInput
from potluck_coordinator.core.text import MOST_NAMES, MOST_VALUES, check_json

MOST_WRITTEN = 2 * MOST_NAMES
CHOICE = {"kind": "choice", "choices": [[]] * 256}
SPECS: dict[str, dict[str, Any]] = {
    "unknown fields": {f"x{number}": 1 for number in range(MOST_NAMES)},
    "features": {"pipeline": {"features": [1] * (MOST_VALUES - 10)}},
    "choices": {"parameters": {f"x{number}": CHOICE for number in range(90)}},
    "parameters": {"parameters": {f"x{number}": 1 for number in range(MOST_NAMES - 1)}},
    "classes": {"class_weight": {f"x{number}": "a" for number in range(MOST_NAMES - 1)}},
    "rungs": {"rungs": ["a"] * (MOST_VALUES - 10)},
}
MESSAGES: dict[str, dict[str, Any]] = {
    "unknown fields": {"type": "request", **{f"x{n}": 1 for n in range(MOST_NAMES - 1)}},
    "commitments": {
        "type": "heartbeat",
        "leases": [{"commitments": {f"x{n}": 1 for n in range(MOST_NAMES - 3)}}],
    },
    "claims": {
        "type": "complete",
        "leases": [{"claims": {f"x{n}": "a" for n in range(MOST_NAMES - 3)}}],
    },
}


@pytest.mark.parametrize("case", SPECS)
def test_few_faults_of_a_study_are_written_down(case: str) -> None:
    check_json(json.dumps(SPECS[case]), "The body")
    with pytest.raises(ValidationError) as failure:
        StudySpec.model_validate(SPECS[case])
    assert failure.value.error_count() <= MOST_WRITTEN


@pytest.mark.parametrize("case", MESSAGES)
def test_a_message_with_very_many_faults_is_told_their_number(case: str) -> None:
    text = json.dumps(MESSAGES[case])
    assert len(text) < LARGEST_MESSAGE
    check_json(text, "The message")
    with pytest.raises(ValidationError) as failure:
        read_message(text)
    count = failure.value.error_count()
    assert MOST_FAULTS < count <= MOST_WRITTEN
    assert first_fault(failure.value) == f"The message has {count:,} faults."


def test_a_message_with_few_faults_is_told_the_first() -> None:
    with pytest.raises(ValidationError) as failure:
        read_message('{"type": "request", "most": 99}')
    assert first_fault(failure.value).startswith("request.most: Input should be")


def test_what_has_more_names_than_could_be_right_is_not_read() -> None:
    text = json.dumps({"type": "request", **{f"x{n}": 1 for n in range(MOST_NAMES)}})
    with pytest.raises(BadInput) as refusal:
        check_json(text, "The message")
    assert refusal.value.code == "request.too_many"


def test_a_whole_message_of_sixteen_leases_has_few_names() -> None:
    names = sum(len(kind.model_fields) for kind in (wire.Complete, wire.Request))
    each = len(wire.Completed.model_fields) + 16 + 8
    assert names + wire.MOST_LEASES * each < MOST_NAMES / 5
