import threading

import pytest

from tollkeeper.clock import SYSTEM_CLOCK
from tollkeeper.errors import StoreError
from tollkeeper.identity.bindings import Statement, put
from tollkeeper.identity.ledger import CREDENTIAL
from tollkeeper.identity.mirror import Mirror
from tollkeeper.identity.party import apply
from tollkeeper.identity.timeline import FOREVER_US, Owner
from tollkeeper.store.records import open_migrated, write
from tollkeeper.testing.chdb import new_event_store

APP = "app_1"
NOW = 1_000_000
LIVE = (
    "SELECT kind, key, valid_from, valid_to, user, customer FROM bindings FINAL "
    "WHERE deleted = 0 ORDER BY kind, key, valid_from"
)
KNOWN = "SELECT kind, id, attributes FROM attributes FINAL ORDER BY kind, id"


@pytest.fixture
def events():
    store = new_event_store()
    yield store
    store.close()


def token(key, user, customer="", start=None, end=None):
    return Statement(CREDENTIAL, key, Owner(user, customer), start, end)


def mirror(records, events, **options):
    return Mirror(records, events, clock=SYSTEM_CLOCK, **options)


def test_the_copy_says_what_the_records_say(records, events):
    copy = mirror(records, events)
    put(records, APP, [token("t", "alice", "acme")], NOW)
    copy.run_once()
    put(records, APP, [token("t", "bob"), token("s", "x", start=5, end=9)], NOW + 1)
    put(records, APP, [token("s", "y", start=1, end=20)], NOW + 2)
    with write(records) as connection:
        said = {"user_id": "bob", "metadata": {"plan": "göld"}}
        apply(connection, APP, "users", said, NOW, pepper=b"p")
    copy.run_once()
    assert events.query(LIVE).rows == [
        ("credential", "s", 1, 20, "y", ""),
        ("credential", "t", 0, NOW + 1, "alice", "acme"),
        ("credential", "t", NOW + 1, FOREVER_US, "bob", ""),
        ("user", "alice", 0, FOREVER_US, "", "acme"),
    ]
    assert ("user", "bob", '{"plan":"göld"}') in events.query(KNOWN).rows
    assert ("customer", "acme", "{}") in events.query(KNOWN).rows


def test_only_what_is_new_is_sent_and_then_the_listener_hears_of_it(records, events):
    heard = []
    copy = mirror(records, events, changed=lambda: heard.append(events.query(LIVE).rows))
    assert copy.run_once() == 0
    put(records, APP, [token("t", "alice")], NOW)
    assert copy.run_once() == 2  # the binding and the user
    assert copy.run_once() == 0
    put(records, APP, [token("s", "alice")], NOW)
    assert copy.run_once() == 1
    assert [len(rows) for rows in heard] == [1, 2]


def test_a_new_process_goes_on_where_the_last_one_was_killed(records, events):
    put(records, APP, [token("t", "alice", "acme")], NOW)
    mirror(records, events).run_once()
    put(records, APP, [token("s", "bob")], NOW)
    assert mirror(records, events).run_once() == 2
    assert len(events.query(LIVE).rows) == 3


class Failing:
    """An event store that takes rows, or not, and then fails; the next call works."""

    def __init__(self, events, *, table, after_insert):
        self._events = events
        self._table = table
        self._after_insert = after_insert
        self.query = events.query
        self.command = events.command

    def insert_rows(self, table, names, rows):
        if table == self._table:
            self._table = ""
            if self._after_insert:
                self._events.insert_rows(table, names, rows)
            raise StoreError("killed")
        self._events.insert_rows(table, names, rows)


@pytest.mark.parametrize("table", ["bindings", "attributes"])
@pytest.mark.parametrize("after_insert", [False, True])
@pytest.mark.parametrize("restart", [False, True])
def test_a_failure_between_the_two_stores_loses_and_doubles_nothing(
    records, events, table, after_insert, restart
):
    failing = Failing(events, table=table, after_insert=after_insert)
    copy = mirror(records, failing)
    put(records, APP, [token(f"t{i}", "alice", "acme") for i in range(10)], NOW)
    with pytest.raises(StoreError):
        copy.run_once()
    if restart:
        copy = mirror(records, events)
    copy.run_once()
    assert len(events.query(LIVE).rows) == 11
    assert [row[:2] for row in events.query(KNOWN).rows] == [
        ("customer", "acme"),
        ("user", "alice"),
    ]


def test_more_rows_than_one_insert_takes_are_all_sent(records, events):
    put(records, APP, (token(f"t{i}", "alice") for i in range(12_000)), NOW)
    assert mirror(records, events).run_once() == 12_001
    assert events.query("SELECT count() FROM bindings FINAL").rows == [(12_000,)]


def test_records_that_begin_anew_make_the_copy_anew(records, events, tmp_path):
    put(records, APP, [token(f"t{i}", "alice") for i in range(5)], NOW)
    mirror(records, events).run_once()
    fresh = open_migrated(f"sqlite:///{tmp_path / 'fresh.db'}")
    put(fresh, APP, [token("t0", "bob")], NOW)
    mirror(fresh, events).run_once()
    assert events.query(LIVE).rows == [("credential", "t0", 0, FOREVER_US, "bob", "")]
    fresh.dispose()


def test_the_thread_sends_a_change_within_a_second_and_stops(records, events):
    arrived = threading.Event()
    copy = mirror(records, events, changed=arrived.set)
    thread = threading.Thread(target=copy.run)
    thread.start()
    try:
        put(records, APP, [token("t", "alice")], NOW)
        assert arrived.wait(5)
        arrived.clear()
        put(records, APP, [token("t", "bob")], NOW)
        copy.wake()
        assert arrived.wait(5)
    finally:
        copy.stop()
        thread.join(5)
    assert not thread.is_alive()


def test_the_thread_goes_on_after_a_failure(records, events):
    arrived = threading.Event()
    failing = Failing(events, table="bindings", after_insert=False)
    copy = mirror(records, failing, changed=arrived.set)
    put(records, APP, [token("t", "alice")], NOW)
    thread = threading.Thread(target=copy.run)
    thread.start()
    try:
        assert arrived.wait(5)
    finally:
        copy.stop()
        thread.join(5)
    assert len(events.query(LIVE).rows) == 1
