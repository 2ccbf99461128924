"""Bounds the bodies that the management API reads, before anybody is asked who they are.

The framework reads a whole body first and looks at the credential after; without a bound anybody
could fill the memory.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 1_000_000
MAX_BULK_BYTES = 64_000_000
BULK = "/api/aliases"


class Bounded:
    """An ASGI application whose requests have bodies of bounded size.

    Guarantee: of a body over the limit no more than the limit is kept; the answer is 413.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, and ends it when its body is too long."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = MAX_BULK_BYTES if scope["path"] == BULK else MAX_BODY_BYTES
        declared = Headers(scope=scope).get("content-length", "")
        size = int(declared) if declared.isascii() and declared.isdigit() else 0

        received = 0

        async def bounded() -> Message:
            nonlocal received
            if size > most:
                raise _too_large(most)
            message = await receive()
            received += len(message.get("body", b""))
            if received > most:
                raise _too_large(most)
            return message

        await self._app(scope, bounded, send)


def _too_large(most: int) -> HTTPException:
    return HTTPException(413, f"a body may have {most} bytes")
