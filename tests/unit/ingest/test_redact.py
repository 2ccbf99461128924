"""What is kept of what was not understood has no secrets, and can still become its event."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from tollkeeper.clock import SYSTEM_CLOCK, format_us
from tollkeeper.identity.credential import digest_from_secret
from tollkeeper.ingest.operation import Operation
from tollkeeper.ingest.redact import Safe, safe
from tollkeeper.store.records import read
from tollkeeper.store.tables import bindings, quarantine
from tollkeeper.testing.chdb import new_event_store
from tollkeeper.testing.inlet import PEPPER, Inlet

SECRET = "sk_live_51ABCDEFGH"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI1MTMifQ.c2lnbmF0dXJl"
LIMIT = 4096


def kept(content: bytes, claim: str = "sub") -> Safe:
    return safe(content, pepper=PEPPER, user_claim=claim, limit=LIMIT)


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"session_token": SECRET, "request": {"time": 1}}),
        json.dumps({"request": {"headers": {"Authorization": f"Bearer {SECRET}"}}}),
        json.dumps({"request": {"uri": f"https://a.example/?api_key={SECRET}&b=1"}}),
        json.dumps({"request": {"uri": f"https://ann:{SECRET}@a.example/"}}),
        json.dumps({"request": {"body": [{"deep": {"clientSecret": SECRET}}]}}),
        json.dumps([{"password": SECRET}]),
        f'{{"password": "{SECRET}", "n": NaN}}',
        f'{{"password": "{SECRET}"',
        f'[{{"password" : "{SECRET}',
        f'{{"token": {SECRET}, "a"',
        f'{{"a": "Authorization: Bearer {SECRET}',
        f"https://a.example/?access_token={SECRET}",
        f"a=1&password={SECRET}",
        f"no JSON but a token: {JWT} and more",
        f'{{"a":1}} "password": "{SECRET}"',
        "x" * LIMIT + f'"password": "{SECRET}"',
        "[" * 500 + f'{{"password": "{SECRET}"}}',
    ],
)
def test_no_secret_is_kept_whatever_is_wrong(content: str) -> None:
    found = kept(content.encode()).content
    assert SECRET.encode() not in found
    assert JWT.encode() not in found
    assert len(found) <= LIMIT + 1


@pytest.mark.parametrize("content", [b'{"a": 1}', b"nothing", b"\xff\x00", b'{"a": 1e400}', b""])
def test_what_has_no_secret_is_kept_as_it_is(content: bytes) -> None:
    assert kept(content) == Safe(content, "", "")


@given(st.binary(max_size=300))
def test_anything_can_be_kept(content: bytes) -> None:
    assert isinstance(kept(content).content, bytes)


def test_what_is_too_long_is_known_to_be_cut() -> None:
    long = b'"password": "' + b"s" * 3 * LIMIT + b'"'
    assert len(kept(long).content) == LIMIT + 1


def test_the_caller_is_kept_as_digest_and_user() -> None:
    digest = digest_from_secret(PEPPER, JWT)
    by_header = {"request": {"headers": {"authorization": f"Bearer {JWT}"}}}
    assert kept(msgspec.json.encode(by_header))[1:] == (digest, "513")
    assert kept(msgspec.json.encode({"session_token": JWT}))[1:] == (digest, "513")
    assert kept(msgspec.json.encode({"session_token": "[masked]"}))[1:] == ("", "")


@pytest.fixture
def inlet(tmp_path: Path) -> Iterator[Inlet]:
    store = new_event_store()
    opened = Inlet(tmp_path, store)
    yield opened
    opened.close()
    store.close()


def test_what_was_held_becomes_the_event_it_would_have_been(inlet: Inlet) -> None:
    now_us = SYSTEM_CLOCK.now_us()

    def wire(name: str, at_us: int, **said: Any) -> dict[str, Any]:
        request = {"time": format_us(at_us), "uri": "/x", "verb": "GET"}
        return {"transaction_id": name, "request": request, "session_token": SECRET, **said}

    later_us = now_us + 3 * 86_400_000_000
    inlet.send("held", [wire("a", now_us), wire("b", later_us, user_id="ann")])
    inlet.drain()

    class Later:
        def now_us(self) -> int:
            return later_us

    def again() -> int:
        operation = Operation(
            journal=inlet.journal,
            pipeline=inlet.pipeline,
            store=inlet.store,
            records=inlet.records,
            applications=list,
            clock=Later(),  # type: ignore[arg-type]
        )
        sent = operation.replay(None)
        inlet.drain()
        return sent

    with read(inlet.records) as connection:
        row = connection.execute(select(quarantine)).one()
    assert SECRET.encode() not in row.content
    assert again() == 1
    rows = inlet.store.query("SELECT id, credential, captured_user FROM events ORDER BY id").rows
    digest = digest_from_secret(PEPPER, SECRET)
    assert rows == [("a", digest, ""), ("b", digest, "ann")]
    with read(inlet.records) as connection:
        known = connection.execute(select(bindings.c.key, bindings.c.user)).all()
    assert [tuple(row) for row in known] == [(digest, "ann")]
    assert again() == 0


def test_two_callers_who_send_the_same_are_held_apart(inlet: Inlet) -> None:
    for token in ("first_token_1", "second_token_2", "first_token_1"):
        inlet.send("two", [{"session_token": token, "request": {"time": "never", "uri": "/"}}])
    inlet.drain()
    with read(inlet.records) as connection:
        query = select(quarantine.c.seen_count).where(quarantine.c.application == "two")
        assert sorted(connection.execute(query).scalars()) == [1, 2]


def test_a_masked_token_is_nobodys(inlet: Inlet) -> None:
    inlet.send("masked", [{"user_id": "ann", "session_token": "[masked]"}], resource="users")
    wire = {"request": {"time": "2026-01-01T00:00:00Z", "uri": "/"}, "session_token": "[masked]"}
    inlet.send("masked", [wire])
    inlet.drain()
    with read(inlet.records) as connection:
        query = select(bindings).where(bindings.c.application == "masked")
        assert connection.execute(query).all() == []
    rows = inlet.store.query("SELECT credential FROM events WHERE application = 'masked'").rows
    assert rows == [("",)]
