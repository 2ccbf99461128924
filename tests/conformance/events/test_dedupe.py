"""Duplicates, conflicts, and different ids whose hashes meet."""

from collections.abc import Iterator
from pathlib import Path
from typing import get_type_hints

import pytest

from tollkeeper.ingest.block import Block
from tollkeeper.ingest.dedupe import dedupe, keys_of
from tollkeeper.ingest.seen import Seen
from tollkeeper.journal.entry import Entry
from tollkeeper.model.event import Event
from tollkeeper.store.events import EventStore
from tollkeeper.testing.chdb import new_event_store

BLANK = Event._make("" if kind is str else 0 for kind in get_type_hints(Event).values())


@pytest.fixture
def store() -> Iterator[EventStore]:
    opened = new_event_store()
    yield opened
    opened.close()


@pytest.fixture
def seen(tmp_path: Path) -> Seen:
    return Seen(tmp_path, first_bits=2**16)


def event(event_id: str, *, key: int, content: int, item: int = 0) -> Event:
    return BLANK._replace(
        application="app",
        time=1_700_000_000_000_000,
        id=event_id,
        key=key,
        content=content,
        item=item,
    )


def passed(position: int, events: list[Event], seen: Seen, store: EventStore) -> Block:
    block = Block([Entry(position, "app", "events", "native", 1, "{}", len(events), b"[]")])
    block.events = [e._replace(position=position) for e in events]
    dedupe(block, seen, store)
    store.insert_block(block.events, token=block.token)
    seen.add(keys_of(block.events))
    return block


def test_the_same_again_is_a_duplicate_and_other_content_a_conflict(
    seen: Seen, store: EventStore
) -> None:
    passed(1, [event("a", key=7, content=1)], seen, store)
    block = passed(2, [event("a", key=7, content=1), event("a", key=7, content=2)], seen, store)
    assert block.events == []
    assert block.duplicate_count == 1
    assert [e.content for e in block.conflicts] == [2]


def test_within_one_block_the_first_wins(seen: Seen, store: EventStore) -> None:
    first = [event("a", key=7, content=1), event("a", key=7, content=2, item=1)]
    block = passed(1, [*first, event("a", key=7, content=1, item=2)], seen, store)
    assert [e.content for e in block.events] == [1]
    assert block.duplicate_count == 1
    assert len(block.conflicts) == 1


def test_different_ids_with_one_hash_are_both_stored_and_stay_told_apart(
    seen: Seen, store: EventStore
) -> None:
    passed(1, [event("a", key=7, content=1)], seen, store)
    second = passed(2, [event("b", key=7, content=2)], seen, store)
    assert [e.id for e in second.events] == ["b"]
    again = passed(
        3,
        [
            event("b", key=7, content=2),
            event("a", key=7, content=1),
            event("b", key=7, content=3),
            event("c", key=7, content=4),
        ],
        seen,
        store,
    )
    assert again.duplicate_count == 2
    assert [e.id for e in again.conflicts] == ["b"]
    assert [e.id for e in again.events] == ["c"]


def test_a_block_that_is_stored_again_does_not_meet_itself(seen: Seen, store: EventStore) -> None:
    passed(5, [event("a", key=7, content=1)], seen, store)
    again = passed(5, [event("a", key=7, content=1)], seen, store)
    assert [e.id for e in again.events] == ["a"]
    assert store.query("SELECT count() FROM events").rows == [(1,)]
