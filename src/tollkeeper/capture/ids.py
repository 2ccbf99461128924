"""Event ids: UUIDv7, rising within a process, different in every fork.

Source: RFC 9562 section 5.7 with the counter of section 6.2 method 2.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

from tollkeeper.clock import Clock

_NODE_BITS = 47


class _Millisecond(NamedTuple):
    """What the ids of one millisecond have in common, and the counter that tells them apart."""

    ms: int
    head: str
    nodes: Iterator[int]


class Ids:
    """Makes UUIDv7 texts.

    Guarantee: each id is greater than the ones before it from the same maker, also when the clock
    goes back or stands still; thread safe; ids of two processes differ by 73 random bits.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.reseed()

    def reseed(self) -> None:
        """Starts afresh with new randomness, in a forked child."""
        self._lock = threading.RLock()
        self._now = _Millisecond(0, "", count())

    def next(self) -> str:
        """The next id, in the usual form with dashes."""
        ms = self._clock.now_us() // 1000
        now = self._now if ms <= self._now.ms else self._begin(ms)
        # One step of the counter is atomic, so only the begin of a millisecond needs the lock.
        return f"{now.head}{next(now.nodes):012x}"

    def _begin(self, ms: int) -> _Millisecond:
        """Draws the random part of a new millisecond, unless another thread just did."""
        with self._lock:
            if ms > self._now.ms:
                chance = int.from_bytes(os.urandom(10), "big")
                stamp = f"{ms:012x}"
                head = f"{stamp[:8]}-{stamp[8:]}-7{chance & 0xFFF:03x}-{0x8000 | chance >> 12 & 0x3FFF:04x}-"
                # The node's seed has 47 of its 48 bits, so that counting up never runs over.
                self._now = _Millisecond(ms, head, count(chance >> 26 & (1 << _NODE_BITS) - 1))
            return self._now
