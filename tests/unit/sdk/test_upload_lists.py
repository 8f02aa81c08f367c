"""Lists of models, datasets and groups: read page by page, from older coordinators too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import httpx2
import pytest

import potluck

PROFILE = {"kind": "table", "rows": 3, "columns": [], "suggested_target": None, "warnings": []}
REPORT = {
    "source": "Keras 3 .h5",
    "layers": [],
    "parameters": 0,
    "trainable_parameters": 0,
    "input_shapes": {},
    "output_shapes": {},
    "forward_flops": "0",
    "training_flops": "0",
    "activation_bytes": "0",
    "warnings": [],
}
MODEL = {"name": "m", "hash": "a" * 64, "created_at": 1.0, "report": REPORT}
DATASET = {
    "name": "d",
    "version": 1,
    "hash": "a" * 64,
    "bytes": 9,
    "created_at": 1.0,
    "deleted": False,
    "profile": PROFILE,
}
GROUP = {"name": "g", "owner": "ada", "code": "c", "members": 0, "created_at": 1.0}
LISTS: dict[str, tuple[dict[str, Any], Callable[[potluck.Client], Sequence[Any]]]] = {
    "models": (MODEL, lambda client: client.models()),
    "datasets": (DATASET, lambda client: client.datasets()),
    "groups": (GROUP, lambda client: client.groups.all()),
}


@pytest.mark.parametrize("paged", [True, False])
@pytest.mark.parametrize("kind", LISTS)
def test_every_one_is_listed_once_in_the_coordinators_order(kind: str, paged: bool) -> None:
    like, read = LISTS[kind]
    listed = [{**like, "id": f"x{number}"} for number in range(5)]
    asked: list[int] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        assert request.url.path == f"/api/v1/{kind}"
        asked.append(int(request.url.params.get("offset", "0")))
        return httpx2.Response(200, json=listed[asked[-1] : asked[-1] + 2] if paged else listed)

    transport = httpx2.MockTransport(answer)
    with potluck.Client("http://one.test", "a" * 32, transport=transport) as client:
        assert [one.id for one in read(client)] == ["x0", "x1", "x2", "x3", "x4"]
    assert asked == ([0, 2, 4, 5] if paged else [0, 5])
