"""The steps of the pipeline, each a function over a block.

Every step is deterministic in the block's entries and in what earlier positions stored, so that a
block that was stored in half comes out the same when it is sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from sqlalchemy import Connection, case

from tollkeeper.errors import InvalidInput
from tollkeeper.ingest import cloudevents, quarantine
from tollkeeper.ingest.block import (
    CONFLICT,
    DUPLICATE,
    REJECTED,
    STORED,
    Attributes,
    Block,
    Pair,
    PartyItem,
)
from tollkeeper.ingest.decode import Decoder, Rejection, split
from tollkeeper.ingest.normalise import Context, Measures, normalise, verify
from tollkeeper.ingest.quarantine import Held
from tollkeeper.ingest.seen import Keys, Seen
from tollkeeper.journal.entry import Entry
from tollkeeper.model.event import Event, WireEvent
from tollkeeper.store import counters
from tollkeeper.store.events import EventStore
from tollkeeper.store.tables import conflicts, drops
from tollkeeper.store.upsert import upsert

_EVENTS = Decoder(WireEvent)
_OBJECTS: Decoder[dict[str, Any]] = Decoder(dict[str, Any])
_ATTRIBUTES = msgspec.json.Decoder(Attributes)


Item = tuple[WireEvent, Measures] | Rejection
"""An event that was understood, with its checked numbers, or why it was not."""


def items_of(entry: Entry, attributes: Attributes) -> list[Item]:
    """The events of a body, whichever protocol brought it, each verified or rejected.

    Raises:
        InvalidInput: the body as a whole cannot be understood.
    """
    found: list[WireEvent | Rejection]
    if entry.source == "cloudevents":
        found = cloudevents.decode(
            entry.body, attributes.content_type, attributes.headers or {}, entry.received_us
        )
    else:
        found = _EVENTS.decode(entry.body)
    unpadded = is_kong(attributes)
    items: list[Item] = []
    for index, wire in enumerate(found):
        if isinstance(wire, Rejection):
            items.append(wire)
            continue
        try:
            items.append((wire, verify(wire, received_us=entry.received_us, unpadded_ms=unpadded)))
        except InvalidInput as error:
            content = _content(entry, index)
            items.append(Rejection(index, error.code, error.field, error.detail, content))
    return items


def objects_of(entry: Entry) -> list[dict[str, Any] | Rejection]:
    """The users, companies or subscriptions of a body.

    Raises:
        InvalidInput: the body as a whole cannot be understood.
    """
    return _OBJECTS.decode(entry.body)


def is_kong(attributes: Attributes) -> bool:
    """True when Kong's plugin sent the body; it writes milliseconds unpadded."""
    return attributes.agent.startswith("kong-plugin-moesif")


def decode(block: Block, context: Callable[[Entry, Attributes], Context]) -> None:
    """Bodies become rows; what cannot be understood is held with its reason."""
    for entry in block.entries:
        attributes = _ATTRIBUTES.decode(entry.attributes)
        if attributes.items:
            block.outcomes[entry.position] = []
        if attributes.capture:
            block.reports.append((entry.application, attributes.capture))
        try:
            if entry.resource == "events":
                _decode_events(block, entry, attributes, context(entry, attributes))
            else:
                _decode_parties(block, entry)
        except InvalidInput as error:
            _hold(block, entry, Rejection(0, error.code, error.field, error.detail, entry.body))


def _decode_events(block: Block, entry: Entry, attributes: Attributes, context: Context) -> None:
    items = items_of(entry, attributes) if entry.understood is None else entry.understood
    for index, item in enumerate(items):
        if isinstance(item, Rejection):
            _hold(block, entry, item)
            continue
        wire, measures = item
        event = normalise(wire, measures, index, context)
        block.events.append(event)
        if wire.session_token and event.captured_user and wire.user_id:
            block.pairs.append(
                Pair(
                    event.application,
                    event.credential,
                    event.captured_user,
                    event.captured_customer,
                    event.time,
                )
            )


def _content(entry: Entry, index: int) -> bytes:
    """The bytes of one item, found again because its decoded form does not hold them."""
    try:
        return split(entry.body)[index]
    except (InvalidInput, IndexError):
        return entry.body


def _decode_parties(block: Block, entry: Entry) -> None:
    for index, item in enumerate(objects_of(entry)):
        if isinstance(item, Rejection):
            _hold(block, entry, item)
        else:
            block.parties.append(PartyItem(entry, index, item))


def _hold(block: Block, entry: Entry, rejection: Rejection) -> None:
    block.note(entry.position, rejection.index, REJECTED, rejection.reason, rejection.field or "")
    block.held.append(
        Held(
            application=entry.application,
            source=entry.source,
            resource=entry.resource,
            reason=rejection.reason,
            field=rejection.field,
            detail=rejection.detail[:500],
            content=rejection.content,
            seen_us=entry.received_us,
        )
    )


def dedupe(block: Block, seen: Seen, store: EventStore) -> None:
    """Keeps of each (application, id) the first; tells duplicates from conflicts.

    What the block itself stored in an earlier try does not count as seen.
    """
    if not block.events:
        return
    keys = keys_of(block.events)
    maybe = keys[seen.maybe(keys)]
    known = {
        key: content
        for key, (content, _, _) in store.seen(
            np.unique(maybe).tolist(), before=block.first
        ).items()
    }
    kept: list[Event] = []
    for event in block.events:
        content = known.get(event.key)
        if content is None:
            known[event.key] = event.content
            kept.append(event)
            block.note(event.position, event.item, STORED, event_id=event.id)
        elif content == event.content:
            block.duplicate_count += 1
            block.note(event.position, event.item, DUPLICATE, event_id=event.id)
        else:
            block.conflicts.append(event)
            block.note(
                event.position, event.item, CONFLICT, "other_content", "transaction_id", event.id
            )
    block.events = kept


def keys_of(events: Sequence[Event]) -> Keys:
    """The keys of events, for the filter."""
    return np.fromiter((event.key for event in events), dtype=np.uint64, count=len(events))


def count(connection: Connection, block: Block) -> None:
    """Adds the block to the counters."""
    counters.add(connection, counters.tally(block.events))


def record(connection: Connection, block: Block) -> None:
    """Keeps what was not stored: rejected items, conflicts, and losses that hosts report."""
    quarantine.hold(connection, block.held)
    upsert(
        connection,
        conflicts,
        [
            {
                "application": event.application,
                "event_id": event.id,
                "position": event.position,
                "item": event.item,
                "seen_us": event.received_at,
                "content": msgspec.json.encode(event._asdict()),
            }
            for event in block.conflicts
        ],
        keys=("application", "event_id", "position", "item"),
    )
    for application, report in block.reports:
        _note_losses(connection, application, report)


def _note_losses(connection: Connection, application: str, report: Mapping[str, Any]) -> None:
    instance, lost = report.get("instance"), report.get("dropped")
    if not isinstance(instance, str) or not isinstance(lost, dict):
        return
    rows = [
        {
            "application": application,
            "instance": instance[:64],
            "reason": str(reason)[:60],
            "count": number,
        }
        for reason, number in list(lost.items())[:32]
        if type(number) is int and 0 <= number < 2**62
    ]
    # Counts are cumulative per instance: the greatest one seen is the truth, whatever is resent.
    upsert(
        connection,
        drops,
        rows,
        keys=("application", "instance", "reason"),
        changes=lambda new: {
            "count": case((new["count"] > drops.c["count"], new["count"]), else_=drops.c["count"])
        },
    )
