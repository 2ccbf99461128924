"""The journal: group commit in front, ordered reading behind.

Guarantee: ``append``'s future ends with the entry's position only when the entry is durable.
Entries are read in the order of their positions, without gaps. Thread-safe: many appenders, one
reader.
"""

from __future__ import annotations

import queue
import shutil
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from tollkeeper.errors import Overloaded
from tollkeeper.journal.entry import Entry
from tollkeeper.journal.segment import SUFFIX, Segment

_COMMIT_ENTRIES = 512
_TAIL_BYTES = 64 * 1024 * 1024
_COMMIT_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """Where the journal starts to refuse.

    Units: bytes. ``backlog_bytes`` bounds what is accepted but not yet stored; below
    ``free_bytes`` of free disk nothing is accepted; a file is rotated at ``segment_bytes``.
    """

    backlog_bytes: int = 2 * 1024**3
    free_bytes: int = 256 * 1024**2
    segment_bytes: int = 128 * 1024**2


class Journal:
    """The folder of journal files, with the one thread that writes to it."""

    def __init__(
        self,
        folder: Path,
        *,
        stored_position: int,
        limits: Limits | None = None,
        fault: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Opens the folder; ``stored_position`` is how far the pipeline has stored it.

        ``fault`` is called at named points, for crash tests.
        """
        self._fault = fault
        self._folder = folder
        self._limits = limits or Limits()
        folder.mkdir(parents=True, exist_ok=True)
        self._segments = [Segment(p) for p in sorted(folder.glob(f"*{SUFFIX}"))]
        self._lock = threading.Lock()
        self._last = stored_position
        self._backlog_entries = 0
        self._backlog_bytes = 0
        for segment in self._segments:
            count, size, last = segment.span(stored_position)
            self._last = max(self._last, segment.first - 1, last or 0)
            self._backlog_entries += count
            self._backlog_bytes += size
        if not self._segments:
            self._segments.append(Segment.create(folder, self._last + 1))
        # The newest entries stay in memory, so that a pipeline that keeps up reads no disk.
        self._tail: deque[Entry] = deque()
        self._tail_bytes = 0
        self._waiting: queue.SimpleQueue[tuple[Entry, Future[int]] | None] = queue.SimpleQueue()
        self.failure: str | None = None
        self.committed = threading.Event()
        self._writer = threading.Thread(target=self._write, name="journal", daemon=True)
        self._writer.start()

    @property
    def last_position(self) -> int:
        """Position of the newest durable entry; 0 when there never was one."""
        return self._last

    def backlog(self) -> tuple[int, int]:
        """Entries and bytes that are accepted but not released yet."""
        return self._backlog_entries, self._backlog_bytes

    def refusal(self) -> str | None:
        """Which limit forbids to accept anything now; ``None`` when none does."""
        if self._backlog_bytes >= self._limits.backlog_bytes:
            return "the backlog of accepted but not yet stored events is at its limit"
        if shutil.disk_usage(self._folder).free < self._limits.free_bytes:
            return "the disk is nearly full"
        return None

    def append(self, entry: Entry) -> Future[int]:
        """Takes an entry; the future ends with its position once it is durable.

        Raises:
            Overloaded: through the future, when the backlog or the disk is at its limit or the
                commit failed; the entry is then not kept.
        """
        future: Future[int] = Future()
        self._waiting.put((entry, future))
        return future

    def read(self, after: int) -> Iterator[Entry]:
        """Durable entries behind a position, in order; ends at what was committed meanwhile."""
        with self._lock:
            segments = list(self._segments)
            tail = list(self._tail)
        if tail and tail[0].position <= after + 1:
            yield from (entry for entry in tail if entry.position > after)
            return
        starts = [s.first for s in segments[1:]] + [None]
        for segment, next_first in zip(segments, starts, strict=True):
            if next_first is None or next_first > after + 1:
                for entry in segment.read(after):
                    after = entry.position
                    yield entry

    def release(self, position: int, *, entries: int, size_bytes: int) -> None:
        """Says that everything up to a position is stored; drained files are dropped."""
        with self._lock:
            self._backlog_entries -= entries
            self._backlog_bytes -= size_bytes
            while self._tail and self._tail[0].position <= position:
                self._tail_bytes -= len(self._tail.popleft().body)
            while len(self._segments) > 1 and self._segments[1].first <= position + 1:
                self._segments.pop(0).drop()

    def close(self) -> None:
        """Commits what waits, then closes the files."""
        self._waiting.put(None)
        self._writer.join()
        for segment in self._segments:
            segment.close()

    def _write(self) -> None:
        running = True
        while running:
            group: list[tuple[Entry, Future[int]]] = []
            size = 0
            item = self._waiting.get()
            while item is not None:
                group.append(item)
                size += len(item[0].body)
                if len(group) >= _COMMIT_ENTRIES or size >= _COMMIT_BYTES or self._waiting.empty():
                    break
                item = self._waiting.get()
            running = item is not None
            if group:
                self._commit(group, size)

    def _commit(self, group: list[tuple[Entry, Future[int]]], size: int) -> None:
        refusal = self.refusal()
        first = self._last + 1
        if refusal is None:
            entries = [e._replace(position=first + i) for i, (e, _) in enumerate(group)]
            try:
                self._fault("journal.before_commit")
                self._current(first).write(entries)
                self._fault("journal.after_commit")
            except (sqlite3.Error, OSError) as error:
                # Said until a commit succeeds again; each append tries anew.
                refusal = self.failure = f"the journal cannot be written: {error}"
            else:
                self.failure = None
                self._last = entries[-1].position
                with self._lock:
                    self._backlog_entries += len(entries)
                    self._backlog_bytes += size
                    self._tail.extend(entries)
                    self._tail_bytes += size
                    while self._tail_bytes > _TAIL_BYTES:
                        self._tail_bytes -= len(self._tail.popleft().body)
        for index, (_, future) in enumerate(group):
            if refusal is None:
                future.set_result(first + index)
            else:
                future.set_exception(Overloaded(refusal, code="journal_full"))
        if refusal is None:
            self.committed.set()

    def _current(self, first: int) -> Segment:
        segment = self._segments[-1]
        if first > segment.first and segment.size_bytes() >= self._limits.segment_bytes:
            segment = Segment.create(self._folder, first)
            self._fault("journal.rotated")
            with self._lock:
                self._segments.append(segment)
        return segment
