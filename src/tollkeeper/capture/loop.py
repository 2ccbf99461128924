"""An event loop of the sender's own, for coroutines of the host that no loop of the host awaits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class OwnLoop:
    """Runs one awaitable after the other; made when first needed, used by one thread."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._inherited: list[asyncio.AbstractEventLoop] = []

    def run(self, awaitable: Awaitable[T], seconds: float) -> T:
        """What the awaitable comes to.

        Raises:
            TimeoutError: when it takes longer than so many seconds.
        """
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        return self._loop.run_until_complete(asyncio.wait_for(awaitable, seconds))

    def close(self) -> None:
        """Ends the loop; the next `run` makes another."""
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.close()

    def after_fork(self) -> None:
        """In a child: leaves the parent's loop alone, which may be in the middle of something."""
        if self._loop is not None:
            self._inherited.append(self._loop)
            self._loop = None
