"""The steps of the pipeline, each a function over a block.

Every step is deterministic in the block's entries and in what earlier positions stored, so that a
block that was stored in half comes out the same when it is sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import replace
from typing import Any

import msgspec
import structlog
from msgspec import structs
from sqlalchemy import Connection, case

from tollkeeper.errors import InvalidInput
from tollkeeper.identity.item import read_item
from tollkeeper.ingest import cloudevents, quarantine
from tollkeeper.ingest.block import (
    REJECTED,
    STORED,
    Attributes,
    Block,
    CaptureReport,
    Pair,
    PartyItem,
)
from tollkeeper.ingest.decode import Decoder, Rejection, split
from tollkeeper.ingest.normalise import Context, Measures, normalise, verify
from tollkeeper.ingest.quarantine import Held
from tollkeeper.ingest.redact import safe
from tollkeeper.journal.entry import Entry
from tollkeeper.model.event import WireEvent
from tollkeeper.store import counters
from tollkeeper.store.tables import conflicts, drops
from tollkeeper.store.upsert import upsert

_EVENTS = Decoder(WireEvent, mark=b'"request"')
_OBJECTS: Decoder[dict[str, Any]] = Decoder(dict[str, Any], mark=b"{")
_ATTRIBUTES = msgspec.json.Decoder(Attributes)
# What a mistake of ours may raise: the one event that meets it is held, the others are stored.
_BUGS = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, RecursionError)

log = structlog.get_logger(__name__)


Item = tuple[WireEvent, Measures] | Rejection
"""An event that was understood, with its checked numbers, or why it was not."""


def items_of(entry: Entry, attributes: Attributes, most: int | None = None) -> list[Item]:
    """The events of a body, whichever protocol brought it, each verified or rejected.

    Raises:
        InvalidInput: the body as a whole cannot be understood.
        TooLarge: it has more than ``most`` items.
    """
    found: list[WireEvent | Rejection]
    if entry.source == "cloudevents":
        said = (attributes.content_type, attributes.headers or {})
        found = cloudevents.decode(entry.body, *said, most=most)
    else:
        found = _EVENTS.decode(entry.body, most)
    unpadded = is_kong(attributes)
    items: list[Item] = []
    contents: list[bytes] | None = None
    for index, wire in enumerate(found):
        if not isinstance(wire, Rejection):
            try:
                measures = verify(wire, received_us=entry.received_us, unpadded_ms=unpadded)
            except InvalidInput as error:
                wire = Rejection(index, error.code, error.field, error.detail, b"")
            else:
                items.append((wire, measures))
                continue
        if not wire.content:
            # Cut apart once, however many are wrong.
            contents = _contents(entry) if contents is None else contents
            content = contents[index] if index < len(contents) else entry.body
            wire = replace(wire, content=content)
        items.append(wire)
    return items


def _contents(entry: Entry) -> list[bytes]:
    """The bytes of each item, found again because decoded forms do not hold them."""
    try:
        return split(entry.body)
    except InvalidInput:
        return []


def objects_of(entry: Entry, most: int | None = None) -> list[dict[str, Any] | Rejection]:
    """The users, companies or subscriptions of a body, each checked or rejected.

    Raises:
        InvalidInput: the body as a whole cannot be understood.
        TooLarge: it has more than ``most`` items.
    """
    found = _OBJECTS.decode(entry.body, most)
    contents: list[bytes] | None = None
    for index, item in enumerate(found):
        if isinstance(item, Rejection):
            continue
        try:
            read_item(entry.resource, item, b"")
        except InvalidInput as error:
            contents = _contents(entry) if contents is None else contents
            content = contents[index] if index < len(contents) else entry.body
            found[index] = Rejection(index, error.code, error.field, error.detail, content)
    return found


def is_kong(attributes: Attributes) -> bool:
    """True when Kong's plugin sent the body; it writes milliseconds unpadded."""
    return attributes.agent.startswith("kong-plugin-moesif")


def decode(block: Block, context: Callable[[Entry, Attributes], Context]) -> None:
    """Bodies become rows; what cannot be understood is held with its reason, without secrets."""
    for entry in block.entries:
        attributes = _ATTRIBUTES.decode(entry.attributes)
        if attributes.items:
            block.outcomes[entry.position] = []
        if attributes.capture:
            block.reports.append((entry.application, attributes.capture))
        known = context(entry, attributes)
        try:
            if entry.resource == "events":
                _decode_events(block, entry, attributes, known)
            else:
                _decode_parties(block, entry, attributes, known)
        except InvalidInput as error:
            rejection = Rejection(0, error.code, error.field, error.detail, entry.body)
            _hold(block, entry, attributes, known, rejection)


def _decode_events(block: Block, entry: Entry, attributes: Attributes, context: Context) -> None:
    items = items_of(entry, attributes) if entry.understood is None else entry.understood
    context = context._replace(
        first_item=attributes.first_item, credential=attributes.credential, user=attributes.user
    )
    for index, item in enumerate(items):
        if isinstance(item, Rejection):
            _hold(block, entry, attributes, context, item)
            continue
        wire, measures = item
        try:
            event = normalise(wire, measures, index, context)
        except _BUGS as error:
            log.exception("event_not_understood", position=entry.position, item=index)
            content = (_contents(entry)[index : index + 1] or [entry.body])[0]
            rejection = Rejection(index, "internal_error", None, type(error).__name__, content)
            _hold(block, entry, attributes, context, rejection)
            continue
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


def _decode_parties(block: Block, entry: Entry, attributes: Attributes, context: Context) -> None:
    kept = _kept(attributes)
    for index, item in enumerate(objects_of(entry)):
        if isinstance(item, Rejection):
            _hold(block, entry, attributes, context, item)
        else:
            block.note(entry.position, index, STORED)
            block.parties.append(PartyItem(entry, attributes.first_item + index, item, kept))


def _hold(
    block: Block, entry: Entry, attributes: Attributes, context: Context, rejection: Rejection
) -> None:
    block.note(entry.position, rejection.index, REJECTED, rejection.reason, rejection.field or "")
    kept = safe(
        rejection.content,
        pepper=context.pepper,
        user_claim=context.user_claim,
        limit=quarantine.MAX_CONTENT_BYTES,
    )
    # What was held before brings its caller along.
    credential = kept.credential or attributes.credential
    named = structs.replace(attributes, credential=credential, user=kept.user or attributes.user)
    block.held.append(
        Held(
            application=entry.application,
            source=entry.source,
            resource=entry.resource,
            reason=rejection.reason,
            field=rejection.field,
            detail=rejection.detail,
            content=kept.content,
            attributes=_kept(named),
            item=attributes.first_item + rejection.index,
            seen_us=entry.received_us,
            credential=credential,
        )
    )


def _kept(attributes: Attributes) -> str:
    """What is needed to read a held item again; nobody waits for its result any more."""
    kept = structs.replace(attributes, capture=None, items=False, first_item=0)
    return msgspec.json.encode(kept).decode()


def set_aside(
    block: Block,
    unstorable: Set[tuple[int, int]],
    context: Callable[[Entry, Attributes], Context],
) -> None:
    """Holds the events that the store refused, named by (position, item)."""
    if not unstorable:
        return
    entries = {entry.position: entry for entry in block.entries}
    kept = []
    for event in block.events:
        if (event.position, event.item) not in unstorable:
            kept.append(event)
            continue
        entry = entries[event.position]
        content = (_contents(entry)[event.item : event.item + 1] or [entry.body])[0]
        rejection = Rejection(
            event.item, "not_storable", None, "the event store cannot hold it", content
        )
        attributes = _ATTRIBUTES.decode(entry.attributes)
        _hold(block, entry, attributes, context(entry, attributes), rejection)
    block.events = kept


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


def _note_losses(connection: Connection, application: str, report: CaptureReport) -> None:
    rows = [
        {
            "application": application,
            "instance": quarantine.storable(report.instance)[:64],
            "reason": quarantine.storable(reason)[:60],
            "count": number,
        }
        for reason, number in list(report.dropped.items())[:32]
        if 0 <= number < 2**62
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
