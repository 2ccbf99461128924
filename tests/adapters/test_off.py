"""Options that cannot work: the host answers as if we were not there, and is told once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from django.test import Client, override_settings
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.sync.client import connect

import tollkeeper.capture.django as django_adapter
from tollkeeper.capture import capture_outgoing, off, stats
from tollkeeper.capture.asgi import TollkeeperMiddleware as Asgi
from tollkeeper.capture.wsgi import TollkeeperMiddleware as Wsgi

ID = "x" * 50
WRONG: list[tuple[dict[str, str], dict[str, Any], str]] = [
    ({}, {}, "application_id is required"),
    ({"TOLLKEEPER_URL": "127.0.0.1:8600"}, {"application_id": ID}, "url: '127.0.0.1:8600'"),
    ({"TOLLKEEPER_BATCH_SIZE": "many"}, {"application_id": ID}, "batch_size: expected `int`"),
    ({}, {"application_id": ID, "batch_sise": 3}, "batch_sise; did you mean batch_size?"),
]


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("TOLLKEEPER_APPLICATION_ID", raising=False)
    off.forget()
    yield
    off.forget()


@pytest.fixture(params=WRONG, ids=["missing", "url", "type", "unknown"])
def wrong(request, monkeypatch) -> tuple[dict[str, Any], str]:
    environment, settings, text = request.param
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return settings, text


def assert_told_once(caplog: pytest.LogCaptureFixture, text: str) -> None:
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 1
    assert errors[0].startswith("tollkeeper: capture is off: ")
    assert text in errors[0]
    assert stats()["off"] == [errors[0].removeprefix("tollkeeper: capture is off: ")]


def test_an_asgi_host_serves_calls_websockets_and_lifespan(wrong, caplog, serve_asgi):
    settings, text = wrong
    began: list[str] = []

    async def lifespan(app: Any) -> Any:
        began.append("up")
        yield {"kept": 1}

    async def greet(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("hello")
        await websocket.close()

    async def pet(request: Any) -> PlainTextResponse:
        return PlainTextResponse(f"{request.state.kept}")

    app = Starlette(
        routes=[Route("/", pet), WebSocketRoute("/ws", greet)],
        lifespan=asynccontextmanager(lifespan),
    )
    app.add_middleware(Asgi, **settings)
    address = serve_asgi(app, lifespan="on")
    assert [httpx.get(f"http://{address}/").text for _ in range(2)] == ["1", "1"]
    with connect(f"ws://{address}/ws") as socket:
        assert socket.recv() == "hello"
    assert began == ["up"]
    assert_told_once(caplog, text)


def test_an_asgi_application_gets_the_servers_own_callables(wrong):
    seen: list[Any] = []

    async def app(*arguments: Any) -> None:
        seen.extend(arguments)

    given = ({"type": "http"}, object(), object())
    asyncio.run(Asgi(app, **wrong[0])(*given))
    assert all(mine is theirs for mine, theirs in zip(seen, given, strict=True))


def test_a_wsgi_application_gets_the_servers_own_start_response(wrong, caplog):
    seen: list[Any] = []
    body = [b"x"]

    def app(*arguments: Any) -> list[bytes]:
        seen.extend(arguments)
        return body

    given = ({"REQUEST_METHOD": "GET"}, object())
    settings, text = wrong
    assert Wsgi(app, **settings)(*given) is body
    assert all(mine is theirs for mine, theirs in zip(seen, given, strict=True))
    Wsgi(app, **settings)
    assert_told_once(caplog, text)


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_django_serves_on(wrong, caplog, django_site, monkeypatch, kind):
    from django.test import AsyncClient

    settings, text = wrong
    monkeypatch.setattr(django_adapter, "_agent", None)
    ours = ["tollkeeper.capture.django.TollkeeperMiddleware"]
    with override_settings(MIDDLEWARE=ours, TOLLKEEPER=settings):
        if kind == "sync":
            answer = Client().get("/pets/17")
        else:
            answer = asyncio.run(AsyncClient().get("/pets/17"))
    assert (answer.status_code, answer.json()) == (200, {"id": 17})
    assert_told_once(caplog, text)


def test_outgoing_calls_go_out_as_ever(wrong, caplog):
    settings, text = wrong
    client = httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(204)))
    undo = capture_outgoing(client, **settings)
    assert client.get("http://api.example.com/").status_code == 204
    undo()
    undo()
    client.close()
    assert_told_once(caplog, text)


def test_a_host_that_is_set_up_well_reads_no_reason():
    assert stats()["off"] == []
