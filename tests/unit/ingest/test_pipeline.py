"""What the pipeline does when something fails: it goes on, and counts nothing twice."""

import asyncio
import threading
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tollkeeper.errors import Overloaded, StoreError
from tollkeeper.ingest import upkeep
from tollkeeper.ingest.normalise import Context, normalise, verify
from tollkeeper.ingest.outcomes import Outcomes
from tollkeeper.model.event import Event, WireEvent, WireRequest
from tollkeeper.store.events import EventStore
from tollkeeper.testing.chdb import new_event_store
from tollkeeper.testing.inlet import Inlet


@pytest.fixture(scope="module")
def store() -> Iterator[EventStore]:
    opened = new_event_store()
    yield opened
    opened.close()


class Hearer:
    """An announcer that fails as often as it is told to."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.failures = 0

    def announce(self, events: Sequence[Event]) -> None:
        if self.failures:
            self.failures -= 1
            raise ValueError("an announcer's own mistake")
        self.heard += [event.id for event in events]


@pytest.fixture(scope="module")
def hearer() -> Hearer:
    return Hearer()


@pytest.fixture(scope="module")
def inlet(
    tmp_path_factory: pytest.TempPathFactory, store: EventStore, hearer: Hearer
) -> Iterator[Inlet]:
    opened = Inlet(tmp_path_factory.mktemp("inlet"), store, announcers=[hearer])
    yield opened
    opened.close()


def wire(name: str, **said: Any) -> dict[str, Any]:
    request = {"time": "2026-01-01T00:00:00Z", "uri": "/x", "verb": "GET"}
    return {"transaction_id": name, "request": request, "user_id": "ann", **said}


def test_an_event_that_no_store_can_hold_is_held_and_costs_its_neighbours_nothing(
    inlet: Inlet,
) -> None:
    inlet.send("poison", [wire("before")])
    # As if a part of ours had let something through that is no text.
    inlet.peer_of = lambda attributes: "\ud800" if attributes.peer == "odd" else attributes.peer
    inlet.peer = "odd"
    inlet.send("poison", [wire("a"), wire("b")])
    inlet.peer = "192.0.2.1"
    inlet.send("poison", [wire("after")])
    with pytest.raises(StoreError):
        inlet.drain()
    inlet.drain()
    found = inlet.totals("poison")
    assert set(found.events) == {"before", "after"}
    assert found.held == 2
    assert found.counters == {"ann": (2, 2)}


def test_a_store_that_takes_nothing_loses_nothing(inlet: Inlet) -> None:
    inlet.send("down", [wire("a"), wire("b")])
    inlet.store.command("RENAME TABLE events TO events_away")
    try:
        for _ in range(3):
            with pytest.raises(StoreError):
                inlet.drain()
    finally:
        inlet.store.command("RENAME TABLE events_away TO events")
    inlet.drain()
    found = inlet.totals("down")
    assert (set(found.events), found.held, found.counters) == ({"a", "b"}, 0, {"ann": (2, 2)})


def test_a_failure_after_counting_does_not_count_again(inlet: Inlet) -> None:
    def fault(point: str) -> None:
        if point == "pipeline.counted":
            raise OSError("the answer of the commit was lost")

    inlet.send("once", [wire("a")])
    inlet.fault = fault
    try:
        for _ in range(2):
            with pytest.raises(OSError, match="lost"):
                inlet.drain()
    finally:
        inlet.fault = lambda _: None
    inlet.drain()
    found = inlet.totals("once")
    assert (found.events, found.counters, found.usage_day) == (
        {"a": 1},
        {"ann": (1, 1)},
        {"ann": (1, 1)},
    )


def test_a_record_of_rejected_items_is_not_counted_again_either(inlet: Inlet) -> None:
    def fault(point: str) -> None:
        if point == "pipeline.stored":
            raise OSError("no")

    inlet.send("held", [{"request": {}}, wire("a", user_id="bob")])
    inlet.fault = fault
    with pytest.raises(OSError, match="no"):
        inlet.drain()
    inlet.fault = lambda _: None
    inlet.drain()
    assert (inlet.totals("held").held, inlet.totals("held").counters) == (1, {"bob": (1, 1)})


def test_a_recount_waits_for_a_block_that_is_stored_in_half(
    inlet: Inlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(point: str) -> None:
        if point == "pipeline.stored":
            raise OSError("no")

    monkeypatch.setattr("tollkeeper.ingest.pipeline._PATIENCE_SECONDS", 0.05)
    inlet.send("half", [wire("a")])
    inlet.fault = fault
    with pytest.raises(OSError, match="no"):
        inlet.drain()
    inlet.fault = lambda _: None
    with pytest.raises(Overloaded), inlet.pipeline.between_blocks():
        pytest.fail("counted while raw events and counters are at different positions")
    inlet.drain()
    from tollkeeper.store.records import read

    with inlet.pipeline.between_blocks(), read(inlet.records) as connection:
        _, different = upkeep.recount(inlet.store, connection, [], 0)
    assert [one for one in different if one.application == "half"] == []


def test_the_thread_outlives_whatever_is_raised(inlet: Inlet, hearer: Hearer) -> None:
    failures = [KeyError("mistake"), RecursionError(), MemoryError()]

    def fault(point: str) -> None:
        if point == "pipeline.begun" and failures:
            raise failures.pop()

    inlet.fault = fault
    hearer.failures = 1
    inlet.pipeline.start()
    last = inlet.send("thread", [wire("a")])
    inlet.send("thread", [wire("b")])
    pause = threading.Event()
    for _ in range(400):
        if inlet.pipeline.stored_position > last:
            break
        pause.wait(0.05)
    assert inlet.pipeline.alive
    inlet.pipeline.stop()
    inlet.fault = lambda _: None
    assert set(inlet.totals("thread").events) == {"a", "b"}
    assert inlet.totals("thread").counters == {"ann": (2, 2)}
    inlet.reopen()


def test_a_stop_with_a_failing_store_ends_and_keeps_the_entries(
    tmp_path: Path, store: EventStore
) -> None:
    def fault(point: str) -> None:
        if point == "pipeline.begun" and failing.is_set():
            raise OSError("no")

    failing = threading.Event()
    failing.set()
    inlet = Inlet(tmp_path, store, fault=fault)
    # Positions of its own: in one store a range names one block.
    inlet.close()
    _start_at(tmp_path, 1_000_000)
    inlet = Inlet(tmp_path, store, fault=fault)
    inlet.pipeline.start()
    inlet.send("stopped", [wire("a")])
    threading.Event().wait(0.3)
    inlet.pipeline.stop()
    assert not inlet.pipeline.alive
    failing.clear()
    inlet.reopen()
    inlet.drain()
    assert inlet.totals("stopped").events == {"a": 1}
    inlet.close()


def _start_at(folder: Path, position: int) -> None:
    from tollkeeper.store import progress
    from tollkeeper.store.records import open_migrated, write

    for path in (folder / "journal").iterdir():
        path.unlink()
    engine = open_migrated(f"sqlite:///{folder / 'records.db'}")
    progress.load(engine)
    with write(engine) as connection:
        progress.finish(connection, position)
    engine.dispose()


def test_ids_with_a_nul_are_text_that_every_database_holds(inlet: Inlet) -> None:
    inlet.send("nul", [wire("a\0b", user_id="x\0y", company_id="\0")])
    inlet.drain()
    assert inlet.totals("nul").events == {"a\ufffdb": 1}
    assert inlet.totals("nul").counters == {"x\ufffdy": (1, 1)}


def test_ids_that_are_too_long_for_a_database_reach_none(inlet: Inlet) -> None:
    # Three bytes each; together they are longer than what an index of PostgreSQL takes.
    longest = "\u4e2d" * 384
    inlet.send("long", [wire("a", user_id=longest, company_id=longest)])
    inlet.send("long", [wire("b", user_id=longest + "\u4e2d")])
    inlet.send("long", [wire("c", company_id="x" * 513)])
    inlet.send("long", [wire("d", company_id="x" * 512)])
    inlet.drain()
    assert set(inlet.totals("long").events) == {"a", "d"}
    assert inlet.totals("long").held == 2


def test_a_user_in_a_token_is_nobody_when_no_database_can_hold_him() -> None:
    context = Context("app", "moesif", 1, 1, "", "", b"p" * 32, "sub")
    for name, found in (("x" * 512, "x" * 512), ("x" * 513, ""), ("\u4e2d" * 400, "")):
        claims = urlsafe_b64encode(msgspec.json.encode({"sub": name})).decode().rstrip("=")
        headers = {"authorization": f"Bearer a.{claims}.c"}
        event = WireEvent(WireRequest(time="2026-01-01T00:00:00Z", uri="/", headers=headers))
        measures = verify(event, received_us=2 * 10**15)
        assert normalise(event, measures, 0, context).captured_user == found


def test_results_come_whether_they_are_awaited_before_or_after() -> None:
    async def check() -> None:
        outcomes = Outcomes()
        outcomes.publish({1: [("stored", "", "", "a")]})
        assert await outcomes.wait(1, 1) == [("stored", "", "", "a")]
        waiting = asyncio.create_task(outcomes.wait(2, 5))
        await asyncio.sleep(0)
        threading.Thread(target=outcomes.publish, args=({2: []},)).start()
        assert await waiting == []
        assert await outcomes.wait(3, 0.01) is None
        given_up = asyncio.create_task(outcomes.wait(4, 5))
        await asyncio.sleep(0)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        outcomes.publish({4: []})

    asyncio.run(check())


def test_new_records_over_an_old_store_take_no_range_that_the_store_knows(
    tmp_path: Path,
) -> None:
    store = new_event_store()
    try:
        for name in ("one", "two"):
            inlet = Inlet(tmp_path / name, store)
            inlet.send("app", [wire(name)])
            inlet.send("app", [wire("one")])
            inlet.drain()
            totals = inlet.totals("app")
            inlet.close()
        assert totals.events == {"one": 1, "two": 1}
        assert totals.usage_day == {"ann": (2, 2)}
        assert totals.counters == {"ann": (1, 1)}
    finally:
        store.close()


def test_a_start_after_an_orderly_end_does_not_read_every_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def keys_after(position: int) -> Iterator[Any]:
        asked.append(position)
        yield from EventStore.keys_after(store, position)

    store = new_event_store()
    inlet = Inlet(tmp_path, store)
    inlet.send("app", [wire("one")])
    inlet.pipeline.start()
    inlet.pipeline.stop()
    monkeypatch.setattr(store, "keys_after", keys_after)
    inlet.reopen()
    assert asked == []
    inlet.send("app", [wire("one"), wire("two")])
    inlet.drain()
    # As after a kill: the filter was not written since.
    inlet.reopen()
    assert asked == [1]
    assert inlet.totals("app").events == {"one": 1, "two": 1}
    inlet.close()
    store.close()
