"""`.ci/run` gives a test that failed one more try, alone, and is fooled by nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

MAKEFILE = """
.PHONY: check test test-client test-rest
check:
\t@echo checked
test: test-client test-rest
test-client:
\t@cd client_web && POTLUCK_OUTCOMES=$(CURDIR)/.make/outcomes/vitest.json npm test
test-rest:
\t@.venv/bin/python -m pytest --numprocesses=2 --dist=loadgroup -p tests.support.outcomes \\
\t\t--outcomes=.make/outcomes/pytest.json suite
"""
PACKAGE = '{"name": "x", "private": true, "type": "module", "scripts": {"test": "vitest run"}}'
VITE = 'export default { test: { reporters: ["default", "./outcomes.ts"] } };'
CLIENT_PASSES = 'import { expect, test } from "vitest"; test("adds", () => expect(1 + 1).toBe(2));'
CLIENT_FLAKY = """
import { existsSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
describe("a page", () => {
  test("adds (1 > 0)", () => expect(1 + 1).toBe(2));
  test("opens (2 > 1)", () => {
    const before = existsSync("been");
    writeFileSync("been", "");
    expect(before).toBe(true);
  });
});
"""
CLIENT_UNHANDLED = CLIENT_PASSES + 'void Promise.reject(new Error("nobody waits for this"));'
FLAKY = """
from pathlib import Path
import pytest

@pytest.mark.xdist_group("slow")
@pytest.mark.parametrize("case", {cases})
def test_is_slow_once(case):
    been = Path(f"been-{{case.replace('/', '-')}}")
    before = been.exists()
    been.touch()
    assert before, f"{{case}} was not there in time"
"""
STEADY = """
from pathlib import Path
import pytest

@pytest.mark.xdist_group("fast")
def test_passes():
    with Path("steady").open("a") as file:
        file.write("ran\\n")
"""
FAILS = "def test_is_wrong():\n    assert 1 == 2, 'one is not two'\n"
DOES_NOT_LOAD = "raise RuntimeError('not today')\n"
DIES = """
import os, signal
def test_takes_everything_along():
    os.kill(os.getppid(), signal.SIGKILL)
"""


Ended = subprocess.CompletedProcess[str]


def run(folder: Path, client: str = CLIENT_PASSES, **suite: str) -> Ended:
    """Run `.ci/run` on a project of a few tests, with the real runners."""
    (folder / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/run", folder / ".ci/run")
    (folder / ".venv").symlink_to(ROOT / ".venv")
    (folder / "tests").symlink_to(ROOT / "tests")
    (folder / "Makefile").write_text(MAKEFILE)
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
    (folder / "client_web").mkdir()
    (folder / "client_web/node_modules").symlink_to(ROOT / "client_web/node_modules")
    shutil.copy(ROOT / "client_web/outcomes.ts", folder / "client_web/outcomes.ts")
    (folder / "client_web/package.json").write_text(PACKAGE)
    (folder / "client_web/vite.config.ts").write_text(VITE)
    (folder / "client_web/x.test.ts").write_text(client)
    (folder / "suite").mkdir()
    for name, content in suite.items():
        (folder / f"suite/test_{name}.py").write_text(content)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    return subprocess.run(
        ["bash", ".ci/run"], cwd=folder, env=environment, capture_output=True, text=True
    )


def test_what_passes_the_second_time_is_told_as_flaky_and_does_not_fail(tmp_path: Path) -> None:
    cases = ["a/b [c] d", "x", "y", "z"]
    found = run(tmp_path, CLIENT_FLAKY, flaky=FLAKY.format(cases=cases), steady=STEADY)
    assert found.returncode == 0, found.stdout + found.stderr
    told = found.stdout.split("== flaky: 5\n", 1)[1]
    assert "x.test.ts::a page opens (2 > 1)\n    first:  failed: expected false to be true" in told
    assert "suite/test_flaky.py::test_is_slow_once[x]\n    first:  failed: " in told
    assert "x was not there in time" in told
    assert told.count("    second: passed\n") == 5
    assert (tmp_path / "steady").read_text() == "ran\n", "what passed is not run again"


def test_what_fails_twice_fails_the_run_and_both_outcomes_are_told(tmp_path: Path) -> None:
    found = run(tmp_path, wrong=FAILS, flaky=FLAKY.format(cases=["x"]))
    assert found.returncode != 0
    told = found.stdout.split("== flaky: 1\n", 1)[1]
    name = "suite/test_wrong.py::test_is_wrong"
    assert f"{name}\n    first:  failed: AssertionError: one is not two" in told
    assert "    second: failed: AssertionError: one is not two" in told
    assert f"{name} did not pass the second time either" in told


def test_six_flaky_tests_are_too_many(tmp_path: Path) -> None:
    found = run(tmp_path, flaky=FLAKY.format(cases=[f"n{i}" for i in range(6)]))
    assert "== flaky: 6\n" in found.stdout
    assert found.returncode != 0


def test_a_run_without_failures_repeats_nothing(tmp_path: Path) -> None:
    found = run(tmp_path, steady=STEADY)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "flaky" not in found.stdout
    assert (tmp_path / "steady").read_text() == "ran\n"


@pytest.mark.parametrize(
    ("client", "other", "gave_up"),
    [(CLIENT_UNHANDLED, DOES_NOT_LOAD, ["vitest", "pytest"]), (CLIENT_PASSES, DIES, ["pytest"])],
    ids=["unhandled error, file that does not load", "killed"],
)
def test_a_runner_that_gave_up_is_not_taken_for_a_flaky_test(
    tmp_path: Path, client: str, other: str, gave_up: list[str]
) -> None:
    found = run(tmp_path, client, flaky=FLAKY.format(cases=["x"]), other=other)
    assert found.returncode != 0
    for runner in gave_up:
        assert f"{runner} did not come to its end" in found.stdout
