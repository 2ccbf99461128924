"""Short ways to send to a collector and to look at what became of it."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tollkeeper.testing.server import ServerProcess


class Collected:
    """A running server, as its collector's tests see it."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.send = server.collector()
        self.api = server.client()

    def stored(self, event_id: str) -> dict[str, Any]:
        """The event as stored, once all that was accepted is."""
        self.server.settle()
        answer = self.api.get(f"/api/events/{event_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def is_stored(self, event_id: str) -> bool:
        self.server.settle()
        return self.api.get(f"/api/events/{event_id}").status_code == 200

    def held(self) -> list[dict[str, Any]]:
        """Everything in quarantine."""
        self.server.settle()
        found: list[dict[str, Any]] = self.api.get("/api/quarantine?limit=1000").json()["items"]
        return found

    def post(self, path: str, value: Any, **headers: str) -> httpx.Response:
        names = {name.replace("_", "-"): text for name, text in headers.items()}
        return self.send.post(path, json=value, headers=names)


def new_id() -> str:
    return str(uuid.uuid4())


def recently(**ago: float) -> datetime:
    return datetime.now(UTC) - timedelta(minutes=5) - timedelta(**ago)


def event(**said: Any) -> dict[str, Any]:
    """A plain event; what is said goes to the top level, ``request`` and ``response`` are merged."""
    at = recently().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    request = {
        "time": at,
        "uri": "https://api.example.com/pets/7?limit=5",
        "verb": "GET",
        "headers": {"accept": "*/*"},
        **said.pop("request", {}),
    }
    response = {"time": at, "status": 200, "headers": {}, **said.pop("response", {})}
    return {"transaction_id": new_id(), "request": request, "response": response, **said}
