"""The list of studies: read page by page, from older coordinators too."""

from __future__ import annotations

import httpx2
import pytest

import potluck
from tests.unit.sdk.test_waiting import study

LISTED = [
    study("running").model_copy(update={"id": f"s{number}", "created_at": at}).model_dump()
    for number, at in enumerate((1.0, 5.0, 3.0, 4.0, 2.0))
]


@pytest.mark.parametrize("paged", [True, False])
def test_every_study_is_listed_once_newest_first(paged: bool) -> None:
    asked: list[int] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(int(request.url.params.get("offset", "0")))
        if request.url.path != "/api/v1/studies":
            return httpx2.Response(404)
        page = LISTED[asked[-1] : asked[-1] + 2] if paged else LISTED
        return httpx2.Response(200, json=page)

    transport = httpx2.MockTransport(answer)
    with potluck.Client("http://one.test", "a" * 32, transport=transport) as client:
        found = [one.record.id for one in client.studies()]
    assert found == ["s1", "s3", "s2", "s4", "s0"]
    assert asked == ([0, 2, 4, 5] if paged else [0, 5])
