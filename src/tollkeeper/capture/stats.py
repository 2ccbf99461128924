"""What capture has done so far, counted: taken, sent, dropped (by reason), failed (by name)."""

from __future__ import annotations

import logging
import threading
from collections.abc import MutableMapping
from typing import Any


class _Named(logging.LoggerAdapter[logging.Logger]):
    """Begins each line with our name: many a host prints nothing but the message."""

    def process(
        self, msg: object, kwargs: MutableMapping[str, Any]
    ) -> tuple[object, MutableMapping[str, Any]]:
        """The message as it is logged."""
        return f"tollkeeper: {msg}", kwargs


LOGGER = _Named(logging.getLogger("tollkeeper.capture"), {})


class Counts:
    """The counters of one capture instance; cumulative, thread safe.

    `captured` calls were handed over; each of them ends as exactly one of `skipped` (a rule said
    so), `sampled_out` (another event stands for it), `sent`, or `dropped` by reason; what is still
    on its way is `queued` in memory or `spooled` on disk.
    """

    def __init__(self, *, debug: bool = False) -> None:
        self._debug = debug
        self.reset()

    def reset(self) -> None:
        """Back to zero: in a forked child nothing has happened yet."""
        # Reentrant, because a signal handler of the host may run on top of us in the same thread.
        self.lock = threading.RLock()
        self.captured = 0
        self.skipped = 0
        self.sampled_out = 0
        self.sent = 0
        self.batches = 0
        self.retries = 0
        self.adopted = 0
        self.dropped: dict[str, int] = {}
        self.errors: dict[str, int] = {}
        self._logged: set[str] = set()

    def add(self, name: str, count: int = 1) -> None:
        """Adds to one of the plain counters."""
        with self.lock:
            setattr(self, name, getattr(self, name) + count)

    def drop(self, reason: str, count: int = 1) -> None:
        """Counts events that are lost, by reason."""
        if count <= 0:
            return
        with self.lock:
            self.dropped[reason] = self.dropped.get(reason, 0) + count
        if reason != "exit":  # told with its number instead
            self.once(f"dropped:{reason}", "events are being dropped: %s", reason)

    def lost_at_exit(self, count: int, *, has_spool: bool) -> None:
        """Says, once, how many events end with the process."""
        if count <= 0:
            return
        advice = "" if has_spool else "; spool_directory keeps them"
        self.once(
            "lost_at_exit",
            "%d events could not be sent before the process ended and are lost%s",
            count,
            advice,
        )

    def unread(self) -> None:
        """Counts a call that an adapter saw and could make no event of."""
        self.add("captured")
        self.drop("unread")

    def failed(self, name: str, error: Exception) -> None:
        """Counts an error that was swallowed; its text is never logged, it may hold the host's data."""
        with self.lock:
            self.errors[name] = self.errors.get(name, 0) + 1
        self.once(
            f"failed:{name}",
            "%s failed with %s; further failures are counted",
            name,
            type(error).__name__,
        )

    def once(self, key: str, text: str, *values: object) -> None:
        """Logs a warning the first time that something happens, and with `debug` every time."""
        with self.lock:
            known = key in self._logged
            self._logged.add(key)
        if not known:
            LOGGER.warning(text, *values)
        elif self._debug:
            LOGGER.info(text, *values)

    def forget(self, key: str) -> None:
        """Lets `once` warn again: what it warned of is over."""
        with self.lock:
            self._logged.discard(key)

    def trace(self, text: str, *values: object) -> None:
        """Logs activity when `debug` is on."""
        if self._debug:
            LOGGER.info(text, *values)

    def snapshot(self) -> dict[str, Any]:
        """A copy of all counters."""
        with self.lock:
            return {
                "captured": self.captured,
                "skipped": self.skipped,
                "sampled_out": self.sampled_out,
                "sent": self.sent,
                "batches": self.batches,
                "retries": self.retries,
                "adopted": self.adopted,
                "dropped": dict(self.dropped),
                "errors": dict(self.errors),
            }


def summed(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Several snapshots as one; reasons and names are added up singly."""
    total: dict[str, Any] = {}
    for part in parts:
        for key, value in part.items():
            if isinstance(value, dict):
                inner = total.setdefault(key, {})
                for name, count in value.items():
                    inner[name] = inner.get(name, 0) + count
            elif isinstance(value, int):
                total[key] = total.get(key, 0) + value
    return total
