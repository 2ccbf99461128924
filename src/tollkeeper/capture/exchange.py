"""One ASGI call under way, HTTP or websocket: messages pass at once, and what an event needs is kept.

Everything that costs time (decoding headers, finding the route) is done in one go when the last
byte is with the server. A message is looked at after the server took it, so that a message which
the server refuses is not counted, and nothing of ours can fail before it.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple
from urllib.parse import quote

from tollkeeper.capture import framework
from tollkeeper.capture.agent import Agent
from tollkeeper.capture.call import Call
from tollkeeper.capture.guard import quiet
from tollkeeper.capture.header import decoded
from tollkeeper.capture.tee import Tee
from tollkeeper.capture.view import RequestView, ResponseView

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Shared(NamedTuple):
    """What all calls of one middleware have in common.

    `resolve` names the route of a path where the framework leaves none in the scope; `asks_host`
    says that callables of the host want views of the request and response.
    """

    agent: Agent
    resolve: Callable[[str], str | None] | None
    asks_host: bool


class HttpExchange:
    """One HTTP call under way: passes messages on and remembers what an event needs."""

    __slots__ = (
        "_agent",
        "_disconnected",
        "_end_ns",
        "_receive",
        "_request_bytes",
        "_request_tee",
        "_response_bytes",
        "_response_tee",
        "_scope",
        "_send",
        "_shared",
        "_start",
        "_start_ns",
        "_start_us",
        "_trailers",
        "handed_over",
    )

    def __init__(self, shared: Shared, scope: Scope, receive: Receive, send: Send) -> None:
        self._shared = shared
        self._agent = agent = shared.agent
        self._scope = scope
        self._receive = receive
        self._send = send
        self._request_bytes = 0
        self._response_bytes = 0
        self._start: Message | None = None
        self._trailers = False
        self._disconnected = False
        self.handed_over = False
        self._end_ns = 0
        limit_bytes = agent.body_limit_bytes
        self._request_tee = Tee(limit_bytes) if limit_bytes else None
        self._response_tee = Tee(limit_bytes) if limit_bytes else None
        clock = agent.clock
        self._start_us = clock.now_us()
        self._start_ns = clock.monotonic_ns()

    async def receive(self) -> Message:
        """The server's next message, counted once it is here."""
        message = await self._receive()
        if message["type"] == "http.request":
            body = message.get("body")
            if body:
                self._request_bytes += len(body)
                if self._request_tee is not None:
                    self._request_tee.add(body)
        elif message["type"] == "http.disconnect" and not self._end_ns:
            self._disconnected = True
        return message

    async def send(self, message: Message) -> None:
        """Hands a message to the server, then counts it."""
        kind = message["type"]
        try:
            await self._send(message)
        except OSError:
            # How a server says that the client is gone (ASGI 2.4); a missing file is no such news.
            if kind != "http.response.pathsend" and not self._end_ns:
                self._disconnected = True
            raise
        if kind == "http.response.body":
            body = message.get("body")
            if body:
                self._response_bytes += len(body)
                if self._response_tee is not None:
                    self._response_tee.add(body)
            if not message.get("more_body") and not self._trailers and self._is_over():
                await self._hand_over("disconnect" if self._disconnected else None)
        elif kind == "http.response.start":
            self._start = message
            self._trailers = bool(message.get("trailers"))
        elif kind in _RARE:
            counts = self._agent.counts
            self._response_bytes += quiet(counts, "adapter", _file_bytes, message, self._start) or 0
            if _is_last(message, trailers_follow=self._trailers) and self._is_over():
                await self._hand_over("disconnect" if self._disconnected else None)

    def _is_over(self) -> bool:
        # An error page may be followed by the error itself (ServerErrorMiddleware raises after it
        # answered), so the event of a failed call waits for the application to end.
        if self._end_ns:
            return False
        self._end_ns = self._agent.clock.monotonic_ns()
        return self._start is None or self._start["status"] < 500

    async def ended(self, error: BaseException | None) -> None:
        """The application returned or raised: tells so, unless the event is on its way already."""
        if self.handed_over:
            return
        complete = bool(self._end_ns)
        if not complete:
            self._end_ns = self._agent.clock.monotonic_ns()
        outcome = self._outcome(error, complete=complete)
        if error is None or isinstance(error, Exception):
            await self._hand_over(outcome)
        else:
            # Cancelled or closed: this coroutine may not wait for anything any more.
            self._hand_over_at_once(outcome)

    def _outcome(self, error: BaseException | None, *, complete: bool) -> str | None:
        if self._disconnected or (error is not None and not isinstance(error, Exception)):
            return "disconnect"
        # A server answers 500 or cuts the connection when an application forgets its answer.
        return None if error is None and complete else "exception"

    async def _hand_over(self, outcome: str | None) -> None:
        agent = self._agent
        if not agent.asynchronous:
            self._hand_over_at_once(outcome)
            return
        self.handed_over = True
        call = quiet(agent.counts, "adapter", self._call, outcome)
        if not call:
            agent.counts.unread()
            return
        try:
            await agent.finish_async(call)
        except BaseException:
            # The host cancelled us while one of its own callables ran; the event is not lost.
            agent.finish(call)
            raise

    def _hand_over_at_once(self, outcome: str | None) -> None:
        self.handed_over = True
        call = quiet(self._agent.counts, "adapter", self._call, outcome)
        if call:
            self._agent.finish(call)
        else:
            self._agent.counts.unread()

    def _call(self, outcome: str | None) -> Call:
        call = Call()
        self._describe_request(call)
        start = self._start
        if start is not None:
            call.status = start["status"]
            call.response_headers = list(start.get("headers") or ())
        elif outcome == "exception":
            call.status = 500
        call.outcome = outcome
        if call.method != "HEAD":
            # A server drops the body of an answer to HEAD, whatever the application sent.
            call.response_bytes = self._response_bytes
            if self._response_tee is not None:
                call.response_body = self._response_tee.body()
                call.response_truncated = self._response_tee.truncated
        if self._shared.asks_host:
            call.request_headers = request = decoded(call.request_headers)
            call.response_headers = response = decoded(call.response_headers)
            call.request = RequestView(self._scope, call.path, call.query, request)
            call.response = ResponseView(call.status, response, call.response_body)
        return call

    def _describe_request(self, call: Call) -> None:
        scope = self._scope
        call.time_us = self._start_us
        call.duration_us = (self._end_ns - self._start_ns) // 1000
        call.method = scope.get("method", "GET")
        call.scheme = scope.get("scheme", "http")
        raw_path = scope.get("raw_path")
        # Some servers leave the query in it, or the whole address that a proxy's client asks for.
        if raw_path and raw_path[:1] == b"/" and b"?" not in raw_path:
            call.path = raw_path.decode("latin-1")
        else:
            call.path = quote(scope["path"])
        query = scope.get("query_string")
        if query:
            call.query = query.decode("latin-1")
        call.request_headers = headers = list(scope["headers"])
        call.host = _host(scope, headers)
        call.request_bytes = self._request_bytes
        if self._request_tee is not None:
            call.request_body = self._request_tee.body()
            call.request_truncated = self._request_tee.truncated
        client = scope.get("client")
        if client:
            call.peer_ip = client[0] or ""
        call.route = framework.of_scope(scope)
        if call.route is None and self._shared.resolve is not None:
            call.route = self._shared.resolve(call.path)


class SocketExchange(HttpExchange):
    """One websocket under way: one event, when it is over."""

    __slots__ = ("_accepted",)

    def __init__(self, shared: Shared, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(shared, scope, receive, send)
        self._accepted = False

    async def receive(self) -> Message:
        """The server's next message, counted once it is here."""
        message = await self._receive()
        if message["type"] == "websocket.receive":
            self._request_bytes += _payload_bytes(message)
        elif message["type"] == "websocket.disconnect":
            self._close()
        return message

    async def send(self, message: Message) -> None:
        """Hands a message to the server, then counts it."""
        try:
            await self._send(message)
        except OSError:
            self._close()
            raise
        kind = message["type"]
        if kind == "websocket.send":
            self._response_bytes += _payload_bytes(message)
        elif kind == "websocket.accept":
            self._accepted = True
            self._start = {"status": 101, "headers": message.get("headers")}
        elif kind == "websocket.close":
            if self._start is None:
                self._start = {"status": 403}
            self._close()
        elif kind == "websocket.http.response.start":
            self._start = message
        elif kind == "websocket.http.response.body":
            self._response_bytes += len(message.get("body") or b"")
            if not message.get("more_body"):
                self._close()

    def _close(self) -> None:
        if not self._end_ns:
            self._end_ns = self._agent.clock.monotonic_ns()
        self._disconnected = True

    def _outcome(self, error: BaseException | None, *, complete: bool) -> str | None:
        if isinstance(error, Exception) and not complete:
            return "exception"
        if self._accepted:
            return "websocket"
        if self._start is not None:
            return None
        # Neither accepted nor refused: the client left, or the application forgot to answer.
        return "disconnect" if self._disconnected or error is not None else "exception"


_RARE = frozenset(
    {"http.response.trailers", "http.response.pathsend", "http.response.zerocopysend"}
)


def _is_last(message: Message, *, trailers_follow: bool) -> bool:
    if message["type"] == "http.response.trailers":
        return not message.get("more_trailers")
    return not trailers_follow and not message.get("more_body")


def _file_bytes(message: Message, start: Message | None) -> int:
    # The server sends the file itself, so its size is what was announced, or what the file has.
    if message["type"] == "http.response.trailers":
        return 0
    if message["type"] == "http.response.zerocopysend":
        count = message.get("count")
        if count is not None:
            return int(count)
        return os.fstat(message["file"].fileno()).st_size - int(message.get("offset") or 0)
    for name, value in (start or {}).get("headers") or ():
        if name.lower() == b"content-length":
            return int(value)
    return os.stat(message["path"]).st_size


def _payload_bytes(message: Message) -> int:
    text = message.get("text")
    if text is None:
        return len(message.get("bytes") or b"")
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _host(scope: Scope, headers: Any) -> str:
    for name, value in headers:
        if name == b"host":
            return str(value.decode("latin-1"))
    server = scope.get("server")
    if not server:
        return ""
    return f"{server[0]}:{server[1]}" if server[1] else str(server[0])
