"""The key that stands for a user at an open coordinator: one secret, a key for each address."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from potluck import visitor
from potluck.transport import Transport
from potluck.visitor import KEY_PREFIX, key_for, secret_file, secret_of
from potluck_coordinator.core import visitors

SECRET = "0123456789abcdef" * 4


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Give the configuration folder of a new user, which is not there yet."""
    monkeypatch.setenv("POTLUCK_CONFIG", str(tmp_path / "configuration"))
    monkeypatch.setattr(visitor, "_of_this_process", {})
    return tmp_path / "configuration"


def sent(method: str, url: str = "http://coordinator.test", token: str | None = None) -> str:
    """Give the Authorization header that a request of a new client carries; "" for none."""
    heard: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        heard.append(request)
        return httpx2.Response(204)

    transport = Transport(url, token, transport=httpx2.MockTransport(answer))
    transport._send(method, "/x")
    transport.close()
    return heard[0].headers.get("authorization", "")


def test_a_key_has_the_form_that_coordinators_take() -> None:
    assert KEY_PREFIX == visitors.KEY_PREFIX
    assert visitors.is_visitor_key(key_for(SECRET, "https://potluck.example"))


def test_looking_makes_no_secret_and_a_change_makes_one_that_stays(folder: Path) -> None:
    assert sent("GET") == ""
    assert not folder.exists()
    made = sent("POST")
    assert visitors.is_visitor_key(made.removeprefix("Bearer "))
    assert sent("DELETE") == sent("GET") == made
    assert [file.name for file in folder.iterdir()] == ["visitor-secret"]


def test_only_the_user_may_read_the_secret(folder: Path) -> None:
    sent("POST")
    assert secret_file().stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    secret_file().chmod(0o644)
    sent("GET")
    assert secret_file().stat().st_mode & 0o777 == 0o600


def test_no_coordinator_learns_the_secret_or_anothers_key(folder: Path) -> None:
    keys = [
        sent("POST", url)
        for url in (
            "http://one.test",
            "https://one.test",
            "http://one.test:8000",
            "http://two.test",
            "http://one.test/potluck",
        )
    ]
    assert len(set(keys)) == 5
    secret = secret_of(secret_file(), make=False)
    assert secret is not None
    assert folder.exists()
    assert not any(secret in key for key in keys)


def test_names_of_one_coordinator_have_one_key() -> None:
    here = {key_for(SECRET, f"http://{host}:8000") for host in ("localhost", "127.0.0.1", "[::1]")}
    assert len(here) == 1
    assert key_for(SECRET, "http://ONE.test:80/") == key_for(SECRET, "http://one.test")


def test_a_token_goes_alone_and_a_proxys_password_is_left(folder: Path) -> None:
    assert sent("POST", token="potluck_token") == "Bearer potluck_token"
    assert sent("POST", "http://ann:word@one.test").startswith("Basic ")
    assert not folder.exists()


def test_a_key_does_not_follow_to_another_address(folder: Path) -> None:
    heard: dict[str, str] = {}

    def answer(request: httpx2.Request) -> httpx2.Response:
        heard[request.url.host] = request.headers.get("authorization", "")
        if request.url.host == "one.test":
            return httpx2.Response(307, headers={"location": "http://two.test/x"})
        return httpx2.Response(204)

    transport = Transport("http://one.test", None, transport=httpx2.MockTransport(answer))
    transport._send("POST", "/x")
    transport.close()
    assert heard["one.test"].startswith(f"Bearer {KEY_PREFIX}")
    assert heard["two.test"] == ""
    assert folder.exists()


def test_where_it_cannot_be_kept_one_notice_says_so_and_this_process_has_a_key(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("POTLUCK_CONFIG", "/proc/potluck")
    made = sent("POST")
    assert made
    assert sent("GET") == sent("POST") == made
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    for word in ("/proc/potluck/visitor-secret cannot be written", "POTLUCK_CONFIG"):
        assert word in told
    monkeypatch.setenv("POTLUCK_CONFIG", str(tmp_path / "file"))
    assert sent("POST") not in ("", made)
    assert "cannot be read" in capsys.readouterr().err
    assert not folder.exists()


@pytest.mark.parametrize("content", [b"", b"\xff\x00", b"0" * 63, b"0" * 65, b"secret\n" * 1000])
def test_what_is_no_secret_is_left_as_it_is(
    folder: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    folder.mkdir()
    secret_file().write_bytes(content)
    assert visitors.is_visitor_key(sent("POST").removeprefix("Bearer "))
    assert "cannot be read" in capsys.readouterr().err
    assert secret_file().read_bytes() == content


def test_programs_that_begin_at_once_have_one_secret(folder: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        found = set(pool.map(lambda _: secret_of(secret_file(), make=True), range(64)))
    assert len(found) == 1
    assert len(list(folder.iterdir())) == 1


def test_the_platforms_folder_is_used_where_none_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("POTLUCK_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert secret_file() == tmp_path / "potluck" / "visitor-secret"
