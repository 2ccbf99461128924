"""Event ids: UUIDv7, rising within a process, different in every fork.

Source: RFC 9562 section 5.7 with the counter of section 6.2 method 2.
"""

from __future__ import annotations

import os
import threading

from tollkeeper.clock import Clock

_NODE_BITS = 47


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
        self._ms = 0
        self._head = ""
        self._node = 0

    def next(self) -> str:
        """The next id, in the usual form with dashes."""
        ms = self._clock.now_us() // 1000
        with self._lock:
            if ms > self._ms:
                self._begin(ms)
            else:
                # The node's seed has 47 of its 48 bits, so that counting up never runs over.
                self._node += 1
            return f"{self._head}{self._node:012x}"

    def _begin(self, ms: int) -> None:
        """Draws the random part of a new millisecond."""
        chance = int.from_bytes(os.urandom(10), "big")
        stamp = f"{ms:012x}"
        self._ms = ms
        self._head = (
            f"{stamp[:8]}-{stamp[8:]}-7{chance & 0xFFF:03x}-{0x8000 | chance >> 12 & 0x3FFF:04x}-"
        )
        self._node = chance >> 26 & (1 << _NODE_BITS) - 1
