import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from tollkeeper.clock import SYSTEM_CLOCK
from tollkeeper.identity import access, applications
from tollkeeper.identity.applications import Retention
from tollkeeper.store.records import open_migrated
from tollkeeper.web import aliases, parties
from tollkeeper.web.api import build_api
from tollkeeper.web.auth import guard

PEPPER = b"p" * 32
TOKEN = "tka_test_0123456789abcdef"


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Engine]:
    engine = open_migrated(f"sqlite:///{tmp_path / 'records.db'}")
    for number in (1, 2):
        applications.create(
            engine,
            name=f"App {number}",
            collector_id=f"{number}" * 60,
            retention=Retention(None, None, None),
            now_us=number,
        )
    access.set_token(engine, TOKEN, name="test", now_us=1)
    yield engine
    engine.dispose()


@pytest.fixture
def changes() -> list[str]:
    """Grows by one each time the router tells of a change."""
    return []


class Client:
    """Asks an application within this process, one request after another."""

    def __init__(self, api: Any) -> None:
        self._api = api

    def get(self, path: str, **options: Any) -> httpx.Response:
        return asyncio.run(self._ask("GET", path, options))

    def put(self, path: str, **options: Any) -> httpx.Response:
        return asyncio.run(self._ask("PUT", path, options))

    async def _ask(self, method: str, path: str, options: dict[str, Any]) -> httpx.Response:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(self._api),
            base_url="http://tollkeeper.test",
            headers={"authorization": f"Bearer {TOKEN}"},
        ) as client:
            return await client.request(method, path, **options)


@pytest.fixture
def client(records: Engine, changes: list[str]) -> Client:
    principal = guard(records, SYSTEM_CLOCK)
    api = build_api(
        [
            aliases.router(
                records,
                principal,
                pepper=PEPPER,
                clock=SYSTEM_CLOCK,
                changed=lambda: changes.append("changed"),
            ),
            parties.router(records, principal, clock=SYSTEM_CLOCK),
        ]
    )
    return Client(api)
