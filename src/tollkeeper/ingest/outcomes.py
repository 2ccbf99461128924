"""What became of each item, for senders that wait for it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping

Results = list[tuple[str, str, str, str]]
_KEPT = 4096


class Outcomes:
    """Results by journal position, kept until asked for or pushed out by newer ones.

    Thread-safe: the pipeline publishes, the collector waits on a thread of its own.
    """

    def __init__(self) -> None:
        self._found: OrderedDict[int, Results] = OrderedDict()
        self._changed = threading.Condition()

    def publish(self, outcomes: Mapping[int, Results]) -> None:
        """Makes results known."""
        if not outcomes:
            return
        with self._changed:
            self._found.update(outcomes)
            while len(self._found) > _KEPT:
                self._found.popitem(last=False)
            self._changed.notify_all()

    def wait(self, position: int, seconds: float) -> Results | None:
        """The results of an entry; ``None`` when they did not come in time."""
        with self._changed:
            self._changed.wait_for(lambda: position in self._found, timeout=seconds)
            return self._found.pop(position, None)
