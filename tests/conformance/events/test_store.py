"""What every event store does, whichever it is: one table of backends, one suite.

A ClickHouse server is not among Debian's packages, so the table has the embedded one alone; a
server is one more row.
"""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from tollkeeper.errors import StoreError
from tollkeeper.model.event import Event
from tollkeeper.store.events import EventStore
from tollkeeper.testing.calls import START_US, call
from tollkeeper.testing.chdb import new_event_store

BACKENDS: dict[str, Callable[[], EventStore]] = {"chdb": new_event_store}
MONTH_US = 31 * 86_400_000_000
TABLES = ("events", "event_keys")
ROLLUPS = ("usage_hour", "usage_day")


@pytest.fixture(params=BACKENDS)
def store(request: pytest.FixtureRequest) -> Iterator[EventStore]:
    opened = BACKENDS[request.param]()
    yield opened
    opened.close()


def counts(store: EventStore) -> dict[str, int]:
    """How many events each table knows of."""
    found = {name: f"SELECT count() FROM {name}" for name in TABLES}
    found |= {name: f"SELECT sum(events) FROM {name}" for name in ROLLUPS}
    return {name: int(store.query(text).rows[0][0]) for name, text in found.items()}


def block(count: int, *, first: int = 0, months: int = 1) -> list[Event]:
    return [
        call(
            id=str(first + n),
            content=n,
            position=first + 1,
            item=n,
            time=START_US - (n % months) * MONTH_US,
            captured_user=f"user-{n % 3}",
        )
        for n in range(count)
    ]


def test_a_block_that_comes_again_is_there_once_everywhere(store: EventStore) -> None:
    one, two = block(50), block(30, first=1000)
    for _ in range(3):
        store.insert_block(one, token="1-1")
    store.insert_block(two, token="2-9")
    store.insert_block(one, token="1-1")
    assert set(counts(store).values()) == {80}


def test_a_block_over_many_months_comes_again_as_one(store: EventStore) -> None:
    wide = block(240, months=120)
    for _ in range(2):
        store.insert_block(wide, token="1-1")
    assert set(counts(store).values()) == {240}


def test_two_blocks_with_the_same_rows_are_two_when_they_are_named_so(store: EventStore) -> None:
    # Dedupe is the pipeline's; the store knows blocks by their names alone.
    for token in ("1-1", "2-2"):
        store.insert_block(block(5), token=token)
    assert set(counts(store).values()) == {10}


def test_a_row_comes_back_as_it_went_in(store: EventStore) -> None:
    odd = call(
        id="\u00e4\U0001f600\0\u2028",
        key=2**64 - 1,
        content=2**63,
        position=2**62,
        item=2**32 - 1,
        time=START_US + 1,
        status=999,
        duration_us=2**50,
        request_bytes=2**50,
        weight=1_000_000,
        uri="https://api.example.com/a?b='\\\"",
        request_body='{"a": "\\u0000"}',
        captured_user="\t\n",
    )
    store.insert_block([odd], token="1-1")
    names = [name for name in Event._fields if name not in {"time", "received_at"}]
    (row,) = store.query(f"SELECT {', '.join(names)} FROM events").rows
    assert dict(zip(names, row, strict=True)) == {n: getattr(odd, n) for n in names}
    (at,) = store.query("SELECT toUnixTimestamp64Micro(time) FROM events").rows
    assert at == (odd.time,)


def test_trying_a_block_stores_nothing(store: EventStore) -> None:
    store.try_block(block(5))
    store.try_block([])
    assert set(counts(store).values()) == {0}


@pytest.mark.parametrize(
    "wrong",
    [{"uri": "\ud800"}, {"status": 70_000}, {"weight": -1}, {"time": 2**70}, {"uri": 7}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_no_column_holds_is_an_error_of_the_store_and_stores_nothing(
    store: EventStore, wrong: dict[str, object]
) -> None:
    events = [*block(2), call(**wrong)]
    for insert in (store.try_block, lambda e: store.insert_block(e, token="1-1")):
        with pytest.raises(StoreError):
            insert(events)
    assert set(counts(store).values()) == {0}
    store.insert_block(events[:2], token="1-1")
    assert set(counts(store).values()) == {2}


def test_keys_are_told_from_a_position_on(store: EventStore) -> None:
    store.insert_block(block(3), token="1-1")
    store.insert_block(block(2, first=100), token="101-101")
    told = {int(key) for part in store.keys_after(1) for key in part}
    assert told == {event.key for event in block(2, first=100)}
    assert len([key for part in store.keys_after(0) for key in part]) == 5


def test_threads_store_and_ask_at_once(store: EventStore) -> None:
    failures: list[Exception] = []

    def work(number: int) -> None:
        try:
            for turn in range(5):
                first = 1000 * number + 100 * turn
                store.insert_block(block(10, first=first), token=f"{first}-{first}")
                counts(store)
        except StoreError as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert set(counts(store).values()) == {200}


def test_bad_sql_is_an_error_of_the_store(store: EventStore) -> None:
    for text in ("SELECT nothing_like_it FROM events", "SELEC 1"):
        with pytest.raises(StoreError):
            store.query(text)
    with pytest.raises(StoreError):
        store.command("DROP TABLE nothing_like_it")


def test_rollups_add_weights_and_keep_extremes(store: EventStore) -> None:
    hour = START_US - START_US % 3_600_000_000
    calls = [
        call(id=str(n), item=n, time=hour + n, weight=weight, duration_us=duration)
        for n, (weight, duration) in enumerate([(1, 10), (5, 30), (2, 20)])
    ]
    store.insert_block(calls, token="1-1")
    for table in ROLLUPS:
        (row,) = store.query(
            "SELECT sum(calls), sum(events), sum(duration_us), min(duration_us_min), "
            f"max(duration_us_max), min(first_time), max(last_time) FROM {table}"
        ).rows
        first, last = (datetime.fromtimestamp(at / 1e6, UTC) for at in (hour, hour + 2))
        assert row[:5] == (8, 3, 1 * 10 + 5 * 30 + 2 * 20, 10, 30)
        assert (row[5].replace(tzinfo=UTC), row[6].replace(tzinfo=UTC)) == (first, last)
