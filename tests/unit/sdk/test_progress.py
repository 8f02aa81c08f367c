"""Progress in files and notebooks, and errors that are read there."""

from __future__ import annotations

import subprocess
import sys

import pytest

from potluck import BadArgument
from potluck.progress import SECONDS_BETWEEN_LINES, Lines
from potluck.understood import few, short
from potluck.waiting import planned, show
from tests.unit.sdk.test_waiting import study

IN_A_KERNEL = """
import sys, types
ipython = types.ModuleType("IPython")
shell = types.SimpleNamespace(config={"IPKernelApp": {}})
ipython.get_ipython = lambda: shell
sys.modules["IPython"] = ipython
sys.modules["ipywidgets"] = None
import potluck
potluck.Client, potluck.Study
from potluck.progress import progress_bar
import time
progress_bar(time.monotonic).close()
"""


def test_a_file_gets_a_line_every_ten_seconds_at_most(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    lines = Lines(lambda: now)
    for second in range(61):
        now = float(second)
        show(lines, study("running", second, ready=90 - second), "http://c.test")
    show(lines, study("completed", 90), "http://c.test")
    lines.close()
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 60 // SECONDS_BETWEEN_LINES + 2
    assert said[0].startswith("Waiting for donors at http://c.test/donate: 0/90 units, trials 1/12")
    assert said[-1].startswith("Completed: 90/90 units")


def test_what_does_not_change_is_written_once(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    lines = Lines(lambda: now)
    for second in range(0, 600, 5):
        now = float(second)
        show(lines, study("running", 3, ready=2), "http://c.test")
    lines.close()
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_units_are_counted_as_the_coordinator_plans_them() -> None:
    record = study("running", 7, ready=5)
    assert planned(record) == 12  # an older coordinator says nothing
    assert planned(record.model_copy(update={"units_planned": 144})) == 144


def test_a_notebook_without_ipywidgets_is_not_warned() -> None:
    answer = subprocess.run(
        [sys.executable, "-W", "error", "-c", IN_A_KERNEL],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == ""
    assert "IProgress" not in answer.stderr
    assert "Warning" not in answer.stderr


def test_a_notebook_shows_an_errors_message_alone() -> None:
    assert BadArgument("Name a file.")._render_traceback_() == ["BadArgument: Name a file."]


def test_names_are_shown_on_one_short_line() -> None:
    assert few([str(i) for i in range(75)]) == "0, 1, 2, 3, 4, 5 and 69 more"
    assert short("a\nb" + "c" * 99) == "a b" + "c" * 36 + "…"
