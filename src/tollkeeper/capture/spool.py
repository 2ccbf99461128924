"""Events on disk, so that neither an outage nor the death of the host loses one.

An event is written with one `write` before the host's request ends; the kernel has it then, and a
SIGKILL of the process cannot take it back (a power cut can: there is no fsync in the host's
requests). Events are gathered in segments; a segment is a batch: it is closed when it is full or
its oldest event is due, sent as a whole, and deleted after the collector's 201. After a crash
between the two it is sent again, and the collector knows the ids.

    <directory>/<16 hex of the application id>/<instance>/lock        held by flock while the process lives
                                                         /00000001.seg   records: length, crc32, event

Segments of a process that is gone (its lock can be taken) are adopted by the next that starts. A
record that a crash tore ends its segment; the ones before it are whole.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import struct
import threading
import zlib
from contextlib import suppress
from pathlib import Path

_HEAD = struct.Struct("<II")
_SUFFIX = ".seg"
_OPEN_TRIES = 20
_NEWBORN_SECONDS = 60


class Segment:
    """A closed segment: a file of events that nobody writes to any more."""

    __slots__ = ("_count", "path", "size_bytes")

    def __init__(self, path: Path, size_bytes: int, count: int | None = None) -> None:
        self.path = path
        self.size_bytes = size_bytes
        self._count = count

    def count(self) -> int:
        """How many events it holds; an adopted segment is read for it, once."""
        if self._count is None:
            try:
                self._count = len(self.events())
            except OSError:
                return 0  # what cannot be read cannot be counted; sending it will say why
        return self._count

    def events(self) -> list[bytes]:
        """The whole events in it, in their order; empty when the file is gone."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return []
        return records(data)


def record(event: bytes) -> bytes:
    """An event as it stands in a segment."""
    return _HEAD.pack(len(event), zlib.crc32(event)) + event


def records(data: bytes) -> list[bytes]:
    """The events of a segment's bytes, up to the first one that is not whole."""
    out: list[bytes] = []
    at, end = 0, len(data)
    while at + _HEAD.size <= end:
        length, checksum = _HEAD.unpack_from(data, at)
        event = data[at + _HEAD.size : at + _HEAD.size + length]
        if not length or len(event) < length or zlib.crc32(event) != checksum:
            break
        out.append(event)
        at += _HEAD.size + length
    return out


def _entries(folder: Path) -> list[Path]:
    """What lies in a folder, by name; nothing when it is gone, as others come and go beside us."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _segments(home: Path) -> list[Path]:
    """The segments in a folder, the oldest first."""
    return [path for path in _entries(home) if path.name.endswith(_SUFFIX)]


def _locked(home: Path) -> int | None:
    """The descriptor of a folder's lock, taken; None when another process holds it.

    A process that leaves removes lock and folder, perhaps just between our two steps: then the
    lock that we hold is no file any more, and the next try makes a new one.
    """
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = home / "lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_ino == path.stat().st_ino:
            return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return None


class Spool:
    """The spool of one process.

    Guarantee: when `append` returned a count above zero the event outlives this process. Thread
    safe. `limit_bytes` bounds what this process has on disk, adopted segments included.
    """

    def __init__(
        self,
        directory: str | Path,
        application_id: str,
        *,
        limit_bytes: int,
        segment_events: int,
        segment_bytes: int,
    ) -> None:
        # One folder may serve several applications; a process adopts events of its own one only.
        self.root = Path(directory) / hashlib.sha256(application_id.encode()).hexdigest()[:16]
        self._limit_bytes = limit_bytes
        self._segment_events = segment_events
        self._segment_bytes = segment_bytes
        self._lock = threading.RLock()
        self._descriptor = -1
        self._locks: dict[Path, int] = {}
        self._forget()

    def _forget(self) -> None:
        """The state before the first event."""
        self._home: Path | None = None
        self._number = 0
        self._written_bytes = 0
        self._written_count = 0
        self._oldest_ns: int | None = None
        self._closed: list[Segment] = []
        self.bytes = 0

    def open(self, instance: str) -> None:
        """Makes this instance's folder and takes its lock.

        Raises:
            OSError: when the folder cannot be made or written.
        """
        home = self.root / instance
        for _ in range(_OPEN_TRIES):
            descriptor = _locked(home)
            if descriptor is not None:
                with self._lock:
                    self._locks[home] = descriptor
                    self._home = home
                return
        raise OSError(f"cannot take the lock of {home}")

    @property
    def is_open(self) -> bool:
        """True when events can be appended."""
        return self._home is not None

    def has_leftovers(self) -> bool:
        """True when segments of other instances lie there, dead or alive."""
        return any(_segments(home) for home in _entries(self.root) if home != self._home)

    def adopt(self) -> int:
        """Takes over the segments of processes that are gone; returns how many."""
        adopted = 0
        for home in _entries(self.root):
            if home not in self._locks and (_segments(home) or self._is_old(home)):
                adopted += self._adopt_home(home)
        return adopted

    def _is_old(self, home: Path) -> bool:
        """True for a folder that is surely no newborn's, which is still to take its lock."""
        try:
            return (
                self._home is not None
                and home.stat().st_mtime < self._home.stat().st_mtime - _NEWBORN_SECONDS
            )
        except OSError:
            return False

    def _adopt_home(self, home: Path) -> int:
        """Takes over one folder, if its owner is gone."""
        try:
            descriptor = _locked(home)
        except OSError:
            return 0  # not ours to read, or gone meanwhile
        if descriptor is None:
            return 0
        found = [Segment(path, path.stat().st_size) for path in _segments(home)]
        with self._lock:
            self._locks[home] = descriptor
            self._closed[:0] = found
            self.bytes += sum(segment.size_bytes for segment in found)
        if not found:
            self._leave(home)
        return len(found)

    def append(self, event: bytes, now_ns: int) -> int:
        """Writes an event; returns how many wait in the open segment now, 0 when the spool is full.

        A segment that this event fills is closed by the way.

        Raises:
            OSError: when the disk refuses; nothing of the event stays behind.
        """
        data = record(event)
        with self._lock:
            if self.bytes + len(data) > self._limit_bytes:
                return 0
            if self._descriptor < 0:
                self._begin()
            self._write(data)
            self._written_count += 1
            self._written_bytes += len(data)
            self.bytes += len(data)
            if self._oldest_ns is None:
                self._oldest_ns = now_ns
            count = self._written_count
            if count >= self._segment_events or self._written_bytes >= self._segment_bytes:
                self._close_segment()
            return count

    def oldest_ns(self) -> int | None:
        """When the oldest event of the open segment came; None when it is empty."""
        return self._oldest_ns

    def has_closed(self) -> bool:
        """True when a closed segment waits."""
        return bool(self._closed)

    def next_segment(self, *, close_open: bool) -> Segment | None:
        """The oldest closed segment; with `close_open` the open one is closed when there is no other."""
        with self._lock:
            if not self._closed and close_open and self._written_count:
                self._close_segment()
            return self._closed[0] if self._closed else None

    def settle(self, segment: Segment) -> None:
        """Deletes a segment whose events are the collector's now."""
        with suppress(OSError):
            segment.path.unlink()
        with self._lock:
            if segment in self._closed:
                self._closed.remove(segment)
                self.bytes -= segment.size_bytes
            home = segment.path.parent
            is_last = home != self._home and all(each.path.parent != home for each in self._closed)
        if is_last:
            self._leave(home)

    def set_aside(self, segment: Segment) -> None:
        """Leaves a segment that cannot be read where it is, for the next process to try."""
        with self._lock:
            if segment in self._closed:
                self._closed.remove(segment)

    def waiting_count(self) -> int:
        """How many events are on disk and not yet the collector's; reads the closed segments."""
        with self._lock:
            closed, count = list(self._closed), self._written_count
        return count + sum(segment.count() for segment in closed)

    def close(self) -> None:
        """Lets go of everything, so that the next process can adopt what is left."""
        with self._lock:
            if self._descriptor >= 0:
                self._close_segment()
            homes = list(self._locks)
        for home in homes:
            self._leave(home)

    def after_fork(self) -> None:
        """In a child: forgets the parent's segments, and drops the child's hold on the parent's locks."""
        self._lock = threading.RLock()
        for descriptor in (*self._locks.values(), self._descriptor):
            if descriptor >= 0:
                with suppress(OSError):
                    os.close(descriptor)
        self._descriptor = -1
        self._locks = {}
        self._forget()

    def _begin(self) -> None:
        """Opens the next segment."""
        if self._home is None:
            raise OSError("the spool is not open")
        self._number += 1
        path = self._home / f"{self._number:08d}{_SUFFIX}"
        self._descriptor = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600
        )

    def _write(self, data: bytes) -> None:
        """Writes one record whole, or takes back the part that was written."""
        try:
            done = os.write(self._descriptor, data)
            if done == len(data):
                return
            raise OSError("the disk took a part of an event only")
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._written_bytes)
            raise

    def _close_segment(self) -> None:
        """Ends the open segment and queues it for the sender."""
        os.close(self._descriptor)
        self._descriptor = -1
        path = (self._home or self.root) / f"{self._number:08d}{_SUFFIX}"
        self._closed.append(Segment(path, self._written_bytes, self._written_count))
        self._written_bytes = self._written_count = 0
        self._oldest_ns = None

    def _leave(self, home: Path) -> None:
        """Removes a folder that is empty but for its lock, and lets the lock go."""
        with self._lock:
            descriptor = self._locks.pop(home, -1)
        if descriptor < 0:
            return
        if not _segments(home):
            with suppress(OSError):
                (home / "lock").unlink()
                home.rmdir()
        os.close(descriptor)
