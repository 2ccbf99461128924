"""Capture of the calls that the host itself makes, with httpx or requests.

Bodies are never read ahead: what the host streams is counted as it streams, and the event is made
when the host has read the last byte, closed the response, or got an error. A call that got no
answer has status 0 and the outcome "exception".
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from tollkeeper.capture.agent import Agent
from tollkeeper.capture.call import Call, Texts
from tollkeeper.capture.guard import quiet
from tollkeeper.capture.off import or_off
from tollkeeper.capture.options import Options, read_options
from tollkeeper.capture.tee import Tee
from tollkeeper.errors import InvalidSettings

Undo = Callable[[], None]

# Each module knows one library, imports it at its top, and offers the same two functions.
LIBRARIES = {
    "httpx": "tollkeeper.capture.outgoing_httpx",
    "requests": "tollkeeper.capture.outgoing_requests",
}


def capture_outgoing(
    client: Any = None,
    options: Options | dict[str, Any] | str | None = None,
    *,
    agent: Agent | None = None,
    **settings: Any,
) -> Undo:
    """Captures the calls of one httpx client or requests session, or of all of them.

    Without a client, every call through the network transports of those of the two libraries that
    are installed is captured, from clients that exist and from clients made later.

    Returns: a function that ends the capture; calling it twice is harmless.

    Guarantee: never raises for options that cannot work, or a client that is of neither library.
    It logs one error then, captures nothing, and says why in `stats()`.
    """
    names = or_off(lambda: _libraries(client))
    if names is None:
        return _nothing
    shared = agent or or_off(
        lambda: Agent(read_options(options, **settings), name="python-outgoing")
    )
    if shared is None:
        return _nothing
    undos: list[Undo] = []
    for name in names:
        library = importlib.import_module(LIBRARIES[name])
        undos.append(library.watch_all(shared) if client is None else library.watch(client, shared))

    def undo() -> None:
        while undos:
            undos.pop()()

    return undo


def _nothing() -> None:
    """Undoes nothing."""


def _libraries(client: Any) -> list[str]:
    """The names of the libraries to watch."""
    if client is None:
        return [name for name in LIBRARIES if importlib.util.find_spec(name) is not None]
    names = [name for name in LIBRARIES if _is_of(client, name)]
    if not names:
        raise InvalidSettings(
            f"client: expected an httpx client or a requests session, got {type(client).__name__}",
            field="client",
        )
    return names


def _is_of(client: Any, library: str) -> bool:
    return any(base.__module__.partition(".")[0] == library for base in type(client).__mro__)


def is_own(agent: Agent, url: str) -> bool:
    """True for a call to the collector that the agent itself sends to: those are never captured."""
    return url.startswith(agent.options.url.rstrip("/") + "/v1/")


class Exchange:
    """One outgoing call under way."""

    __slots__ = (
        "_end_ns",
        "_handed_over",
        "_start_ns",
        "_start_us",
        "agent",
        "call",
        "complete",
        "request_tee",
        "response_tee",
    )

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self._handed_over = False
        self._end_ns = 0
        self.complete = False
        limit_bytes = agent.body_limit_bytes
        self.request_tee = Tee(limit_bytes) if limit_bytes else None
        self.response_tee = Tee(limit_bytes) if limit_bytes else None
        self.call = Call()
        self.call.direction = "Outgoing"
        self._start_us = agent.clock.now_us()
        self._start_ns = agent.clock.monotonic_ns()

    def describe(self, request: Any, method: str, url: str, headers: Texts) -> None:
        """Fills what is known of the request."""
        call = self.call
        parts = urlsplit(url)
        call.request = request
        call.method = method
        call.scheme = parts.scheme
        call.host = parts.netloc.rpartition("@")[2]
        call.path = parts.path or "/"
        call.query = parts.query
        call.request_headers = headers

    def took(self, chunk: bytes) -> None:
        """Counts a piece of the response as it came over the wire."""
        self.call.response_bytes += len(chunk)
        if self.response_tee is not None:
            self.response_tee.add(chunk)

    def sent(self, chunk: bytes) -> None:
        """Counts a piece of the request."""
        self.call.request_bytes += len(chunk)
        if self.request_tee is not None:
            self.request_tee.add(chunk)

    def finish(self, outcome: str | None) -> None:
        """Makes the event, once."""
        call = self._closed(outcome)
        if call is not None:
            self.agent.finish(call)

    async def finish_async(self, outcome: str | None) -> None:
        """Makes the event, once; for hosts whose callables are coroutines."""
        call = self._closed(outcome)
        if call is None:
            return
        if not self.agent.asynchronous:
            self.agent.finish(call)
            return
        try:
            await self.agent.finish_async(call)
        except BaseException:
            self.agent.finish(call)
            raise

    def _closed(self, outcome: str | None) -> Call | None:
        if self._handed_over:
            return None
        self._handed_over = True
        self._end_ns = self.agent.clock.monotonic_ns()
        call = quiet(self.agent.counts, "adapter", self._filled, outcome) or None
        if call is None:
            self.agent.counts.unread()
        return call

    def _filled(self, outcome: str | None) -> Call:
        call = self.call
        call.time_us = self._start_us
        call.duration_us = (self._end_ns - self._start_ns) // 1000
        call.outcome = outcome
        if self.request_tee is not None:
            call.request_body = self.request_tee.body()
            call.request_truncated = self.request_tee.truncated
        if self.response_tee is not None:
            call.response_body = self.response_tee.body()
            call.response_truncated = self.response_tee.truncated
        return call


def announced_bytes(headers: Texts) -> int | None:
    """The Content-Length, or None when there is none."""
    for name, value in headers:
        if name == "content-length" and value.isdigit():
            return int(value)
    return None
