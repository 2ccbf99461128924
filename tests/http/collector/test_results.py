"""Results for each item, and CloudEvents in their three modes."""

import base64
import json
import threading
from typing import Any

import pytest
from collecting import Collected, event, new_id


def test_senders_that_ask_learn_what_became_of_each_item(collected: Collected) -> None:
    first = event()
    assert collected.post("/v1/events/batch", [first]).status_code == 201
    changed = {**first, "user_id": "somebody else"}
    fresh = event()
    answer = collected.post(
        "/v1/events/batch?results=items", [fresh, first, changed, {"request": {}}, fresh]
    )
    assert answer.status_code == 201
    assert [(r["index"], r["id"], r["result"]) for r in answer.json()["results"]] == [
        (0, fresh["transaction_id"], "stored"),
        (1, first["transaction_id"], "duplicate"),
        (2, first["transaction_id"], "conflict"),
        (3, "", "rejected"),
        (4, fresh["transaction_id"], "duplicate"),
    ]
    rejected = answer.json()["results"][3]
    assert (rejected["reason"], rejected["field"]) == ("missing", "request.uri")


def test_parties_have_results_too(collected: Collected) -> None:
    answer = collected.post("/v1/users/batch?results=items", [{"user_id": new_id()}, {}])
    assert [r["result"] for r in answer.json()["results"]] == ["stored", "rejected"]


def test_many_may_wait_for_results_at_once(collected: Collected) -> None:
    found: list[str] = []

    def ask() -> None:
        with collected.server.collector() as client:
            answer = client.post("/v1/events/batch?results=items", json=[event()])
            found.append(answer.json()["results"][0]["result"])

    threads = [threading.Thread(target=ask) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["stored"] * 30


def cloudevent(**said: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": new_id(),
        "source": "https://shop.example/orders",
        "type": "order.placed",
        "subject": "acme",
        **said,
    }


def shown(collected: Collected, sent: dict[str, Any]) -> dict[str, Any]:
    # The id of a CloudEvent is its source and its id.
    condition = {"field": "id", "op": "eq", "value": f"{sent['source']}|{sent['id']}"}
    collected.server.settle()
    listed = collected.api.get(
        "/api/events", params={"filter": json.dumps(condition), "from": "-1h"}
    ).json()["events"]
    assert len(listed) == 1
    found: dict[str, Any] = listed[0]
    return found


def test_a_structured_cloudevent_is_stored(collected: Collected) -> None:
    sent = cloudevent(data={"method": "POST", "path": "/orders", "status": 201, "duration_ms": 2.5})
    answer = collected.send.post(
        "/api/v1/events", json=sent, headers={"content-type": "application/cloudevents+json"}
    )
    assert answer.status_code == 204
    found = shown(collected, sent)
    assert (found["customer"], found["action"], found["source"]) == (
        "acme",
        "order.placed",
        "cloudevents",
    )
    assert (found["response"]["status"], found["duration_ms"]) == (201, 2.5)


def test_a_batch_of_cloudevents_keeps_its_good_ones(collected: Collected) -> None:
    good = cloudevent()
    batch = [good, cloudevent(specversion="0.3"), cloudevent(id=""), cloudevent(time=7), good]
    answer = collected.send.post(
        "/api/v1/events",
        json=batch,
        headers={"content-type": "application/cloudevents-batch+json"},
    )
    assert answer.status_code == 200
    assert answer.json()["accepted"] == 2
    assert [(r["index"], r["field"]) for r in answer.json()["rejected"]] == [
        (1, "specversion"),
        (2, "id"),
        (3, "time"),
    ]
    assert shown(collected, good)["action"] == "order.placed"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"amount": 3}'),
        ("text/plain", b"three"),
        ("application/octet-stream", bytes(range(256)) * 4),
        ("", b""),
    ],
)
def test_a_binary_cloudevent_is_stored(
    collected: Collected, content_type: str, body: bytes
) -> None:
    sent = cloudevent()
    headers = {f"ce-{name}": value for name, value in sent.items()}
    answer = collected.send.post(
        "/api/v1/events", content=body, headers={**headers, "content-type": content_type}
    )
    assert answer.status_code == 204, answer.text
    found = shown(collected, sent)
    assert found["customer"] == "acme"


def test_a_cloudevent_that_comes_again_is_one_event(collected: Collected) -> None:
    sent = cloudevent(data={"tokens": 5}, sampledrate=10)
    for _ in range(2):
        assert collected.send.post("/api/v1/events", json=sent).status_code == 204
    assert shown(collected, sent)["weight"] == 10


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"source": ""}, "source"),
        ({"type": 7}, "type"),
        ({"subject": 7}, "subject"),
        ({"sampledrate": "9" * 5000}, None),
        ({"data": base64.b64encode(b"x").decode()}, None),
    ],
)
def test_a_bad_cloudevent_names_its_attribute(
    collected: Collected, change: dict[str, Any], field: str | None
) -> None:
    answer = collected.send.post("/api/v1/events", json=cloudevent(**change))
    assert answer.status_code == (204 if field is None else 400)
    if field is not None:
        assert answer.json()["rejected"][0]["field"] == field
