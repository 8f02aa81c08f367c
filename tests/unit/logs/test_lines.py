"""What is logged is one line an event, names things by id, and quotes nobody's data."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator

import pytest

from potluck_coordinator.api.access_log import masked, words_of
from potluck_coordinator.core.errors import BadDataset
from potluck_coordinator.logs import LogFormat, LogLevel, about, set_up
from potluck_coordinator.logs.lines import JsonLines, Readable

SECRET = "sesame-4711"
UNIT = "un_0123456789abcdef"


@pytest.fixture(autouse=True)
def logging_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Undo what a test sets up."""
    root = logging.getLogger()
    handlers, level, show = list(root.handlers), root.level, warnings.showwarning
    monkeypatch.setenv("POTLUCK_LOG_OF_PARENT", "")
    yield
    root.handlers[:], warnings.showwarning = handlers, show
    root.setLevel(level)
    for name in ("potluck", "potluck_coordinator", "potluck_converter"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def told(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    """Read the log as a program would."""
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_an_event_is_one_object_with_the_ids_that_are_known(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up(LogFormat.JSON, LogLevel.INFO)
    with about(study="st_0123456789abcdef", unit=None):
        logging.getLogger("potluck_coordinator.x").info("two\nlines", extra={"unit": UNIT})
    logging.getLogger("potluck_coordinator.x").debug("too light")
    [event] = told(capsys)
    assert event.pop("time")
    assert event == {
        "level": "info",
        "logger": "potluck_coordinator.x",
        "message": "two\nlines",
        "study": "st_0123456789abcdef",
        "unit": UNIT,
    }


def test_what_only_claims_to_be_an_id_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    set_up(LogFormat.JSON, LogLevel.INFO)
    with about(lease=SECRET):
        logging.getLogger("potluck_coordinator").info("x", extra={"other": SECRET})
    assert SECRET not in capsys.readouterr().err


@pytest.mark.parametrize("form", [LogFormat.JSON, LogFormat.TEXT])
def test_errors_are_told_by_kind_and_place_never_by_their_words(
    form: LogFormat, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up(form, LogLevel.DEBUG)
    log = logging.getLogger("potluck_coordinator.x")
    try:
        try:
            float(SECRET)
        except ValueError as error:
            raise BadDataset("dataset.cell", f"{SECRET} is no number", got=SECRET) from error
    except BadDataset:
        log.exception("a job failed")
    try:
        raise ExceptionGroup(SECRET, [OSError(2, SECRET, SECRET)])
    except ExceptionGroup:
        log.exception("jobs failed")
    said = capsys.readouterr().err
    assert SECRET not in said
    for word in (
        "BadDataset (dataset.cell)",
        "ValueError",
        "FileNotFoundError",
        "ENOENT",
        "test_lines.py",
    ):
        assert word in said


def test_other_libraries_are_told_without_what_they_fill_in(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up(LogFormat.JSON, LogLevel.DEBUG)
    logging.getLogger("asyncio").error(f"Never retrieved\nfuture: ValueError('{SECRET}')")
    logging.getLogger("library").warning("a value: %s", SECRET)
    logging.getLogger("websockets.server").debug("> TEXT %s", SECRET)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        set_up(LogFormat.JSON, LogLevel.DEBUG)
        warnings.warn(f"unknown category {SECRET}", UserWarning, stacklevel=1)
    said = told(capsys)
    assert SECRET not in json.dumps(said)
    assert [event["message"] for event in said[:2]] == ["Never retrieved", "a value: %s"]
    assert str(said[2]["message"]).startswith("UserWarning at ")
    assert len(said) == 3


def test_a_line_for_people_is_one_line() -> None:
    record = logging.LogRecord("potluck", logging.WARNING, "", 1, "a\x1b[2J\nb", (), None)
    record.unit = UNIT
    text = Readable().format(record)
    assert text.endswith(f"warning: a?[2J?b unit={UNIT}")
    assert json.loads(JsonLines().format(record))["message"] == "a\x1b[2J\nb"


def test_a_path_shows_words_ids_and_parts_of_hashes_alone() -> None:
    words = words_of(["/api/v1/studies/{study_id}/best", "donate"])
    study = "st_0123456789abcdef"
    assert masked(f"/api/v1/studies/{study}/best", words) == f"/api/v1/studies/{study}/best"
    assert masked(f"/api/v1/{'ab' * 32}", words) == f"/api/v1/{'ab' * 6}"
    assert masked("/assets/index-Bx12.js", words) == "/*/index-Bx12.js"
    assert masked("/donate/K7QX-11ab/12", words) == "/donate/*/12"
    assert masked("/" + "a/" * 500, words).count("/") == 10
    assert masked("/\n\x1b[2J", words) == "/*"
