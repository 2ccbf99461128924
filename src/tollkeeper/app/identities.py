"""Joins the pipeline with the identity room: what a block says of users and customers."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from sqlalchemy import Connection

from tollkeeper.errors import InvalidInput
from tollkeeper.identity import party
from tollkeeper.identity.learn import Learner
from tollkeeper.ingest import quarantine
from tollkeeper.ingest.block import Block, PartyItem
from tollkeeper.ingest.quarantine import Held
from tollkeeper.ingest.redact import safe


class Identities:
    """What the identity room does with a block, inside its transaction."""

    def __init__(self, pepper: bytes, wake: Callable[[], None]) -> None:
        self._pepper = pepper
        self._wake = wake
        self._learner = Learner()

    def apply(self, connection: Connection, block: Block) -> None:
        """Takes users, companies and subscriptions, and learns pairs of token and user."""
        items: dict[str, list[PartyItem]] = {}
        for item in block.parties:
            items.setdefault(item.entry.application, []).append(item)
        for application, sent in items.items():
            self._take(connection, application, sent)
        by_application: dict[str, list[tuple[str, str, str, int]]] = {}
        for pair in block.pairs:
            by_application.setdefault(pair.application, []).append(
                (pair.credential, pair.user, pair.customer, pair.time_us)
            )
        now_us = block.entries[-1].received_us
        changed = bool(block.parties)
        for application, pairs in by_application.items():
            changed |= self._learner.learn(connection, application, pairs, now_us)
        if changed:
            self._wake()

    def _take(self, connection: Connection, application: str, sent: list[PartyItem]) -> None:
        said = [party.Item(i.entry.resource, i.value, i.entry.received_us) for i in sent]
        errors = party.apply_all(connection, application, said, pepper=self._pepper)
        held = [
            _held(i, e, self._pepper) for i, e in zip(sent, errors, strict=True) if e is not None
        ]
        quarantine.hold(connection, held)


def _held(item: PartyItem, error: InvalidInput, pepper: bytes) -> Held:
    entry = item.entry
    kept = safe(
        msgspec.json.encode(item.value),
        pepper=pepper,
        user_claim="",
        limit=quarantine.MAX_CONTENT_BYTES,
    )
    return Held(
        application=entry.application,
        source=entry.source,
        resource=entry.resource,
        reason=error.code,
        field=error.field,
        detail=error.detail,
        content=kept.content,
        attributes=item.attributes,
        item=item.index,
        seen_us=entry.received_us,
        credential=kept.credential,
    )
