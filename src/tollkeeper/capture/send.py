"""Brings batches to the collector: gzip, keep-alive, retries with growing pauses, and answers judged.

Only 201 means that the collector has the events. Refusals (4xx) are final and counted; everything
else is tried again until it works or the host closes, because the events' ids make a batch that
was stored after all harmless.
"""

from __future__ import annotations

import http.client
import os
import random
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

import msgspec

from tollkeeper.capture.stats import Counts
from tollkeeper.clock import Clock, to_us

PATH = "/v1/events/batch"
ANSWER_LIMIT_BYTES = 1 << 20
RETRY_AFTER_LIMIT_SECONDS = 300.0
GZIP_LEVEL = 1
_STALE = (
    http.client.RemoteDisconnected,
    http.client.CannotSendRequest,
    http.client.BadStatusLine,
    ConnectionResetError,
    BrokenPipeError,
)


class Answer(NamedTuple):
    """What came back: status, the Retry-After header, the body up to a limit."""

    status: int
    retry_after: str | None
    body: bytes


class Transport(Protocol):
    """A way to the collector."""

    def post(self, body: bytes, headers: dict[str, str], timeout_seconds: float) -> Answer:
        """Sends one request.

        Raises:
            OSError: when there is no way through.
            http.client.HTTPException: when what answers is not HTTP.
        """
        ...

    def close(self) -> None:
        """Lets the connection go; the next post opens a new one."""
        ...

    def after_fork(self) -> None:
        """In a forked child: leaves the parent's connection alone."""
        ...


class HttpTransport:
    """One kept-alive connection to the collector; used by one thread at a time."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port
        self._path = parts.path.rstrip("/") + PATH
        self._connection: http.client.HTTPConnection | None = None
        self._context: ssl.SSLContext | None = None
        self._inherited: list[http.client.HTTPConnection] = []

    def post(self, body: bytes, headers: dict[str, str], timeout_seconds: float) -> Answer:
        """Sends one request; once more on a fresh connection when a kept one had been closed."""
        is_kept = self._connection is not None
        try:
            return self._exchange(body, headers, timeout_seconds)
        except _STALE:
            self.close()
            if not is_kept:
                raise
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        return self._exchange(body, headers, timeout_seconds)

    def close(self) -> None:
        """Lets the connection go."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def after_fork(self) -> None:
        """In a forked child: lets go of the parent's connection without closing it properly.

        A thread of the parent may have been inside of it, with locks that nobody in the child ever
        opens; so the object is kept untouched, and only its descriptor is closed.
        """
        connection, self._connection = self._connection, None
        if connection is not None:
            self._inherited.append(connection)
            if connection.sock is not None:
                with suppress(OSError):
                    os.close(connection.sock.detach())

    def _exchange(self, body: bytes, headers: dict[str, str], timeout_seconds: float) -> Answer:
        """One request and its answer."""
        connection = self._connection or self._connect(timeout_seconds)
        if connection.sock is not None:
            connection.sock.settimeout(timeout_seconds)
        try:
            connection.request("POST", self._path, body=body, headers=headers)
            response = connection.getresponse()
            answer = Answer(
                response.status,
                response.getheader("Retry-After"),
                response.read(ANSWER_LIMIT_BYTES),
            )
            is_whole = response.isclosed()
        except BaseException:
            self.close()
            raise
        if not is_whole:
            self.close()
        return answer

    def _connect(self, timeout_seconds: float) -> http.client.HTTPConnection:
        """A new connection, without Nagle's delay."""
        if self._secure:
            self._context = self._context or ssl.create_default_context()
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                self._host, self._port, timeout=timeout_seconds, context=self._context
            )
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=timeout_seconds)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = connection
        return connection


class Pauses(NamedTuple):
    """How long to wait between tries: doubling from `first` up to `longest`, each shortened by chance to half at most."""

    first_seconds: float = 0.5
    longest_seconds: float = 30.0

    def seconds(self, failures: int, chance: random.Random) -> float:
        """The pause after so many failures in a row."""
        full = min(self.longest_seconds, self.first_seconds * 2.0 ** min(failures - 1, 30))
        return full * (0.5 + chance.random() / 2)


class Sending:
    """Delivers batches, one after the other.

    `urge` is set while the host waits for us (flush, exit): pauses are then cut short, and `until`
    bounds the whole.
    """

    def __init__(
        self,
        transport: Transport,
        counts: Counts,
        clock: Clock,
        *,
        headers: Callable[[], dict[str, str]],
        timeout_seconds: float,
        pauses: Pauses,
        chance: random.Random,
    ) -> None:
        self._transport = transport
        self._counts = counts
        self._clock = clock
        self._headers = headers
        self._timeout_seconds = timeout_seconds
        self._pauses = pauses
        self._chance = chance
        self.reset()

    def reset(self) -> None:
        """Nothing under way: the state at start and in a forked child."""
        self.urge = threading.Event()
        self.until_ns: int | None = None
        self.failures = 0

    def close(self) -> None:
        """Lets the connection go; only while nothing is being delivered."""
        self._transport.close()

    def deliver(self, events: Sequence[bytes], body: bytes | None = None) -> bool:
        """Brings a batch in; false when time ran out and the events are still ours.

        True also when the collector refused them for good: then they are counted as dropped.

        Args:
            events: The batch.
            body: The same batch as gzipped JSON, when it is there already.
        """
        body = packed(events) if body is None else body
        while True:
            pause = self._attempt(events, body)
            if pause is None:
                return True
            if pause < 0:
                half = len(events) // 2
                return self.deliver(events[:half]) and self.deliver(events[half:])
            if not self._wait(pause):
                return False

    def _attempt(self, events: Sequence[bytes], body: bytes) -> float | None:
        """One try: None when settled, below zero when the batch must be halved, else the pause to make."""
        try:
            answer = self._transport.post(body, self._headers(), self._patience_seconds())
        except (OSError, http.client.HTTPException) as error:
            return self._failed(type(error).__name__, None)
        status = answer.status
        if status == 201:
            self._arrived(events, answer)
            return None
        if status == 413 and len(events) > 1:
            return -1.0
        if 400 <= status < 500 and status not in (408, 425, 429):
            self._refused(status, len(events))
            return None
        return self._failed(f"status {status}", answer.retry_after)

    def _arrived(self, events: Sequence[bytes], answer: Answer) -> None:
        """Counts a batch that is in, and what the collector turned away of it."""
        if self.failures:
            self.failures = 0
            self._counts.forget("outage")
        rejected = min(_rejected_count(answer.body), len(events))
        self._counts.add("batches")
        self._counts.add("sent", len(events) - rejected)
        self._counts.drop("rejected", rejected)
        self._counts.trace("sent %d events", len(events))

    def _refused(self, status: int, count: int) -> None:
        """Counts a batch that will never be taken."""
        self.failures = 0
        if status == 401:
            self._counts.once(
                "401", "the collector does not know this application_id; events are dropped"
            )
            self._counts.drop("unauthorized", count)
        else:
            self._counts.drop(f"refused_{status}", count)

    def _failed(self, what: str, retry_after: str | None) -> float:
        """Counts a failed try; returns the pause before the next."""
        self.failures += 1
        self._counts.add("retries")
        self._counts.once(
            "outage", "the collector cannot be reached (%s); events wait and are sent later", what
        )
        asked = _asked_seconds(retry_after, self._clock.now_us())
        pause = self._pauses.seconds(self.failures, self._chance)
        # A little later than asked, so that not all hosts come back at one moment.
        return pause if asked is None else asked + min(pause, 1.0)

    def _patience_seconds(self) -> float:
        """The time limit of one try: shorter when the exit waits."""
        if self.until_ns is None:
            return self._timeout_seconds
        left = (self.until_ns - self._clock.monotonic_ns()) / 1e9
        return max(0.05, min(self._timeout_seconds, left))

    def _wait(self, seconds: float) -> bool:
        """Makes a pause, a short one when urged; false when the time given by the host is over."""
        if not self.urge.is_set():
            self._clock.wait(self.urge, seconds)
        if self.urge.is_set():
            self._clock.wait(threading.Event(), min(seconds, 0.1))
        return self.until_ns is None or self._clock.monotonic_ns() < self.until_ns


def packed(events: Sequence[bytes]) -> bytes:
    """The events as one gzipped JSON array."""
    stream = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 31)
    return stream.compress(b"[" + b",".join(events) + b"]") + stream.flush()


def _rejected_count(body: bytes) -> int:
    """How many events the collector says it turned away."""
    try:
        document = msgspec.json.decode(body) if body else None
    except ValueError:
        return 0
    rejected = document.get("rejected") if isinstance(document, dict) else None
    return len(rejected) if isinstance(rejected, list) else 0


def _asked_seconds(retry_after: str | None, now_us: int) -> float | None:
    """What a Retry-After header asks for, at most five minutes; None when it asks for nothing."""
    if not retry_after:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), RETRY_AFTER_LIMIT_SECONDS)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max(0.0, (to_us(at) - now_us) / 1e6), RETRY_AFTER_LIMIT_SECONDS)
