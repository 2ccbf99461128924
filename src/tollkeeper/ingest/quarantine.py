"""What could not be understood: kept with its reason, counted, listed, and replayed on demand.

The same content of one application is kept once and counted, so that a client that repeats a
broken batch for ever fills nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select, update

from tollkeeper.store.tables import quarantine
from tollkeeper.store.upsert import upsert

MAX_CONTENT_BYTES = 256 * 1024
MAX_FIELD_CHARACTERS = 200
MAX_DETAIL_CHARACTERS = 500


class Held(NamedTuple):
    """One thing that was not understood.

    ``resource`` is what it was meant to be (events, users, …); ``content`` its bytes, kept up to
    ``MAX_CONTENT_BYTES``; ``reason`` a stable word, ``detail`` a sentence. ``attributes`` came
    beside the body and ``item`` is the place in it: both are needed to send it again. There are no
    secrets in ``content``; ``credential`` is the keyed digest of the one that was.
    """

    application: str
    source: str
    resource: str
    reason: str
    field: str | None
    detail: str
    content: bytes
    attributes: str
    item: int
    seen_us: int
    credential: str = ""


def hold(connection: Connection, items: Iterable[Held]) -> None:
    """Keeps items; what is already kept is counted once more."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for item in items:
        said = item.content + item.credential.encode()
        digest = blake2b(said, digest_size=16).hexdigest()
        row = rows.get((item.application, digest))
        if row is not None:
            row["seen_count"] += 1
            continue
        rows[item.application, digest] = {
            **item._asdict(),
            "field": item.field and storable(item.field)[:MAX_FIELD_CHARACTERS],
            "detail": storable(item.detail)[:MAX_DETAIL_CHARACTERS],
            "digest": digest,
            "size_bytes": len(item.content),
            "content": item.content[:MAX_CONTENT_BYTES],
            "first_seen_us": item.seen_us,
            "last_seen_us": item.seen_us,
            "seen_count": 1,
        }
        for name in ("seen_us", "credential"):
            del rows[item.application, digest][name]
    upsert(
        connection,
        quarantine,
        list(rows.values()),
        keys=("application", "digest"),
        changes=lambda new: {
            "last_seen_us": new.last_seen_us,
            "seen_count": quarantine.c.seen_count + new.seen_count,
            "reason": new.reason,
            "field": new.field,
            "detail": new.detail,
            "replayed_us": None,
        },
    )


def storable(text: str) -> str:
    """Text that every records database can hold."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def whole(row: Mapping[str, Any]) -> bool:
    """Whether all of an item's content was kept, so that it can be sent again."""
    return bool(row["size_bytes"] == len(row["content"]))


def listing(connection: Connection, *, limit: int = 100, after: int = 0) -> list[dict[str, Any]]:
    """Items that wait, oldest first, from behind an id on.

    Shape: dicts with the columns of the table ``quarantine``; ``content`` is bytes.
    """
    rows = connection.execute(
        select(quarantine)
        .where(quarantine.c.replayed_us.is_(None), quarantine.c.id > after)
        .order_by(quarantine.c.id)
        .limit(limit)
    )
    return [dict(row) for row in rows.mappings()]


def count(connection: Connection) -> int:
    """Number of different items that wait."""
    statement = select(func.count()).where(quarantine.c.replayed_us.is_(None))
    return int(connection.execute(statement).scalar_one())


def mark_replayed(
    connection: Connection, rows: Iterable[Mapping[str, Any]], *, now_us: int
) -> None:
    """Notes that items, as they were listed, were sent through the pipeline again.

    Guarantee: one that is held once more since then, because it still is not understood, stays.
    """
    for row in rows:
        connection.execute(
            update(quarantine)
            .where(quarantine.c.id == row["id"], quarantine.c.seen_count == row["seen_count"])
            .values(replayed_us=now_us)
        )
