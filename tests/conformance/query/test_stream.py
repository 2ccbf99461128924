import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tollkeeper.clock import SYSTEM_CLOCK
from tollkeeper.errors import InvalidInput, Overloaded
from tollkeeper.query import stream
from tollkeeper.query.answer import Asker
from tollkeeper.query.filter import Node, read_filter
from tollkeeper.query.stream import LiveHub, Message
from tollkeeper.store.events import EventStore
from tollkeeper.testing.calls import START_US, call
from tollkeeper.testing.chdb import new_event_store


@pytest.fixture(scope="module")
def store() -> Any:
    opened = new_event_store()
    yield opened
    opened.close()


@pytest.fixture
def hub(store: EventStore) -> LiveHub:
    return LiveHub(Asker(store, clock=SYSTEM_CLOCK, applications=lambda wanted: wanted or ""))


def block(application: str, first: int, count: int, **said: Any) -> list[Any]:
    return [
        call(application=application, id=str(n), position=n, item=0, time=START_US + n, **said)
        for n in range(first, first + count)
    ]


def condition(field: str, op: str, value: Any) -> Node | None:
    return read_filter({"field": field, "op": op, "value": value}, "filter", now_us=START_US)


async def take(messages: AsyncIterator[Message], kind: str, count: int) -> list[Message]:
    found: list[Message] = []
    async with asyncio.timeout(20):
        async for message in messages:
            if message.kind == kind:
                found.append(message)
                if len(found) == count:
                    break
    return found


async def joined(hub: LiveHub, count: int) -> None:
    async with asyncio.timeout(20):
        while hub.watching < count:  # noqa: ASYNC110  the hub has no reason to tell of this
            await asyncio.sleep(0.001)


def test_a_block_stored_by_another_thread_is_seen_in_order(hub: LiveHub) -> None:
    async def watch() -> list[str | None]:
        messages = hub.watch("a", None)
        reading = asyncio.create_task(take(messages, "call", 6))
        await joined(hub, 1)
        for first in (1, 4):
            thread = threading.Thread(target=hub.announce, args=(block("a", first, 3),))
            thread.start()
            await asyncio.to_thread(thread.join)
        found = await reading
        await messages.aclose()
        return [message.id for message in found]

    assert asyncio.run(watch()) == [f"{n}.0" for n in range(1, 7)]
    assert hub.watching == 0


def test_only_the_own_application_and_what_passes_the_filter_is_told(hub: LiveHub) -> None:
    async def watch() -> list[Message]:
        messages = hub.watch("a", condition("status", "gte", 500))
        reading = asyncio.create_task(take(messages, "call", 1))
        await joined(hub, 1)
        hub.announce(block("b", 1, 2, status=500) + block("a", 3, 2) + block("a", 5, 1, status=503))
        found = await reading
        await messages.aclose()
        return found

    (message,) = asyncio.run(watch())
    assert message.data["application"] == "a"
    assert message.data["response"]["status"] == 503
    assert message.data["request"]["headers"] is None


def test_the_owner_known_now_is_filtered_and_shown(store: EventStore) -> None:
    reader = Asker(store, clock=SYSTEM_CLOCK, applications=lambda wanted: wanted or "")
    hub = LiveHub(reader, owners=lambda event: ("ann", event.credential))

    async def watch() -> list[Message]:
        messages = hub.watch("a", condition("customer", "eq", "acme"))
        reading = asyncio.create_task(take(messages, "call", 1))
        await joined(hub, 1)
        hub.announce(block("a", 1, 1) + block("a", 2, 1, credential="acme"))
        found = await reading
        await messages.aclose()
        return found

    (message,) = asyncio.run(watch())
    assert (message.data["user"], message.data["customer"], message.id) == ("ann", "acme", "2.0")


def test_a_busy_second_is_thinned_and_its_true_rate_told(hub: LiveHub) -> None:
    async def watch() -> tuple[int, dict[str, Any]]:
        messages = hub.watch("a", None)
        shown = 0
        reading = asyncio.create_task(anext(messages))
        await joined(hub, 1)
        hub.announce(block("a", 1, 3000))
        message = await reading
        async with asyncio.timeout(20):
            while message.kind != "rate":
                shown += message.kind == "call"
                message = await anext(messages)
        await messages.aclose()
        return shown, message.data

    shown, rate = asyncio.run(watch())
    assert shown == rate["shown"] == stream.ROWS_PER_SECOND
    # A slow machine may take longer than the second; what is told is never more than there was.
    assert 0 < rate["per_second"] <= 3000


def test_a_stream_goes_on_after_the_last_id_without_gap_or_repetition(
    hub: LiveHub, store: EventStore
) -> None:
    events = block("resumed", 1, 10)
    store.insert_block(events, token="resumed")

    async def watch() -> list[str | None]:
        messages = hub.watch("resumed", condition("id", "ne", "8"), resume=(5, 0))
        reading = asyncio.create_task(take(messages, "call", 6))
        await joined(hub, 1)
        # The pipeline tells of a block that the store already answered with.
        hub.announce([*events[6:], *block("resumed", 11, 2)])
        found = await reading
        await messages.aclose()
        return [message.id for message in found]

    assert asyncio.run(watch()) == [f"{n}.0" for n in (6, 7, 9, 10, 11, 12)]


def test_a_slow_watcher_holds_nobody_up_and_memory_is_bounded(
    hub: LiveHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_INBOX_EVENTS", 1000)

    async def watch() -> list[Message]:
        messages = hub.watch("a", None)
        await_first = asyncio.create_task(anext(messages))
        await joined(hub, 1)
        # The loop has no turn while this runs, as if the watcher slept.
        for first in range(0, 50_000, 100):
            hub.announce(block("a", first + 1, 100))
        first_message = await await_first
        rates = await take(messages, "rate", 1)
        await messages.aclose()
        return [first_message, *rates]

    first, rate = asyncio.run(watch())
    # The oldest were let go, and are estimated in the rate.
    assert first.id == "49001.0"
    assert rate.data["per_second"] > 1000


def test_a_silence_has_a_heartbeat(hub: LiveHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.05)

    async def watch() -> list[Message]:
        messages = hub.watch("a", None)
        found = await take(messages, "heartbeat", 2)
        await messages.aclose()
        return found

    assert len(asyncio.run(watch())) == 2


def test_closing_ends_all_streams(hub: LiveHub) -> None:
    async def watch() -> int:
        async def read() -> int:
            return len([message async for message in hub.watch("a", None)])

        reading = [asyncio.create_task(read()) for _ in range(3)]
        await joined(hub, 3)
        await asyncio.to_thread(hub.close)
        return sum(await asyncio.gather(*reading))

    assert asyncio.run(watch()) == 0
    assert hub.watching == 0


def test_announcing_to_nobody_touches_no_event(hub: LiveHub) -> None:
    class Untouchable(list[Any]):
        def __iter__(self) -> Any:
            raise AssertionError("an event was looked at")

        __len__ = __getitem__ = __iter__

    hub.announce(Untouchable())
    assert hub.watching == 0


def test_attributes_cannot_be_watched(hub: LiveHub) -> None:
    with pytest.raises(InvalidInput) as refused:
        hub.check(condition("user.tier", "eq", "pro"))
    assert (refused.value.field, refused.value.code) == ("filter.field", "not_live")


def test_too_many_streams_are_refused(hub: LiveHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MAX_WATCHERS", 0)
    with pytest.raises(Overloaded):
        hub.check(None)


def test_owners_are_looked_up_beside_the_loop(store: EventStore) -> None:
    threads: set[threading.Thread] = set()

    def owners(event: Any) -> tuple[str, str]:
        threads.add(threading.current_thread())
        return "ann", "acme"

    asker = Asker(store, clock=SYSTEM_CLOCK, applications=lambda wanted: wanted or "")
    hub = LiveHub(asker, owners=owners)

    async def watch() -> list[Message]:
        messages = hub.watch("a", condition("user", "eq", "ann"))
        reading = asyncio.create_task(take(messages, "call", 2))
        await joined(hub, 1)
        hub.announce(block("a", 1, 2))
        found = await reading
        await messages.aclose()
        return found

    assert [message.data["user"] for message in asyncio.run(watch())] == ["ann", "ann"]
    assert threads
    assert threading.current_thread() not in threads


def test_who_does_not_read_holds_bytes_only_up_to_a_limit(
    hub: LiveHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_INBOX_BYTES", 10_000)

    async def watch() -> dict[str, Any]:
        messages = hub.watch("a", None)
        reading = asyncio.create_task(take(messages, "rate", 1))
        await joined(hub, 1)
        for first in range(1, 101):
            hub.announce(block("a", first, 1, request_body="b" * 1000))
        (watcher,) = hub._watchers
        assert len(watcher._blocks) < 10
        (message,) = await reading
        await messages.aclose()
        return message.data

    told = asyncio.run(watch())
    assert told["shown"] < 10
    assert told["per_second"] >= 50
