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
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tollkeeper.errors import Overloaded
from tollkeeper.journal.entry import Entry
from tollkeeper.journal.segment import SUFFIX, Segment, sync_folder

_STOPPING = "the server is stopping"
_PROBE_SECONDS = 1.0
_COMMIT_ENTRIES = 512
_TAIL_BYTES = 64 * 1024 * 1024
_ENTRY_BYTES = 1024  # what an entry takes in memory beside its body
_COMMIT_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """Where the journal starts to refuse.

    Units: bytes. ``backlog_bytes`` bounds what is accepted but not yet stored; below
    ``free_bytes`` of free disk nothing is accepted; a file is rotated at ``segment_bytes``, or
    after ``idle_seconds`` without an entry when all of it is stored: bodies are raw in it, with
    whatever secrets SDKs sent, so they are not to lie there until enough others have come.
    """

    backlog_bytes: int = 2 * 1024**3
    free_bytes: int = 256 * 1024**2
    segment_bytes: int = 128 * 1024**2
    idle_seconds: float = 60.0


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
        sync_folder(folder.parent)
        _sweep(folder)
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
        self._closed = False
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
        if self._closed:
            future.set_exception(Overloaded(_STOPPING, code="stopping"))
        else:
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
                self._tail_bytes -= _footprint(self._tail.popleft())
            drained = []
            while len(self._segments) > 1 and self._segments[1].first <= position + 1:
                drained.append(self._segments.pop(0))
        for segment in drained:
            # One that cannot be deleted now is found drained again after the next start.
            with suppress(OSError, sqlite3.Error):
                segment.drop()

    def close(self) -> None:
        """Commits what waits, then closes the files; what comes later is refused."""
        self._closed = True
        self._waiting.put(None)
        self._writer.join()
        while not self._waiting.empty():
            late = self._waiting.get()
            if late is not None:
                _answer([late], Overloaded(_STOPPING, code="stopping"))
        for segment in self._segments:
            segment.close()

    def _write(self) -> None:
        running = True
        while running:
            group: list[tuple[Entry, Future[int]]] = []
            size = 0
            try:
                item = self._waiting.get(
                    timeout=_PROBE_SECONDS if self.failure else self._limits.idle_seconds
                )
            except queue.Empty:
                if self.failure:
                    self._probe()
                else:
                    self._renew()
                continue
            while item is not None:
                # Nobody waits any more for one that was cancelled: it never was accepted.
                if item[1].set_running_or_notify_cancel():
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
        if refusal is not None:
            _answer(group, Overloaded(refusal, code="journal_full"))
            return
        first = self._last + 1
        entries = [e._replace(position=first + i) for i, (e, _) in enumerate(group)]
        try:
            self._fault("journal.before_commit")
            self._current(first).write(entries)
            self._fault("journal.after_commit")
        except Exception as error:  # noqa: BLE001 - without this thread nothing is ever accepted
            # Said until a write succeeds again; each append tries anew.
            self.failure = f"the journal cannot be written: {error}"
            self._look_again()
            _answer(group, Overloaded(self.failure, code="journal_full"))
            return
        self.failure = None
        with self._lock:
            self._backlog_entries += len(entries)
            self._backlog_bytes += size
            self._tail.extend(entries)
            self._tail_bytes += sum(map(_footprint, entries))
            while self._tail_bytes > _TAIL_BYTES:
                self._tail_bytes -= _footprint(self._tail.popleft())
            self._last = entries[-1].position
        for entry, (_, future) in zip(entries, group, strict=True):
            future.set_result(entry.position)
        self.committed.set()

    def _look_again(self) -> None:
        """After a failed write: a position that is on disk all the same is never given twice."""
        with suppress(sqlite3.Error, OSError):
            count, size, last = self._segments[-1].span(self._last)
            if last is not None:
                with self._lock:
                    self._backlog_entries += count
                    self._backlog_bytes += size
                    self._last = last
                    # What is on disk only would be missing between the entries in memory.
                    self._tail.clear()
                    self._tail_bytes = 0
                self.committed.set()

    def _probe(self) -> None:
        """Finds out by itself that writing works again, because while it fails nobody may come."""
        with suppress(sqlite3.Error, OSError):
            self._segments[-1].touch()
            self.failure = None

    def _renew(self) -> None:
        """Begins a new file when the last one holds only what is stored, and drops that one."""
        # Without a backlog nobody reads, and only this thread writes.
        if self._backlog_entries == 0 and self._last >= self._segments[-1].first:
            # What fails now is tried again later; meanwhile the old file does as well.
            with suppress(sqlite3.Error, OSError):
                self._rotate(self._last + 1)
                self.release(self._last, entries=0, size_bytes=0)

    def _current(self, first: int) -> Segment:
        segment = self._segments[-1]
        if first > segment.first and segment.size_bytes() >= self._limits.segment_bytes:
            segment = self._rotate(first)
        return segment

    def _rotate(self, first: int) -> Segment:
        segment = Segment.create(self._folder, first)
        self._fault("journal.rotated")
        with self._lock:
            self._segments.append(segment)
        return segment


def _footprint(entry: Entry) -> int:
    return len(entry.body) + len(entry.attributes) + _ENTRY_BYTES


def _answer(group: list[tuple[Entry, Future[int]]], refusal: Overloaded) -> None:
    for _, future in group:
        future.set_exception(refusal)


def _sweep(folder: Path) -> None:
    """Removes what a crash while a file was deleted has left of it."""
    for path in folder.glob(f"*{SUFFIX}-*"):
        if not path.with_name(path.name.rpartition("-")[0]).exists():
            path.unlink(missing_ok=True)
