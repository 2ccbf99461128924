"""A server in this process: the same API without a port, for when no server runs on a data folder."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tollkeeper.app.log import configure
from tollkeeper.app.server import App
from tollkeeper.config import ServerSettings

ADDRESS = "http://inside"


class _Transport(httpx.BaseTransport):
    """Hands requests to an ASGI application that runs on a loop in a thread of its own."""

    def __init__(self, app: App) -> None:
        self._asgi = httpx.ASGITransport(app.asgi)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="inside", daemon=True)
        self._thread.start()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return asyncio.run_coroutine_threadsafe(self._handle(request), self._loop).result()

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        content = httpx.Request(
            request.method, request.url, headers=request.headers, content=request.read()
        )
        answer = await self._asgi.handle_async_request(content)
        body = await answer.aread()
        return httpx.Response(answer.status_code, headers=answer.headers, content=body)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@contextmanager
def opened(settings: ServerSettings) -> Iterator[tuple[httpx.Client, str]]:
    """A client of the server over this folder, and its admin token.

    Everything that was accepted is stored when the block ends.

    Raises:
        TollkeeperError: the folder cannot be opened, as when another process owns it.
    """
    configure("console", "error")
    app = App(settings)
    app.start()
    try:
        with httpx.Client(transport=_Transport(app), base_url=ADDRESS, timeout=None) as client:  # noqa: S113 - no network
            yield client, app.admin_token
    finally:
        app.stop()
