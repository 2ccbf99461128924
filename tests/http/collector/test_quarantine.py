"""What could not be understood is kept with its reason, and can be sent again."""

import json

from collecting import Collected, event, new_id


def find(collected: Collected, marker: str) -> list[dict[str, object]]:
    return [item for item in collected.held() if marker in str(item["content"])]


def test_a_held_item_says_what_and_why_and_is_kept_once(collected: Collected) -> None:
    marker = new_id()
    sent = event(request={"time": "never", "uri": f"/{marker}"})
    for _ in range(3):
        collected.post("/v1/events/batch", [event(), sent])
    (held,) = find(collected, marker)
    assert (held["reason"], held["field"], held["seen_count"]) == (
        "invalid_time",
        "request.time",
        3,
    )
    assert json.loads(str(held["content"])) == sent


def test_what_is_still_not_understood_comes_back(collected: Collected) -> None:
    marker = new_id()
    collected.post("/v1/events/batch", [event(request={"time": "never", "uri": f"/{marker}"})])
    (held,) = find(collected, marker)
    for round_number in (2, 3):
        answer = collected.api.post("/api/quarantine/replay", json={"ids": [held["id"]]})
        assert answer.json() == {"replayed": 1}
        (again,) = find(collected, marker)
        assert (again["id"], again["seen_count"]) == (held["id"], round_number)


def test_what_was_cut_is_not_sent_again(collected: Collected) -> None:
    marker = new_id()
    collected.post(
        "/v1/events/batch",
        [event(request={"time": "never", "uri": f"/{marker}", "body": "x" * 300_000})],
    )
    (held,) = find(collected, marker)
    assert held["truncated"] is True
    answer = collected.api.post("/api/quarantine/replay", json={"ids": [held["id"]]})
    assert answer.json() == {"replayed": 0}
    assert len(find(collected, marker)) == 1
