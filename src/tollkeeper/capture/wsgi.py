"""Capture for WSGI applications: Flask, Bottle, Django behind WSGI, and any other (PEP 3333).

Guarantee: the application gets a working `start_response` with `exc_info` and the write callable,
its `close` runs exactly once, each block is handed on before the next is asked for, and a
`wsgi.file_wrapper` reaches the server as it is. Nothing is done for the event before the server is
done with the response.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tollkeeper.capture import environ as environs
from tollkeeper.capture import framework
from tollkeeper.capture.agent import Agent
from tollkeeper.capture.call import Call
from tollkeeper.capture.guard import quiet
from tollkeeper.capture.header import decoded
from tollkeeper.capture.off import or_off
from tollkeeper.capture.options import Options, read_options
from tollkeeper.capture.tee import Reader, Tee
from tollkeeper.capture.view import RequestView, ResponseView

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], object]]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]


class TollkeeperMiddleware:
    """Wraps a WSGI application and captures every call.

    For Flask: `app.wsgi_app = TollkeeperMiddleware(app.wsgi_app, ...)`. Options come as a dict, as
    `Options`, as a pasted KrakenD configuration, or as keyword arguments; `agent` shares one agent
    between several adapters of a process.

    Guarantee: never raises. With options that cannot work it logs one error, passes everything
    through, and says why in `stats()`.
    """

    def __init__(
        self,
        app: Application,
        options: Options | dict[str, Any] | str | None = None,
        *,
        agent: Agent | None = None,
        **settings: Any,
    ) -> None:
        self.app = app
        self.agent = agent or or_off(
            lambda: Agent(read_options(options, **settings), name="python-wsgi")
        )
        self.asks_host = self.agent is not None and bool(self.agent.options.callables)
        self.resolve = framework.django_resolver(app) if self.agent is not None else None

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Runs the application; what comes back counts the blocks that the server takes."""
        if self.agent is None:
            return self.app(environ, start_response)
        exchange = _Exchange(self, self.agent, environ, start_response)
        try:
            result = self.app(environ, exchange.start_response)
        except BaseException:
            exchange.ended(raised=True)
            raise
        blocks: Iterable[bytes] = exchange.wrapped(result)
        return blocks


class _Exchange:
    """One call under way: notes what passes, and makes the event when the server is done."""

    __slots__ = (
        "_agent",
        "_complete",
        "_end_ns",
        "_environ",
        "_handed_over",
        "_headers",
        "_input",
        "_method",
        "_owner",
        "_path",
        "_request_tee",
        "_response_bytes",
        "_response_tee",
        "_route",
        "_start_ns",
        "_start_response",
        "_start_us",
        "_status",
        "_write",
    )

    def __init__(
        self,
        owner: TollkeeperMiddleware,
        agent: Agent,
        environ: Environ,
        start_response: StartResponse,
    ) -> None:
        self._owner = owner
        self._agent = agent
        self._environ = environ
        self._start_response = start_response
        self._write: Any = None
        self._status = ""
        self._headers: Iterable[tuple[str, str]] = ()
        self._route: str | None = None
        self._input: Reader | None = None
        self._handed_over = False
        self._response_bytes = 0
        self._complete = False
        self._end_ns = 0
        limit_bytes = agent.body_limit_bytes
        self._request_tee = Tee(limit_bytes) if limit_bytes else None
        self._response_tee = Tee(limit_bytes) if limit_bytes else None
        # Applications that mount others change these as they go.
        self._method = str(environ.get("REQUEST_METHOD", "GET"))
        self._path = environs.path(environ)
        if environs.has_body(environ) and "wsgi.input" in environ:
            self._input = Reader(environ["wsgi.input"], self._request_tee)
            environ["wsgi.input"] = self._input
        self._start_us = agent.clock.now_us()
        self._start_ns = agent.clock.monotonic_ns()

    def start_response(
        self, status: str, headers: Any, *exc_info: Any
    ) -> Callable[[bytes], object]:
        """The server's `start_response`, with the same arguments, noted once the server took them."""
        self._write = self._start_response(status, headers, *exc_info)
        self._status = status
        self._headers = headers
        if self._route is None:
            self._route = (
                quiet(self._agent.counts, "adapter", framework.of_environ, self._environ) or None
            )
        return self.write

    def write(self, block: bytes) -> object:
        """The server's write callable, counted."""
        answer: object = self._write(block)
        self.took(block)
        return answer

    def took(self, block: bytes) -> None:
        """Counts one block of the response."""
        if block:
            self._response_bytes += len(block)
            if self._response_tee is not None:
                self._response_tee.add(block)

    def exhausted(self) -> None:
        """The server asked for more after the last block: all of it was taken."""
        self._complete = True
        self._end_ns = self._agent.clock.monotonic_ns()

    def wrapped(self, result: Any) -> Any:
        """What the server gets: the result itself for a file, else a counting view of it."""
        wrapper = self._environ.get("wsgi.file_wrapper")
        if isinstance(wrapper, type) and isinstance(result, wrapper) and self._watches_file(result):
            return result
        if hasattr(result, "__len__"):
            return _SizedBlocks(self, result)
        return _Blocks(self, result)

    def _watches_file(self, result: Any) -> bool:
        # The server recognises a file by the wrapper's type and may hand it to the kernel, so the
        # object stays what it is and only tells us when it is closed.
        size_bytes = quiet(self._agent.counts, "adapter", _file_bytes, result) or 0
        try:
            result.close = _FileClose(self, getattr(result, "close", None), size_bytes)
        except AttributeError:
            return False
        return True

    def sent_file(self, size_bytes: int) -> None:
        """The server is done with a file of which no block came by."""
        announced = self._announced_bytes()
        self._response_bytes += size_bytes if announced is None else announced
        self._complete = True

    def _announced_bytes(self) -> int | None:
        for name, value in self._headers:
            if name.lower() == "content-length" and value.isdigit():
                return int(value)
        return None

    def ended(self, *, raised: bool) -> None:
        """The server is done with the response, or the application raised."""
        if self._handed_over:
            return
        self._handed_over = True
        if not self._end_ns:
            self._end_ns = self._agent.clock.monotonic_ns()
        call = quiet(self._agent.counts, "adapter", self._call, raised)
        if call:
            self._agent.finish(call)
        else:
            self._agent.counts.unread()

    def _call(self, raised: bool) -> Call:
        call = Call()
        environ = self._environ
        environs.describe(call, environ)
        call.method = self._method
        call.path = self._path
        call.time_us = self._start_us
        call.duration_us = (self._end_ns - self._start_ns) // 1000
        self._describe_response(call, raised=raised)
        if self._input is not None:
            call.request_bytes = self._input.read_bytes
        if self._request_tee is not None:
            call.request_body = self._request_tee.body()
            call.request_truncated = self._request_tee.truncated
        call.route = self._route or framework.of_environ(environ)
        if call.route is None and self._owner.resolve is not None:
            call.route = self._owner.resolve(call.path)
        if self._owner.asks_host:
            request, response = decoded(call.request_headers), decoded(call.response_headers)
            call.request = RequestView(environ, call.path, call.query, request)
            call.response = ResponseView(call.status, response, call.response_body)
        return call

    def _describe_response(self, call: Call, *, raised: bool) -> None:
        if self._status:
            call.status = int(self._status[:3])
            call.response_headers = [(name.lower(), str(value)) for name, value in self._headers]
        if raised:
            call.outcome = "exception"
            if not self._response_bytes:
                # Headers leave with the first block, so the server still answers with its own 500.
                call.status = 500
                call.response_headers = []
        elif not (self._complete or self._needs_no_more(call)):
            call.outcome = "disconnect"
        if call.method != "HEAD":
            call.response_bytes = self._response_bytes
            if self._response_tee is not None:
                call.response_body = self._response_tee.body()
                call.response_truncated = self._response_tee.truncated

    def _needs_no_more(self, call: Call) -> bool:
        # Servers may close without asking for the end when they know that nothing can follow.
        if call.method == "HEAD" or call.status in (204, 304):
            return True
        return self._announced_bytes() == self._response_bytes


class _Blocks:
    """The application's result as the server iterates it: counted, and closed once."""

    __slots__ = ("_closed", "_exchange", "_raised", "_result")

    def __init__(self, exchange: _Exchange, result: Any) -> None:
        self._exchange = exchange
        self._result = result
        self._raised = False
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        exchange = self._exchange
        try:
            for block in self._result:
                exchange.took(block)
                yield block
        except GeneratorExit:
            raise
        except BaseException:
            self._raised = True
            raise
        exchange.exhausted()

    def close(self) -> None:
        """Closes the application's result, then lets the event go."""
        if self._closed:
            return
        self._closed = True
        try:
            close = getattr(self._result, "close", None)
            if close is not None:
                close()
        finally:
            self._exchange.ended(raised=self._raised)


class _SizedBlocks(_Blocks):
    """The same for a result whose length servers ask, to set a Content-Length for a single block."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(self._result)


class _FileClose:
    """The `close` of a file wrapper, followed by the event."""

    __slots__ = ("_close", "_exchange", "_size_bytes")

    def __init__(
        self, exchange: _Exchange, close: Callable[[], object] | None, size_bytes: int
    ) -> None:
        self._exchange = exchange
        self._close = close
        self._size_bytes = size_bytes

    def __call__(self) -> None:
        close, self._close = self._close, None
        try:
            if close is not None:
                close()
        finally:
            self._exchange.sent_file(self._size_bytes)
            self._exchange.ended(raised=False)


def _file_bytes(result: Any) -> int:
    filelike = getattr(result, "filelike", None)
    if filelike is None:
        return 0
    return int(os.fstat(filelike.fileno()).st_size) - int(filelike.tell())
