"""Outgoing capture for requests, where a session hands a prepared request to an adapter.

The response's raw stream stays the object that it is: the hooks are set on it alone, so whoever
reads `response.raw` finds what he expects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import requests
from requests.adapters import BaseAdapter, HTTPAdapter

from tollkeeper.capture.agent import Agent
from tollkeeper.capture.guard import quiet
from tollkeeper.capture.outgoing import Exchange, Undo, announced_bytes, is_own


def watch(session: requests.Session, agent: Agent) -> Undo:
    """Captures what one session sends, whatever adapters it has or gets."""
    find = session.get_adapter

    def watched(url: str) -> BaseAdapter:
        return _Adapter(find(url), agent)

    session.get_adapter = watched  # type: ignore[method-assign]

    def undo() -> None:
        if vars(session).get("get_adapter") is watched:
            del vars(session)["get_adapter"]

    return undo


def watch_all(agent: Agent) -> Undo:
    """Captures what goes through requests' own network adapter, of every session."""
    inner = HTTPAdapter.send
    active = True

    def send(self: HTTPAdapter, request: Any, *arguments: Any, **named: Any) -> requests.Response:
        if not active:
            return inner(self, request, *arguments, **named)
        return _send(agent, request, lambda sent: inner(self, sent, *arguments, **named))

    HTTPAdapter.send = send  # type: ignore[method-assign]

    def undo() -> None:
        nonlocal active
        active = False
        # Somebody may have wrapped us since; then we stay in place and only pass calls on.
        if HTTPAdapter.send is send:
            HTTPAdapter.send = inner  # type: ignore[method-assign]

    return undo


class _Adapter(BaseAdapter):
    """The adapter that a session chose for one request, watched."""

    def __init__(self, inner: BaseAdapter, agent: Agent) -> None:
        super().__init__()
        self._inner = inner
        self._agent = agent

    def send(self, request: Any, *arguments: Any, **named: Any) -> requests.Response:
        return _send(self._agent, request, lambda sent: self._inner.send(sent, *arguments, **named))

    def close(self) -> None:
        self._inner.close()


def _send(
    agent: Agent, request: Any, send: Callable[[Any], requests.Response]
) -> requests.Response:
    exchange = quiet(agent.counts, "adapter", _begin, agent, request)
    if not exchange:
        return send(request)
    try:
        response = send(request)
    except BaseException:
        exchange.finish("exception")
        raise
    quiet(agent.counts, "adapter", _answered, exchange, response)
    return response


def _begin(agent: Agent, request: Any) -> Exchange | None:
    if is_own(agent, request.url):
        return None
    exchange = Exchange(agent)
    headers = [(_text(name).lower(), _text(value)) for name, value in request.headers.items()]
    exchange.describe(request, request.method, request.url, headers)
    body = request.body
    if isinstance(body, str):
        exchange.sent(body.encode("utf-8"))
    elif isinstance(body, bytes | bytearray):
        exchange.sent(bytes(body))
    elif body is not None:
        announced = announced_bytes(headers)
        if announced is not None:
            exchange.call.request_bytes = announced
        elif not hasattr(body, "read"):
            request.body = _Upload(body, exchange)
    return exchange


def _answered(exchange: Exchange, response: requests.Response) -> None:
    call = exchange.call
    call.response = response
    call.status = response.status_code
    raw: Any = response.raw
    named = getattr(raw, "headers", None) or response.headers
    call.response_headers = [(_text(name).lower(), _text(value)) for name, value in named.items()]
    if (
        raw is None
        or raw.closed
        or call.method == "HEAD"
        or announced_bytes(call.response_headers) == 0
    ):
        exchange.finish(None)
        return
    watched = _Raw(raw, exchange)
    raw.release_conn = watched.release_conn
    raw.close = watched.close
    raw.stream = watched.stream
    # The two places where urllib3 has the bytes of the wire in hand, before it decodes them.
    for name in ("_raw_read", "_handle_chunk"):
        if hasattr(raw, name):
            setattr(raw, name, _Counted(getattr(raw, name), exchange))


class _Counted:
    """A method that gives bytes of the wire, which are counted."""

    __slots__ = ("_exchange", "_read")

    def __init__(self, read: Callable[..., bytes], exchange: Exchange) -> None:
        self._read = read
        self._exchange = exchange

    def __call__(self, *arguments: Any, **named: Any) -> bytes:
        data = self._read(*arguments, **named)
        if data:
            self._exchange.took(data)
        return data


class _Raw:
    """Hooks on one raw response; each does what the method did, and looks on."""

    __slots__ = ("_close", "_exchange", "_raw", "_release_conn", "_stream", "_streaming")

    def __init__(self, raw: Any, exchange: Exchange) -> None:
        self._raw = raw
        self._exchange = exchange
        self._release_conn = raw.release_conn
        self._close = raw.close
        self._stream = raw.stream
        self._streaming = False

    def stream(self, *arguments: Any, **named: Any) -> Iterator[bytes]:
        """Sees the end of what is read, or its failure."""
        pieces: Iterable[bytes] = self._stream(*arguments, **named)
        self._streaming = True
        try:
            yield from pieces
        except Exception:
            self._finish("exception")
            raise
        self._finish(None)

    def release_conn(self) -> None:
        """urllib3 gives the connection back once the body was read, and after an early close."""
        self._release_conn()
        # While stream() runs, the last piece is still on its way to the host.
        if not self._streaming:
            self._finish(None if self._raw.closed else "disconnect")

    def close(self) -> None:
        """Ends the response, before its end if the host does not want the rest."""
        outcome = None if self._raw.closed else "disconnect"
        try:
            self._close()
        finally:
            self._finish(outcome)

    def _finish(self, outcome: str | None) -> None:
        call = self._exchange.call
        if not call.response_bytes:
            # A urllib3 that reads in another way still knows how much it has read.
            call.response_bytes = quiet(self._exchange.agent.counts, "adapter", self._raw.tell) or 0
        self._exchange.finish(outcome)


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


class _Upload:
    """A generated request body as it is sent, counted."""

    def __init__(self, inner: Iterable[bytes], exchange: Exchange) -> None:
        self._inner = inner
        self._exchange = exchange

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._inner:
            self._exchange.sent(chunk)
            yield chunk
