"""One accepted request body, as it waits to be stored."""

from __future__ import annotations

from typing import Any, NamedTuple


class Entry(NamedTuple):
    """What was accepted.

    ``understood`` is what the acceptor already made of the body; it lives in memory only and is
    ``None`` for an entry that was read from disk. ``position`` is 0 until the journal has given one; ``resource`` is events, users, companies or
    subscriptions; ``attributes`` is JSON text of what came beside the body (peer address, user
    agent, capture report); ``item_count`` is the number of items in the body.
    """

    position: int
    application: str
    resource: str
    source: str
    received_us: int
    attributes: str
    item_count: int
    body: bytes
    understood: Any = None
