"""Prints what only a built server knows, as JSON: its OpenAPI document and its metrics.

A process of its own, because the embedded event store belongs to one folder of a process.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from typing import Any

import httpx
import msgspec

from tollkeeper.app.server import App
from tollkeeper.config import ServerSettings


async def _openapi(app: App) -> dict[str, Any]:
    transport = httpx.ASGITransport(app.asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://docs") as client:
        answer = await client.get("/api/openapi.json")
    document: dict[str, Any] = answer.raise_for_status().json()
    return document


def _metrics(app: App) -> list[dict[str, Any]]:
    found = []
    # The registry gives out values only; names and labels stand in its collectors.
    for metric in app.registry._collector_to_names:
        suffix = "_total" if metric._type == "counter" else ""
        found.append(
            {
                "name": metric._name + suffix,
                "type": metric._type,
                "labels": list(metric._labelnames),
                "help": metric._documentation,
            }
        )
    return sorted(found, key=lambda metric: metric["name"])


def main() -> None:
    """Builds a server in a temporary folder and prints its description."""
    with tempfile.TemporaryDirectory() as folder:
        app = App(ServerSettings(data=folder))
        app.start()
        try:
            described = {"openapi": asyncio.run(_openapi(app)), "metrics": _metrics(app)}
        finally:
            app.stop()
    sys.stdout.buffer.write(msgspec.json.encode(described))


if __name__ == "__main__":
    main()
