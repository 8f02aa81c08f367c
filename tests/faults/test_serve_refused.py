"""`potluck serve` that cannot start says why in a sentence, and gives 1: never a traceback."""

from __future__ import annotations

import shutil
import socket
import ssl
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import typer
from sqlalchemy import text
from typer.testing import CliRunner

from potluck_coordinator.commands import add_to
from potluck_coordinator.storage.opening import opened
from tests.conftest import Start
from tests.support.fresh import fresh
from tests.support.programs import child_environment

SECONDS = 60


def made(folder: Path, name: str, *, encrypted: bool = False) -> tuple[Path, Path]:
    """Make a certificate for this machine, and its key."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("there is no openssl to make a certificate with")
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    command = [program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-subj", "/CN=localhost", "-days", "2", "-out", str(certificate)]
    command += ["-keyout", str(key), *(["-passout", "pass:word"] if encrypted else ["-nodes"])]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def refusal(data: Path, *options: object) -> str:
    """Try to serve; give what was said."""
    app = typer.Typer()
    add_to(app)
    given = ["serve", "--port", "0", "--data", str(data), *map(str, options)]
    ended = CliRunner().invoke(app, given)
    assert ended.exit_code == 1, ended.output
    assert ended.output.startswith("potluck: "), ended.output
    assert len(ended.output.splitlines()) == 1, ended.output
    return ended.output


def test_the_command_ends_with_a_sentence_and_1(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "potluck", "serve", "--port", "0", "--data", str(tmp_path)]
    command += ["--tls-cert", "nothing.pem", "--tls-key", "nothing.key"]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, env=child_environment({})
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr == (
        "potluck: The certificate nothing.pem cannot be read: No such file or directory.\n"
    )


def test_a_certificate_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    certificate, key = made(tmp_path, "one")
    _, other = made(tmp_path, "two")
    _, locked = made(tmp_path, "three", encrypted=True)
    nothing, words = tmp_path / "nothing.pem", tmp_path / "text.pem"
    words.write_text("no certificate\n")
    data = tmp_path / "data"
    said = refusal(data, "--tls-cert", nothing, "--tls-key", key)
    assert f"The certificate {nothing} cannot be read: No such file" in said
    said = refusal(data, "--tls-cert", certificate, "--tls-key", nothing)
    assert f"The certificate's key {nothing} cannot be read" in said
    said = refusal(data, "--tls-cert", tmp_path, "--tls-key", key)
    assert "Is a directory" in said
    said = refusal(data, "--tls-cert", words, "--tls-key", key)
    assert "expected a certificate and its key in PEM" in said
    said = refusal(data, "--tls-cert", certificate, "--tls-key", other)
    assert "is not that of the certificate" in said
    said = refusal(data, "--tls-cert", certificate, "--tls-key", locked)
    assert "is encrypted" in said
    said = refusal(data, "--tls-cert", certificate)
    assert "give --tls-key too" in said
    said = refusal(data, "--tls-key", key)
    assert "give --tls-cert too" in said
    assert not data.exists()


def test_a_variable_that_cannot_be_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POTLUCK_WORKERS", "many")
    assert "--workers or POTLUCK_WORKERS cannot be 'many'" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [("workers", "0"), ("max_dataset_bytes", "0"), ("sweep_seconds", "0"), ("quota_bytes", "-1")],
)
def test_a_number_that_no_setting_can_have_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"POTLUCK_{name.upper()}", value)
    assert f"POTLUCK_{name.upper()} cannot be '{value}': Input should be" in refusal(tmp_path)


def test_no_workers_are_refused_on_the_command_line(tmp_path: Path) -> None:
    said = refusal(tmp_path, "--workers", "0")
    assert "--workers or POTLUCK_WORKERS cannot be 0: Input should be greater" in said


@pytest.mark.parametrize(
    "words", [["backup", "b.tar"], ["restore", "b.tar"], ["admin", "accounts"]], ids=str
)
def test_every_command_says_so_in_a_line(tmp_path: Path, words: list[str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "potluck", *words, "--data", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        cwd=tmp_path,
        env=child_environment({"POTLUCK_WORKERS": "0"}),
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("potluck: --workers or POTLUCK_WORKERS cannot be '0': ")
    assert len(ended.stderr.splitlines()) == 1


def test_an_address_that_cannot_be_listened_on_is_said(tmp_path: Path) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = refusal(tmp_path, "--port", port)
        assert f"Cannot listen on 127.0.0.1:{port}" in said
        assert "Choose another port with --port" in said
    for host in ("no.such.host.invalid", "192.0.2.1", "a..b", "::zz"):
        assert "Give an address of this machine with --host" in refusal(tmp_path, "--host", host)
    assert "ports go from 0 to 65535" in refusal(tmp_path, "--port", "70000")


def test_the_data_folder_is_its_owners_alone(start_coordinator: Start) -> None:
    coordinator = start_coordinator(tables=False)
    assert stat.S_IMODE(coordinator.data.stat().st_mode) == 0o700


def test_a_folder_that_was_open_to_others_is_closed_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = tmp_path / "data"
    database = fresh(data) / "potluck.sqlite3"
    data.chmod(0o755)
    database.chmod(0o644)
    for said in (1, 1):  # the second start finds it closed
        with opened(data, f"sqlite:///{database}") as engine, engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            assert stat.S_IMODE(data.stat().st_mode) == 0o700
            files = [path for path in data.iterdir() if path.name.startswith("potluck.sqlite3")]
            assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
        assert caplog.text.count("was open to others (0755)") == said


def test_a_folder_that_holds_other_things_stays_open_and_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "photos").mkdir()
    with opened(tmp_path, f"sqlite:///{tmp_path / 'potluck.sqlite3'}"):
        pass
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    assert "is open to others (0755)" in caplog.text
    assert stat.S_IMODE((tmp_path / "potluck.sqlite3").stat().st_mode) == 0o600


def test_a_certificate_that_can_be_used_serves_https(
    tmp_path: Path, start_coordinator: Start
) -> None:
    certificate, key = made(tmp_path, "one")
    coordinator = start_coordinator(tls_cert=certificate, tls_key=key)
    assert coordinator.url.startswith("https://")
    port = int(coordinator.url.rsplit(":", 1)[1])
    context = ssl.create_default_context(cafile=str(certificate))
    with (
        socket.create_connection(("localhost", port), SECONDS) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        secure.sendall(b"HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert secure.recv(9).startswith(b"HTTP/1.1 ")
