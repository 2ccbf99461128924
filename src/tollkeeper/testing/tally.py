"""What a server counted, asked the way a user would ask."""

from __future__ import annotations

import re
import threading
from typing import Any

from tollkeeper.testing.server import ServerProcess

_DUPLICATES = re.compile(
    r'^tollkeeper_pipeline_items_total\{result="duplicate"\} (\S+)', re.MULTILINE
)


class Tally:
    """Asks a running server for its counts. Each answer waits until what was accepted is stored."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server

    def wait_for(self, event_count: int, *, seconds: float = 30.0) -> None:
        """Returns once at least so many events are stored.

        Raises:
            RuntimeError: fewer arrived in time; with what the server wrote.
        """
        pause = threading.Event()
        seen = 0
        with self.server.client() as client:
            for _ in range(int(seconds / 0.1)):
                seen = client.get("/api/status").json()["events_total"]
                if seen >= event_count:
                    return
                pause.wait(0.1)
        raise RuntimeError(
            f"{seen} of {event_count} events arrived in {seconds} s\n{self.server.log}"
        )

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
        self.server.settle()
        with self.server.client() as client:
            found = _DUPLICATES.search(client.get("/metrics").text)
        return int(float(found[1])) if found else 0

    def _json(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        self.server.settle()
        with self.server.client() as client:
            answer = client.request(method, path, **arguments)
        if answer.status_code != 200:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
        found: dict[str, Any] = answer.json()
        return found
