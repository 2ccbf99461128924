"""The fourteen points that make a collector a drop-in one (protocol notes, section 0)."""

import gzip
import json
import zlib
from typing import Any

import httpx
import pytest
from collecting import Collected, event, new_id

TAGS = ("x-moesif-config-etag", "x-moesif-rules-tag", "x-moesif-rules-etag")
WRITES = {
    "/v1/events": event,
    "/v1/actions": lambda: {
        "action_name": "signed up",
        "request": {"uri": "https://x.example/", "time": event()["request"]["time"]},
    },
    "/v1/users": lambda: {"user_id": new_id()},
    "/v1/companies": lambda: {"company_id": new_id()},
    "/v1/subscriptions": lambda: {"subscription_id": new_id(), "company_id": new_id()},
}


@pytest.mark.parametrize("path", WRITES)
def test_01_writes_are_answered_with_201(collected: Collected, path: str) -> None:
    assert collected.post(path, WRITES[path]()).status_code == 201
    answer = collected.post(f"{path}/batch", [WRITES[path](), WRITES[path]()])
    assert answer.status_code == 201
    assert answer.json() == {"accepted": 2}


@pytest.mark.parametrize("headers", [{}, {"x-moesif-application-id": "nobody"}])
def test_02_config_and_rules_answer_200_to_anybody(
    collected: Collected, headers: dict[str, str]
) -> None:
    for path, shape in (("/v1/config", dict), ("/v1/rules", list)):
        answer = httpx.get(collected.server.url + path, headers=headers)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("application/json")
        assert isinstance(answer.json(), shape)


def test_03_both_tags_are_on_every_answer_and_do_not_change(collected: Collected) -> None:
    url = collected.server.url
    known = collected.send.get("/v1/config").headers
    answers = [
        collected.send.get("/v1/rules"),
        collected.post("/v1/events", event()),
        collected.post("/v1/events/batch", []),
        collected.send.post("/v1/events", content=b"not json"),
        collected.send.get("/v1/events"),
        collected.send.post("/v1/events", content=b"x", headers={"content-encoding": "br"}),
        collected.send.options("/v1/events"),
    ]
    for answer in answers:
        for tag in TAGS:
            assert answer.headers[tag] == known[tag], answer
    stranger = httpx.post(f"{url}/v1/events", json=event())
    assert stranger.status_code == 401
    assert all(stranger.headers[tag] for tag in TAGS)


def test_04_the_config_tag_covers_the_rules(collected: Collected) -> None:
    headers = collected.send.get("/v1/config").headers
    assert headers["x-moesif-config-etag"] != headers["x-moesif-rules-tag"]
    assert headers["x-moesif-rules-tag"] == headers["x-moesif-rules-etag"]


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda body: _raw_deflate(body)),
        ("identity", bytes),
    ],
    ids=["gzip", "upper", "zlib", "raw", "identity"],
)
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", ""])
def test_05_any_encoding_and_any_content_type_is_read(
    collected: Collected, encoding: str, pack: Any, content_type: str
) -> None:
    sent = event()
    answer = collected.send.post(
        "/v1/events/batch",
        content=pack(json.dumps([sent]).encode()),
        headers={"content-encoding": encoding, "content-type": content_type},
    )
    assert answer.status_code == 201, answer.text
    assert collected.is_stored(sent["transaction_id"])


def test_06_a_bad_event_is_named_and_its_neighbours_are_stored(collected: Collected) -> None:
    first, last = event(), event()
    bad = [
        {**event(), "weight": 0},
        {"response": {}},
        event(request={"time": "yesterday"}),
        event(request={"uri": ""}),
        event(response={"status": "many"}),
        event(request={"headers": [1]}),
        7,
    ]
    answer = collected.post("/v1/events/batch", [first, *bad, last])
    assert answer.status_code == 201
    said = answer.json()
    assert said["accepted"] == 2
    assert [(r["index"], r["reason"], r["field"]) for r in said["rejected"]] == [
        (1, "out_of_range", "weight"),
        (2, "missing", "request"),
        (3, "invalid_time", "request.time"),
        (4, "missing", "request.uri"),
        (5, "wrong_type", "response.status"),
        (6, "wrong_type", "request.headers"),
        (7, "wrong_type", None),
    ]
    assert collected.is_stored(first["transaction_id"])
    assert collected.is_stored(last["transaction_id"])


def test_07_python_json_is_understood(collected: Collected) -> None:
    name = new_id()
    at = event()["request"]["time"]
    body = (
        b'[{"transaction_id":"'
        + name.encode()
        + b'","request":{"time":"'
        + at.encode()
        + b'","uri":"https://x.example/a","verb":"POST","headers":{"a":"\\ud83d"},'
        b'"body":{"n":NaN,"i":Infinity,"m":-Infinity,"big":1'
        + b"0" * 30
        + b',"huge":1'
        + b"0" * 5000
        + b',"nul":"\\u0000","lone":"\\udc00","raw":"\xff"}},'
        b'"response":null,"user_id":"","metadata":{"x":NaN}}]'
    )
    answer = collected.send.post("/v1/events/batch", content=body)
    assert answer.json() == {"accepted": 1}
    found = collected.stored(name)
    assert found["user"] == ""
    assert found["response"]["status"] == 0
    assert found["request"]["body"]["n"] is None
    assert found["request"]["body"]["nul"] == "\0"
    assert found["request"]["body"]["lone"] == "?"
    assert found["metadata"] == {"x": None}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("{}T10:11:12Z", "{}T10:11:12.000000Z"),
        ("{}T10:11:12", "{}T10:11:12.000000Z"),
        ("{}T10:11:12.345Z", "{}T10:11:12.345000Z"),
        ("{}T10:11:12.345", "{}T10:11:12.345000Z"),
        ("{}T10:11:12.345678", "{}T10:11:12.345678Z"),
        ("{}T10:11:12.345678+02:00", "{}T08:11:12.345678Z"),
        ("{}T10:11:12z", "{}T10:11:12.000000Z"),
        ("{}t10:11:12.5z", "{}T10:11:12.500000Z"),
    ],
)
def test_07_times_are_read_as_sdks_write_them(
    collected: Collected, written: str, read: str
) -> None:
    day = event()["request"]["time"][:4] + "-01-02"
    sent = event(request={"time": written.format(day)}, response={"time": written.format(day)})
    assert collected.post("/v1/events", sent).status_code == 201
    assert collected.stored(sent["transaction_id"])["time"] == read.format(day)


def test_07_kong_writes_its_milliseconds_unpadded(collected: Collected) -> None:
    day = event()["request"]["time"][:4] + "-01-02"
    sent = event(request={"time": f"{day}T10:11:05.7Z"}, response={"time": f"{day}T10:11:05.12Z"})
    answer = collected.post("/v1/events/batch", [sent], user_agent="kong-plugin-moesif/2.1.2")
    assert answer.status_code == 201
    found = collected.stored(sent["transaction_id"])
    assert found["time"] == f"{day}T10:11:05.007000Z"
    assert found["duration_ms"] == 5.0


def test_07_numbers_are_ids_too_and_empty_text_is_absent(collected: Collected) -> None:
    sent = event(user_id=513, company_id="", session_token="", direction="", blocked_by=None)
    assert collected.post("/v1/events", sent).status_code == 201
    found = collected.stored(sent["transaction_id"])
    assert (found["user"], found["customer"], found["direction"]) == ("513", "", "incoming")


def test_08_the_top_level_transaction_id_is_the_identity(collected: Collected) -> None:
    sent = event()
    for _ in range(3):
        # A header of that name is passed on from service to service and means nothing here.
        answer = collected.post("/v1/events/batch", [sent], x_moesif_transaction_id=new_id())
        assert answer.status_code == 201
    count = {"field": "id", "op": "eq", "value": sent["transaction_id"]}
    collected.server.settle()
    listed = collected.api.get(
        "/api/events", params={"filter": json.dumps(count), "from": "-1h"}
    ).json()
    assert len(listed["events"]) == 1


def test_08_a_batch_without_ids_is_recognised_when_it_comes_again(collected: Collected) -> None:
    marker = new_id()
    batch = [event(request={"uri": f"https://x.example/{marker}"}) for _ in range(2)]
    for one in batch:
        del one["transaction_id"]
    packed = gzip.compress(json.dumps(batch).encode())
    for headers in ({"content-encoding": "gzip"}, {"content-encoding": "gzip"}):
        assert (
            collected.send.post("/v1/events/batch", content=packed, headers=headers).status_code
            == 201
        )
    assert collected.send.post("/v1/events/batch", json=batch).status_code == 201
    collected.server.settle()
    condition = {"field": "uri", "op": "contains", "value": marker}
    listed = collected.api.get(
        "/api/events", params={"filter": json.dumps(condition), "from": "-1h"}
    ).json()["events"]
    # httpx writes other JSON than json.dumps: another body, so other ids; each body counts once.
    assert len(listed) == 4


def test_09_the_collector_id_has_at_least_fifty_characters(collected: Collected) -> None:
    listed = collected.api.get("/api/applications").json()["applications"]
    assert len(listed[0]["collector_id"]) >= 50
    assert listed[0]["collector_id"].isascii()


@pytest.mark.parametrize("path", ["/v1/events", "/v1/users/batch", "/v1/config"])
def test_10_browsers_may_send(collected: Collected, path: str) -> None:
    answer = httpx.options(
        collected.server.url + path,
        headers={
            "origin": "https://shop.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": "content-type,x-moesif-application-id,x-moesif-sdk",
        },
    )
    assert answer.status_code == 204
    allowed = answer.headers["access-control-allow-headers"].replace(" ", "").split(",")
    assert {"content-type", "x-moesif-application-id", "x-moesif-sdk"} <= set(allowed)
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert collected.post("/v1/events", event()).headers["access-control-allow-origin"] == "*"


def test_11_the_config_has_every_key_and_no_null_map(collected: Collected) -> None:
    config = collected.send.get("/v1/config").json()
    assert set(config) >= {
        "org_id",
        "app_id",
        "sample_rate",
        "user_sample_rate",
        "company_sample_rate",
        "regex_config",
        "user_rules",
        "company_rules",
        "block_bot_traffic",
        "ip_addresses_blocked_by_name",
        "billing_config_jsons",
    }
    assert None not in config.values()


@pytest.mark.parametrize("path", [f"{p}{tail}" for p in WRITES for tail in ("", "/batch")])
def test_12_an_unknown_application_cannot_write(collected: Collected, path: str) -> None:
    for headers in ({}, {"x-moesif-application-id": "x" * 60}):
        answer = httpx.post(collected.server.url + path, json=[], headers=headers)
        assert answer.status_code == 401
        assert answer.json()["field"] == "X-Moesif-Application-Id"
        assert answer.headers["www-authenticate"] == "Bearer"


def test_13_the_sample_rate_divides_a_hundred(collected: Collected) -> None:
    assert 100 % collected.send.get("/v1/config").json()["sample_rate"] == 0


def test_14_the_config_costs_no_store(collected: Collected) -> None:
    # The same bytes each time: made once, not asked of anything.
    answers = {collected.send.get("/v1/config").content for _ in range(50)}
    assert len(answers) == 1


def _raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()
