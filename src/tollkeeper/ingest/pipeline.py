"""The pipeline: reads the journal in order and makes stored, counted events of it, exactly once.

    decode → dedupe → store → (one transaction: count, record, parties, learn, position) → announce

Guarantee: a block is written down before it is stored; after a crash the same entries are stored
again under the same token, and everything counted moves with the position in one transaction.
When a store fails, the block is tried again until it succeeds; meanwhile the backlog grows and
the collector refuses at its limit.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from tollkeeper.clock import Clock
from tollkeeper.errors import StoreError
from tollkeeper.ingest import steps
from tollkeeper.ingest.block import Attributes, Block
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
        self._storing = threading.Lock()
        self._progress = progress.load(records)
        self.stored_position = self._progress.stored_position
        self.failure: str | None = None
        self._thread = threading.Thread(target=self._run, name="pipeline", daemon=True)

    def start(self) -> None:
        """Completes what a crash left in half, then begins to follow the journal."""
        self._recall()
        self._thread.start()

    def stop(self) -> None:
        """Stores what is accepted, then ends."""
        self._stopping.set()
        self._journal.committed.set()
        self._thread.join()
        self._seen.sync(self.stored_position)

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
        """Holds the pipeline between two blocks, so that all stores are at the same position."""
        with self._storing:
            yield

    def _recall(self) -> None:
        """Tells the filter the keys that were stored after it was last written to disk."""
        if self._seen.synced_position > self.stored_position:
            self._seen.clear()
        for keys in self._store.keys_after(self._seen.synced_position):
            self._seen.add(keys)

    def _run(self) -> None:
        if self._progress.block is not None:
            first, last = self._progress.block
            again = list(
                itertools.takewhile(
                    lambda e: e.position <= last, self._journal.read(self.stored_position)
                )
            )
            if again and again[0].position == first:
                self._fault("pipeline.replay")
                self._store_block(Block(again))
        while True:
            stopping = self._stopping.is_set()
            self._journal.committed.clear()
            if self._journal.last_position > self.stored_position:
                self._store_block(Block(self._next_entries()))
            elif stopping:
                return
            elif self._journal.committed.wait(0.5):
                # Waiting a moment makes one block of what many small requests bring.
                self._clock.wait(self._stopping, _LINGER_SECONDS)

    def _next_entries(self) -> list[Entry]:
        found: list[Entry] = []
        events = size = 0
        for entry in self._journal.read(self.stored_position):
            found.append(entry)
            events += entry.item_count
            size += len(entry.body)
            if events >= _BLOCK_EVENTS or size >= _BLOCK_BYTES:
                break
        return found

    def _store_block(self, block: Block) -> None:
        """Tries until the block is stored; gives up only when the process is to end."""
        for attempt in itertools.count():
            try:
                with self._storing:
                    self._try(Block(block.entries))
            except (StoreError, SQLAlchemyError, OSError) as error:
                self.failure = str(error)
                self._metrics.failures.inc()
                log.error("block_not_stored", block=block.token, attempt=attempt, error=str(error))
                delay = _RETRY_SECONDS[min(attempt, len(_RETRY_SECONDS) - 1)]
                if self._clock.wait(self._stopping, delay) and attempt > 2:
                    raise
            else:
                self.failure = None
                return

    def _try(self, block: Block) -> None:
        timed = self._metrics.step
        with timed("decode"):
            steps.decode(block, self._context)
        with timed("dedupe"):
            steps.dedupe(block, self._seen, self._store)
        progress.begin(self._records, block.first, block.last)
        self._fault("pipeline.begun")
        with timed("store"):
            self._store.insert_block(block.events, token=block.token)
        self._fault("pipeline.stored")
        with timed("count"), write(self._records) as connection:
            steps.count(connection, block)
            steps.record(connection, block)
            self._parties.apply(connection, block)
            progress.finish(connection, block.last)
        self._fault("pipeline.counted")
        self._finish(block)

    def _finish(self, block: Block) -> None:
        self._seen.add(steps.keys_of(block.events))
        self.stored_position = block.last
        self._stored_us = block.entries[-1].received_us
        self._journal.release(block.last, entries=len(block.entries), size_bytes=block.size_bytes)
        self._fault("pipeline.released")
        self._unsynced += len(block.events)
        if self._unsynced >= _SYNC_EVERY_EVENTS:
            self._seen.sync(block.last)
            self._unsynced = 0
        self._metrics.note(block)
        self._outcomes.publish(block.outcomes)
        with self._metrics.step("announce"):
            for announcer in self._announcers:
                announcer.announce(block.events)
