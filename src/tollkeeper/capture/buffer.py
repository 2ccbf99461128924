"""Where calls wait in memory for the sender: bounded in events and in bytes."""

from __future__ import annotations

import threading
from collections import deque

from tollkeeper.capture.call import Call

Item = Call | bytes
"""A call still to be prepared, or an event already encoded."""

_CALL_BYTES = 1100
_HEADER_BYTES = 170


def weigh(call: Call) -> int:
    """About how much memory a waiting call takes, in bytes; rather more than it does than less."""
    size = _CALL_BYTES + len(call.path) + len(call.query)
    for name, value in call.request_headers:
        size += _HEADER_BYTES + len(name) + len(value)
    for name, value in call.response_headers:
        size += _HEADER_BYTES + len(name) + len(value)
    if call.request_body:
        size += len(call.request_body)
    if call.response_body:
        size += len(call.response_body)
    return size


class Buffer:
    """A queue whose newest item is refused when it is full.

    Guarantee: thread safe, never waits for anything but another `put` or `take`; at most
    `events` items and `limit_bytes` bytes (by `weigh`) are held.
    """

    def __init__(self, *, events: int, limit_bytes: int) -> None:
        self._events = events
        self._limit_bytes = limit_bytes
        self.reset()

    def reset(self) -> None:
        """Empties the buffer without counting: in a forked child the items are the parent's."""
        # Reentrant, because a signal handler of the host may run on top of us in the same thread.
        self._lock = threading.RLock()
        self._items: deque[tuple[Item, int, int]] = deque()
        self.bytes = 0

    def __len__(self) -> int:
        """How many items wait."""
        return len(self._items)

    def put(self, item: Item, size_bytes: int, now_ns: int) -> int:
        """Adds an item; returns how many wait now, 0 when it was refused."""
        with self._lock:
            count = len(self._items)
            if count >= self._events or self.bytes + size_bytes > self._limit_bytes:
                return 0
            self._items.append((item, size_bytes, now_ns))
            self.bytes += size_bytes
            return count + 1

    def oldest_ns(self) -> int | None:
        """When the oldest item came, None when there is none."""
        with self._lock:
            return self._items[0][2] if self._items else None

    def take(self, count: int, limit_bytes: int) -> list[Item]:
        """Removes and returns up to so many of the oldest items, one at least and no more than weigh so much."""
        out: list[Item] = []
        with self._lock:
            items, left = self._items, limit_bytes
            while items and len(out) < count and (items[0][1] <= left or not out):
                item, size, _ = items.popleft()
                self.bytes -= size
                left -= size
                out.append(item)
        return out

    def take_all(self) -> list[Item]:
        """Removes and returns all items."""
        return self.take(len(self._items), self.bytes)

    @property
    def is_heavy(self) -> bool:
        """True when so many bytes wait that they should leave, however few items they are."""
        return self.bytes * 4 >= self._limit_bytes
