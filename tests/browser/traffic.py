"""A believable week of one API, sent through the collector as a partner's SDK would send it."""

from __future__ import annotations

import math
import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

CALLERS = [
    ("maria@acme.io", "Acme", 30), ("ci-robot", "Acme", 14), ("513", "Globex", 22), ("1234", "Initech", 17),
    ("2560", "Umbrella", 12), ("jo@hooli.dev", "Hooli", 9), ("billing-sync", "Hooli", 8), ("stark-prod", "Stark", 6),
    ("wayne-batch", "Wayne", 5), ("wonka-web", "Wonka", 4), ("tyrell-1", "Tyrell", 3), ("cyberdyne", "Cyberdyne", 2),
    ("", "", 2),
]  # fmt: skip
ROUTES = [
    ("GET", "/v1/pets", 8, 28), ("GET", "/v1/pets/{id}", 12, 25), ("POST", "/v1/orders", 42, 11),
    ("GET", "/v1/orders/{id}", 18, 13), ("GET", "/v1/search", 95, 14), ("PUT", "/v1/pets/{id}", 31, 4),
    ("DELETE", "/v1/orders/{id}", 22, 2), ("GET", "/v1/reports/monthly", 640, 1),
]  # fmt: skip
STATUSES = [(200, 80), (201, 6), (204, 2), (304, 2), (400, 3), (401, 2), (404, 5), (429, 2)]


def call(at: datetime, dice: random.Random) -> dict[str, Any]:
    """One call as a wire event."""
    user, company, _ = dice.choices(CALLERS, [c[2] for c in CALLERS])[0]
    verb, route, usual_ms, _ = dice.choices(ROUTES, [r[3] for r in ROUTES])[0]
    status = dice.choices([s[0] for s in STATUSES], [s[1] for s in STATUSES])[0]
    # One bad hour two days ago: an incident that the charts should show.
    is_incident = timedelta(hours=50) < _now() - at < timedelta(hours=53)
    if dice.random() < (0.35 if is_incident else 0.012):
        status = dice.choice([500, 500, 503])
    duration_ms = usual_ms * math.exp(dice.gauss(0, 0.55)) * (3 if is_incident else 1)
    path = route.replace("{id}", str(dice.randint(100, 999)))
    query = "?limit=20&status=available" if verb == "GET" else ""
    body = {"pet": {"name": "Rex", "kind": "dog", "age": 3}, "quantity": 2}
    sends = verb in ("POST", "PUT")
    return {
        "transaction_id": str(uuid.UUID(int=dice.getrandbits(128))),
        "request": {
            "time": _iso(at), "verb": verb, "uri": f"https://api.petshop.example{path}{query}", "route": route,
            "headers": {
                "accept": "application/json", "user-agent": "petshop-sdk/2.4 python/3.12",
                "authorization": "Bearer ******", "x-request-id": f"req-{dice.randint(10**6, 10**7)}",
            },
            "body": body if sends else None, "transfer_encoding": "json" if sends else None,
            "bytes": 96 if sends else 0, "ip_address": f"203.0.113.{dice.randint(2, 250)}", "api_version": "v1",
        },
        "response": {
            "time": _iso(at + timedelta(milliseconds=duration_ms)), "status": status,
            "headers": {"content-type": "application/json", "server": "uvicorn"},
            "body": {"error": "out of order"} if status >= 500 else {"items": [{"id": 7, "name": "Rex"}], "next": None},
            "transfer_encoding": "json", "bytes": dice.randint(80, 9000),
        },
        "duration_us": round(duration_ms * 1000), "user_id": user or None, "company_id": company or None,
        "metadata": {"region": dice.choice(["eu-west", "us-east"]), "plan": dice.choice(["free", "growth", "scale"])},
    }  # fmt: skip


def week(count: int, *, seed: int = 7, days: int = 7) -> list[dict[str, Any]]:
    """Calls of the past days with the rhythm of office hours, oldest first."""
    dice, now = random.Random(seed), _now()
    moments: list[datetime] = []
    while len(moments) < count:
        at = now - timedelta(seconds=dice.random() * 86_400 * days)
        day = 0.35 if at.weekday() >= 5 else 1.0
        rhythm = 0.25 + 0.75 * max(0.0, math.sin((at.hour + at.minute / 60 - 5) / 16 * math.pi))
        if dice.random() < day * rhythm:
            moments.append(at)
    return [call(at, dice) for at in sorted(moments)]


def send(client: httpx.Client, events: list[dict[str, Any]], *, source: str = "") -> None:
    """Send events in batches, as calls of `source` if one is named; each must be accepted."""
    headers = {"x-tollkeeper-source": source} if source else {}
    for start in range(0, len(events), 500):
        batch = events[start : start + 500]
        answer = client.post("/v1/events/batch", json=batch, headers=headers)
        assert answer.status_code == 201, answer.text


def _now() -> datetime:
    return datetime.now(UTC)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
