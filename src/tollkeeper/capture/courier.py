"""The sender's thread: waits until a batch is due, makes it, delivers it."""

from __future__ import annotations

import threading
import zlib
from typing import Protocol

from tollkeeper.capture.ask import Asker
from tollkeeper.capture.buffer import Buffer, Item
from tollkeeper.capture.call import Call
from tollkeeper.capture.guard import FAILED, quiet
from tollkeeper.capture.loop import OwnLoop
from tollkeeper.capture.prepare import Preparer
from tollkeeper.capture.sample import IDLE_NS
from tollkeeper.capture.send import GZIP_LEVEL, Sending
from tollkeeper.capture.spool import Spool
from tollkeeper.capture.stats import Counts
from tollkeeper.clock import Clock

BATCH_BYTES = 1_000_000
"""A batch is closed at so many bytes of JSON, whatever the count of its events."""

_IDLE_SECONDS = 3600.0
_AFTER_FAILURE_SECONDS = 1.0
_SLICE = 32
_LOOKED_AT = 4  # times the batch size; a batch of sampled calls must end too


class Keep(Protocol):
    """Puts an encoded event where it waits for its batch."""

    def __call__(self, event: bytes) -> None:
        """Keeps one event."""
        ...


class Bell(threading.Event):
    """An event for one waiter, which a signal handler may set on top of a `set` under way.

    The standard library's event holds a lock meanwhile, on which such a handler would wait for ever.
    """

    def __init__(self) -> None:
        super().__init__()
        self._silence = threading.Lock()
        self._silence.acquire()

    def set(self) -> None:
        """Rings."""
        try:
            self._silence.release()
        except RuntimeError:
            return  # it rang already

    def is_set(self) -> bool:
        """True when it rang and nobody cleared it since."""
        return not self._silence.locked()

    def clear(self) -> None:
        """Ends the ringing."""
        self._silence.acquire(blocking=False)

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until it rings or the time is over; true when it rang."""
        rang = self._silence.acquire(timeout=-1 if timeout is None else timeout)
        if rang:
            self.set()
        return rang


class Courier:
    """One thread that empties buffer and spool into the collector.

    Guarantee: a call or batch that fails in some unforeseen way is counted as dropped and costs no
    other. `flush` and `stop` never wait longer than they were given.
    """

    def __init__(
        self,
        *,
        buffer: Buffer,
        spool: Spool | None,
        preparer: Preparer,
        asker: Asker,
        sending: Sending,
        counts: Counts,
        clock: Clock,
        keep: Keep,
        loop: OwnLoop,
        batch_size: int,
        timer_seconds: float,
        timeout_seconds: float,
    ) -> None:
        self._buffer = buffer
        self._spool = spool
        self._preparer = preparer
        self._asker = asker
        self._sending = sending
        self._counts = counts
        self._clock = clock
        self._keep = keep
        self._loop = loop
        self._batch_size = batch_size
        self._timer_ns = int(timer_seconds * 1e9)
        self._timeout_seconds = timeout_seconds
        self.reset()

    def reset(self) -> None:
        """No thread, nothing under way: the state at start and in a forked child."""
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._starting = False
        self._loop.after_fork()
        self._stopping = False
        self._adopted = False
        self._stopped = threading.Event()
        self._wake = Bell()
        self._drained = threading.Event()
        self._events: list[bytes] = []
        self._preparing = 0
        self._sending.reset()

    @property
    def under_way(self) -> int:
        """How many events are taken from the buffer and not yet delivered."""
        return len(self._events) + self._preparing

    def wake(self) -> None:
        """Makes the thread look again; starts it when there is none."""
        self.ensure()
        if not self._wake.is_set():
            self._wake.set()

    def ensure(self) -> None:
        """Starts the thread when there is none."""
        thread = self._thread
        if thread is None or not thread.is_alive():
            self._start()

    def hurry(self, seconds: float) -> bool:
        """Lets the thread deliver everything now, without waiting for it; false where no thread can be had."""
        self._drained.clear()
        self._sending.until_ns = self._clock.monotonic_ns() + int(seconds * 1e9)
        self._sending.urge.set()
        is_running = bool(quiet(self._counts, "thread", self._started))
        if is_running:
            self._wake.set()
        return is_running

    def flush(self, seconds: float) -> bool:
        """Delivers everything that is there; true when it is done in time."""
        if self.hurry(seconds):
            self._clock.wait(self._drained, seconds)
        else:
            self._work_here()  # the interpreter is ending and gives no threads any more
        return self._is_empty()

    def stop(self, seconds: float) -> int:
        """Flushes, and ends the thread; returns how many events could not be delivered."""
        self.flush(seconds)
        self._stopping = True
        self._stopped.set()
        self._sending.until_ns = 0
        self._sending.urge.set()
        self._wake.set()
        thread = self._thread
        if thread is not None and thread.is_alive() and thread is not threading.current_thread():
            thread.join(0.2)
        if thread is None or not thread.is_alive():
            self._sending.close()  # else the thread is inside of the connection, and its lock
        lost_count = self.under_way + len(self._buffer.take_all())
        self._counts.drop("exit", lost_count)
        self._events = []
        self._preparing = 0
        return lost_count

    def _started(self) -> bool:
        """True when the thread runs; starts it."""
        self.ensure()
        return True

    def _start(self) -> None:
        """Starts the thread, unless another one just did."""
        with self._lock:
            if self._starting:
                return  # we are a signal handler on top of ourselves
            self._starting = True
            try:
                if self._stopping or (self._thread is not None and self._thread.is_alive()):
                    return
                thread = threading.Thread(target=self._run, name="tollkeeper-capture", daemon=True)
                self._thread = thread
                thread.start()
            finally:
                self._starting = False

    def _run(self) -> None:
        """The thread's life."""
        while not self._stopping:
            if quiet(self._counts, "sender", self._turn) is FAILED:
                self._counts.drop("unsent", self.under_way)
                self._events = []
                self._preparing = 0
                # Whatever it is, it may be there the next time too: the host's CPU is not ours.
                self._clock.wait(self._stopped, _AFTER_FAILURE_SECONDS)
        quiet(self._counts, "sender", self._loop.close)
        quiet(self._counts, "sender", self._sending.close)

    def _work_here(self) -> None:
        """The same work on the caller's thread, until all is delivered or time is over."""
        while not self._drained.is_set():
            quiet(self._counts, "sender", self._turn)
            until = self._sending.until_ns
            if until is None or self._clock.monotonic_ns() >= until:
                return

    def _turn(self) -> None:
        """Waits until something is due, or delivers one batch."""
        if self._spool is not None and not self._adopted:
            self._adopted = True
            self._counts.add("adopted", self._spool.adopt())
        hurried = self._sending.urge.is_set()
        seconds = self._seconds_to_due(hurried=hurried)
        if seconds > 0:
            if hurried:
                self._end_hurry()
                return
            self._clock.wait(self._wake, seconds)
            self._wake.clear()
            return
        for event in self._preparer.tails(everything=hurried):
            self._keep(event)
        if not self._deliver_next(hurried=hurried) and not self._stopping:
            self._end_hurry()

    def _end_hurry(self) -> None:
        """Tells whoever flushes that no more can be done."""
        self._sending.until_ns = None
        self._sending.urge.clear()
        self._drained.set()

    def _seconds_to_due(self, *, hurried: bool) -> float:
        """How long nothing needs to be done."""
        if self._events or len(self._buffer) >= self._batch_size or self._buffer.is_heavy:
            return 0.0
        if self._spool is not None and self._spool.has_closed():
            return 0.0
        tail_ns = self._preparer.next_tail_ns()
        oldest = [
            self._buffer.oldest_ns(),
            self._spool.oldest_ns() if self._spool is not None else None,
        ]
        due = [at + self._timer_ns for at in oldest if at is not None]
        if tail_ns is not None:
            due.append(tail_ns)
        if not due:
            # With a spool, calls that sampling leaves behind ring no bell.
            return IDLE_NS / 1e9 if self._preparer.samples else _IDLE_SECONDS
        return 0.0 if hurried else max(0.0, (min(due) - self._clock.monotonic_ns()) / 1e9)

    def _is_empty(self) -> bool:
        """True when nothing waits anywhere."""
        spooled = self._spool is not None and (
            self._spool.has_closed() or self._spool.oldest_ns() is not None
        )
        return not self._events and not len(self._buffer) and not spooled

    def _deliver_next(self, *, hurried: bool) -> bool:
        """Delivers what failed before, else a batch from memory, else a segment; false when time ran out."""
        body = None
        if not self._events:
            body = self._fill()
        if self._events:
            if not self._sending.deliver(self._events, body):
                return False
            self._events = []
        return self._deliver_segment(hurried=hurried)

    def _deliver_segment(self, *, hurried: bool) -> bool:
        """Delivers the oldest segment of the spool, if one is due."""
        if self._spool is None:
            return True
        oldest = self._spool.oldest_ns()
        is_due = oldest is not None and (
            hurried or self._clock.monotonic_ns() >= oldest + self._timer_ns
        )
        segment = self._spool.next_segment(close_open=is_due)
        if segment is None:
            return True
        try:
            events = segment.events()
        except OSError as error:
            self._counts.failed("spool", error)
            self._spool.set_aside(segment)
            return True
        if events and not self._sending.deliver(events):
            return False
        self._spool.settle(segment)
        return True

    def _fill(self) -> bytes:
        """Makes the events of a batch out of what waits in memory; returns them gzipped.

        Compressing lets other threads run, so it is done slice by slice between the preparing.
        """
        stream = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 31)
        parts: list[bytes] = []
        size = looked_at = 0
        while size < BATCH_BYTES and looked_at < _LOOKED_AT * self._batch_size:
            room = min(_SLICE, self._batch_size - len(self._events))
            items = self._buffer.take(room, BATCH_BYTES) if room > 0 else []
            if not items:
                break
            looked_at += len(items)
            self._preparing = len(items)
            fresh: list[bytes] = []
            for item in items:
                fresh.extend(self._events_of(item))
            if fresh:
                text = (b"," if self._events else b"[") + b",".join(fresh)
                parts.append(stream.compress(text))
                size += len(text)
                self._events.extend(fresh)
            self._preparing = 0
        parts.append(stream.compress(b"]"))
        parts.append(stream.flush())
        return b"".join(parts)

    def _events_of(self, item: Item) -> list[bytes]:
        """The events that an item comes to."""
        if not isinstance(item, Call):
            return [item]
        if self._asker.awaits and item.request is not None:
            # The host's coroutines, not awaited by any loop of the host.
            wanted = quiet(
                self._counts,
                "coroutine",
                self._loop.run,
                self._asker.ask_async(item),
                self._timeout_seconds,
            )
            item.request = item.response = None
            if wanted is False:
                self._counts.add("skipped")
                return []
        events = quiet(self._counts, "prepare", self._preparer.prepare, item)
        if events is FAILED:
            self._counts.drop("unprepared")
            return []
        return list(events)
