"""Pin every Python package that the container, CI and development install, by hash.

`python -m tests.support.locks write UV` makes the files of `locks/` with the program `uv`;
`python -m tests.support.locks check` says, without a network, whether they are those of
`pyproject.toml`. Needs nothing but Python.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FOLDER = "locks"
OWN = "potluck"
MARK = "#   "
HEAD = """\
# {what}
# Written by `make lock`; `make check` says when it is stale. Python {python}; all of:
"""


@dataclass(frozen=True)
class Lock:
    """One file of pins: the extras and groups of `pyproject.toml` that it covers."""

    name: str
    what: str
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    project: bool = True
    """Whether what the package itself needs is part of it."""
    build: bool = False
    """Whether what building the package needs is part of it."""


LOCKS = (
    Lock("build.txt", "What building the wheel needs.", project=False, build=True),
    Lock("serve.txt", "What the container runs.", extras=("coordinator", "postgresql")),
    Lock("dev.txt", "What development and CI need, the build included.", (), ("dev",), build=True),
)


def requirements(project: Mapping[str, Any], lock: Lock) -> list[str]:
    """Give the requirements behind a lock, with our own extras written out, in order."""
    extras: Mapping[str, list[str]] = project["project"].get("optional-dependencies", {})
    groups: Mapping[str, list[str]] = project.get("dependency-groups", {})
    wanted = list(project["project"]["dependencies"]) if lock.project else []
    wanted += project["build-system"]["requires"] if lock.build else []
    wanted += [line for name in lock.extras for line in extras[name]]
    wanted += [line for name in lock.groups for line in groups[name]]
    found: set[str] = set()
    seen: set[str] = set()
    while wanted:
        line = wanted.pop()
        if line.startswith(f"{OWN}["):
            names = [name.strip() for name in line[len(OWN) + 1 : line.index("]")].split(",")]
            wanted += [more for name in names if name not in seen for more in extras[name]]
            seen.update(names)
        else:
            found.add(line.replace(" ", ""))
    return sorted(found)


def head(project: Mapping[str, Any], lock: Lock) -> str:
    """Write the comment at the top of a lock: what it was made of."""
    lines = [f"{MARK}{line}\n" for line in requirements(project, lock)]
    python = project["project"]["requires-python"]
    return HEAD.format(what=lock.what, python=python) + "".join(lines)


def problems(root: Path = ROOT) -> list[str]:
    """Say what is wrong with the locks of a folder; nothing where they are fresh and clean."""
    project = tomllib.loads((root / "pyproject.toml").read_text())
    found = []
    for lock in LOCKS:
        path = root / FOLDER / lock.name
        name = f"{FOLDER}/{lock.name}"
        if not path.is_file():
            found.append(f"{name} is missing: run `make lock`.")
            continue
        text = path.read_text()
        told = "".join(f"{line}\n" for line in text.splitlines() if line.startswith("#"))
        if told != head(project, lock):
            found.append(f"{name} is not that of pyproject.toml: run `make lock`, and commit it.")
        pins = text.replace("\\\n", " ").splitlines()
        pins = [line for line in pins if line and not line.startswith("#")]
        if not pins or not all("==" in line and "--hash=sha256:" in line for line in pins):
            found.append(f"{name} holds what is no pinned version with its hashes.")
        if "://" in text or "--index" in text or "--find" in text:
            found.append(f"{name} names a place; a lock holds names, versions and hashes alone.")
    return found


def write(uv: str, root: Path = ROOT) -> None:
    """Resolve anew and write all locks. Needs the package registry."""
    project = tomllib.loads((root / "pyproject.toml").read_text())
    python = project["project"]["requires-python"].removeprefix(">=")
    (root / FOLDER).mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        for lock in LOCKS:
            given = Path(scratch) / "given.in"
            given.write_text("\n".join(requirements(project, lock)))
            out = Path(scratch) / lock.name
            options = ["--universal", "--generate-hashes", "--no-header", "--no-annotate"]
            options += ["--no-emit-index-url", "--python-version", python, "--quiet", "--upgrade"]
            command = [uv, "pip", "compile", str(given), "--output-file", str(out), *options]
            subprocess.run(command, check=True, cwd=scratch)
            pins = [line for line in out.read_text().splitlines() if not line.startswith("#")]
            text = "".join(f"{line}\n" for line in pins)
            (root / FOLDER / lock.name).write_text(head(project, lock) + text)


def main(arguments: Sequence[str]) -> int:
    """Do what the module says; give the process's status."""
    if len(arguments) == 2 and arguments[0] == "write":
        write(arguments[1])
    elif list(arguments) != ["check"]:
        print(__doc__)  # noqa: T201
        return 2
    found = problems()
    for line in found:
        print(line)  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
