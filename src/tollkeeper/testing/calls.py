"""Events for tests: one plain call, of which a test says only what matters to it."""

from __future__ import annotations

from typing import Any

from tollkeeper.model.event import Event
from tollkeeper.model.key import event_key

START_US = 1_795_000_000_000_000
"""An instant of a Wednesday in November 2026, 11:06:40 UTC."""

_PLAIN: dict[str, Any] = {
    "application": "app_test",
    "time": START_US,
    "id": "1",
    "content": 1,
    "position": 1,
    "item": 0,
    "received_at": START_US,
    "kind": "api_call",
    "source": "native",
    "direction": "incoming",
    "action": "",
    "method": "GET",
    "uri": "https://api.example.com/pets/7?limit=5",
    "route": "/pets/{id}",
    "status": 200,
    "duration_us": 1500,
    "request_bytes": 0,
    "response_bytes": 0,
    "request_headers": "{}",
    "response_headers": "{}",
    "request_body": "",
    "request_encoding": "",
    "response_body": "",
    "response_encoding": "",
    "ip": "192.0.2.1",
    "captured_user": "",
    "captured_customer": "",
    "credential": "",
    "metadata": "{}",
    "api_version": "",
    "weight": 1,
    "trace_id": "",
    "blocked_by": "",
    "tags": "",
    "outcome": "",
    "subscription": "",
}


def call(**said: Any) -> Event:
    """One stored call; what is not said is plain."""
    values = {**_PLAIN, **said}
    values.setdefault("key", event_key(values["application"], values["id"]))
    return Event(**values)
