"""Outgoing capture for httpx: sync and async clients, at their transports, one event a request sent.

A redirect or a retry of an authentication flow is a request of its own, so it is an event too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx

from tollkeeper.capture.agent import Agent
from tollkeeper.capture.guard import quiet
from tollkeeper.capture.outgoing import Exchange, Undo, announced_bytes, is_own


def watch(client: httpx.Client | httpx.AsyncClient, agent: Agent) -> Undo:
    """Captures what one client sends, whatever transports it has or gets."""
    find: Callable[[httpx.URL], Any] = client._transport_for_url
    kind: Callable[[Any, Agent], Any] = (
        _AsyncTransport if isinstance(client, httpx.AsyncClient) else _Transport
    )

    def watched(url: httpx.URL) -> Any:
        return kind(find(url), agent)

    setattr(client, "_transport_for_url", watched)  # noqa: B010 - shadows a method on one object

    def undo() -> None:
        if vars(client).get("_transport_for_url") is watched:
            del vars(client)["_transport_for_url"]

    return undo


def watch_all(agent: Agent) -> Undo:
    """Captures what goes through httpx's own network transports, of every client."""
    sync_handle = httpx.HTTPTransport.handle_request
    async_handle = httpx.AsyncHTTPTransport.handle_async_request
    active = True

    def handle_request(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        if not active:
            return sync_handle(self, request)
        return _send(agent, request, lambda sent: sync_handle(self, sent))

    async def handle_async_request(
        self: httpx.AsyncHTTPTransport, request: httpx.Request
    ) -> httpx.Response:
        if not active:
            return await async_handle(self, request)
        return await _send_async(agent, request, lambda sent: async_handle(self, sent))

    httpx.HTTPTransport.handle_request = handle_request  # type: ignore[method-assign]
    httpx.AsyncHTTPTransport.handle_async_request = handle_async_request  # type: ignore[method-assign]

    def undo() -> None:
        nonlocal active
        active = False
        # Somebody may have wrapped us since; then we stay in place and only pass calls on.
        if httpx.HTTPTransport.handle_request is handle_request:
            httpx.HTTPTransport.handle_request = sync_handle  # type: ignore[method-assign]
        if httpx.AsyncHTTPTransport.handle_async_request is handle_async_request:
            httpx.AsyncHTTPTransport.handle_async_request = async_handle  # type: ignore[method-assign]

    return undo


class _Transport(httpx.BaseTransport):
    """The transport that a client chose for one request, watched."""

    def __init__(self, inner: httpx.BaseTransport, agent: Agent) -> None:
        self._inner = inner
        self._agent = agent

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return _send(self._agent, request, self._inner.handle_request)


class _AsyncTransport(httpx.AsyncBaseTransport):
    """The same for an async client."""

    def __init__(self, inner: httpx.AsyncBaseTransport, agent: Agent) -> None:
        self._inner = inner
        self._agent = agent

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await _send_async(self._agent, request, self._inner.handle_async_request)


def _send(
    agent: Agent, request: httpx.Request, send: Callable[[httpx.Request], httpx.Response]
) -> httpx.Response:
    exchange = quiet(agent.counts, "adapter", _begin, agent, request)
    if not exchange:
        return send(request)
    try:
        response = send(request)
    except BaseException:
        exchange.finish("exception")
        raise
    quiet(agent.counts, "adapter", _answered, exchange, response)
    response.stream = _Stream(response.stream, exchange)
    return response


async def _send_async(
    agent: Agent, request: httpx.Request, send: Callable[[httpx.Request], Any]
) -> httpx.Response:
    exchange = quiet(agent.counts, "adapter", _begin, agent, request)
    if not exchange:
        return await send(request)  # type: ignore[no-any-return]
    try:
        response: httpx.Response = await send(request)
    except Exception:
        await exchange.finish_async("exception")
        raise
    except BaseException:
        # Cancelled: nothing may be awaited any more.
        exchange.finish("disconnect")
        raise
    quiet(agent.counts, "adapter", _answered, exchange, response)
    response.stream = _AsyncStream(response.stream, exchange)
    return response


def _begin(agent: Agent, request: httpx.Request) -> Exchange | None:
    url = str(request.url)
    if is_own(agent, url):
        return None
    exchange = Exchange(agent)
    headers = [
        (name.lower().decode("latin-1"), value.decode("latin-1"))
        for name, value in request.headers.raw
    ]
    exchange.describe(request, request.method, url, headers)
    loaded = getattr(request, "_content", None)
    if loaded is not None:
        exchange.sent(loaded)
    else:
        request.stream = _upload(request.stream, exchange)
    return exchange


def _upload(stream: Any, exchange: Exchange) -> Any:
    # A client insists on a stream of its own kind, so ours is of the kinds that the inner one is.
    if not isinstance(stream, httpx.AsyncByteStream):
        return _Upload(stream, exchange)
    if not isinstance(stream, httpx.SyncByteStream):
        return _AsyncUpload(stream, exchange)
    return _EitherUpload(stream, exchange)


def _answered(exchange: Exchange, response: httpx.Response) -> None:
    call = exchange.call
    call.response = response
    call.status = response.status_code
    call.response_headers = [
        (name.lower().decode("latin-1"), value.decode("latin-1"))
        for name, value in response.headers.raw
    ]
    exchange.complete = (
        call.method == "HEAD"
        or call.status in (204, 304)
        or announced_bytes(call.response_headers) == 0
    )


def _unfinished(exchange: Exchange) -> str | None:
    return None if exchange.complete else "disconnect"


class _Stream(httpx.SyncByteStream):
    """A response's bytes as the host reads them, counted."""

    def __init__(self, inner: Any, exchange: Exchange) -> None:
        self._inner = inner
        self._exchange = exchange

    def __iter__(self) -> Iterator[bytes]:
        try:
            for chunk in self._inner:
                self._exchange.took(chunk)
                yield chunk
        except Exception:
            self._exchange.finish("exception")
            raise
        self._exchange.complete = True
        self._exchange.finish(None)

    def close(self) -> None:
        try:
            self._inner.close()
        finally:
            self._exchange.finish(_unfinished(self._exchange))


class _AsyncStream(httpx.AsyncByteStream):
    """The same for an async client."""

    def __init__(self, inner: Any, exchange: Exchange) -> None:
        self._inner = inner
        self._exchange = exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._inner:
                self._exchange.took(chunk)
                yield chunk
        except Exception:
            await self._exchange.finish_async("exception")
            raise
        self._exchange.complete = True
        await self._exchange.finish_async(None)

    async def aclose(self) -> None:
        try:
            await self._inner.aclose()
        except BaseException:
            self._exchange.finish(_unfinished(self._exchange))
            raise
        await self._exchange.finish_async(_unfinished(self._exchange))


class _Upload(httpx.SyncByteStream):
    """A request's bytes as they are sent, counted."""

    def __init__(self, inner: Any, exchange: Exchange) -> None:
        self._inner = inner
        self._exchange = exchange

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._inner:
            self._exchange.sent(chunk)
            yield chunk

    def close(self) -> None:
        self._inner.close()


class _AsyncUpload(httpx.AsyncByteStream):
    """The same for an async client."""

    def __init__(self, inner: Any, exchange: Exchange) -> None:
        self._inner = inner
        self._exchange = exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._inner:
            self._exchange.sent(chunk)
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()


class _EitherUpload(_Upload, _AsyncUpload):
    """The same for a body in memory, which both kinds of client can send."""
