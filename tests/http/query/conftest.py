import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request

from tollkeeper.clock import SYSTEM_CLOCK
from tollkeeper.errors import NotFound, Unauthorized
from tollkeeper.query.answer import Asker, Limits
from tollkeeper.query.stream import LiveHub
from tollkeeper.store.events import EventStore
from tollkeeper.testing.calls import START_US, call
from tollkeeper.testing.chdb import new_event_store
from tollkeeper.web import events as events_api
from tollkeeper.web import query as query_api
from tollkeeper.web.api import build_api
from tollkeeper.web.auth import Principal

MINUTE = 60_000_000
RANGE = {"from": "2026-11-18T00:00:00Z", "to": "2026-11-19T00:00:00Z"}


class Client:
    """Requests to an application within this process."""

    def __init__(self, api: FastAPI) -> None:
        self.api = api

    def request(self, method: str, path: str, **said: Any) -> httpx.Response:
        said.setdefault("headers", {"authorization": "Bearer right"})

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.api, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, path, **said)

        return asyncio.run(send())

    def get(self, path: str, **said: Any) -> httpx.Response:
        return self.request("GET", path, **said)

    def post(self, path: str, **said: Any) -> httpx.Response:
        return self.request("POST", path, **said)


@dataclass
class Served:
    """The query routes over a store with three applications; what tests add is in extra."""

    client: Client
    asker: Asker
    hub: LiveHub
    store: EventStore

    def ask(self, **question: Any) -> Any:
        answer = self.client.post("/api/query", json={**RANGE, **question})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refused(self, **question: Any) -> tuple[str, str]:
        answer = self.client.post("/api/query", json={**RANGE, **question})
        assert answer.status_code == 422, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        return answer.json()["field"], answer.json()["code"]

    def list(self, **query: Any) -> Any:
        if "filter" in query:
            query["filter"] = json.dumps(query["filter"])
        answer = self.client.get("/api/events", params={**RANGE, **query})
        assert answer.status_code == 200, answer.text
        return answer.json()


def principal(request: Request) -> Principal:
    if request.headers.get("authorization") != "Bearer right":
        raise Unauthorized("send an admin token as bearer, or log in")
    return Principal("admin", "")


def applications(wanted: str | None) -> str:
    if wanted in (None, "a", "other", "extra"):
        return wanted or "a"
    raise NotFound("there is no such application", field="application")


def fill(store: EventStore) -> None:
    events = [
        call(
            application="a",
            id=f"a-{n}",
            time=START_US + n * MINUTE,
            position=1,
            item=n,
            captured_user=f"user {n % 7}",
            credential=f"{n % 3}" * 64,
            status=500 if n % 10 == 0 else 200,
            duration_us=n * 1000,
            weight=1 + n % 2,
            metadata=json.dumps({"plan": "gold" if n % 4 else "tin", "cost": n / 10}),
            request_headers=json.dumps({"user-agent": f"agent/{n % 2}"}),
            request_body=json.dumps({"cart": {"total": n}}),
            request_encoding="json",
            response_body='"aGk="',
            response_encoding="base64",
        )
        for n in range(100)
    ]
    secret = call(
        application="other", id="secret", time=START_US, captured_user="of b", weight=1000
    )
    store.insert_block(events, token="a")
    store.insert_block([secret], token="b")
    columns = (
        "application",
        "kind",
        "key",
        "valid_from",
        "valid_to",
        "user",
        "customer",
        "deleted",
        "version",
    )
    store.insert_rows(
        "bindings",
        columns,
        [
            ("a", "credential", "0" * 64, 0, 2**62, "", "zero", 0, 1),
            ("other", "credential", "1" * 64, 0, 2**62, "", "of b", 0, 2),
            ("a", "user", "user 1", START_US + 50 * MINUTE, 2**62, "", "one", 0, 3),
        ],
    )
    store.insert_rows(
        "attributes",
        ("application", "kind", "id", "attributes", "version"),
        [("a", "user", "user 1", '{"tier":"pro","seats":5}', 1),
         ("other", "user", "user 2", '{"tier":"of b"}', 1),
         ("a", "customer", "zero", '{"country":{"code":"DE"}}', 1)],
    )  # fmt: skip


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[..., Served]]:
    store = new_event_store()
    fill(store)

    def build(limits: Limits | None = None) -> Served:
        asker = Asker(store, clock=SYSTEM_CLOCK, applications=applications, limits=limits)
        hub = LiveHub(asker)
        api = build_api(
            [query_api.router(asker, principal), events_api.router(asker, hub, principal)]
        )
        return Served(Client(api), asker, hub, store)

    yield build
    store.close()


@pytest.fixture(scope="session")
def served(serve: Callable[..., Served]) -> Served:
    return serve()
