"""What the server says of the partners' calls: read from its API, like any other client would."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import httpx
import msgspec

from tollkeeper.clock import Clock
from tollkeeper.demo.cast import AGENT_SUFFIX, Partner
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
    """Asks one server about one run of the demo: what the partners called since ``since``.

    The run's own are the events that the sample API at ``host`` captured of partners. Whatever
    else comes to the server meanwhile, by hand or from the dashboard, is counted apart.
    """

    def __init__(self, client: httpx.Client, *, host: str, since: str, until: str) -> None:
        self._client = client
        self._own = {
            "and": [
                {"field": "source", "op": "eq", "value": "native"},
                {"field": "request.host", "op": "eq", "value": host},
                {"field": "request.headers.user-agent", "op": "ends_with", "value": AGENT_SUFFIX},
            ]
        }
        self._window = {"from": since, "to": until}
        self._last_seen: dict[str, str] = {}
        self._read_up_to = since

    def seen(self) -> dict[str, Seen]:
        """What the server has counted, by user."""
        metrics = [{"fn": "count"}, {"fn": "p95", "field": "duration_ms"}]
        calls = self._ask(metrics, [self._own], by=["user"])
        failed = {"field": "response.status", "op": "gte", "value": 400}
        errors = dict(self._ask([{"fn": "count"}], [self._own, failed], by=["user"]))
        return {user: Seen(count, p95, errors.get(user, 0)) for user, count, p95 in calls}

    def others(self) -> int:
        """How many events came that are neither partners' calls nor samples."""
        rows = self._ask([{"fn": "count"}], [_LIVE, {"not": self._own}], by=[])
        return int(rows[0][0]) if rows else 0

    def _ask(
        self,
        metrics: Sequence[dict[str, str]],
        conditions: Sequence[dict[str, Any]],
        *,
        by: Sequence[str],
    ) -> list[Any]:
        question = {
            **self._window,
            "metrics": metrics,
            "group_by": by,
            "filter": {"and": conditions},
            "limit": _MANY,
        }
        return list(answer_of(self._client.post("/api/query", json=question))["rows"])

    def last_seen(self) -> dict[str, str]:
        """When each user called last; reads only what came since it was asked before."""
        query: dict[str, Any] = {
            "from": self._read_up_to,
            "to": self._window["to"],
            "filter": msgspec.json.encode(self._own).decode(),
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

    def bound(self, partner: Partner) -> bool:
        """Whether the alias table knows the owner of this partner's key, whoever told it when."""
        answer = answer_of(self._client.get("/api/aliases", params={"user": partner.user}))
        return any(
            alias["credential"] is not None and alias["valid_to"] is None
            for alias in answer["aliases"]
        )


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


def expected(
    counts: Counter[str], partners: Sequence[Partner], *, bound: Collection[str]
) -> Counter[str]:
    """Counts by partner as counts by the user that the server can know.

    ``bound`` are the users whose key the alias table knows.
    """
    found: Counter[str] = Counter()
    for partner in partners:
        known = partner.known or partner.user in bound
        found[partner.user if known else UNKNOWN] += counts[partner.user]
    return +found
