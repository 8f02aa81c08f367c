"""Run the tests that failed once more, alone: `python -m tests.support.rerun .make/outcomes`.

`.ci/run` does so after `make test`, which leaves a file of outcomes for each runner in that folder.
A test that passes the second time is *flaky*. Ends with status 0 where every test passed the second
time, and at most five had to; with 1 where not, or where a runner gave up before its end.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.outcomes import FAILED

MOST_FLAKY = 5
"""More tests than this that need a second try are no accident."""
MOST_TRIED = 50
"""Where more tests failed than this, the first run has said enough."""
ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "client_web"
SEEN = ROOT / ".ci" / "flaky.md"


@dataclass(frozen=True)
class Run:
    """What a runner left: `outcomes` by a test's name, as `tests.support.outcomes` writes them."""

    exit: int
    outcomes: dict[str, str]

    @classmethod
    def read(cls, file: Path) -> Run:
        """Read a runner's file; one that left none has given up."""
        if not file.is_file():
            return cls(2, {})
        return cls(**json.loads(file.read_text(encoding="utf-8")))

    @property
    def failed(self) -> list[str]:
        """Name the tests that failed, in the order in which they ended."""
        return [name for name, outcome in self.outcomes.items() if outcome.startswith(FAILED)]

    @property
    def gave_up(self) -> bool:
        """Say whether it ended otherwise than by its tests' outcomes."""
        return self.exit != (1 if self.failed else 0)


@dataclass
class Verdict:
    """What came of the second try: lines on each test, the flaky ones, and what fails the run."""

    told: list[str] = field(default_factory=list)
    flaky: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def compare(self, runner: str, first: Run, second: Run) -> None:
        """Take the outcomes of the tests that ran twice."""
        if second.gave_up:
            self.wrong.append(f"{runner} did not come to its end when it ran tests again")
        for name in first.failed:
            outcome = second.outcomes.get(name, "did not run")
            both = (f"first:  {brief(first.outcomes[name])}", f"second: {brief(outcome)}")
            self.told.append("\n    ".join((f"{name}{before(name)}", *both)))
            if outcome == "passed":
                self.flaky.append(name)
            else:
                self.wrong.append(f"{name} did not pass the second time either")


def pytest_again(names: list[str], file: Path) -> None:
    """Run tests of pytest in one process that shares the machine with no other."""
    chosen = file.with_suffix(".txt")
    chosen.write_text("\n".join(names), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "tests.support.outcomes"]
    subprocess.run([*command, f"--outcomes={file}", f"@{chosen}"], cwd=ROOT)


def vitest_again(names: list[str], file: Path) -> None:
    """Run tests of vitest, one file after another; one that failed by itself runs as a whole."""
    files = sorted({name.split("::", 1)[0] for name in names})
    command = ["npm", "test", "--", "--no-file-parallelism", *files]
    if all("::" in name for name in names):
        titles = [re.escape(name.split("::", 1)[1]) for name in names]
        command += ["--testNamePattern", f"^({'|'.join(titles)})$"]
    environment = {**os.environ, "POTLUCK_OUTCOMES": str(file.resolve())}
    subprocess.run(command, cwd=CLIENT, env=environment)


RUNNERS: dict[str, Callable[[list[str], Path], None]] = {
    "vitest": vitest_again,
    "pytest": pytest_again,
}


def run_again(folder: Path) -> Verdict:
    """Run what failed in each runner once more."""
    found = Verdict()
    for runner, again in RUNNERS.items():
        first = Run.read(folder / f"{runner}.json")
        if first.gave_up:
            found.wrong.append(f"{runner} did not come to its end: perhaps not all tests ran")
        elif len(first.failed) > MOST_TRIED:
            found.wrong.append(f"{len(first.failed)} tests of {runner}: too many to run again")
        elif first.failed:
            say(f"== Running {len(first.failed)} of {runner}'s tests once more, alone")
            file = folder / f"{runner}-again.json"
            file.unlink(missing_ok=True)
            again(first.failed, file)
            found.compare(runner, first, Run.read(file))
    if not found.told and not found.wrong:
        found.wrong.append("no test failed: whatever went wrong, it was something else")
    if len(found.flaky) > MOST_FLAKY:
        found.wrong.append(f"{len(found.flaky)} tests were flaky; {MOST_FLAKY} are the most")
    return found


def before(name: str) -> str:
    """Say so where a test was flaky before: then it is a defect to mend."""
    seen = SEEN.read_text(encoding="utf-8") if SEEN.is_file() else ""
    return f" (flaky before: see {SEEN.relative_to(ROOT)})" if f"`{name}`" in seen else ""


def brief(outcome: str) -> str:
    """Give the first lines of an outcome; the whole stands above, where it happened."""
    return "\n            ".join(line[:200] for line in outcome.splitlines()[:5])


def say(*lines: str) -> None:
    """Write lines at once: what is started next writes too."""
    sys.stdout.write("\n".join((*lines, "")))
    sys.stdout.flush()


def main(folder: Path) -> int:
    """Run again, tell, judge; gives the exit status."""
    found = run_again(folder)
    say("", f"== flaky: {len(found.flaky)}", *found.told)
    if found.wrong:
        say("", "== Failed", *found.wrong)
    elif found.flaky:
        say(f"Write each into {SEEN.relative_to(ROOT)}; mend what stands there already.")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
