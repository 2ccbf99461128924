"""The key of an event: one number that stands for (application, id) in every index."""

from __future__ import annotations

from hashlib import blake2b


def event_key(application: str, event_id: str) -> int:
    """The 64-bit key of an event, the same for ever and on every machine.

    Guarantee: equal pairs give equal keys. Different pairs may share one (at a billion events the
    chance of any such pair is about 3 %), so a reader compares the id as well.
    """
    text = f"{application}\x00{event_id}".encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little")
