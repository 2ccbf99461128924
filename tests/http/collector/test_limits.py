"""What the collector refuses, and how it says so."""

import gzip
import json
import time
import zlib
from pathlib import Path
from typing import Any

import httpx
import pytest
from collecting import Collected, event, new_id


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json()
    assert said["status"] == answer.status_code
    assert said["type"] == f"urn:tollkeeper:error:{said['code']}"
    assert said["detail"]
    return answer.status_code, said["code"]


def peak_bytes(collected: Collected) -> int:
    status = Path(f"/proc/{collected.server.process.pid}/status").read_text()
    return 1024 * int(next(x for x in status.splitlines() if x.startswith("VmHWM")).split()[1])


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/v1/events", "POST, OPTIONS"),
        ("PUT", "/v1/users/batch", "POST, OPTIONS"),
        ("DELETE", "/api/v1/events", "POST, OPTIONS"),
        ("POST", "/v1/config", "GET, HEAD, OPTIONS"),
        ("POST", "/v1/rules", "GET, HEAD, OPTIONS"),
    ],
)
def test_another_method_is_told_the_right_one(
    collected: Collected, method: str, path: str, allow: str
) -> None:
    answer = collected.send.request(method, path)
    assert problem(answer) == (405, "method_not_allowed")
    assert answer.headers["allow"] == allow


def test_the_probe_and_head_answer(collected: Collected) -> None:
    assert collected.send.get("/health/probe").json()["status"] is True
    head = collected.send.head("/v1/config")
    assert (head.status_code, head.content) == (200, b"")


def test_a_body_over_the_limit_is_refused_before_it_is_read(collected: Collected) -> None:
    answer = collected.send.post("/v1/events/batch", content=b" " * (51 * 1024 * 1024))
    assert problem(answer) == (413, "body_too_large")
    assert collected.post("/v1/events", event()).status_code == 201


def test_a_body_over_the_limit_without_a_length_is_refused_too(collected: Collected) -> None:
    parts = (b" " * 1024 * 1024 for _ in range(52))
    answer = collected.send.post("/v1/events/batch", content=parts)
    assert problem(answer) == (413, "body_too_large")


def test_a_gzip_bomb_is_refused(collected: Collected) -> None:
    bomb = gzip.compress(b" " * (300 * 1024 * 1024), 9)
    answer = collected.send.post(
        "/v1/events/batch", content=bomb, headers={"content-encoding": "gzip"}
    )
    assert problem(answer) == (413, "inflated_too_large")


def test_a_bomb_of_many_tiny_gzip_parts_is_refused_at_once(collected: Collected) -> None:
    started = time.monotonic()
    answer = collected.send.post(
        "/v1/events/batch",
        content=gzip.compress(b"", mtime=0) * 100_000,
        headers={"content-encoding": "gzip"},
    )
    assert problem(answer) == (400, "broken_encoding")
    # Copying the rest for each of them took minutes.
    assert time.monotonic() - started < 20


def test_gzip_of_a_few_parts_is_read(collected: Collected) -> None:
    sent = event()
    body = json.dumps([sent]).encode()
    packed = gzip.compress(body[:50]) + gzip.compress(body[50:])
    answer = collected.send.post(
        "/v1/events/batch", content=packed, headers={"content-encoding": "gzip"}
    )
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("encoding", "content", "code"),
    [
        ("br", b"x", "unknown_encoding"),
        ("gzip, gzip", b"x", "unknown_encoding"),
        ("gzip", b"[]", "broken_encoding"),
        ("gzip", gzip.compress(b"[" * 1000)[:-9], "broken_encoding"),
        ("deflate", b"\xff\xff", "broken_encoding"),
        ("deflate", zlib.compress(b"[" * 1000)[:-5], "broken_encoding"),
    ],
)
def test_an_encoding_that_cannot_be_undone_is_named(
    collected: Collected, encoding: str, content: bytes, code: str
) -> None:
    answer = collected.send.post(
        "/v1/events/batch", content=content, headers={"content-encoding": encoding}
    )
    assert problem(answer) == (400, code)
    assert answer.json()["field"] == "Content-Encoding"


def test_too_many_items_are_refused_as_a_whole(collected: Collected) -> None:
    answer = collected.send.post("/v1/events/batch", content=b"[" + b"{}," * 100_000 + b"{}]")
    assert problem(answer) == (413, "too_many_items")


@pytest.mark.parametrize("item", [b"0", b"{}", b'{"request":{}}', b'{"req\\u0075est":{"uri":"/"}}'])
@pytest.mark.parametrize("path", ["/v1/events/batch", "/v1/users/batch", "/api/v1/events"])
def test_millions_of_items_in_a_few_bytes_are_refused_before_they_are_made(
    collected: Collected, path: str, item: bytes
) -> None:
    before = peak_bytes(collected)
    body = gzip.compress(b"[" + (item + b",") * (60_000_000 // (len(item) + 1)) + b"0]", 9)
    assert len(body) < 256 * 1024
    answer = collected.send.post(path, content=body, headers={"content-encoding": "gzip"})
    assert problem(answer) == (413, "too_many_items")
    # As objects they were gigabytes.
    assert peak_bytes(collected) - before < 400_000_000


def test_a_hundred_thousand_bad_items_are_answered_in_seconds(collected: Collected) -> None:
    started = time.monotonic()
    body = b"[" + b'{"request":{"uri":"/","time":"never"}},' * 99_999 + b"1]"
    answer = collected.send.post("/v1/events/batch", content=body, timeout=60)
    assert answer.status_code == 201
    said = answer.json()
    assert (said["accepted"], said["rejected_count"], len(said["rejected"])) == (0, 100_000, 100)
    # Cutting the body apart again for each of them took hours.
    assert time.monotonic() - started < 40


@pytest.mark.parametrize(
    "content",
    [b"", b"nothing", b"7", b'"text"', b"null", b"[", b'[{"a":1}', b'["', b'["' + b'\\"' * 100_000],
    ids=range(9),
)
def test_what_is_no_json_object_or_array_is_refused_and_kept(
    collected: Collected, content: bytes
) -> None:
    started = time.monotonic()
    answer = collected.send.post("/v1/events/batch", content=content)
    assert problem(answer) == (400, "not_json")
    assert time.monotonic() - started < 20
    kept = {item["content"]: item for item in collected.held() if item["reason"] == "not_json"}
    assert content.decode() in kept


@pytest.mark.parametrize(
    ("deep", "field"),
    [
        ({"request": {"body": "DEEP"}}, "request.body"),
        ({"response": {"body": "DEEP"}}, "response.body"),
        ({"metadata": "DEEP"}, "metadata"),
        ({"request": {"headers": {"a": "DEEP"}}}, "request.headers"),
        ({"response": {"headers": {"a": {"b": "DEEP"}}}}, "response.headers"),
    ],
)
@pytest.mark.parametrize("levels", [65, 500, 990])
def test_what_is_nested_too_deeply_is_rejected_with_its_place(
    collected: Collected, deep: dict[str, Any], field: str, levels: int
) -> None:
    body = json.dumps([event(**json.loads(json.dumps(deep))), event()])
    nest = "[" * levels + "]" * levels
    answer = collected.send.post("/v1/events/batch", content=body.replace('"DEEP"', nest))
    said = answer.json()
    assert (answer.status_code, said["accepted"]) == (201, 1)
    assert [(r["index"], r["reason"], r["field"]) for r in said["rejected"]] == [
        # Too deep even to be decoded: then nobody knows in which field it was.
        (0, "too_deep", field if levels < 990 else None)
    ]


def test_brackets_within_text_are_not_depth(collected: Collected) -> None:
    sent = event(request={"body": {"text": "[" * 200, "list": [{"a": [1, 2]}] * 100}})
    assert collected.post("/v1/events/batch", [sent]).json() == {"accepted": 1}
    assert collected.stored(sent["transaction_id"])["request"]["body"]["text"] == "[" * 200


def test_sixty_four_levels_are_fine(collected: Collected) -> None:
    sent = json.dumps([event(request={"body": "DEEP"})])
    answer = collected.send.post(
        "/v1/events/batch", content=sent.replace('"DEEP"', "[" * 64 + "]" * 64)
    )
    assert answer.json() == {"accepted": 1}


@pytest.mark.parametrize(
    ("change", "reason", "field"),
    [
        ({"transaction_id": "x" * 513}, "too_long", "transaction_id"),
        ({"user_id": "x" * 513}, "too_long", "user_id"),
        ({"request": {"uri": "/" * 40_000}}, "too_long", "request.uri"),
        (
            {"request": {"headers": {f"h{i}": "" for i in range(300)}}},
            "too_many",
            "request.headers",
        ),
        ({"request": {"time": "1999-12-31T00:00:00Z"}}, "time_out_of_range", "request.time"),
        ({"request": {"time": "2999-12-31T00:00:00Z"}}, "time_out_of_range", "request.time"),
        ({"response": {"status": 1000}}, "out_of_range", "response.status"),
        ({"response": {"status": -1}}, "out_of_range", "response.status"),
        ({"duration_us": -1}, "out_of_range", "duration_us"),
        ({"weight": 2_000_000}, "out_of_range", "weight"),
        ({"weight": 1.5}, "wrong_type", "weight"),
        ({"user_id": ["a"]}, "wrong_type", "user_id"),
        ({"request": "GET /"}, "wrong_type", "request"),
    ],
)
def test_a_single_bad_event_is_a_bad_request_that_names_the_field(
    collected: Collected, change: dict[str, Any], reason: str, field: str
) -> None:
    sent = event()
    for name, value in change.items():
        if isinstance(value, dict):
            sent[name].update(value)
        else:
            sent[name] = value
    answer = collected.post("/v1/events", sent)
    assert problem(answer) == (400, reason)
    assert answer.json()["field"] == field


def test_content_lengths_of_any_size_are_numbers_or_nothing(collected: Collected) -> None:
    sent = [
        event(request={"content_length": length})
        for length in ("9" * 5000, "12", "-1", "many", 10**25, -5, True)
    ]
    assert collected.post("/v1/events/batch", sent).json() == {"accepted": len(sent)}
    found = [collected.stored(one["transaction_id"])["request"]["bytes"] for one in sent]
    assert found[1:4] == [12, 0, 0]


def test_an_array_at_the_single_endpoint_keeps_its_good_items(collected: Collected) -> None:
    sent = event()
    answer = collected.post("/v1/events", [sent, {}])
    assert answer.status_code == 201
    assert answer.json()["accepted"] == 1
    assert collected.is_stored(sent["transaction_id"])


@pytest.mark.parametrize(
    ("path", "item", "reason", "field"),
    [
        ("/v1/users", {"company_id": "a"}, "missing", "user_id"),
        ("/v1/users", {"user_id": "a", "metadata": 7}, "wrong_type", "metadata"),
        ("/v1/companies", {"company_id": ""}, "missing", "company_id"),
        ("/v1/subscriptions", {"subscription_id": "a"}, "missing", "company_id"),
        ("/v1/users", [], None, None),
    ],
)
def test_parties_are_judged_before_they_are_acknowledged(
    collected: Collected, path: str, item: Any, reason: str | None, field: str | None
) -> None:
    good = {"user_id": new_id(), "company_id": new_id(), "subscription_id": new_id()}
    items = [good, item] if item else [good]
    said = collected.post(f"{path}/batch", items).json()
    assert said["accepted"] == 1
    shown = [(r["index"], r["reason"], r["field"]) for r in said.get("rejected", [])]
    assert shown == ([(1, reason, field)] if item else [])
    if item:
        assert problem(collected.post(path, item)) == (400, reason)


def test_the_report_of_a_capture_is_noted_whatever_it_holds(collected: Collected) -> None:
    def report(value: str) -> dict[str, int]:
        collected.post("/v1/events", event(), x_tollkeeper_capture=value)
        collected.server.settle()
        dropped: dict[str, int] = collected.api.get("/api/status").json()["dropped"]
        return dropped

    one = json.dumps({"instance": "a", "agent": "x", "dropped": {"queue_full": 3}})
    assert report(one)["queue_full"] == 3
    assert report(one.replace("3", "9"))["queue_full"] == 9
    assert report(one.replace("3", "4"))["queue_full"] == 9
    assert report(one.replace('"a"', '"b"'))["queue_full"] == 12
    for odd in ("{", "[]", "[" * 900, '{"instance": 1}', '{"dropped": {"queue_full": 1e99}}'):
        assert report(odd)["queue_full"] == 12
