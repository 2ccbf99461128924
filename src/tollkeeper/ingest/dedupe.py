"""Each (application, id) counts once, for ever: duplicates and conflicts are told from new events.

The filter says "surely new" for most; the rest is looked up by key. A key is a 64-bit hash, so two
ids may share one: where the content differs, the ids themselves are compared before an event is
called a conflict. Nothing is ever turned away because of a hash alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tollkeeper.ingest.block import CONFLICT, DUPLICATE, STORED, Block
from tollkeeper.ingest.seen import Keys, Seen
from tollkeeper.model.event import Event
from tollkeeper.store.events import EventStore, Place


def keys_of(events: Sequence[Event]) -> Keys:
    """The keys of events, for the filter."""
    return np.fromiter((event.key for event in events), dtype=np.uint64, count=len(events))


def dedupe(block: Block, seen: Seen, store: EventStore) -> None:
    """Keeps of each (application, id) the first; tells duplicates from conflicts.

    What the block itself stored in an earlier try does not count as seen.
    """
    if not block.events:
        return
    keys = keys_of(block.events)
    maybe = np.unique(keys[seen.maybe(keys)]).tolist()
    stored = store.seen(maybe, before=block.first) if maybe else {}
    fresh: dict[int, list[Event]] = {}
    kept: list[Event] = []
    for event in block.events:
        twins = fresh.get(event.key)
        places = stored.get(event.key)
        if twins is None and places is None:
            result = STORED
        else:
            result = _judge(event, twins or [], places or [], store)
        if result == STORED:
            fresh.setdefault(event.key, []).append(event)
            kept.append(event)
            block.note(event.position, event.item, STORED, event_id=event.id)
        elif result == DUPLICATE:
            block.duplicate_count += 1
            block.note(event.position, event.item, DUPLICATE, event_id=event.id)
        else:
            block.conflicts.append(event)
            block.note(
                event.position, event.item, CONFLICT, "other_content", "transaction_id", event.id
            )
    block.events = kept


def _judge(event: Event, twins: list[Event], places: list[Place], store: EventStore) -> str:
    """What an event is whose key is known: within this block, or in the store."""
    if any(twin.content == event.content and twin.id == event.id for twin in twins):
        return DUPLICATE
    if any(place.content == event.content for place in places):
        return DUPLICATE
    if any(twin.id == event.id for twin in twins):
        return CONFLICT
    ids = store.ids_at(places) if places else {}
    # Where retention has deleted the raw event, its key is all that is left to go by.
    same = any(ids.get(place, event.id) == event.id for place in places)
    return CONFLICT if same else STORED
