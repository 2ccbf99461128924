"""What became of each item, for senders that wait for it."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import Future

Results = list[tuple[str, str, str, str]]
_KEPT = 4096


class Outcomes:
    """Results by journal position, kept until asked for or pushed out by newer ones.

    Thread-safe: the pipeline publishes from its thread; who waits holds no thread meanwhile.
    """

    def __init__(self) -> None:
        self._found: OrderedDict[int, Results] = OrderedDict()
        self._awaited: dict[int, Future[Results]] = {}
        self._lock = threading.Lock()

    def publish(self, outcomes: Mapping[int, Results]) -> None:
        """Makes results known."""
        if not outcomes:
            return
        with self._lock:
            ready = [(self._awaited.pop(p, None), p, results) for p, results in outcomes.items()]
            for future, position, results in ready:
                if future is None:
                    self._found[position] = results
            while len(self._found) > _KEPT:
                self._found.popitem(last=False)
        for future, _, results in ready:
            if future is not None and future.set_running_or_notify_cancel():
                future.set_result(results)

    async def wait(self, position: int, seconds: float) -> Results | None:
        """The results of an entry; ``None`` when they did not come in time."""
        with self._lock:
            if position in self._found:
                return self._found.pop(position)
            future = self._awaited.setdefault(position, Future())
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), seconds)
        except TimeoutError:
            return None
        finally:
            with self._lock:
                self._awaited.pop(position, None)
