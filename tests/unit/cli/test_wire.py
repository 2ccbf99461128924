import json
from typing import Any

import pytest

from tollkeeper.cli.wire import to_wire
from tollkeeper.errors import InvalidInput

EXPORTED: dict[str, Any] = {
    "id": "e1",
    "time": "2026-11-20T12:00:00.000001Z",
    "source": "native",
    "direction": "outgoing",
    "action": "",
    "user": "513",
    "customer": "acme",
    "credential": "40a4ad9d17802daaead4e80257367e6f",
    "request": {
        "method": "POST",
        "uri": "https://h/pets/3",
        "route": "/pets/{id}",
        "headers": {"a": "b"},
        "body": {"x": 1},
        "body_encoding": "json",
        "bytes": 7,
        "ip": "1.2.3.4",
        "api_version": "2",
    },
    "response": {"status": 500, "headers": {}, "body": "AAE=", "body_encoding": "base64", "bytes": 2},
    "duration_ms": 1.234,
    "metadata": {"k": [1]},
    "weight": 3,
    "trace_id": "t",
    "blocked_by": "",
    "tags": "",
    "outcome": "exception",
    "subscription": "s",
}  # fmt: skip


def test_a_wire_event_stays_as_it_is() -> None:
    line = b'{"request": {"time": "2026-11-20T12:00:00Z", "uri": "/x"}, "weight": 2}'
    assert to_wire(line) == line


def test_an_exported_event_says_the_same_on_the_wire() -> None:
    wire = json.loads(to_wire(json.dumps(EXPORTED).encode()))
    request, response = wire["request"], wire["response"]
    assert (wire["transaction_id"], wire["user_id"], wire["company_id"]) == ("e1", "513", "acme")
    assert (request["time"], request["verb"], request["uri"], request["route"]) == (
        EXPORTED["time"],
        "POST",
        "https://h/pets/3",
        "/pets/{id}",
    )
    assert (request["body"], request["transfer_encoding"]) == ({"x": 1}, "json")
    assert (response["status"], response["body"], response["transfer_encoding"]) == (
        500,
        "AAE=",
        "base64",
    )
    assert (wire["duration_us"], wire["weight"], wire["outcome"]) == (1234, 3, "exception")
    assert (wire["metadata"], wire["subscription_id"]) == ({"k": [1]}, "s")


def test_a_keyed_digest_is_never_taken_for_a_credential() -> None:
    assert b"40a4ad9d17802daaead4e80257367e6f" not in to_wire(json.dumps(EXPORTED).encode())


def test_a_call_without_an_answer_stays_without_one() -> None:
    silent = EXPORTED | {"response": {"status": 0, "headers": None, "body": None}}
    assert "response" not in json.loads(to_wire(json.dumps(silent).encode()))


@pytest.mark.parametrize("line", [b"nonsense", b"[]", b"3", b"\xff", b"[" * 5000])
def test_a_line_that_is_no_event_is_refused(line: bytes) -> None:
    with pytest.raises(InvalidInput):
        to_wire(line)
