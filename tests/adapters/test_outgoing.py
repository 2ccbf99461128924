"""Calls that the host makes itself, with httpx and requests, to a real server."""

from __future__ import annotations

import asyncio
import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
import requests
from requests.adapters import HTTPAdapter

from tollkeeper.capture import capture_outgoing, off


class Server(ThreadingHTTPServer):
    """Holds what its handlers wait for."""

    daemon_threads = True
    acknowledged: threading.Event

    def handle_error(self, *_: Any) -> None:
        """A client that leaves is part of the test."""


class Handler(BaseHTTPRequestHandler):
    """Answers by the first segment of the path."""

    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        getattr(self, "answer_" + self.path.strip("/").partition("?")[0].partition("/")[0])()

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        self.whole(body)

    def whole(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def answer_pets(self) -> None:
        self.whole(b'{"id": 17}', Content_Type="application/json")

    def answer_empty(self) -> None:
        self.whole(b"")

    def answer_gzip(self) -> None:
        self.whole(gzip.compress(b"x" * 10_000), Content_Encoding="gzip")

    def answer_moved(self) -> None:
        self.whole(b"over there", status=302, Location="/pets/1")

    def chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def answer_stream(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.chunk(b"first")
        assert self.server.acknowledged.wait(10)
        self.chunk(b"second")
        self.wfile.write(b"0\r\n\r\n")

    def answer_broken(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"half")
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Silent."""


class Target:
    """A server to call: fixed, chunked, compressed, redirecting and breaking answers."""

    def __init__(self) -> None:
        self.acknowledged = threading.Event()
        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.acknowledged = self.acknowledged
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.host}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self.acknowledged.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def target() -> Iterator[Target]:
    server = Target()
    yield server
    server.close()


class SyncHttpx:
    """One httpx client behind the few verbs that these tests use."""

    errors = httpx.TransportError

    def __init__(self) -> None:
        self.client = httpx.Client()

    def get(self, url: str, **more: Any) -> bytes:
        return self.client.get(url, follow_redirects=True, **more).content

    def head(self, url: str) -> int:
        return self.client.head(url).status_code

    def post(self, url: str, body: Any) -> bytes:
        return self.client.post(url, content=body).content

    def first(self, url: str, then: Any) -> bytes:
        with self.client.stream("GET", url) as answer:
            chunks = answer.iter_raw()
            first = next(chunks)
            return first if then is None else first + then() + b"".join(chunks)

    def close(self) -> None:
        self.client.close()


class Requests(SyncHttpx):
    errors = requests.RequestException

    def __init__(self) -> None:
        self.client = requests.Session()

    def get(self, url: str, **more: Any) -> bytes:
        return self.client.get(url, **more).content

    def post(self, url: str, body: Any) -> bytes:
        return self.client.post(url, data=body).content

    def first(self, url: str, then: Any) -> bytes:
        with self.client.get(url, stream=True) as answer:
            chunks = answer.iter_content(None)
            first = next(chunks)
            return first if then is None else first + then() + b"".join(chunks)


class AsyncHttpx(SyncHttpx):
    """An async client on an event loop of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.client = httpx.AsyncClient()

    def run(self, awaitable: Any) -> Any:
        return self.loop.run_until_complete(awaitable)

    def get(self, url: str, **more: Any) -> bytes:
        return self.run(self.client.get(url, follow_redirects=True, **more)).content

    def head(self, url: str) -> int:
        return self.run(self.client.head(url)).status_code

    def post(self, url: str, body: Any) -> bytes:
        async def blocks() -> Any:
            for block in body:
                yield block

        return self.run(
            self.client.post(url, content=body if isinstance(body, bytes) else blocks())
        ).content

    def first(self, url: str, then: Any) -> bytes:
        async def read() -> bytes:
            async with self.client.stream("GET", url) as answer:
                chunks = answer.aiter_raw()
                first = await anext(chunks)
                if then is None:
                    return first
                return first + then() + b"".join([chunk async for chunk in chunks])

        return self.run(read())

    def close(self) -> None:
        self.run(self.client.aclose())
        self.loop.close()


@pytest.fixture(params=[SyncHttpx, AsyncHttpx, Requests])
def library(request) -> Iterator[Any]:
    made = request.param()
    yield made
    made.close()


@pytest.fixture(params=["one", "all"])
def client(request, library, capture) -> Iterator[Any]:
    """A client that is captured, by itself or because all are."""
    undo = capture_outgoing(library.client if request.param == "one" else None, agent=capture.agent)
    yield library
    undo()


def test_a_call_is_an_outgoing_event_with_its_sizes(client, target, capture):
    assert client.get(f"{target.url}/pets/17?full=1", headers={"X-Trace": "t1"}) == b'{"id": 17}'
    event = capture.event()
    assert event["direction"] == "Outgoing"
    assert (event["request"]["verb"], event["request"]["uri"]) == (
        "GET",
        f"{target.url}/pets/17?full=1",
    )
    assert event["request"]["route"] == "/pets/{id}"
    assert event["request"]["headers"]["x-trace"] == "t1"
    assert (event["response"]["status"], event["response"]["bytes"]) == (200, 10)
    assert event["response"]["headers"]["content-type"] == "application/json"
    assert event.get("outcome") is None
    assert event["duration_us"] > 0


@pytest.mark.parametrize("kind", ["bytes", "generated"])
def test_a_request_body_is_counted_and_arrives_whole(client, target, capture, kind):
    body = b"hello world" if kind == "bytes" else iter([b"hello", b" ", b"world"])
    assert client.post(f"{target.url}/echo", body) == b"hello world"
    event = capture.event()
    assert (event["request"]["bytes"], event["response"]["bytes"]) == (11, 11)


def test_a_chunk_is_there_before_the_next_one_is_sent(client, target, capture):
    def acknowledge() -> bytes:
        assert capture.collector.events == []
        target.acknowledged.set()
        return b"+"

    assert client.first(f"{target.url}/stream", acknowledge) == b"first+second"
    event = capture.event()
    assert (event["response"]["status"], event["response"]["bytes"], event.get("outcome")) == (
        200,
        11,
        None,
    )


def test_a_response_that_the_host_leaves_is_a_disconnect(client, target, capture):
    assert client.first(f"{target.url}/stream", None) == b"first"
    event = capture.event()
    assert (event["response"]["status"], event["outcome"]) == (200, "disconnect")


def test_a_network_error_is_raised_and_told(client, capture):
    with pytest.raises(client.errors):
        client.get("http://127.0.0.1:1/refused")
    event = capture.event()
    assert (event["response"], event["outcome"]) == (None, "exception")
    assert event["request"]["uri"] == "http://127.0.0.1:1/refused"


def test_an_answer_that_breaks_off_is_raised_and_told(client, target, capture):
    with pytest.raises(client.errors):
        client.get(f"{target.url}/broken")
    event = capture.event()
    assert (event["response"]["status"], event["response"]["bytes"], event["outcome"]) == (
        200,
        4,
        "exception",
    )


def test_a_compressed_answer_counts_as_it_came_over_the_wire(client, target, capture):
    assert client.get(f"{target.url}/gzip") == b"x" * 10_000
    assert capture.event()["response"]["bytes"] == len(gzip.compress(b"x" * 10_000))


def test_every_hop_of_a_redirect_is_an_event(client, target, capture):
    assert client.get(f"{target.url}/moved") == b'{"id": 17}'
    assert [event["response"]["status"] for event in capture.events(2)] == [302, 200]


@pytest.mark.parametrize("path", ["empty", "pets/1"])
def test_answers_without_a_body_end_at_once(client, target, capture, path):
    assert client.head(f"{target.url}/{path}") == 200
    event = capture.event()
    assert (event["request"]["verb"], event["response"]["bytes"], event.get("outcome")) == (
        "HEAD",
        0,
        None,
    )


def test_an_empty_answer_is_a_whole_one(client, target, capture):
    assert client.get(f"{target.url}/empty") == b""
    assert capture.event().get("outcome") is None


@pytest.mark.parametrize("kind", [SyncHttpx, AsyncHttpx, Requests])
def test_bodies_are_kept_decoded_when_asked_for(target, capture, kind):
    agent = capture.with_options(log_body=True, body_limit_bytes=50)
    library = kind()
    undo = capture_outgoing(library.client, agent=agent)
    library.get(f"{target.url}/pets/17")
    library.get(f"{target.url}/gzip")
    library.post(f"{target.url}/echo", b'{"a": 1}')
    first, second, third = capture.events(3)
    undo()
    library.close()
    assert first["response"]["body"] == {"id": 17}
    assert third["request"]["body"] == third["response"]["body"] == {"a": 1}
    assert second["response"]["body"] == "x" * 50


def test_undo_ends_the_capture_and_may_be_called_twice(library, target, capture):
    before = (
        httpx.HTTPTransport.handle_request,
        httpx.AsyncHTTPTransport.handle_async_request,
        HTTPAdapter.send,
    )
    undo_one = capture_outgoing(library.client, agent=capture.agent)
    undo_all = capture_outgoing(agent=capture.agent)
    for undo in (undo_one, undo_all, undo_one, undo_all):
        undo()
    library.get(f"{target.url}/pets/1")
    capture.agent.close(5)
    assert capture.collector.events == []
    after = (
        httpx.HTTPTransport.handle_request,
        httpx.AsyncHTTPTransport.handle_async_request,
        HTTPAdapter.send,
    )
    assert after == before


def test_undo_stays_out_of_the_way_of_whoever_wrapped_us(target, capture):
    inner = HTTPAdapter.send
    undo = capture_outgoing(agent=capture.agent)
    ours = HTTPAdapter.send
    HTTPAdapter.send = lambda self, *a, **k: ours(self, *a, **k)  # type: ignore[method-assign]
    try:
        undo()
        assert requests.get(f"{target.url}/pets/1", timeout=5).status_code == 200
    finally:
        HTTPAdapter.send = inner  # type: ignore[method-assign]
    capture.agent.close(5)
    assert capture.collector.events == []


def test_clients_made_later_are_captured_too(target, capture):
    undo = capture_outgoing(agent=capture.agent)
    httpx.get(f"{target.url}/pets/1")
    session = requests.Session()
    session.mount("http://", HTTPAdapter(max_retries=2))
    session.get(f"{target.url}/pets/2")
    session.close()
    undo()
    assert [event["request"]["uri"][-1] for event in capture.events(2)] == ["1", "2"]


def test_calls_to_the_collector_are_never_captured(target, capture):
    undo = capture_outgoing(agent=capture.agent)
    collector = capture.collector.url
    headers = {"X-Tollkeeper-Capture": '{"instance": "another"}'}
    for send in (httpx.post, requests.post):
        answer = send(f"{collector}/v1/events/batch", json=[], headers=headers, timeout=5)
        assert answer.status_code == 201
    undo()
    capture.agent.close(5)
    assert capture.agent.stats()["captured"] == 0


def test_callables_get_the_librarys_own_request_and_response(target, capture):
    agent = capture.with_options(
        identify_user=lambda request, response: f"{request.method} {response.status_code}",
        get_metadata=lambda request, response: {
            "library": type(response).__module__.partition(".")[0]
        },
    )
    undo = capture_outgoing(agent=agent)
    httpx.get(f"{target.url}/pets/1")
    requests.get(f"{target.url}/pets/1", timeout=5)
    undo()
    events = capture.events(2)
    assert [event["user_id"] for event in events] == ["GET 200", "GET 200"]
    assert [event["metadata"]["library"] for event in events] == ["httpx", "requests"]


def test_coroutines_among_the_callables_are_awaited(target, capture):
    async def user(request: Any, response: Any) -> str:
        await asyncio.sleep(0)
        return str(response.status_code)

    agent = capture.with_options(identify_user=user)
    library = AsyncHttpx()
    undo = capture_outgoing(library.client, agent=agent)
    library.get(f"{target.url}/pets/1")
    undo()
    library.close()
    assert capture.event()["user_id"] == "200"


def test_a_client_of_neither_library_is_told_and_left_alone(caplog):
    off.forget()
    undo = capture_outgoing({}, application_id="x" * 50)
    undo()
    assert "expected an httpx client or a requests session, got dict" in caplog.text
    off.forget()
