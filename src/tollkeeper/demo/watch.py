"""What the server says of the partners' calls: read from its API, like any other client would."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import httpx
import msgspec

from tollkeeper.clock import Clock
from tollkeeper.demo.cast import Partner
from tollkeeper.errors import TollkeeperError

UNKNOWN = ""
"""The user of calls that do not tell who made them."""

_MANY = 1000


class Seen(NamedTuple):
    """What the server counted for one user."""

    calls: int
    p95_ms: float | None
    errors: int


class Watch:
    """Asks one server about one run of the demo: everything captured since ``since``, no samples."""

    def __init__(self, client: httpx.Client, *, since: str, until: str) -> None:
        self._client = client
        self._window = {"from": since, "to": until}
        self._last_seen: dict[str, str] = {}
        self._read_up_to = since

    def seen(self) -> dict[str, Seen]:
        """What the server has counted, by user."""
        calls = self._ask([{"fn": "count"}, {"fn": "p95", "field": "duration_ms"}], [])
        failed = [{"field": "response.status", "op": "gte", "value": 400}]
        errors = dict(self._ask([{"fn": "count"}], failed))
        return {user: Seen(count, p95, errors.get(user, 0)) for user, count, p95 in calls}

    def _ask(
        self, metrics: Sequence[dict[str, str]], conditions: Sequence[dict[str, Any]]
    ) -> list[Any]:
        question = {
            **self._window,
            "metrics": metrics,
            "group_by": ["user"],
            "filter": {"and": [_LIVE, *conditions]},
            "limit": _MANY,
        }
        return list(answer_of(self._client.post("/api/query", json=question))["rows"])

    def last_seen(self) -> dict[str, str]:
        """When each user called last; reads only what came since it was asked before."""
        query: dict[str, Any] = {
            "from": self._read_up_to,
            "to": self._window["to"],
            "filter": msgspec.json.encode(_LIVE).decode(),
            "limit": _MANY,
        }
        for event in answer_of(self._client.get("/api/events", params=query))["events"]:
            user, at = event["user"], event["time"]
            self._last_seen[user] = max(at, self._last_seen.get(user, ""))
            self._read_up_to = max(at, self._read_up_to)
        return self._last_seen

    def bind(self, partner: Partner) -> str:
        """Tells the alias table whose key this is; returns what became of it."""
        alias = {
            "credential": partner.tokens[0],
            "user": partner.user,
            "customer": partner.company,
        }
        answer = answer_of(self._client.put("/api/aliases", json={"aliases": [alias]}))
        return str(answer["results"][0]["result"])


_LIVE = {"field": "source", "op": "ne", "value": "sample"}


def answer_of(response: httpx.Response) -> Any:
    """The decoded answer.

    Raises:
        TollkeeperError: the server refused.
    """
    if not response.is_success:
        raise TollkeeperError(f"the server answered {response.status_code}: {response.text[:300]}")
    return response.json() if response.content else None


def wait_stored(client: httpx.Client, clock: Clock, *, seconds: float) -> None:
    """Waits until everything that the server accepted is stored.

    Raises:
        TollkeeperError: it is not in time.
    """
    never = threading.Event()
    for _ in range(int(seconds / 0.1)):
        journal = answer_of(client.get("/api/status"))["journal"]
        if journal["stored_position"] == journal["last_position"]:
            return
        clock.wait(never, 0.1)
    raise TollkeeperError(f"the server did not store everything within {seconds:.0f} s")


def expected(counts: Counter[str], partners: Sequence[Partner], *, bound: bool) -> Counter[str]:
    """Counts by partner as counts by the user that the server can know."""
    found: Counter[str] = Counter()
    for partner in partners:
        known = partner.known or (bound and partner.bound_later)
        found[partner.user if known else UNKNOWN] += counts[partner.user]
    return +found
