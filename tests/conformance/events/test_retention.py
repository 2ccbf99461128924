"""What retention forgets, and what it leaves."""

from collections.abc import Iterator
from typing import get_type_hints

import pytest
from sqlalchemy import Engine, create_engine, delete, select

from tollkeeper.identity.applications import Application, Retention
from tollkeeper.ingest import quarantine, upkeep
from tollkeeper.ingest.quarantine import Held
from tollkeeper.model.event import Event
from tollkeeper.model.key import event_key
from tollkeeper.store import counters, tables
from tollkeeper.store.events import EventStore
from tollkeeper.store.records import write
from tollkeeper.store.tables import metadata
from tollkeeper.testing.chdb import new_event_store

DAY_US = 86_400_000_000
NOW_US = 20_400 * DAY_US + 5_000_000
BLANK = Event._make("" if kind is str else 0 for kind in get_type_hints(Event).values())


def event(application: str, days_ago: int, number: int) -> Event:
    event_id = f"{days_ago}-{number}"
    return BLANK._replace(
        application=application,
        time=NOW_US - days_ago * DAY_US,
        id=event_id,
        key=event_key(application, event_id),
        position=1,
        item=number,
        kind="api_call",
        uri="https://h.example/a",
        request_headers="{}",
        response_headers="{}",
        metadata="{}",
        request_body='{"a":1}',
        request_encoding="json",
        captured_user="ann",
        weight=2,
    )


def application(name: str, **days: int | None) -> Application:
    kept = {"bodies_days": None, "events_days": None, "rollups_days": None, **days}
    return Application(name, name, "x" * 60, 0, Retention(**kept))


@pytest.fixture
def store() -> Iterator[EventStore]:
    opened = new_event_store()
    events = [event(app, ago, ago) for app in ("one", "two") for ago in (0, 9, 10, 11, 40)]
    opened.insert_block(events, token="1-1")
    yield opened
    opened.close()


@pytest.fixture
def records(store: EventStore) -> Iterator[Engine]:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    events = [event(app, ago, ago) for app in ("one", "two") for ago in (0, 9, 10, 11, 40)]
    with write(engine) as connection:
        counters.add(connection, counters.tally(events))
    yield engine
    engine.dispose()


def ages(store: EventStore, table: str, app: str, condition: str = "1") -> list[int]:
    column = "time" if table == "events" else "bucket"
    rows = store.query(
        f"SELECT intDiv({NOW_US}, {DAY_US}) - toUInt32(toDate({column})) AS age FROM {table} "
        f"WHERE application = {{app:String}} AND {condition} ORDER BY age",
        {"app": app},
    ).rows
    return [row[0] for row in rows]


def test_bodies_are_emptied_and_everything_else_of_the_event_stays(store: EventStore) -> None:
    assert upkeep.expire(store, application("one", bodies_days=10), NOW_US) == ["bodies"]
    assert ages(store, "events", "one") == [0, 9, 10, 11, 40]
    assert ages(store, "events", "one", "request_body != ''") == [0, 9, 10]
    assert ages(store, "events", "two", "request_body != ''") == [0, 9, 10, 11, 40]


def test_raw_events_go_while_rollups_and_keys_stay(store: EventStore) -> None:
    upkeep.expire(store, application("one", events_days=10), NOW_US)
    assert ages(store, "events", "one") == [0, 9, 10]
    assert ages(store, "usage_day", "one") == [0, 9, 10, 11, 40]
    key = event_key("one", "40-40")
    assert key in store.seen([key], before=2)
    assert ages(store, "events", "two") == [0, 9, 10, 11, 40]


def test_rollups_of_both_sizes_go_by_whole_days(store: EventStore) -> None:
    upkeep.expire(store, application("one", rollups_days=10), NOW_US)
    assert ages(store, "usage_hour", "one") == [0, 9, 10]
    assert ages(store, "usage_day", "one") == [0, 9, 10]
    assert ages(store, "usage_day", "two") == [0, 9, 10, 11, 40]


def test_a_recount_after_forgetting_still_agrees(store: EventStore, records: Engine) -> None:
    kept = [application("one", events_days=10), application("two")]
    for each in kept:
        upkeep.expire(store, each, NOW_US)
    with records.connect() as connection:
        raw, differences = upkeep.recount(store, connection, kept, NOW_US)
    assert differences == []
    assert sum(calls for calls, _ in raw.values()) == 2 * (3 + 5)


def test_a_recount_names_the_rollup_and_the_day_that_differ(
    store: EventStore, records: Engine
) -> None:
    day = NOW_US // DAY_US - 9
    store.command(
        "ALTER TABLE usage_day DELETE WHERE application = 'one' AND toUInt32(toDate(bucket)) "
        f"= {day} SETTINGS mutations_sync = 1"
    )
    with records.connect() as connection:
        _, differences = upkeep.recount(
            store, connection, [application("one"), application("two")], NOW_US
        )
    assert differences == [upkeep.Difference("usage_day", "one", day, 0, 2)]


def test_no_table_of_the_records_grows_without_end(
    records: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "_KEPT_ROWS", 3)
    kept = [application("one", rollups_days=10), application("two")]
    with write(records) as connection:
        connection.execute(delete(tables.counters))
        connection.execute(delete(tables.totals))
        for name in ("one", "two"):
            counted = [event(name, ago, ago) for ago in (0, 10, 11, 40)]
            counters.add(connection, counters.tally(counted))
        before = counters.totals(connection)
        for number in range(6):
            held = Held("one", "m", "events", "r", None, "d", b"%d" % number, "{}", 0, number)
            quarantine.hold(connection, [held])
            conflict = {"application": "one", "event_id": "a", "position": number, "item": 0}
            connection.execute(
                tables.conflicts.insert().values(**conflict, seen_us=number, content=b"")
            )
        month_us = 31 * DAY_US
        rows = quarantine.listing(connection)
        quarantine.mark_replayed(connection, rows[4:5], now_us=NOW_US)
        quarantine.mark_replayed(connection, rows[5:], now_us=NOW_US - month_us)
        upkeep.sweep(connection, kept, NOW_US)
        day = NOW_US // DAY_US
        found = connection.execute(
            select(tables.counters.c.application, tables.counters.c.day)
        ).all()
        assert sorted(map(tuple, found)) == sorted(
            [("one", day), ("one", day - 10)] + [("two", day - ago) for ago in (0, 10, 11, 40)]
        )
        # What was counted stays counted.
        assert counters.totals(connection) == before == {"one": (8, 4), "two": (8, 4)}
        assert [row["content"] for row in quarantine.listing(connection)] == [b"2", b"3"]
        seen = connection.execute(select(tables.conflicts.c.seen_us)).scalars()
        assert sorted(seen) == [3, 4, 5]


def test_nothing_is_swept_below_the_limits(records: Engine) -> None:
    with write(records) as connection:
        quarantine.hold(connection, [Held("one", "m", "events", "r", None, "d", b"x", "{}", 0, 1)])
        before = len(connection.execute(select(tables.counters)).all())
        upkeep.sweep(connection, [application("one"), application("two")], NOW_US)
        assert len(connection.execute(select(tables.counters)).all()) == before
        assert quarantine.count(connection) == 1
