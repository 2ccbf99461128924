"""Capture for Django, as an entry of `MIDDLEWARE`, for WSGI and ASGI deployments alike.

Put it first in the list, so that it sees the response as it leaves, and set `TOLLKEEPER` in the
settings: a dict of options (or an `Agent`, to share one).

Guarantee: sync stays sync and async stays async, a streaming response is never read ahead, a file
response keeps its file. The event is made when Django closes the response, after the last byte.

Behind uvicorn, which ends by a signal that skips Python's exit hooks and of which Django hears
nothing, the events of the last moments need a spool (`spool_directory`), or the ASGI middleware
around `get_asgi_application()` in the place of this one. Gunicorn's workers end in order.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.core.signals import setting_changed

from tollkeeper.capture import environ as environs
from tollkeeper.capture import route
from tollkeeper.capture.agent import Agent
from tollkeeper.capture.call import Call
from tollkeeper.capture.guard import FAILED, quiet
from tollkeeper.capture.off import or_off
from tollkeeper.capture.options import read_options
from tollkeeper.capture.tee import Reader, Tee

SETTING = "TOLLKEEPER"

_agent_lock = threading.Lock()
_agent: Agent | None = None


def shared_agent() -> Agent:
    """The agent of this process, made from the settings when it is first needed.

    Raises: `InvalidSettings` for options that cannot work.
    """
    global _agent
    given = getattr(settings, SETTING, None)
    if isinstance(given, Agent):
        return given
    with _agent_lock:
        # Django builds the middleware once per handler; all of them speak through one agent.
        if _agent is None:
            _agent = Agent(read_options(given), name="python-django")
        return _agent


def _forget_agent(*, setting: str, **_: Any) -> None:
    global _agent
    if setting == SETTING:
        _agent = None


# Django tells of changed settings in tests only; what was built stays as it is.
setting_changed.connect(_forget_agent)


class TollkeeperMiddleware:
    """Captures every request that Django serves.

    Guarantee: never raises. With options that cannot work it logs one error, passes every request
    through, and says why in `stats()`.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self.get_response = get_response
        self.agent = or_off(shared_agent)
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        """Runs the rest of Django; a coroutine when Django is asynchronous."""
        if self._is_async:
            return self._respond(request)
        if self.agent is None:
            return self.get_response(request)
        exchange = _Exchange(self.agent, request)
        try:
            response = self.get_response(request)
        except BaseException as error:
            exchange.failed(error)
            raise
        return exchange.watched(response)

    async def _respond(self, request: Any) -> Any:
        if self.agent is None:
            return await self.get_response(request)
        exchange = _Exchange(self.agent, request)
        try:
            response = await self.get_response(request)
        except BaseException as error:
            exchange.failed(error)
            raise
        return exchange.watched(response)

    def process_exception(self, request: Any, exception: Exception) -> None:
        """Remembers that a view raised; Django goes on as it would."""
        request._tollkeeper_raised = True


class _Exchange:
    """One request under way, until its response is closed."""

    __slots__ = (
        "_agent",
        "_complete",
        "_end_ns",
        "_handed_over",
        "_input",
        "_request",
        "_request_tee",
        "_response",
        "_response_bytes",
        "_response_tee",
        "_start_ns",
        "_start_us",
    )

    def __init__(self, agent: Agent, request: Any) -> None:
        self._agent = agent
        self._request = request
        self._response: Any = None
        self._response_bytes = 0
        self._complete = True
        self._handed_over = False
        self._end_ns = 0
        self._input: Reader | None = None
        limit_bytes = agent.body_limit_bytes
        self._request_tee = Tee(limit_bytes) if limit_bytes else None
        self._response_tee = Tee(limit_bytes) if limit_bytes else None
        stream = getattr(request, "_stream", None)
        if stream is not None and environs.has_body(request.META):
            self._input = request._stream = Reader(stream, self._request_tee)
        self._start_us = agent.clock.now_us()
        self._start_ns = agent.clock.monotonic_ns()

    def watched(self, response: Any) -> Any:
        """The same response, which tells us when it has been sent."""
        self._response = response
        if quiet(self._agent.counts, "adapter", self._watch, response) is FAILED:
            # Not a response as we know them; better an event now than none.
            self.closed()
        return response

    def _watch(self, response: Any) -> None:
        if response.streaming and getattr(response, "file_to_stream", None) is None:
            self._complete = False
            if response.is_async:
                response.streaming_content = self._counted_async(response.streaming_content)
            else:
                response.streaming_content = self._counted(response.streaming_content)
        # What Django closes along with the response, last of all.
        response._resource_closers.append(_Closer(self).close)

    def _counted(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        for block in blocks:
            self._took(block)
            yield block
        self._exhausted()

    async def _counted_async(self, blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for block in blocks:
            self._took(block)
            yield block
        self._exhausted()

    def _took(self, block: bytes) -> None:
        self._response_bytes += len(block)
        if self._response_tee is not None:
            self._response_tee.add(block)

    def _exhausted(self) -> None:
        self._complete = True
        self._end_ns = self._agent.clock.monotonic_ns()

    def failed(self, error: BaseException) -> None:
        """Nothing came back: Django was cancelled, or is set to let exceptions through."""
        self._hand_over("exception" if isinstance(error, Exception) else "disconnect")

    def closed(self) -> None:
        """The response has been sent, or never will be."""
        outcome = None
        if not self._complete:
            outcome = "disconnect"
        elif self._response.status_code >= 500 and hasattr(self._request, "_tollkeeper_raised"):
            outcome = "exception"
        self._hand_over(outcome)

    def _hand_over(self, outcome: str | None) -> None:
        if self._handed_over:
            return
        self._handed_over = True
        if not self._end_ns:
            self._end_ns = self._agent.clock.monotonic_ns()
        call = quiet(self._agent.counts, "adapter", self._call, outcome)
        if call:
            self._agent.finish(call)
        else:
            self._agent.counts.unread()

    def _call(self, outcome: str | None) -> Call:
        call = Call()
        request = self._request
        environs.describe(call, request.META)
        call.method = request.method or "GET"
        call.scheme = request.scheme or "http"
        call.path = _path(request)
        call.time_us = self._start_us
        call.duration_us = (self._end_ns - self._start_ns) // 1000
        call.outcome = outcome
        match = request.resolver_match
        if match is not None and match.route is not None:
            call.route = route.from_django(match.route)
        if self._input is not None:
            call.request_bytes = self._input.read_bytes
        if self._request_tee is not None:
            call.request_body = self._request_tee.body()
            call.request_truncated = self._request_tee.truncated
        call.request = request
        self._describe_response(call)
        return call

    def _describe_response(self, call: Call) -> None:
        response = call.response = self._response
        if response is None:
            call.status = 500 if call.outcome == "exception" else 0
            return
        call.status = response.status_code
        call.response_headers = [(name.lower(), str(value)) for name, value in response.items()]
        call.response_headers += [
            ("set-cookie", cookie.output(header="").strip()) for cookie in response.cookies.values()
        ]
        if call.method == "HEAD":
            return
        if not response.streaming:
            self._took(response.content)
        elif response.has_header("Content-Length") and not self._response_bytes:
            self._response_bytes = int(response["Content-Length"])
        call.response_bytes = self._response_bytes
        if self._response_tee is not None:
            call.response_body = self._response_tee.body()
            call.response_truncated = self._response_tee.truncated


def _path(request: Any) -> str:
    scope = getattr(request, "scope", None)
    if scope is None:
        return environs.path(request.META)
    raw_path = scope.get("raw_path") or b""
    path = raw_path.decode("latin-1") if raw_path[:1] == b"/" else request.get_full_path()
    return str(path).partition("?")[0]


class _Closer:
    """Tells the exchange once: when Django closes the response, or drops it unclosed."""

    __slots__ = ("_exchange",)

    def __init__(self, exchange: _Exchange) -> None:
        self._exchange = exchange

    def close(self) -> None:
        """Lets the event go."""
        self._exchange.closed()

    def __del__(self) -> None:
        # A middleware outside of ours may answer with another response and forget this one.
        self._exchange.closed()
