"""Events as they are stored, for whoever watches: filtered, thinned, and never in the way.

The pipeline's thread calls ``announce`` after each block. Without watchers that is one look at an
empty tuple; with them it appends the block to each watcher's bounded inbox and wakes the event
loop at most once. All filtering happens in the watcher's own turn on the loop, in slices. A
watcher who is too slow loses blocks from its inbox, and its rate is then scaled by what it read.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from tollkeeper.errors import Overloaded
from tollkeeper.model.event import Event
from tollkeeper.query import events as store_events
from tollkeeper.query.answer import Reader
from tollkeeper.query.filter import Node
from tollkeeper.query.match import Owner, Predicate, predicate
from tollkeeper.query.row import of_event

Owners = Callable[[Event], Owner]
"""Who an event belongs to, as far as it is known when it passes."""

MAX_WATCHERS = 100
ROWS_PER_SECOND = 50
HEARTBEAT_SECONDS = 15
_INBOX_EVENTS = 50_000
_INBOX_BYTES = 64 * 1024 * 1024
_SLICE = 500
_RESUMED_ROWS = 200

Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to tell a watcher: kind ``call``, ``rate`` or ``heartbeat``."""

    kind: str
    data: dict[str, Any] = field(default_factory=dict)
    id: str | None = None


def captured_owner(event: Event) -> Owner:
    """The owner that the capture named."""
    return event.captured_user, event.captured_customer


class _Watcher:
    """One listener's inbox, filled from the pipeline's thread and emptied on the event loop."""

    def __init__(self, application: str, test: Predicate | None) -> None:
        self.application = application
        self.test = test
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._lock = threading.Lock()
        self._blocks: deque[tuple[Sequence[Event], int]] = deque()
        self._waiting = 0
        self._waiting_bytes = 0
        self._lost = 0
        self._called = False
        self.closed = False

    def offer(self, block: Sequence[Event], size_bytes: int) -> None:
        """Takes a block; called from any thread, never waits for the watcher."""
        with self._lock:
            self._blocks.append((block, size_bytes))
            self._waiting += len(block)
            self._waiting_bytes += size_bytes
            while len(self._blocks) > 1 and (
                self._waiting > _INBOX_EVENTS or self._waiting_bytes > _INBOX_BYTES
            ):
                dropped, dropped_bytes = self._blocks.popleft()
                self._waiting -= len(dropped)
                self._waiting_bytes -= dropped_bytes
                self._lost += len(dropped)
            call, self._called = not self._called, True
        if call:
            self._rouse()

    def close(self) -> None:
        """Ends the watcher's stream."""
        self.closed = True
        self._rouse()

    def _rouse(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._wake.set)
        except RuntimeError:  # the loop is closed, nobody is watching any more
            self.closed = True

    def take(self) -> tuple[list[Sequence[Event]], int]:
        """The blocks waiting, and how many events were lost since the last call."""
        with self._lock:
            blocks, lost = [block for block, _ in self._blocks], self._lost
            self._blocks.clear()
            self._waiting = self._waiting_bytes = self._lost = 0
            self._called = False
            self._wake.clear()
        return blocks, lost

    async def wait(self, seconds: float) -> None:
        """Waits until there is something to take or the time is over."""
        try:
            await asyncio.wait_for(self._wake.wait(), max(seconds, 0))
        except TimeoutError:
            return


class LiveHub:
    """Hands stored events to those who watch.

    Guarantee: ``announce`` may be called from any thread and never waits; a watcher gets events
    in the order of the journal, each at most once.
    """

    def __init__(self, reader: Reader, *, owners: Owners = captured_owner) -> None:
        """``owners`` names the owner of a passing event; as captured by default."""
        self._reader = reader
        self._owners = owners
        self._watchers: tuple[_Watcher, ...] = ()
        self._lock = threading.Lock()
        self._closed = False

    def announce(self, events: Sequence[Event]) -> None:
        """Tells everybody who watches of a block that was stored."""
        watchers = self._watchers
        size_bytes = sum(map(_size_bytes, events)) if watchers else 0
        for watcher in watchers:
            if watcher.closed:
                self._leave(watcher)
            else:
                watcher.offer(events, size_bytes)

    @property
    def watching(self) -> int:
        """How many watch."""
        return len(self._watchers)

    def close(self) -> None:
        """Ends all streams, so that a server can stop; later ones end at once."""
        with self._lock:
            self._closed = True
            watchers = self._watchers
        for watcher in watchers:
            watcher.close()

    def check(self, condition: Node | None) -> Predicate | None:
        """The filter of a stream as a function; none when everything passes.

        Raises:
            InvalidInput: for what cannot be told of passing events.
            Overloaded: when too many watch already.
        """
        if self.watching >= MAX_WATCHERS:
            raise Overloaded(f"{MAX_WATCHERS} streams are open already", code="too_many_streams")
        return None if condition is None else predicate(condition)

    async def watch(
        self, application: str, condition: Node | None, *, resume: Place | None = None
    ) -> AsyncGenerator[Message, None]:
        """What happens from now on, or from a place in the journal on.

        At most ``ROWS_PER_SECOND`` calls are told in a second; each second with calls ends with a
        ``rate`` message of how many there were and how many were shown.
        """
        watcher = _Watcher(application, self.check(condition))
        with self._lock:
            self._watchers = (*self._watchers, watcher)
            watcher.closed = watcher.closed or self._closed
        try:
            # From here on the inbox fills, so nothing falls between the store and the stream.
            last: Place = (-1, -1)
            if resume is not None:
                last = resume
                for position, item, row in await self._missed(application, condition, resume):
                    last = (position, item)
                    yield Message("call", row, f"{position}.{item}")
            async with aclosing(self._follow(watcher, last)) as following:
                async for message in following:
                    yield message
        finally:
            self._leave(watcher)

    async def _missed(
        self, application: str, condition: Node | None, resume: Place
    ) -> list[tuple[int, int, dict[str, Any]]]:
        return await asyncio.to_thread(
            store_events.after,
            self._reader,
            application,
            condition,
            position=resume[0],
            item=resume[1],
            limit=_RESUMED_ROWS,
        )

    async def _follow(self, watcher: _Watcher, last: Place) -> AsyncGenerator[Message, None]:
        loop = asyncio.get_running_loop()
        second = _Second(loop.time())
        spoke_at = loop.time()
        while not watcher.closed:
            await watcher.wait(min(second.ends_at, spoke_at + HEARTBEAT_SECONDS) - loop.time())
            blocks, lost = watcher.take()
            second.lost += lost
            for block in blocks:
                async for event, owner in self._passing(watcher, block, last, second):
                    last = (event.position, event.item)
                    spoke_at = loop.time()
                    row = of_event(event, owner)
                    yield Message("call", row, f"{event.position}.{event.item}")
            if loop.time() >= second.ends_at:
                if rate := second.rate(loop.time()):
                    spoke_at = loop.time()
                    yield Message("rate", rate)
                second = _Second(loop.time(), told=bool(rate))
            if loop.time() >= spoke_at + HEARTBEAT_SECONDS:
                spoke_at = loop.time()
                yield Message("heartbeat")

    async def _passing(
        self, watcher: _Watcher, block: Sequence[Event], last: Place, second: _Second
    ) -> AsyncIterator[tuple[Event, Owner]]:
        for start in range(0, len(block), _SLICE):
            part = block[start : start + _SLICE]
            room = ROWS_PER_SECOND - second.shown
            # Beside the loop: an owner that nobody remembers is read from the records.
            matched, shown = await asyncio.to_thread(self._match, watcher, part, last, room)
            second.read += len(part)
            second.matched += matched
            second.shown += len(shown)
            for event, owner in shown:
                yield event, owner

    def _match(
        self, watcher: _Watcher, part: Sequence[Event], last: Place, room: int
    ) -> tuple[int, list[tuple[Event, Owner]]]:
        """How many events of a slice match, and the first of them with their owners."""
        matched = 0
        shown: list[tuple[Event, Owner]] = []
        for event in part:
            if event.application != watcher.application or (event.position, event.item) <= last:
                continue
            if watcher.test is not None and not watcher.test(event, self._owners(event)):
                continue
            matched += 1
            if len(shown) < room:
                shown.append((event, self._owners(event)))
        return matched, shown

    def _leave(self, watcher: _Watcher) -> None:
        with self._lock:
            self._watchers = tuple(w for w in self._watchers if w is not watcher)


def _size_bytes(event: Event) -> int:
    """About what an event holds in memory: the parts of it that can be long."""
    return (
        len(event.uri)
        + len(event.request_headers)
        + len(event.response_headers)
        + len(event.request_body)
        + len(event.response_body)
        + len(event.metadata)
    )


class _Second:
    """Counts of one second of a stream."""

    def __init__(self, started_at: float, *, told: bool = False) -> None:
        self._started_at = started_at
        self._told = told
        self.ends_at = started_at + 1
        self.read = 0
        self.lost = 0
        self.matched = 0
        self.shown = 0

    def rate(self, now: float) -> dict[str, Any]:
        """What to tell at the end of the second; a silence is told once."""
        if not self.matched and not self._told:
            return {}
        share = self.matched / self.read if self.read else 0
        estimated = self.matched + share * self.lost
        return {
            "per_second": round(estimated / max(now - self._started_at, 1)),
            "shown": self.shown,
        }
