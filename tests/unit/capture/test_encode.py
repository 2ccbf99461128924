from __future__ import annotations

import hashlib
import json
import random
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.capture.encode import EVENT_LIMIT_BYTES
from tollkeeper.capture.ids import Ids
from tollkeeper.capture.loop import OwnLoop
from tollkeeper.capture.prepare import Preparer
from tollkeeper.capture.stats import Counts
from tollkeeper.clock import SYSTEM_CLOCK
from tollkeeper.model.secret import MASK


class Stopped:
    """A clock that stands still until it is moved."""

    now = 1_795_176_000_123_456

    def now_us(self):
        return self.now

    def monotonic_ns(self):
        return self.now * 1000

    def wait(self, event, seconds):
        return event.wait(0)


@pytest.fixture
def encode(options, call):
    loop = OwnLoop()

    def run(fields=None, counts=None, **settings):
        preparer = Preparer(
            options(**settings), counts or Counts(), SYSTEM_CLOCK, random.Random(1), loop
        )
        (event,) = preparer.prepare(call(**(fields or {})))
        return json.loads(event)

    yield run
    loop.close()


def endless():
    document = {}
    document["a"] = document["b"] = document
    return document


def test_an_event_holds_what_was_seen(encode):
    event = encode(
        {
            "method": "POST",
            "scheme": "https",
            "query": "page=2&api_key=k",
            "request_headers": [
                ("host", "api.example.com"),
                ("authorization", "Bearer hush"),
                ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
                ("accept", "a"),
                ("accept", "b"),
            ],
            "response_headers": [("content-type", "text/plain"), ("set-cookie", "sid=1")],
            "request_bytes": 12,
            "response_bytes": 34,
            "user": "u1",
            "company": "c1",
            "metadata": {"plan": "gold"},
        },
        api_version="2.1",
        metadata={"region": "eu"},
    )
    assert uuid.UUID(event.pop("transaction_id")).version == 7
    assert event == {
        "request": {
            "time": "2026-11-20T12:00:00.123456Z",
            "uri": f"https://api.example.com/pets/17?page=2&api_key={MASK}",
            "verb": "POST",
            "headers": {
                "host": "api.example.com",
                "authorization": MASK,
                "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                "accept": "a, b",
            },
            "ip_address": "198.51.100.7",
            "route": "/pets/{id}",
            "bytes": 12,
            "api_version": "2.1",
        },
        "response": {
            "time": "2026-11-20T12:00:00.124690Z",
            "status": 200,
            "headers": {"content-type": "text/plain", "set-cookie": MASK},
            "bytes": 34,
        },
        "direction": "Incoming",
        "weight": 1,
        "duration_us": 1234,
        "user_id": "u1",
        "company_id": "c1",
        "credential": hashlib.sha256(b"hush").hexdigest(),
        "metadata": {"krakend": {"region": "eu"}, "plan": "gold"},
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
    }


def test_a_call_without_an_answer_has_no_response(encode):
    event = encode({"status": 0, "outcome": "disconnect", "direction": "Outgoing", "peer_ip": ""})
    assert event["response"] is None
    assert (event["outcome"], event["direction"], event["request"]["ip_address"]) == (
        "disconnect",
        "Outgoing",
        None,
    )


def test_ids_are_templated_out_of_a_path_without_a_route(encode):
    assert encode({"route": None, "path": "/pets/17"})["request"]["route"] == "/pets/{id}"


def test_an_address_never_holds_a_user_part(encode):
    assert encode({"host": "user:pass@api.io"})["request"]["uri"] == "http://api.io/pets/17"
    assert encode({"host": ""})["request"]["uri"] == "http://localhost/pets/17"


def test_bodies_stay_home_unless_asked_for(encode):
    bodies = {
        "request_body": b'{"password": 1, "a": 2}',
        "response_body": b"cut o",
        "response_truncated": True,
    }
    event = encode(bodies)
    assert "body" not in event["request"]
    assert "body" not in event["response"]
    event = encode(bodies, log_body=True, response_body_masks=["x"])
    assert event["request"]["body"] == {"password": MASK, "a": 2}
    assert event["request"]["transfer_encoding"] == "json"
    assert event["response"]["body"] == "cut o"
    assert event["metadata"] == {"tollkeeper": {"response_body": "truncated"}}


def test_no_secret_of_a_call_is_in_its_event(encode):
    secret = "hush-hush-513"
    fields = {
        "session_token": f"Bearer {secret}",
        "query": f"token={secret}",
        "request_headers": [
            ("authorization", f"Bearer {secret}"),
            ("cookie", f"s={secret}"),
            ("x-api-key", secret),
        ],
        "response_headers": [
            ("set-cookie", f"s={secret}"),
            ("location", f"/x?access_token={secret}"),
        ],
        "request_body": json.dumps({"client_secret": secret, "a": [{"password": secret}]}).encode(),
        "response_body": f"access_token={secret}".encode(),
    }
    fields["response_headers"].append(("content-type", "application/x-www-form-urlencoded"))
    assert secret not in json.dumps(encode(fields, log_body=True))


def test_lone_surrogates_are_replaced(encode):
    bad = "x\ud800y"
    event = encode(
        {
            "user": bad,
            "path": f"/{bad}",
            "request_headers": [("a", bad)],
            "metadata": {bad: [bad, 1]},
        }
    )
    good = "x\ufffdy"
    assert (event["user_id"], event["request"]["headers"]["a"]) == (good, good)
    assert event["metadata"] == {good: [good, 1]}
    assert event["request"]["uri"].endswith(f"/{good}")


def test_metadata_that_json_does_not_know_becomes_text_or_is_left_out(encode):
    class Broken:
        def __str__(self):
            raise RuntimeError

    counts = Counts()
    assert encode({"metadata": {"a": uuid.UUID(int=1), "b": object}}, counts)["metadata"][
        "a"
    ].endswith("0001")
    assert counts.errors == {}
    assert encode({"metadata": {"a": Broken()}}, counts)["metadata"] == {"a": None}
    assert "metadata" not in encode({"metadata": endless(), "user": "u"}, counts)
    assert counts.errors == {"get_metadata": 2}


def test_secrets_in_metadata_are_masked_and_the_hosts_own_objects_are_left_alone(encode):
    given = {"plan": "gold", "auth": {"token": "t"}, "calls": [{"api_key": "k", "n": 1}]}
    kept = json.dumps(given)
    event = encode({"metadata": given}, metadata={"region": "eu"})
    assert event["metadata"] == {
        "krakend": {"region": "eu"},
        "plan": "gold",
        "auth": MASK,
        "calls": [{"api_key": MASK, "n": 1}],
    }
    assert json.dumps(given) == kept


def test_a_body_that_cannot_be_read_costs_no_event(encode):
    counts = Counts()
    event = encode({"request_body": memoryview(b"{}")}, counts, log_body=True)
    assert event["metadata"]["tollkeeper"] == {"request_body": "not sent: cannot be read"}
    assert counts.errors == {"body": 1}


def test_an_event_that_is_too_large_keeps_only_what_counts_it(encode):
    counts = Counts()
    event = encode(
        {"metadata": {"a": "x" * EVENT_LIMIT_BYTES}, "user": "u", "query": "q=1"}, counts
    )
    assert event["user_id"] == "u"
    assert event["request"]["uri"] == "http://api.example.com/pets/17"
    assert "metadata" not in event
    assert counts.errors == {"too_large": 1}


def test_nothing_is_longer_than_the_collector_takes(encode):
    counts = Counts()
    fields = {
        "user": "u" * 600,
        "company": "u" * 601,
        "query": "q" * 40_000,
        "request_headers": [(f"x-{number}", "v") for number in range(300)],
        "response_headers": [(f"x-{number}", "v") for number in range(300)],
        "metadata": {"a": nested(70), "b": 1},
    }
    event = encode(fields, counts)
    assert len(event["user_id"]) == len(event["company_id"]) == 512
    assert event["user_id"] != event["company_id"]
    assert len(event["request"]["uri"]) == 32_000
    assert len(event["request"]["headers"]) == len(event["response"]["headers"]) == 256
    assert "metadata" not in event
    assert counts.errors == {"get_metadata": 1}


def nested(depth):
    document = []
    for _ in range(depth):
        document = [document]
    return document


def test_mask_event_has_the_last_word_but_not_on_what_is_counted(encode):
    def mask(event):
        event["request"]["headers"] = {}
        event["weight"], event["transaction_id"] = 99, "forged"
        return event

    async def later(event):
        return mask(event)

    for function in (mask, later):
        event = encode({"request_headers": [("a", "b")]}, mask_event=function)
        assert event["request"]["headers"] == {}
        assert event["weight"] == 1
        assert event["transaction_id"] != "forged"


@pytest.mark.parametrize("answer", [None, "x", endless(), RuntimeError()])
def test_a_mask_that_fails_lets_no_content_out(encode, answer):
    def mask(event):
        if isinstance(answer, Exception):
            raise answer
        return answer

    counts = Counts()
    fields = {
        "request_headers": [("a", "b")],
        "query": "q=1",
        "request_body": b"{}",
        "metadata": {"a": 1},
    }
    event = encode(fields, counts, mask_event=mask, log_body=True)
    assert event["request"] == {
        "time": "2026-11-20T12:00:00.123456Z", "uri": "http://api.example.com/pets/17", "verb": "GET",
        "headers": {}, "ip_address": "198.51.100.7", "route": "/pets/{id}", "bytes": 0,
    }  # fmt: skip
    assert "metadata" not in event
    assert counts.errors == {"mask_event": 1}


@given(st.lists(st.integers(-3, 3), max_size=60))
def test_ids_rise_whatever_the_clock_does(steps):
    clock = Stopped()
    ids = Ids(clock)
    made = []
    for step in steps:
        clock.now += step * 700
        made.append(ids.next())
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert all(
        uuid.UUID(text).version == 7 and uuid.UUID(text).variant == uuid.RFC_4122 for text in made
    )


def test_ids_tell_the_time_and_differ_between_makers():
    first, second = Ids(Stopped()).next(), Ids(Stopped()).next()
    assert uuid.UUID(first).int >> 80 == Stopped.now // 1000
    assert first != second
