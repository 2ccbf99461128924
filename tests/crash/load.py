"""Load that keeps its own record of what was acknowledged, and resends what was not."""

from __future__ import annotations

import gzip
import random
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import httpx
import msgspec

from tollkeeper.model.key import event_key
from tollkeeper.testing.contents import Contents
from tollkeeper.testing.server import ServerProcess

START = datetime(2026, 9, 29, tzinfo=UTC)
USERS = 7
MOST_BATCH = 60
MOST_OWED = 300


class Sent(NamedTuple):
    user: str
    weight: int


@dataclass
class Record:
    """What the senders know for sure, beside the server."""

    acknowledged: dict[str, Sent] = field(default_factory=dict)
    refused: int = 0
    unanswered: int = 0


class Load:
    """Senders in threads. Each event that is not acknowledged goes out again, in other company."""

    def __init__(self, server: ServerProcess, *, seed: int, senders: int = 2) -> None:
        self.record = Record()
        self._server = server
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._twice: list[dict[str, Any]] = []
        self._owed: list[list[dict[str, Any]]] = [[] for _ in range(senders)]
        self._threads = [
            threading.Thread(target=self._send, args=(number, random.Random(f"{seed}-{number}")))
            for number in range(senders)
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def finish(self) -> None:
        """Sends what is still owed to a server that now stays, then ends."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        with self._server.collector() as client:
            for owed in self._owed:
                for start in range(0, len(owed), 1000):
                    answer = _post(client, owed[start : start + 1000])
                    assert answer.status_code == 201, answer.text
                    self._acknowledge(owed[start : start + 1000])
                owed.clear()
            # Once they are stored: within a block the same event is seen without any filter.
            self._server.settle()
            assert _post(client, self._twice[-500:]).status_code == 201

    def _send(self, number: int, dice: random.Random) -> None:
        made = 0
        owed = self._owed[number]
        client, url = httpx.Client(), ""
        while not self._stopping.is_set():
            if url != self._server.url:
                client.close()
                url = self._server.url
                client = self._server.collector(timeout=10)
            if len(owed) < MOST_OWED:
                count = dice.randint(1, MOST_BATCH)
                owed.extend(_event(number, made + i, dice) for i in range(count))
                made += count
            dice.shuffle(owed)
            batch, rest = owed[: 2 * MOST_BATCH], owed[2 * MOST_BATCH :]
            if self._try(client, batch):
                owed[:] = rest
                # Only these are ever sent again after an answer: a resend would heal a loss.
                again = [event for event in batch if event["transaction_id"].endswith("7")]
                self._twice += again
                if again and dice.random() < 0.2:
                    self._try(client, again)
            self._stopping.wait(0.01)
        client.close()

    def _try(self, client: httpx.Client, batch: list[dict[str, Any]]) -> bool:
        try:
            answer = _post(client, batch)
        except httpx.HTTPError:
            self.record.unanswered += 1
            return False
        if answer.status_code == 503:
            assert int(answer.headers["retry-after"]) > 0
            self.record.refused += 1
            return False
        assert answer.status_code == 201, answer.text
        assert answer.json() == {"accepted": len(batch)}
        self._acknowledge(batch)
        return True

    def _acknowledge(self, batch: list[dict[str, Any]]) -> None:
        with self._lock:
            for event in batch:
                sent = Sent(event["user_id"], event["weight"])
                self.record.acknowledged[event["transaction_id"]] = sent


def differences(record: Record, found: Contents, application: str) -> list[str]:
    """Where the server and the senders' own record disagree; empty when nowhere."""
    wanted = record.acknowledged
    wrong = []
    lost = wanted.keys() - found.ids.keys()
    if lost:
        wrong.append(f"{len(lost)} acknowledged events are lost, such as {min(lost)}")
    invented = found.ids.keys() - wanted.keys()
    if invented:
        wrong.append(f"{len(invented)} events that nobody sent, such as {min(invented)}")
    twice = [name for name, count in found.ids.items() if count != 1]
    if twice:
        wrong.append(f"{len(twice)} events are there more than once, such as {min(twice)}")
    if found.keys != {str(event_key(application, name)): 1 for name in wanted}:
        wrong.append("event_keys differ")
    sums: dict[str, tuple[int, int]] = {}
    for sent in wanted.values():
        calls, events = sums.get(sent.user, (0, 0))
        sums[sent.user] = (calls + sent.weight, events + 1)
    wrong += [
        f"{name} says {getattr(found, name)}, sent were {sums}"
        for name in ("raw", "usage_hour", "usage_day", "counters")
        if getattr(found, name) != sums
    ]
    if found.conflicts or found.held:
        wrong.append(f"{found.conflicts} conflicts and {found.held} held items")
    return wrong


def _event(sender: int, number: int, dice: random.Random) -> dict[str, Any]:
    at = START + timedelta(seconds=dice.randrange(4 * 86_400), milliseconds=number % 1000)
    return {
        "transaction_id": f"{sender}-{number}",
        "request": {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "uri": f"https://api.example.com/pets/{number}?page={number % 5}",
            "verb": "GET",
            "headers": {"accept": "*/*", "user-agent": "load"},
        },
        "response": {"time": at.isoformat().replace("+00:00", "Z"), "status": 200, "headers": {}},
        "user_id": f"user-{dice.randrange(USERS)}",
        "weight": dice.choice([1, 1, 1, 2, 5]),
    }


def _post(client: httpx.Client, batch: list[dict[str, Any]]) -> httpx.Response:
    body = gzip.compress(msgspec.json.encode(batch), 1)
    return client.post("/v1/events/batch", content=body, headers={"content-encoding": "gzip"})
