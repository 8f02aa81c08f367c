"""A pytest plugin that writes how each test ended: `-p tests.support.outcomes --outcomes=FILE`.

The file is `{"exit": 0, "outcomes": {"tests/unit/test_a.py::test_b": "passed", ...}}`. An outcome
is `passed`, `skipped`, or `failed: ` with the error. Where pytest is killed there is no file; where
it gave up before its end, or could not load a file of tests, `exit` is neither 0 nor 1.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

FAILED = "failed: "


class Outcomes:
    """What has been heard of each test so far."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._found: dict[str, str] = {}
        self._collected: set[str] = set()
        self._unloaded = False

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Hear of a file that could not be loaded: with several processes, pytest goes on."""
        self._unloaded = self._unloaded or report.failed

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Hear what there is to run, where one process runs all."""
        self._collected.update(item.nodeid for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """Hear what there is to run from each of several processes."""
        self._collected.update(map(without_group, ids))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take one stage of a test (set up, call, tear down); one that fails speaks for all."""
        name = without_group(report.nodeid)
        before = self._found.get(name, "passed")
        if report.failed:
            self._found[name] = before if before.startswith(FAILED) else f"{FAILED}{told(report)}"
        elif before == "passed":
            self._found[name] = "skipped" if report.skipped else "passed"

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Write the file."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        whole = self._collected <= self._found.keys() and not self._unloaded
        exit = int(exitstatus) if whole else int(pytest.ExitCode.INTERRUPTED)
        content = {"exit": exit, "outcomes": self._found}
        self._file.write_text(json.dumps(content, indent=1), encoding="utf-8")


def without_group(name: str) -> str:
    """Take off a test's name what xdist's `loadgroup` puts behind it."""
    at = name.rfind("@")
    return name[:at] if at > name.rfind("]") else name


def told(report: pytest.TestReport) -> str:
    """Give the error's own words where pytest took them apart, else all that it says."""
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message if crash is not None else report.longreprtext or "no reason given")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.addoption("--outcomes", help="write how each test ended into this file")


def pytest_configure(config: pytest.Config) -> None:
    """Listen, in the process that hears of all tests."""
    file = config.getoption("outcomes")
    if file and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Outcomes(Path(file)), "outcomes")
