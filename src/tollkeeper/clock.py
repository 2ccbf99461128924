"""Time as a parameter: the only module that reads the system's clocks.

Inside Tollkeeper an instant is an ``int`` of microseconds since 1970-01-01T00:00:00Z (``_us``) or
an aware UTC ``datetime`` (``_at``).
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """What tells the time."""

    def now_us(self) -> int:
        """Microseconds since the epoch, UTC; may step when the system's clock is set."""
        ...

    def monotonic_ns(self) -> int:
        """Nanoseconds from an arbitrary start; never goes back. For durations."""
        ...

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Waits until the event is set or the time is over; true when it was set."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_us(self) -> int:
        """Microseconds since the epoch by the system's clock."""
        return time.time_ns() // 1000

    # The function itself, because every captured request asks for it several times.
    monotonic_ns = staticmethod(time.monotonic_ns)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Waits on the event for so many real seconds."""
        return event.wait(seconds)


SYSTEM_CLOCK = SystemClock()


def to_datetime(us: int) -> datetime:
    """The aware UTC datetime of an instant in microseconds."""
    return EPOCH + timedelta(microseconds=us)


def to_us(at: datetime) -> int:
    """Microseconds since the epoch of an aware datetime."""
    delta = at - EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def format_us(us: int) -> str:
    """RFC 3339 text of an instant, UTC, always six fraction digits."""
    return to_datetime(us).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
