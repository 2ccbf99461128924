"""What the collector does where: nothing long on the loop of all others, nothing without bounds."""

import asyncio
import gzip
import threading
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from tollkeeper.clock import SYSTEM_CLOCK
from tollkeeper.errors import Overloaded, TooLarge
from tollkeeper.ingest.body import BodyLimits, Room, read
from tollkeeper.ingest.collector import Collector, CollectorLimits
from tollkeeper.ingest.decode import Decoder
from tollkeeper.ingest.outcomes import Outcomes
from tollkeeper.ingest.telemetry import IngestMetrics
from tollkeeper.journal.journal import Journal, Limits
from tollkeeper.model.event import WireEvent

MEGABYTE = 1024 * 1024


class Clock:
    """The system's clock, which notes on whose thread it was asked."""

    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []

    def now_us(self) -> int:
        self.threads.append(threading.current_thread())
        return SYSTEM_CLOCK.now_us()

    def monotonic_ns(self) -> int:
        return SYSTEM_CLOCK.monotonic_ns()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return SYSTEM_CLOCK.wait(event, seconds)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "journal", stored_position=0, limits=Limits(10**9, 0, 10**9))
    yield opened
    opened.close()


def post(collector: Collector, body: bytes, encoding: str = "") -> int:
    sent: list[MutableMapping[str, Any]] = []
    headers = [(b"x-moesif-application-id", b"id"), (b"content-encoding", encoding.encode())]
    scope = {"type": "http", "path": "/v1/events/batch", "method": "POST", "headers": headers}

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    asyncio.run(collector(scope, receive, send))
    return int(sent[0]["status"])


def test_what_is_long_once_inflated_is_read_beside_the_loop(journal: Journal) -> None:
    clock = Clock()
    collector = Collector(
        journal=journal,
        application_of=lambda _: "app",
        outcomes=Outcomes(),
        metrics=IngestMetrics(CollectorRegistry()),
        limits=CollectorLimits(BodyLimits(MEGABYTE, 8 * MEGABYTE), 1000),
        clock=clock,
    )
    event = {"request": {"time": "2026-01-01T00:00:00Z", "uri": "/", "body": "a"}}
    small = msgspec.json.encode([event])
    event["request"]["body"] = "a" * MEGABYTE
    packed = gzip.compress(msgspec.json.encode([event]))
    assert len(packed) < 10_000
    assert post(collector, small) == 201
    assert post(collector, gzip.compress(small), "gzip") == 201
    assert post(collector, packed, "gzip") == 201
    here = threading.current_thread()
    assert [thread is here for thread in clock.threads] == [True, True, False]
    too_long = gzip.compress(b" " * (9 * MEGABYTE))
    assert post(collector, too_long, "gzip") == 413


@pytest.mark.parametrize("item", [b"0", b"{}", b'{"request":{}}', b'{"req\\u0075est":{}}'])
def test_items_are_counted_before_they_are_made(item: bytes) -> None:
    decoder = Decoder(WireEvent, mark=b'"request"')
    body = b"[" + b",".join([item] * 1001) + b"]"
    assert len(decoder.decode(body, 1001)) == 1001
    with pytest.raises(TooLarge) as refused:
        decoder.decode(body, 1000)
    assert refused.value.code == "too_many_items"


def test_large_bodies_wait_for_room_and_small_ones_need_none() -> None:
    room = Room(MEGABYTE)
    limits = BodyLimits(10 * MEGABYTE, 10 * MEGABYTE)

    def receive(*parts: bytes) -> Any:
        rest = list(parts)

        async def one() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": rest.pop(0), "more_body": bool(rest)}

        return one

    with room.held() as take:
        assert len(asyncio.run(read(receive(b"a" * MEGABYTE), None, limits, take))) == MEGABYTE
        with room.held() as other:
            with pytest.raises(Overloaded):
                asyncio.run(read(receive(b"a" * 300_000), None, limits, other))
            assert asyncio.run(read(receive(b"a", b"b"), None, limits, other)) == b"ab"
    with room.held() as again:
        assert asyncio.run(read(receive(b"a" * 300_000), None, limits, again))
