"""One port, three applications: the collector, the management API, and the dashboard."""

from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

_API = ("/api/", "/health/", "/metrics")


class Edge:
    """Sends each request where it belongs, by its path alone."""

    def __init__(
        self, *, collector: ASGIApp, collects: Callable[[str, str], bool], api: ASGIApp, ui: ASGIApp
    ) -> None:
        self._collector = collector
        self._collects = collects
        self._api = api
        self._ui = ui

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on."""
        if scope["type"] != "http":
            await self._api(scope, receive, send)
            return
        path: str = scope["path"]
        if self._collects(path, scope["method"]):
            await self._collector(scope, receive, send)
        elif path.startswith(_API):
            await self._api(scope, receive, send)
        else:
            await self._ui(scope, receive, send)
