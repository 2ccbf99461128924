import json
from typing import Any

import pytest

from tollkeeper.testing.calls import START_US, call

SECOND = 1_000_000


def test_a_list_is_newest_first_and_without_contents(served: Any) -> None:
    listed = served.list(limit=2)
    first = listed["events"][0]
    assert [e["id"] for e in listed["events"]] == ["a-99", "a-98"]
    assert first["request"]["headers"] is None
    assert first["request"]["body"] is None
    assert first["response"]["headers"] is None
    assert first["metadata"] is None
    assert first["duration_ms"] == 99.0
    assert (first["user"], first["customer"]) == ("user 1", "zero")
    assert listed["next_cursor"]


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_give_each_event_once_while_others_arrive(served: Any, order: str) -> None:
    application = "extra"
    base = START_US + 3600 * SECOND * (1 if order == "asc" else 3)
    window = {"from": _iso(base), "to": _iso(base + 1000 * SECOND)}
    # Several at the same microsecond: the key decides among them.
    events = [
        call(application=application, id=f"{order}-{n}", time=base + n // 5 * SECOND, item=n)
        for n in range(40)
    ]
    served.store.insert_block(events, token=f"pages-{order}")
    seen: list[str] = []
    cursor = None
    while True:
        listed = served.list(
            application=application,
            limit=7,
            order=order,
            **window,
            **({"cursor": cursor} if cursor else {}),
        )
        seen += [e["id"] for e in listed["events"]]
        late = base + (0 if order == "asc" else 900 * SECOND)
        served.store.insert_block(
            [call(application=application, id=f"late-{order}-{len(seen)}", time=late)],
            token=f"late-{order}-{len(seen)}",
        )
        cursor = listed["next_cursor"]
        if cursor is None:
            break
    shown = [i for i in seen if not i.startswith("late")]
    assert sorted(shown) == sorted(e.id for e in events)
    times = {e.id: e.time for e in events}
    assert [times[i] for i in shown] == sorted((times[i] for i in shown), reverse=order == "desc")


def _iso(us: int) -> str:
    from tollkeeper.clock import format_us

    return format_us(us)


def test_a_filter_on_the_resolved_owner_chooses_rows(served: Any) -> None:
    listed = served.list(filter={"field": "customer", "op": "eq", "value": "one"}, limit=1000)
    numbers = sorted(int(e["id"][2:]) for e in listed["events"])
    assert numbers == [n for n in range(50, 100) if n % 7 == 1 and n % 3 != 0]
    listed = served.list(filter={"field": "user.tier", "op": "eq", "value": "pro"}, limit=1000)
    assert {e["user"] for e in listed["events"]} == {"user 1"}


def test_one_event_is_whole(served: Any) -> None:
    found = served.client.get("/api/events/a-4").json()
    assert found["request"]["headers"] == {"user-agent": "agent/0"}
    assert found["request"]["body"] == {"cart": {"total": 4}}
    assert found["request"]["body_encoding"] == "json"
    assert (found["response"]["body"], found["response"]["body_encoding"]) == ("aGk=", "base64")
    assert found["request"]["query"] == {"limit": "5"}
    assert found["metadata"] == {"plan": "tin", "cost": 0.4}
    assert found["time"] == "2026-11-18T11:10:40.000000Z"
    listed = served.list(filter={"field": "id", "op": "eq", "value": "a-4"})["events"][0]
    for side in ("request", "response"):
        for name in ("headers", "body", "body_encoding"):
            found[side][name] = None
    assert {**found, "metadata": None} == listed


@pytest.mark.parametrize("event_id", ["urn:x/with/slashes", "ö?#%", "'; DROP TABLE events; --"])
def test_any_id_can_be_looked_up(served: Any, event_id: str) -> None:
    from urllib.parse import quote

    served.store.insert_block(
        [call(application="extra", id=event_id, time=START_US + 20 * 3600 * SECOND)], token=event_id
    )
    found = served.client.get(
        f"/api/events/{quote(event_id, safe='/')}", params={"application": "extra"}
    )
    assert (found.status_code, found.json()["id"]) == (200, event_id)


def test_an_event_of_another_application_is_not_found(served: Any) -> None:
    answer = served.client.get("/api/events/secret")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert (
        served.client.get("/api/events/secret", params={"application": "other"}).status_code == 200
    )
    everything = served.list(limit=1000)
    assert {e["application"] for e in everything["events"]} == {"a"}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "ZGVzYy4xLjE="}, None),
        ({"cursor": "YXNjLjEuMQ"}, "cursor"),
        ({"cursor": "ö"}, "cursor"),
        ({"order": "up"}, "order"),
        ({"limit": "0"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"filter": "{"}, "filter"),
        ({"filter": json.dumps({"field": "nope", "op": "eq", "value": 1})}, "filter.field"),
        ({"from": "now", "to": "-1h"}, "to"),
    ],
)
def test_a_refusal_of_a_list_names_the_culprit(
    served: Any, query: dict[str, str], field: str | None
) -> None:
    answer = served.client.get("/api/events", params=query)
    if field is None:
        assert answer.status_code == 200
    else:
        assert (answer.status_code, answer.json()["field"]) == (422, field)
