"""Make the checked-in oracles of Keras 3 (on JAX): what cases predict and how they learn.

    python -m tests.parity.make_oracles [family ...] [--missing]

`--missing` leaves cases that an archive has already.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.parity.cases import FAMILIES
from tests.parity.oracle import FOLDER, load, made_by_keras3, names_in, save_archive


def archive_of(family: str, folder: Path = FOLDER) -> Path:
    """Give the path of a family's archive."""
    return folder / f"keras3_{family}.zip"


def make(family: str, path: Path, *, missing: bool = False) -> None:
    """Write one family's archive."""
    present = names_in(path) if missing else frozenset()
    found = {}
    for case in FAMILIES[family]:
        found[case.name] = load(path, case.name) if case.name in present else made_by_keras3(case)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_archive(path, found)


def main(arguments: list[str]) -> None:
    """Write the families asked for, or all."""
    asked = [word for word in arguments if not word.startswith("--")] or list(FAMILIES)
    for family in asked:
        path = archive_of(family)
        make(family, path, missing="--missing" in arguments)
        sys.stdout.write(f"{path.name}: {len(FAMILIES[family])} cases, {path.stat().st_size} B\n")


if __name__ == "__main__":
    main(sys.argv[1:])
