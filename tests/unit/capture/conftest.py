"""A real collector on a real socket that remembers what it was sent and answers as told."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tollkeeper.capture.agent import Agent
from tollkeeper.capture.call import Call
from tollkeeper.capture.options import Options, read_options
from tollkeeper.capture.send import Pauses

APPLICATION_ID = "test-application-" + "0123456789" * 4
FAST = Pauses(first_seconds=0.01, longest_seconds=0.05)


class Collector:
    """Answers 201 unless `answers` holds other answers: (status, headers, body) or a callable on the handler."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], list[dict[str, Any]]]] = []
        self.answers: list[Any] = []
        self.connections = 0
        self.arrived = threading.Condition()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                super().setup()
                collector.connections += 1

            def do_POST(self) -> None:
                collector.take(self)

            def log_message(self, *arguments: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *arguments: Any) -> None:
                pass  # clients that give up are part of the tests

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}
        )
        self._thread.start()

    def take(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        events = json.loads(gzip.decompress(body))
        with self.arrived:
            answer = self.answers.pop(0) if self.answers else (201, {}, None)
            headers = {name.lower(): value for name, value in handler.headers.items()}
            self.requests.append(({**headers, ":path": handler.path}, events))
            self.arrived.notify_all()
        if callable(answer):
            answer(handler)
            return
        status, extra, content = answer
        if content is None:
            content = {"accepted": len(events), "rejected": []}
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **extra}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)

    @property
    def events(self) -> list[dict[str, Any]]:
        with self.arrived:
            return [event for _, events in self.requests for event in events]

    def wait_for(self, count: int, seconds: float = 10) -> list[dict[str, Any]]:
        """The events, as soon as there are so many."""
        with self.arrived:
            assert self.arrived.wait_for(
                lambda: sum(len(events) for _, events in self.requests) >= count, seconds
            ), f"{sum(len(events) for _, events in self.requests)} of {count} events came"
        return self.events

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    running = Collector()
    yield running
    running.stop()


@pytest.fixture
def make_agent(collector: Collector) -> Iterator[Callable[..., Agent]]:
    """Makes agents that send to the collector; closed at the end."""
    made: list[Agent] = []

    def make(**settings: Any) -> Agent:
        pauses = settings.pop("pauses", FAST)
        extra = {name: settings.pop(name) for name in ("clock", "transport") if name in settings}
        settings.setdefault("url", collector.url)
        agent = Agent(make_options(**settings), pauses=pauses, **extra)
        made.append(agent)
        return agent

    yield make
    for agent in made:
        agent.close(1)


def make_options(**settings: Any) -> Options:
    return read_options({"application_id": APPLICATION_ID, **settings}, environment={})


def make_call(**fields: Any) -> Call:
    call = Call()
    call.time_us = 1_795_176_000_123_456
    call.duration_us = 1234
    call.host = "api.example.com"
    call.path = "/pets/17"
    call.route = "/pets/{id}"
    call.status = 200
    call.peer_ip = "198.51.100.7"
    for name, value in fields.items():
        setattr(call, name, value)
    return call


@pytest.fixture
def options() -> Callable[..., Options]:
    return make_options


@pytest.fixture
def call() -> Callable[..., Call]:
    return make_call
