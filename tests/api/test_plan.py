"""What a plan tells the pages before anything runs."""

from __future__ import annotations

from starlette.testclient import TestClient

from tests.api.conftest import spec, upload_data

LENGTHS = b"a;b;c;d;kind\n" + b"".join(
    b"%d,%d;%d,5;%d;1.%03d,5;%s\n" % (i, i % 7, i % 31, i * i % 17, i, b"xyz"[i % 3 : i % 3 + 1])
    for i in range(120)
)


def test_a_plan_tells_widths_shares_and_how_numbers_were_read(
    client: TestClient, model_id: str
) -> None:
    data = upload_data(client, LENGTHS).json()
    assert [column["width"] for column in data["profile"]["columns"]] == [1, 1, 1, 1, 3]
    answer = client.post("/api/v1/studies/plan", json=spec(model_id, data["id"]))
    assert answer.status_code == 200, answer.text
    plan = answer.json()
    assert (plan["encoded_width"], plan["duplicates"]) == (4, "together")
    assert [(part["name"], part["rows"], part["class_rows"]) for part in plan["parts"]] == [
        ("training", 72, [24, 24, 24]),
        ("validation", 24, [8, 8, 8]),
        ("test", 24, [8, 8, 8]),
    ]
    assert any("decimal comma" in said for said in plan["warnings"])


def test_a_plan_of_another_width_is_refused_in_one_sentence(
    client: TestClient, model_id: str
) -> None:
    rows = b"".join(b"t%d,%d\n" % (i % 40, i % 3) for i in range(240))
    data = upload_data(client, b"town,kind\n" + rows).json()
    answer = client.post("/api/v1/studies/plan", json=spec(model_id, data["id"]))
    assert answer.status_code == 400
    said = answer.json()["error"]["message"]
    assert said == "Your 1 column becomes 40 numbers; the model takes 4."
