"""Capture for ASGI applications: FastAPI, Starlette, Litestar, Quart, Django behind ASGI, bare ones.

Pure ASGI: messages are passed on as they come, at once and unchanged, and looked at on the way. The
scope is not copied, so whatever a framework leaves in it can be read after the call.

Guarantee: what the application raises, receives and sends is what it would be without us. Nothing
is done for the event before the last byte is with the server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tollkeeper.capture import framework
from tollkeeper.capture.agent import Agent
from tollkeeper.capture.exchange import (
    HttpExchange,
    Message,
    Receive,
    Scope,
    Send,
    Shared,
    SocketExchange,
)
from tollkeeper.capture.off import or_off
from tollkeeper.capture.options import Options, read_options

Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class TollkeeperMiddleware:
    """Wraps an ASGI application and captures every HTTP call and websocket.

    Works as `TollkeeperMiddleware(app, ...)` and with a framework's `add_middleware`. Options come
    as a dict, as `Options`, as a pasted KrakenD configuration, or as keyword arguments; `agent`
    shares one agent between several adapters of a process.

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
            lambda: Agent(read_options(options, **settings), name="python-asgi")
        )
        self._shared: Shared | None = None
        if self.agent is not None:
            self._shared = Shared(
                agent=self.agent,
                resolve=framework.django_resolver(app),
                asks_host=bool(self.agent.options.callables),
            )
            framework.watch_quart()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs the application; unknown kinds of connection pass untouched, lifespan unchanged."""
        shared = self._shared
        if shared is None:
            await self.app(scope, receive, send)
            return
        kind = scope["type"]
        if kind == "http":
            exchange = HttpExchange(shared, scope, receive, send)
        elif kind == "websocket":
            exchange = SocketExchange(shared, scope, receive, send)
        elif kind == "lifespan":
            app = self.app if shared.resolve is None else _lifespan_for_django
            await app(scope, receive, _LifespanSend(shared.agent, send))
            return
        else:
            await self.app(scope, receive, send)
            return
        try:
            await self.app(scope, exchange.receive, exchange.send)
        except BaseException as error:
            await exchange.ended(error)
            raise
        if not exchange.handed_over:
            await exchange.ended(None)


class _LifespanSend:
    """Passes lifespan messages on, and delivers what is queued before the last one.

    Servers such as uvicorn end by a signal that skips every exit hook of Python, so this is the
    only moment that is left when they shut down.
    """

    __slots__ = ("_agent", "_send")

    def __init__(self, agent: Agent, send: Send) -> None:
        self._agent = agent
        self._send = send

    async def __call__(self, message: Message) -> None:
        if message["type"] in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                # Another event loop than asyncio's, which ends here anyway.
                self._agent.flush_last()
            else:
                await loop.run_in_executor(None, self._agent.flush_last)
        await self._send(message)


async def _lifespan_for_django(scope: Scope, receive: Receive, send: Send) -> None:
    # Django refuses the lifespan protocol, and with it the moment to deliver what is queued.
    while (await receive())["type"] == "lifespan.startup":
        await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})
