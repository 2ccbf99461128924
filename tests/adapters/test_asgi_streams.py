"""Streams, websockets and clients that leave, over real sockets."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from starlette.responses import StreamingResponse
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tollkeeper.capture.asgi import TollkeeperMiddleware


@pytest.mark.parametrize("limit_bytes", [0, 4])
def test_a_chunk_reaches_the_client_before_the_next_one_is_made(capture, serve_asgi, limit_bytes):
    agent = capture.with_options(log_body=bool(limit_bytes), body_limit_bytes=limit_bytes)
    app = FastAPI()
    acknowledged = asyncio.Event()

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def chunks() -> Any:
            yield b"first"
            # Sent only after the client said that it has the first: a buffer in between would hang.
            await asyncio.wait_for(acknowledged.wait(), 10)
            yield b"second"

        return StreamingResponse(chunks())

    @app.post("/ack")
    async def ack() -> None:
        acknowledged.set()

    app.add_middleware(TollkeeperMiddleware, agent=agent)
    base = f"http://{serve_asgi(app)}"
    with httpx.stream("GET", f"{base}/stream") as answer:
        chunks = answer.iter_raw()
        assert next(chunks) == b"first"
        httpx.post(f"{base}/ack")
        assert next(chunks) == b"second"
        assert list(chunks) == []
    streamed, acked = capture.events(2)
    assert (streamed["request"]["route"], streamed["response"]["bytes"]) == ("/stream", 11)
    assert streamed["duration_us"] >= acked["duration_us"]
    assert streamed.get("outcome") is None


def test_an_upload_is_handed_on_as_it_arrives(capture, serve_asgi):
    got_first = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/wait":
            await asyncio.wait_for(got_first.wait(), 10)
        else:
            body = b""
            while True:
                message = await receive()
                body += message["body"]
                if body.startswith(b"first"):
                    got_first.set()
                if not message["more_body"]:
                    break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    base = f"http://{serve_asgi(TollkeeperMiddleware(app, agent=capture.agent))}"

    def body() -> Any:
        yield b"first"
        assert httpx.get(f"{base}/wait", timeout=15).status_code == 200
        yield b"second"

    assert httpx.post(f"{base}/upload", content=body(), timeout=15).status_code == 200
    upload = next(event for event in capture.events(2) if event["request"]["verb"] == "POST")
    assert upload["request"]["bytes"] == 11


def test_server_sent_events_that_the_client_leaves_end_as_a_disconnect(capture, serve_asgi):
    app = FastAPI()
    stopped: list[str] = []

    @app.get("/events")
    async def events() -> StreamingResponse:
        async def ticks() -> Any:
            try:
                while True:
                    yield b"data: tick\n\n"
                    await asyncio.sleep(0.01)
            finally:
                stopped.append("stopped")

        return StreamingResponse(ticks(), media_type="text/event-stream")

    app.add_middleware(TollkeeperMiddleware, agent=capture.agent)
    with httpx.stream("GET", f"http://{serve_asgi(app)}/events") as answer:
        lines = answer.iter_lines()
        assert [next(lines), next(lines), next(lines)] == ["data: tick", "", "data: tick"]
    event = capture.event()
    assert stopped == ["stopped"]
    assert (event["response"]["status"], event["outcome"]) == (200, "disconnect")
    assert event["response"]["bytes"] >= 24


def test_a_client_that_leaves_in_its_upload_is_a_disconnect_without_an_answer(capture, serve_asgi):
    app = FastAPI()

    @app.post("/upload")
    async def upload(body: dict[str, int]) -> None:
        raise AssertionError("never whole")

    app.add_middleware(TollkeeperMiddleware, agent=capture.agent)
    host, port = serve_asgi(app).split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(
            b'POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"a"'
        )
    event = capture.event()
    assert event["outcome"] == "disconnect"
    assert event["request"]["bytes"] == 4
    # FastAPI turns the disconnect into an answer that nobody gets, or gives up before it.
    assert (event["response"] or {"status": 0})["status"] in (0, 400)


def test_a_wait_for_the_disconnect_still_ends(capture, serve_asgi):
    ended = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        ended.append((await receive())["type"])

    host, port = serve_asgi(TollkeeperMiddleware(app, agent=capture.agent)).split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(b"GET /poll HTTP/1.1\r\nHost: x\r\n\r\n")
    event = capture.event()
    assert ended == ["http.disconnect"]
    assert (event["response"], event["outcome"]) == (None, "disconnect")


def websocket_app(agent: Any) -> Any:
    app = FastAPI()

    @app.websocket("/rooms/{room}")
    async def room(socket: WebSocket, room: str) -> None:
        if room == "closed":
            await socket.close()
            return
        await socket.accept()
        try:
            while True:
                text = await socket.receive_text()
                if text == "boom":
                    raise ValueError(text)
                await socket.send_bytes(text.encode() * 2)
        except WebSocketDisconnect:
            return

    app.add_middleware(TollkeeperMiddleware, agent=agent)
    return app


def test_a_websocket_is_one_event_when_it_ends(capture, serve_asgi):
    served = serve_asgi(websocket_app(capture.agent))
    with connect(f"ws://{served}/rooms/17?a=1") as client:
        for text in ("one", "zwölf"):
            client.send(text)
            assert client.recv() == text.encode() * 2
        assert capture.collector.events == []
    event = capture.event()
    assert event["request"]["uri"] == f"ws://{served}/rooms/17?a=1"
    assert event["request"]["route"] == "/rooms/{room}"
    assert (event["response"]["status"], event["outcome"]) == (101, "websocket")
    assert (event["request"]["bytes"], event["response"]["bytes"]) == (9, 18)


def test_a_refused_websocket_has_the_status_of_the_refusal(capture, serve_asgi):
    address = f"ws://{serve_asgi(websocket_app(capture.agent))}/rooms/closed"
    with pytest.raises(InvalidStatus, match="403"), connect(address):
        raise AssertionError("never accepted")
    event = capture.event()
    assert (event["response"]["status"], event.get("outcome")) == (403, None)


def test_an_exception_in_a_websocket_is_told(capture, serve_asgi):
    with connect(f"ws://{serve_asgi(websocket_app(capture.agent))}/rooms/1") as client:
        client.send("boom")
        with pytest.raises(ConnectionClosed):
            client.recv()
    event = capture.event()
    assert (event["response"]["status"], event["outcome"]) == (101, "exception")


def test_an_abandoned_websocket_ends_too(capture, serve_asgi):
    with connect(f"ws://{serve_asgi(websocket_app(capture.agent))}/rooms/1") as client:
        client.send("hello")
        assert client.recv() == b"hellohello"
        client.socket.shutdown(socket.SHUT_RDWR)
    assert capture.event()["outcome"] == "websocket"
