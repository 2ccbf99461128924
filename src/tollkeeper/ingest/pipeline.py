"""The pipeline: reads the journal in order and makes stored, counted events of it, exactly once.

    decode → dedupe → store → (one transaction: count, record, parties, learn, position) → announce

Guarantee: a block is written down before it is stored; after a crash the same entries are stored
again under the same token, and everything counted moves with the position in one transaction.
When a store fails, the block is tried again until it succeeds; meanwhile the backlog grows and
the collector refuses at its limit. An event that cannot be stored by itself is held, so that the
others are.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Protocol

import structlog
from sqlalchemy import Connection, Engine

from tollkeeper.clock import Clock
from tollkeeper.errors import Overloaded, StoreError
from tollkeeper.ingest import steps
from tollkeeper.ingest.block import Attributes, Block
from tollkeeper.ingest.dedupe import dedupe, keys_of
from tollkeeper.ingest.isolate import unstorable
from tollkeeper.ingest.normalise import Context
from tollkeeper.ingest.outcomes import Outcomes
from tollkeeper.ingest.seen import Seen
from tollkeeper.ingest.telemetry import IngestMetrics
from tollkeeper.journal.entry import Entry
from tollkeeper.journal.journal import Journal
from tollkeeper.model.event import Event
from tollkeeper.store import progress
from tollkeeper.store.events import EventStore
from tollkeeper.store.records import write

_BLOCK_EVENTS = 50_000
_BLOCK_BYTES = 48 * 1024 * 1024
_LINGER_SECONDS = 0.05
_SYNC_EVERY_EVENTS = 1_000_000
_PATIENCE_SECONDS = 30.0
_RETRY_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)

log = structlog.get_logger(__name__)


class Parties(Protocol):
    """What the identity room does with a block, inside its transaction."""

    def apply(self, connection: Connection, block: Block) -> None:
        """Takes users, companies and subscriptions, and learns pairs of token and user."""
        ...


class Announcer(Protocol):
    """Who wants to hear of stored events."""

    def announce(self, events: Sequence[Event]) -> None:
        """Called on the pipeline's thread after a block is stored; must not block."""
        ...


class Pipeline:
    """The thread between journal and stores."""

    def __init__(
        self,
        *,
        journal: Journal,
        store: EventStore,
        records: Engine,
        seen: Seen,
        context: Callable[[Entry, Attributes], Context],
        parties: Parties,
        announcers: Sequence[Announcer],
        outcomes: Outcomes,
        metrics: IngestMetrics,
        clock: Clock,
        fault: Callable[[str], None],
    ) -> None:
        self._journal = journal
        self._store = store
        self._records = records
        self._seen = seen
        self._context = context
        self._parties = parties
        self._announcers = announcers
        self._outcomes = outcomes
        self._metrics = metrics
        self._clock = clock
        self._fault = fault
        self._stopping = threading.Event()
        self._unsynced = 0
        self._stored_us = clock.now_us()
        begun = progress.load(records)
        self._half = begun.block
        self._storing = threading.Condition()
        self._unstorable: set[tuple[int, int]] = set()
        self.stored_position = begun.stored_position
        self.failure: str | None = None
        self._thread = threading.Thread(target=self._run, name="pipeline", daemon=True)

    def start(self) -> None:
        """Completes what a crash left in half, then begins to follow the journal."""
        self.recall()
        self._thread.start()

    def stop(self) -> None:
        """Stores what is accepted, then ends; what cannot be stored now waits in the journal."""
        self._stopping.set()
        self._journal.committed.set()
        self._thread.join()
        self._sync(self.stored_position)

    def as_of_us(self, now_us: int) -> int:
        """Up to when everything received is stored: now, or the newest stored entry's time."""
        if self._journal.last_position == self.stored_position:
            return now_us
        return self._stored_us

    @property
    def alive(self) -> bool:
        """True while the thread runs."""
        return self._thread.is_alive()

    @contextmanager
    def between_blocks(self) -> Iterator[None]:
        """Holds the pipeline between two blocks, so that all stores are at the same position.

        Raises:
            Overloaded: a block is stored in half and was not completed in time.
        """
        with self._storing:
            if not self._storing.wait_for(lambda: self._half is None, _PATIENCE_SECONDS):
                raise Overloaded("a block is stored in half; it is tried again", code="busy")
            yield

    def recall(self) -> None:
        """Tells the filter the keys that were stored after it was last written to disk."""
        if self._seen.synced_position > self.stored_position:
            self._seen.clear()
        elif self._half is None and self._seen.synced_position == self.stored_position:
            # After an orderly end nothing is newer, and looking would read the position of each key.
            return
        for keys in self._store.keys_after(self._seen.synced_position):
            self._seen.add(keys)

    def run_once(self) -> bool:
        """Stores the next block on the calling thread; false when nothing waits.

        Raises:
            Exception: whatever a store raised; the same block comes next.
        """
        entries = self._next_entries()
        if entries:
            self._store_block(entries)
        return bool(entries)

    def _run(self) -> None:
        while True:
            stopping = self._stopping.is_set()
            self._journal.committed.clear()
            if self._journal.last_position > self.stored_position:
                if not self._insist():
                    return
            elif stopping:
                return
            elif self._journal.committed.wait(0.5):
                # Waiting a moment makes one block of what many small requests bring.
                self._clock.wait(self._stopping, _LINGER_SECONDS)

    def _insist(self) -> bool:
        """Tries until the next block is stored; false when the process is to end before."""
        for attempt in itertools.count():
            try:
                self.run_once()
            except Exception as error:  # noqa: BLE001 - nothing may stop what comes after it
                self.failure = str(error) or repr(error)
                self._metrics.failures.inc()
                log.error("block_not_stored", after=self.stored_position, error=self.failure)
                delay = _RETRY_SECONDS[min(attempt, len(_RETRY_SECONDS) - 1)]
                if self._clock.wait(self._stopping, delay) and attempt > 2:
                    return False
            else:
                self.failure = None
                return True
        return False

    def _next_entries(self) -> list[Entry]:
        """Entries of the next block; of the very same one when one was begun."""
        waiting = self._journal.read(self.stored_position)
        if self._half is not None:
            first, last = self._half
            again = list(itertools.takewhile(lambda entry: entry.position <= last, waiting))
            if again and again[0].position == first:
                self._fault("pipeline.replay")
                return again
            # Nothing of it is left to store: then it is no block.
            self._half = None
            waiting = self._journal.read(self.stored_position)
        found: list[Entry] = []
        events = size = 0
        for entry in waiting:
            found.append(entry)
            # An empty body makes work too: without end of them there must be an end of the block.
            events += max(1, entry.item_count)
            size += len(entry.body)
            if events >= _BLOCK_EVENTS or size >= _BLOCK_BYTES:
                break
        return found

    def _store_block(self, entries: list[Entry]) -> None:
        block = Block(entries)
        timed = self._metrics.step
        with self._storing:
            with timed("decode"):
                steps.decode(block, self._context)
                steps.set_aside(block, self._unstorable, self._context)
            with timed("dedupe"):
                dedupe(block, self._seen, self._store)
            self._begin(block)
            self._fault("pipeline.begun")
            with timed("store"):
                self._insert(block)
            self._fault("pipeline.stored")
            with timed("count"):
                self._count(block)
            self._fault("pipeline.counted")
            self._finish(block)
            self._storing.notify_all()
        self._tell(block)

    def _begin(self, block: Block) -> None:
        self._half = (block.first, block.last)
        progress.begin(self._records, block.first, block.last)

    def _insert(self, block: Block) -> None:
        try:
            self._store.insert_block(block.events, token=block.token)
        except StoreError:
            # An event that no store can hold must not stop the others: the next try leaves it out.
            for event in unstorable(self._store, block.events):
                log.error("event_not_storable", position=event.position, item=event.item)
                self._unstorable.add((event.position, event.item))
            raise

    def _count(self, block: Block) -> None:
        with write(self._records) as connection:
            # A commit whose answer was lost has counted; counting it again would be once too often.
            if progress.stored_position(connection) >= block.last:
                return
            steps.count(connection, block)
            steps.record(connection, block)
            self._parties.apply(connection, block)
            progress.finish(connection, block.last)

    def _finish(self, block: Block) -> None:
        self._seen.add(keys_of(block.events))
        self.stored_position = block.last
        self._half = None
        self._unstorable.clear()
        self._stored_us = block.entries[-1].received_us
        self._journal.release(block.last, entries=len(block.entries), size_bytes=block.size_bytes)
        self._fault("pipeline.released")
        self._unsynced += len(block.events)
        if self._unsynced >= _SYNC_EVERY_EVENTS:
            self._unsynced = 0
            self._sync(block.last)

    def _sync(self, position: int) -> None:
        # Without it only the next start takes longer, so a full disk is no reason to fail here.
        with suppress(OSError):
            self._seen.sync(position)

    def _tell(self, block: Block) -> None:
        self._metrics.note(block)
        self._outcomes.publish(block.outcomes)
        with self._metrics.step("announce"):
            for announcer in self._announcers:
                announcer.announce(block.events)
