"""Locks are those of `pyproject.toml`, name no place, and a stale one is noticed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.locks import FOLDER, LOCKS, ROOT, problems


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Give a copy of what is locked, and its locks."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / FOLDER, tmp_path / FOLDER)
    return tmp_path


def test_the_committed_locks_are_fresh() -> None:
    assert problems() == []


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ('"polars>=1.30,<3"', '"polars>=2.30,<3"'),
        ('"polars>=1.30,<3",', '"polars>=1.30,<3", "more>=1",'),
        ('"ruff>=0.14,<0.18",', ""),
        ('requires-python = ">=3.11"', 'requires-python = ">=3.12"'),
        ('"hatchling>=1.27"', '"hatchling>=1.28"'),
    ],
)
def test_a_changed_dependency_makes_a_lock_stale(copy: Path, was: str, becomes: str) -> None:
    project = copy / "pyproject.toml"
    text = project.read_text()
    assert was in text
    project.write_text(text.replace(was, becomes))
    assert any("make lock" in said for said in problems(copy))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text + "--index-url https://example.org/simple\n",
        lambda text: text + "other>=1\n",
        lambda text: text.replace("--hash=sha256:", "--hash=md5:"),
        lambda _text: "",
    ],
)
def test_a_lock_holds_pins_with_hashes_and_nothing_else(
    copy: Path, spoil: Callable[[str], str]
) -> None:
    for lock in LOCKS:
        path = copy / FOLDER / lock.name
        kept = path.read_text()
        path.write_text(spoil(kept))
        assert any(lock.name in said for said in problems(copy))
        path.write_text(kept)
    (copy / FOLDER / LOCKS[0].name).unlink()
    assert problems(copy)
