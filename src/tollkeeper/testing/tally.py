"""What a server counted, asked the way a user would ask."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from tollkeeper.testing.server import ServerProcess

_DUPLICATES = re.compile(
    r'^tollkeeper_pipeline_items_total\{result="duplicate"\} (\S+)', re.MULTILINE
)


class Tally:
    """Asks a running server for its counts. Each answer waits until what was accepted is stored."""

    def __init__(self, server: ServerProcess) -> None:
        """Holds one connection until ``close``."""
        self.server = server
        self._client = server.client()

    def wait_for(self, event_count: int, *, seconds: float = 30.0) -> None:
        """Returns once at least so many events are stored.

        Raises:
            RuntimeError: fewer arrived in time; with what the server wrote.
        """
        self._wait(lambda status: status["events_total"] >= event_count, seconds)

    def by(self, *fields: str, **question: Any) -> dict[Any, int]:
        """Calls of all time by a field; with several fields, the keys are tuples."""
        asked = {"from": "2000-01-01T00:00:00Z", "limit": 1000, "group_by": fields, **question}
        rows = self._json("POST", "/api/query", json=asked)["rows"]
        return {row[0] if len(fields) == 1 else tuple(row[:-1]): row[-1] for row in rows}

    def events(self, **parameters: Any) -> list[dict[str, Any]]:
        """Up to 100 stored events of the last day, each whole, oldest first."""
        asked = {"limit": 100, "order": "asc", **parameters}
        listed = self._json("GET", "/api/events", params=asked)["events"]
        return [self._json("GET", f"/api/events/{event['id']}") for event in listed]

    @property
    def status(self) -> dict[str, Any]:
        """The answer of ``GET /api/status``."""
        return self._json("GET", "/api/status")

    @property
    def duplicate_count(self) -> int:
        """Resent events that the server recognised since it started."""
        self._settle()
        found = _DUPLICATES.search(self._client.get("/metrics").text)
        return int(float(found[1])) if found else 0

    def close(self) -> None:
        """Ends the connection."""
        self._client.close()

    def __enter__(self) -> Tally:
        """The tally itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends the connection."""
        self.close()

    def _settle(self) -> None:
        def settled(status: dict[str, Any]) -> bool:
            journal = status["journal"]
            return bool(journal["stored_position"] == journal["last_position"])

        self._wait(settled, 30.0)

    def _wait(self, holds: Callable[[dict[str, Any]], bool], seconds: float) -> None:
        pause = threading.Event()
        status: dict[str, Any] = {}
        for _ in range(int(seconds / 0.1)):
            status = self._client.get("/api/status").json()
            if holds(status):
                return
            pause.wait(0.1)
        raise RuntimeError(f"after {seconds} s the server has {status}\n{self.server.log}")

    def _json(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        self._settle()
        answer = self._client.request(method, path, **arguments)
        if answer.status_code != 200:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
        found: dict[str, Any] = answer.json()
        return found
