"""Reads times as SDKs write them.

Source: protocol notes section 0 point 7: with or without ``Z``, any number of fraction digits, no
zone means UTC; Kong's plugin writes its milliseconds unpadded, so that ``05.7`` means 5.007 s.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from tollkeeper.clock import to_us

EARLIEST_US = to_us(datetime(2000, 1, 1, tzinfo=UTC))
LATEST_AHEAD_US = 24 * 3600 * 1_000_000

_UNPADDED = re.compile(r"(\d\d:\d\d:\d\d)\.(\d{1,2})(?!\d)")


def parse_us(text: str, *, unpadded_ms: bool = False) -> int:
    """Microseconds since the epoch of an ISO 8601 text.

    Raises:
        ValueError: when it is not a time.
    """
    if unpadded_ms:
        text = _UNPADDED.sub(lambda m: f"{m[1]}.{int(m[2]):03d}", text)
    # RFC 3339 allows small letters, Python's reader does not.
    at = datetime.fromisoformat(text[:-1] + "Z" if text.endswith("z") else text)
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return to_us(at)
