"""The agent: takes calls from the adapters, and keeps what it does away from the host.

One agent lives in each process for each adapter. `finish` costs the host a few microseconds:
it asks the host's own callables, weighs the call and queues it; everything else happens on the
sender's thread. With a spool the event is made and written at once, which costs more and keeps
it through the death of the process.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import random
import sys
import uuid
import weakref
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

import msgspec

from tollkeeper import __version__
from tollkeeper.capture import off
from tollkeeper.capture.ask import Asker
from tollkeeper.capture.buffer import Buffer, weigh
from tollkeeper.capture.call import Call
from tollkeeper.capture.courier import BATCH_BYTES, Courier
from tollkeeper.capture.guard import FAILED, quiet
from tollkeeper.capture.loop import OwnLoop
from tollkeeper.capture.options import Options, read_options
from tollkeeper.capture.prepare import Preparer
from tollkeeper.capture.send import HttpTransport, Pauses, Sending, Transport
from tollkeeper.capture.spool import Spool
from tollkeeper.capture.stats import Counts, summed
from tollkeeper.clock import SYSTEM_CLOCK, Clock
from tollkeeper.errors import InvalidSettings


class Agent:
    """What an adapter hands its calls to.

    Guarantee: `finish` never raises and never waits for the network. Memory is bounded by
    `event_queue_size` and `queue_bytes` and one batch. What is lost is counted and told to the
    collector with the next batch. In a forked child the agent starts afresh, with an instance id
    of its own, and sends nothing that its parent took.

    Args:
        options: `Options`, or whatever `read_options` takes.
        clock: Tells the time.
        transport: The way to the collector; by default HTTP to `options.url`.
        name: What kind of adapter this is, for the collector's list of instances.
        pauses: How long to wait between tries.
        chance: For jitter and for the start of sampling.

    Raises:
        InvalidSettings: when the options cannot work.
    """

    def __init__(
        self,
        options: Options | Mapping[str, Any] | str | None = None,
        *,
        clock: Clock = SYSTEM_CLOCK,
        transport: Transport | None = None,
        name: str = "python",
        pauses: Pauses = Pauses(),  # noqa: B008 - a frozen value
        chance: random.Random | None = None,
    ) -> None:
        self.options = options if isinstance(options, Options) else read_options(options)
        self.clock = clock
        self.counts = Counts(debug=self.options.debug)
        self.body_limit_bytes = self.options.body_limit_bytes if self.options.log_body else 0
        self.instance = str(uuid.uuid4())
        self._name = f"{name}/{__version__}"
        self._closed = False
        chance = chance or random.Random()  # noqa: S311 - jitter, not cryptography
        loop = OwnLoop()
        self._asker = Asker(self.options, self.counts)
        self.asynchronous = self._asker.awaits
        self._masks_later = "mask_event" in self.options.asynchronous
        self._preparer = Preparer(self.options, self.counts, clock, chance, loop)
        self._buffer = Buffer(
            events=self.options.event_queue_size, limit_bytes=self.options.queue_bytes
        )
        self._batch_size = self.options.batch_size
        self._spool = self._open_spool()
        self._transport = transport or HttpTransport(self.options.url)
        self._sending = Sending(
            self._transport,
            self.counts,
            clock,
            headers=self._headers,
            timeout_seconds=self.options.timeout_seconds,
            pauses=pauses,
            chance=chance,
        )
        self._courier = Courier(
            buffer=self._buffer,
            spool=self._spool,
            preparer=self._preparer,
            asker=self._asker,
            sending=self._sending,
            counts=self.counts,
            clock=clock,
            keep=self._keep,
            loop=loop,
            batch_size=self._batch_size,
            timer_seconds=self.options.timer_wake_up_seconds,
            timeout_seconds=self.options.timeout_seconds,
        )
        _close_with_multiprocessing()
        _agents.add(self)
        if self._spool is not None and self._spool.has_leftovers():
            self._courier.wake()

    def finish(self, call: Call) -> None:
        """Takes one finished call; asks the plain callables here, coroutines later on the sender's thread.

        Guarantee: never raises. With a spool the event is on disk when this returns, unless it
        waits for a coroutine, or the disk refuses (then it waits in memory).
        """
        quiet(self.counts, "finish", self._take, call)

    async def finish_async(self, call: Call) -> None:
        """Like `finish`, with the coroutines among the callables awaited here.

        Raises:
            asyncio.CancelledError: when the host cancels the task meanwhile; nothing was taken
                then, and the call can still be given to `finish`.
        """
        try:
            async with _limit(self.options.timeout_seconds):
                wanted = await self._asker.ask_async(call)
        except TimeoutError as error:
            # The request's own task waits here, with all that the host still wants to do in it.
            self.counts.failed("coroutine", error)
            wanted = True
        if not wanted:
            self._skipped()
            return
        call.request = call.response = None
        quiet(self.counts, "finish", self._store, call)

    def flush(self, deadline_seconds: float | None = None) -> bool:
        """Delivers what is waiting; true when all of it is with the collector in time."""
        return bool(
            quiet(self.counts, "flush", self._courier.flush, self._deadline(deadline_seconds))
        )

    def flush_last(self) -> None:
        """Like `flush`, for a host about to end without closing: says what is lost with it."""
        if not self.flush():
            waiting_count = len(self._buffer) + self._courier.under_way
            self.counts.lost_at_exit(waiting_count, has_spool=self._spool is not None)

    def close(self, deadline_seconds: float | None = None) -> None:
        """Delivers what is waiting, within the deadline, and takes no more calls.

        What is not delivered by then is counted as dropped with the reason `exit`; what is in the
        spool stays there for the next process.
        """
        if self._closed:
            return
        self._closed = True
        _agents.discard(self)
        lost = quiet(self.counts, "close", self._courier.stop, self._deadline(deadline_seconds))
        self.counts.lost_at_exit(lost or 0, has_spool=self._spool is not None)
        if self._spool is not None:
            quiet(self.counts, "close", self._spool.close)

    def stats(self) -> dict[str, Any]:
        """What happened so far: see `Counts`; with `queued` in memory and `spooled` on disk now."""
        return {
            **self.counts.snapshot(),
            "queued": len(self._buffer) + self._courier.under_way,
            "spooled": self._spool.waiting_count() if self._spool is not None else 0,
            "tokens_rejected": self._preparer.tokens.rejected,
        }

    def _hurry(self) -> None:
        """Begins to deliver what is waiting."""
        self._courier.hurry(self.options.flush_deadline_seconds)

    def _deadline(self, seconds: float | None) -> float:
        """The time that the host grants."""
        return self.options.flush_deadline_seconds if seconds is None else seconds

    def _take(self, call: Call) -> None:
        """Asks the plain callables and stores the call."""
        if self._asker.asks and not self._asker.ask(call):
            self._skipped()
            return
        if not self._asker.awaits:
            call.request = call.response = None  # the host's objects must not live on in our queue
        self._store(call)

    def _skipped(self) -> None:
        """Counts a call that the host's `skip` left out."""
        self.counts.add("captured")
        self.counts.add("skipped")

    def _store(self, call: Call) -> None:
        """Puts the call where it waits for its batch."""
        counts = self.counts
        with counts.lock:
            counts.captured += 1
        if self._closed:
            counts.drop("closed")
        elif self._spool is None or self._masks_later or call.request is not None:
            self._enqueue(call, weigh(call))
        else:
            events = quiet(counts, "prepare", self._preparer.prepare, call)
            if events is FAILED:
                counts.drop("unprepared")
                return
            if not events:
                self._courier.ensure()  # somebody must look after what sampling left behind
            for event in events:
                self._keep(event)

    def _enqueue(self, item: Call | bytes, size_bytes: int) -> None:
        """Queues in memory, and wakes the sender for the first of a batch, for a full one, and for a heavy one."""
        buffer = self._buffer
        count = buffer.put(item, size_bytes, self.clock.monotonic_ns())
        if count == 0:
            self.counts.drop("queue_full")
        elif count == 1 or count % self._batch_size == 0 or buffer.is_heavy:
            self._courier.wake()

    def _keep(self, event: bytes) -> None:
        """Keeps an encoded event: on disk when there is a spool that takes it, else in memory."""
        spool = self._spool
        if spool is None:
            self._enqueue(event, len(event) + 100)
            return
        try:
            if not spool.is_open:
                spool.open(self.instance)
            count = spool.append(event, self.clock.monotonic_ns())
        except OSError as error:
            self.counts.failed("spool", error)
            self._enqueue(event, len(event) + 100)
            return
        if count == 0:
            self.counts.drop("spool_full")
        elif count == 1 or not spool.oldest_ns():
            self._courier.wake()

    def _open_spool(self) -> Spool | None:
        """The spool of the options, ready to be written."""
        directory = self.options.spool_directory
        if directory is None:
            return None
        spool = Spool(
            directory,
            self.options.application_id,
            limit_bytes=self.options.spool_bytes,
            segment_events=self.options.batch_size,
            segment_bytes=BATCH_BYTES,
        )
        try:
            spool.open(self.instance)
        except OSError as error:
            raise InvalidSettings(
                f"spool_directory: {error.strerror or error}", field="spool_directory"
            ) from error
        return spool

    def _headers(self) -> dict[str, str]:
        """The headers of an upload, with what this instance has lost so far."""
        told = {
            "instance": self.instance,
            "agent": self._name,
            "dropped": self.counts.snapshot()["dropped"],
        }
        return {
            "Content-Type": "application/json; charset=utf-8",
            "Content-Encoding": "gzip",
            "User-Agent": f"tollkeeper-python/{__version__}",
            "X-Moesif-Application-Id": self.options.application_id,
            "X-Tollkeeper-Capture": msgspec.json.encode(told).decode("ascii"),
        }

    def _after_fork(self) -> None:
        """Makes a new instance of this agent in a forked child."""
        self.instance = str(uuid.uuid4())
        self.counts.reset()
        self._preparer.reset()
        self._buffer.reset()
        if self._spool is not None:
            self._spool.after_fork()
        self._transport.after_fork()
        self._courier.reset()


_agents: weakref.WeakSet[Agent] = weakref.WeakSet()
_closing_pid = 0


def _limit(seconds: float) -> AbstractAsyncContextManager[Any]:
    """Ends what is awaited in it by TimeoutError; only asyncio's loops can."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return nullcontext()
    return asyncio.timeout(seconds)


def stats() -> dict[str, Any]:
    """The counters of all live agents of this process, added up; `off` says why adapters capture nothing."""
    return {**summed([agent.stats() for agent in list(_agents)]), "off": off.reasons()}


def close_all() -> None:
    """Closes every agent of this process, all at the same time, each within its own deadline; runs at exit."""
    agents = list(_agents)
    if not agents:
        return
    clock = agents[0].clock
    started_ns = clock.monotonic_ns()
    for agent in agents:
        quiet(agent.counts, "close", agent._hurry)
    for agent in agents:
        gone_seconds = (clock.monotonic_ns() - started_ns) / 1e9
        agent.close(max(0.0, agent.options.flush_deadline_seconds - gone_seconds))


def _close_with_multiprocessing(*_: object) -> None:
    """Lets a child of `multiprocessing` close its agents too: it ends without Python's exit hooks."""
    global _closing_pid
    util = sys.modules.get("multiprocessing.util")
    if util is not None and _closing_pid != os.getpid():
        _closing_pid = os.getpid()
        util.Finalize(None, close_all, exitpriority=0)


def _after_fork() -> None:
    """Makes every agent of a forked child a new instance."""
    for agent in list(_agents):
        quiet(agent.counts, "fork", agent._after_fork)
    util = sys.modules.get("multiprocessing.util")
    if util is not None and _agents:
        # It forgets on its way into the child what is registered now, and asks those who told it.
        util.register_after_fork(_agents, _close_with_multiprocessing)


atexit.register(close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
