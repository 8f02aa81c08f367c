"""Retries, and refusals as typed errors, against a transport that answers as told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

import potluck
from potluck.protocol.records import SiteStatus, StudyExtension
from potluck.transport import ATTEMPTS, Transport, checked_address

STATUS = {
    "version": "0.1.0", "open": True, "donors_online": 0, "studies_running": 0,
    "units_scored": 0, "credit_flops": "0",
}  # fmt: skip
Answer = httpx2.Response | Exception


class Script:
    """Answers requests from a list and remembers them, and the pauses between."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[httpx2.Request] = []
        self.pauses: list[float] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def transport(self, token: str | None = None) -> Transport:
        return Transport(
            "http://coordinator.test/",
            token,
            transport=httpx2.MockTransport(self),
            pause=self.pauses.append,
        )


def good() -> httpx2.Response:
    return httpx2.Response(200, json=STATUS)


def refused(status: int, code: str = "study.nope") -> httpx2.Response:
    detail = {
        "code": code,
        "message": "No.",
        "expected": "e",
        "got": "g",
        "hint": "h",
        "where": "w",
    }
    return httpx2.Response(status, json={"error": detail})


def test_reading_survives_a_coordinator_that_is_away_for_a_moment() -> None:
    script = Script(httpx2.ConnectError("refused"), httpx2.ReadError("cut"), refused(503), good())
    assert script.transport().get(SiteStatus, "/api/v1/status").version == "0.1.0"
    assert len(script.requests) == 4
    assert script.pauses == sorted(script.pauses)
    assert len(script.pauses) == 3


def too_often(seconds: str = "7") -> httpx2.Response:
    answer = refused(429, "rate.requests")
    answer.headers["Retry-After"] = seconds
    return answer


def test_who_came_too_often_waits_as_long_as_the_coordinator_asks_and_tries_again() -> None:
    script = Script(too_often(), too_often("2"), good())
    script.transport().post(SiteStatus, "/api/v1/studies/st_1/extend", StudyExtension(trials=3))
    first, second = script.pauses
    assert 7 <= first < 8
    assert 2 <= second < 3


def test_waiting_for_a_coordinator_that_stays_crowded_ends() -> None:
    script = Script(*[too_often()] * ATTEMPTS)
    with pytest.raises(potluck.Busy, match=r"rate\.requests"):
        script.transport().get(SiteStatus, "/api/v1/status")
    assert len(script.requests) == ATTEMPTS


def test_who_is_asked_to_wait_for_long_is_told_so_instead() -> None:
    script = Script(too_often("3600"))
    with pytest.raises(potluck.Busy):
        script.transport().get(SiteStatus, "/api/v1/status")
    assert script.pauses == []


def test_reading_gives_up_after_a_few_attempts_and_names_the_address() -> None:
    script = Script(*[httpx2.ConnectError("refused")] * ATTEMPTS)
    with pytest.raises(potluck.ConnectionFailed, match=r"http://coordinator\.test"):
        script.transport().get(SiteStatus, "/api/v1/status")
    assert len(script.requests) == ATTEMPTS


def test_a_post_whose_answer_was_lost_is_not_sent_again() -> None:
    script = Script(httpx2.ReadError("cut"), good())
    with pytest.raises(potluck.ConnectionFailed):
        script.transport().post(SiteStatus, "/x", StudyExtension(trials=1))
    assert len(script.requests) == 1


def test_a_post_that_never_left_is_sent_again() -> None:
    script = Script(httpx2.ConnectError("refused"), good())
    script.transport().post(SiteStatus, "/x", StudyExtension(trials=3))
    assert json.loads(script.requests[1].content) == {"trials": 3}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, potluck.BadInput),
        (401, potluck.NotSignedIn),
        (403, potluck.NotAllowed),
        (404, potluck.NotFound),
        (409, potluck.Conflict),
        (413, potluck.TooLarge),
        (422, potluck.BadInput),
        (500, potluck.ServerFault),
    ],
)
def test_a_refusal_is_an_error_of_its_own_kind_with_every_word(
    status: int, kind: type[potluck.ApiError]
) -> None:
    script = Script(refused(status))
    with pytest.raises(kind) as caught:
        script.transport().get(SiteStatus, "/x")
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.code, error.expected, error.got, error.hint, error.where) == (
        status, "study.nope", "e", "g", "h", "w",
    )  # fmt: skip
    assert all(word in str(error) for word in ("No.", "study.nope", "e", "g", "h", "w"))
    assert len(script.requests) == 1


def test_a_busy_coordinator_is_an_error_when_it_stays_busy() -> None:
    script = Script(*[refused(503, "busy.scoring") for _ in range(ATTEMPTS)])
    with pytest.raises(potluck.Busy):
        script.transport().get(SiteStatus, "/x")
    assert not script.answers


@pytest.mark.parametrize("body", [b"<html>Bad gateway</html>", b"\xff\xfe", b"{}"])
def test_an_error_that_somebody_else_wrote_is_still_an_api_error(body: bytes) -> None:
    with pytest.raises(potluck.NotFound) as caught:
        Script(httpx2.Response(404, content=body)).transport().get(SiteStatus, "/x")
    assert caught.value.code == "http.404"


def test_an_answer_of_something_else_is_named_as_such() -> None:
    with pytest.raises(potluck.UnexpectedAnswer):
        Script(httpx2.Response(200, text="<html>")).transport().get(SiteStatus, "/x")


def test_a_newer_coordinator_may_say_more() -> None:
    script = Script(httpx2.Response(200, json={**STATUS, "news": 1}))
    assert script.transport().get(SiteStatus, "/x").open


def test_the_token_travels_as_a_bearer_and_only_if_there_is_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("POTLUCK_CONFIG", str(tmp_path))
    script = Script(good(), good())
    script.transport("secret").get(SiteStatus, "/x")
    script.transport().get(SiteStatus, "/x")
    assert script.requests[0].headers["authorization"] == "Bearer secret"
    assert "authorization" not in script.requests[1].headers


def cut_short(_: httpx2.Request) -> httpx2.Response:
    def content() -> object:
        yield b"half"
        raise httpx2.ReadError("cut")

    return httpx2.Response(200, content=content())  # type: ignore[arg-type]


def download(handler: Callable[[httpx2.Request], httpx2.Response], to: Path) -> Path:
    transport = Transport(
        "http://coordinator.test",
        None,
        transport=httpx2.MockTransport(handler),
        pause=lambda _: None,
    )
    return transport.download("/file", to)


def test_a_download_is_whole_or_not_there(tmp_path: Path) -> None:
    to = tmp_path / "best.h5"
    with pytest.raises(potluck.ConnectionFailed):
        download(cut_short, to)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(potluck.NotFound):
        download(lambda _: refused(404), to)
    assert list(tmp_path.iterdir()) == []
    assert download(lambda _: httpx2.Response(200, content=b"whole"), to).read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [to]


@pytest.mark.parametrize("url", ["", "coordinator:8000", "ftp://x", "http://"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(potluck.BadArgument):
        checked_address(url)


def test_the_environment_names_the_coordinator_and_the_token(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = Script(good(), good())
    monkeypatch.setenv("POTLUCK_CONFIG", str(tmp_path))
    monkeypatch.setenv("POTLUCK_URL", "http://elsewhere.test")
    monkeypatch.setenv("POTLUCK_TOKEN", "from the environment")
    with potluck.Client(transport=httpx2.MockTransport(script)) as client:
        client.status()
    with potluck.Client(token="", transport=httpx2.MockTransport(script)) as client:
        client.status()
    assert script.requests[0].url == "http://elsewhere.test/api/v1/status"
    assert script.requests[0].headers["authorization"] == "Bearer from the environment"
    assert "authorization" not in script.requests[1].headers


@pytest.mark.parametrize("path", ["/studies/\ud800", "/studies/a\0b", "/studies/\x1b"])
def test_what_is_no_text_is_refused_before_it_is_sent(path: str) -> None:
    script = Script(good())
    with pytest.raises(potluck.BadArgument, match="no text that can be sent"):
        script.transport().get(SiteStatus, path)
    assert script.requests == []
