"""Anything at all sent to the collector: never a 5xx, always a reason, and neighbours are stored."""

import gzip
import json
import random
import zlib
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tollkeeper.testing.server import ServerProcess

SEED = 513
ROUNDS = 250
PATHS = [
    f"/v1/{name}{tail}"
    for name in ("events", "actions", "users", "companies", "subscriptions")
    for tail in ("", "/batch")
]
FIELDS = [
    "transaction_id",
    "user_id",
    "company_id",
    "session_token",
    "subscription_id",
    "metadata",
    "direction",
    "weight",
    "tags",
    "blocked_by",
    "trace_id",
    "action_name",
    "duration_us",
    "credential",
    "outcome",
    "request",
    "response",
    "anonymous_id",
    "modified_time",
    "campaign",
    "items",
    "status",
    "company_domain",
]
INNER = [
    "time",
    "uri",
    "verb",
    "headers",
    "body",
    "transfer_encoding",
    "ip_address",
    "api_version",
    "route",
    "bytes",
    "content_length",
    "status",
    "user_agent_string",
]

# Raw JSON text, because much of it is nothing that a JSON library would write.
VALUES = [
    b"NaN",
    b"-Infinity",
    b"1e400",
    b"1" + b"0" * 30,
    b"-1" + b"0" * 30,
    b"9" * 5000,
    b"18446744073709551616",
    b"-0",
    b"0.1e-999",
    b'"\\ud83d"',
    b'"\\udc00\\ud83d"',
    b'"\\u0000"',
    b'"\xff\xfe\xc0\x80"',
    b'"\xed\xa0\x80"',
    b'"' + b"x" * 70_000 + b'"',
    b"[" * 70 + b"]" * 70,
    b"[" * 997 + b"]" * 997,
    b"[" * 100_000,
    b'{"a":' * 300 + b"1" + b"}" * 300,
    b"null",
    b"true",
    b"{}",
    b"[]",
    b'""',
    b'" "',
    b"[[[]]]",
    b'{"":{"":""}}',
    b'{"a":1,"a":2}',
    b'"2026-02-30T00:00:00Z"',
    b'"0000-00-00T00:00:00Z"',
    b'"9999-12-31T23:59:59.999999999Z"',
    b'"2026-11-20T12:00:00+99:99"',
    b'"Bearer a.b.c"',
    b'"Basic ////"',
    b'"http://[::1"',
    b'"://?#&=%zz"',
    b"1.5",
    b"-1",
    b"0",
    b"",
    b"undefined",
    b"'single'",
    b"//comment",
    b'"unterminated',
    b"\x00",
]


def good(name: str) -> dict[str, Any]:
    return {
        "transaction_id": name,
        "request": {"time": "2026-10-01T00:00:00Z", "uri": "/fuzz", "verb": "GET", "headers": {}},
        "response": {"time": "2026-10-01T00:00:01Z", "status": 200, "headers": {}},
    }


def bad(dice: random.Random) -> bytes:
    """One item with a wrong value somewhere, as bytes that may not be JSON at all."""
    value = dice.choice(VALUES)
    item = good(f"bad-{dice.random()}")
    item |= {"user_id": "a", "company_id": "b", "subscription_id": "c", "action_name": "d"}
    if dice.random() < 0.5:
        item[dice.choice(FIELDS)] = "HOLE"
    else:
        item[dice.choice(["request", "response"])][dice.choice(INNER)] = "HOLE"
    content = json.dumps(item).encode().replace(b'"HOLE"', value)
    if dice.random() < 0.1:
        at = dice.randrange(len(content))
        content = content[:at] + bytes([dice.randrange(256)]) + content[at + dice.randrange(3) :]
    return content


def judge(answer: httpx.Response) -> None:
    assert answer.status_code < 500, answer.text[:500]
    assert answer.headers["x-moesif-config-etag"]
    said = answer.json() if answer.content else {}
    if answer.status_code >= 400 and "rejected" not in said:
        assert said["code"]
        assert said["detail"]
    for rejected in said.get("rejected", []):
        assert rejected["reason"]
        assert rejected["detail"]


@pytest.mark.timeout(180)
def test_wrong_values_in_any_field_never_cost_the_neighbours(server: ServerProcess) -> None:
    dice = random.Random(SEED)
    names = []
    with server.collector() as client:
        for number in range(ROUNDS):
            # What has no balanced quotes or brackets of its own can hide what comes after it, so
            # the neighbours stand before.
            name = f"good-{number}"
            content = b"[" + json.dumps(good(name)).encode() + b"," + bad(dice) + b"]"
            answer = client.post("/v1/events/batch", content=content)
            judge(answer)
            if answer.status_code == 201:
                names.append(name)
                assert answer.json()["accepted"] >= 1
            judge(client.post(dice.choice(PATHS), content=bad(dice)))
    assert len(names) > ROUNDS / 2
    server.settle()
    with server.client() as client:
        found = {
            name: client.get(f"/api/events/{name}").status_code
            for name in names[:: len(names) // 40]
        }
        status = client.get("/api/status").json()
        recount = client.post("/api/recount").json()
    assert set(found.values()) == {200}
    assert status["events_total"] >= len(names)
    assert status["quarantine"]["count"] > 0
    assert recount["equal"], recount["differences"]


def cut(body: bytes) -> bytes:
    return body[: len(body) // 2]


ENCODINGS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("gzip", lambda body: cut(gzip.compress(body))),
    ("gzip", bytes),
    ("gzip", lambda body: gzip.compress(body) + b"trailing"),
    ("gzip", lambda body: gzip.compress(gzip.compress(body))),
    ("deflate", zlib.compress),
    ("deflate", lambda body: cut(zlib.compress(body))),
    ("deflate", gzip.compress),
    ("br", bytes),
    ("gzip, deflate", gzip.compress),
    ("\xff", bytes),
    ("", gzip.compress),
]


def test_wrong_encodings_are_named(server: ServerProcess) -> None:
    body = json.dumps([good("encoded")]).encode()
    with server.collector() as client:
        for encoding, pack in ENCODINGS:
            headers = [(b"content-encoding", encoding.encode("latin-1"))]
            answer = client.post("/v1/events/batch", content=pack(body), headers=headers)
            judge(answer)
            assert answer.status_code in {201, 400}, (encoding, answer.text)


def test_giant_and_odd_headers_are_survived(server: ServerProcess) -> None:
    odd = [
        {"x-large": "y" * 60_000},
        {f"x-{number}": "y" for number in range(1000)},
        {"authorization": "Bearer " + "z" * 30_000},
        {"x-moesif-application-id": "z" * 30_000},
        {"x-tollkeeper-capture": "[" * 20_000},
        {"x-tollkeeper-capture": '{"instance":"a","dropped":{"x":1e999}}'},
        {"user-agent": "kong-plugin-moesif/" + "9" * 5000},
        {"content-type": "application/json; charset=utf-16"},
        {"transfer-encoding": "chunked"},
    ]
    with server.collector() as client:
        for headers in odd:
            content = json.dumps([good("headers")])
            answer = client.post("/v1/events/batch", content=content, headers=headers)
            assert answer.status_code < 500, (list(headers), answer.text)
        assert client.get("/v1/config").status_code == 200


def test_cloudevents_of_any_shape_are_answered(server: ServerProcess) -> None:
    dice = random.Random(SEED)
    names = [
        "specversion",
        "id",
        "source",
        "type",
        "subject",
        "time",
        "data",
        "sampledrate",
        "traceparent",
        "data_base64",
    ]
    kinds = ("application/cloudevents+json", "application/cloudevents-batch+json", "", "text/plain")
    with server.collector() as client:
        for number in range(100):
            event: dict[str, Any] = {
                "specversion": "1.0",
                "id": str(number),
                "source": "/fuzz",
                "type": "t",
                dice.choice(names): "HOLE",
            }
            content = json.dumps(event).encode().replace(b'"HOLE"', dice.choice(VALUES))
            headers = {"content-type": dice.choice(kinds)}
            judge(client.post("/api/v1/events", content=content, headers=headers))
            judge(client.post("/api/v1/events", content=b"[" + content + b"]", headers=headers))
            raw = {**headers, "ce-id": "%ff%00", "ce-source": "/f", "ce-type": "t"}
            raw[f"ce-{dice.choice(names)}"] = dice.choice(["", "1.0", "%", "9" * 5000, "x" * 600])
            judge(client.post("/api/v1/events", content=dice.choice(VALUES), headers=raw))


def test_a_hundred_thousand_elements_are_read_or_refused(server: ServerProcess) -> None:
    with server.collector(timeout=60) as client:
        for element in (b"{}", b"1", b"[]", b'"\\ud800"'):
            answer = client.post(
                "/v1/events/batch", content=b"[" + (element + b",") * 99_999 + b"0]"
            )
            judge(answer)
            assert answer.json()["rejected_count"] == 100_000
