"""The command line: exit codes, plain words, and commands whose extra is missing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import potluck
from potluck.cli import main
from potluck.ledger_source import study_address
from potluck.protocol.records import Ledger, LedgerEntry
from potluck.text_tables import text_table
from potluck.verification import GENESIS, entry_hash

NOBODY = "http://127.0.0.1:1"


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    code = caught.value.code
    assert code is None or isinstance(code, int)
    return code or 0


def ledger() -> Ledger:
    entry = LedgerEntry(
        seq=0, kind="study", at="2026-11-21T00:00:00.000Z", body={"a": 1}, previous=GENESIS,
        hash=GENESIS,
    )  # fmt: skip
    entry = entry.model_copy(update={"hash": entry_hash(entry)})
    return Ledger(study_id="s1", entries=[entry], head=entry.hash)


def test_verify_tells_a_whole_ledger_from_a_changed_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ledger.json"
    path.write_text(ledger().model_dump_json())
    assert run("verify", str(path)) == 0
    assert "holds: 1 entries" in capsys.readouterr().out
    changed = json.loads(path.read_text())
    changed["entries"][0]["body"]["a"] = 2
    path.write_text(json.dumps(changed))
    assert run("verify", str(path)) == 1
    assert "Entry 0 (study) is not what it was" in capsys.readouterr().err


def test_verify_refuses_what_is_no_ledger(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ledger.json"
    path.write_text("{}")
    assert run("verify", str(path)) == 2
    assert "no study's ledger" in capsys.readouterr().err
    assert run("verify", str(tmp_path / "none.json")) == 2


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://a.test/studies/s1", ("http://a.test", "s1")),
        ("https://a.test:9/api/v1/studies/s1/ledger", ("https://a.test:9", "s1")),
        ("https://a.test/potluck/studies/s1?tab=ledger", ("https://a.test/potluck", "s1")),
    ],
)
def test_a_studys_address_names_its_coordinator(address: str, expected: tuple[str, str]) -> None:
    assert study_address(address) == expected


def test_an_address_of_something_else_is_refused() -> None:
    with pytest.raises(potluck.BadArgument):
        study_address("http://a.test/models/m1")


def test_a_coordinator_that_is_not_there_is_said_in_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("status", "--url", NOBODY) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"potluck: No answer from the coordinator at {NOBODY}")
    assert said.count("\n") == 1


def test_a_bad_study_file_is_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("submit", "none.yaml", "--url", NOBODY) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out.strip() == potluck.__version__


@pytest.mark.parametrize(
    ("command", "missing", "extra"),
    [
        ("serve", "pydantic_settings", "coordinator"),
        ("serve", "fastapi", "coordinator"),
        ("convert", "h5py", "converter"),
        ("donate", "websockets", "coordinator"),
        ("demo", "playwright", "demo"),
        ("demo", "pydantic_settings", "demo"),
    ],
)
def test_a_command_whose_extra_is_missing_says_what_brings_it(
    command: str, missing: str, extra: str, tmp_path: Path
) -> None:
    needed = {"convert": [str(tmp_path / "a.h5"), str(tmp_path)], "donate": [NOBODY]}
    arguments = [command, *needed.get(command, [])]
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        f"from potluck.cli import main; main({arguments!r})"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert answer.returncode == 2, answer.stderr
    assert f'pip install "potluck[{extra}]"' in answer.stderr
    assert missing in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_table_leaves_out_empty_columns_and_lines_numbers_up() -> None:
    rows: list[dict[str, object]] = [{"a": 1, "b": None, "c": "x"}, {"a": 22.5, "b": None, "c": ""}]
    assert text_table(rows) == "   a  c\n   1  x\n22.5"
