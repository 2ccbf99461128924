"""What adapter tests share: a real collector that records, a real agent, real servers on port 0."""

from __future__ import annotations

import asyncio
import gzip
import importlib
import json
import logging
import os
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import pytest
import uvicorn

from tollkeeper.capture.agent import Agent
from tollkeeper.capture.options import read_options

APPLICATION_ID = "collector-id-of-the-adapter-tests-0123456789-0123456789"


class Collector:
    """A collector that takes every batch and remembers it."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.instances: set[str] = set()
        self._changed = threading.Condition()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                collector.take(json.loads(body), self.headers["X-Tollkeeper-Capture"])
                answer = b'{"accepted": 1, "rejected": []}'
                self.send_response(201)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                """Silent."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def take(self, events: list[dict[str, Any]], capture: str) -> None:
        with self._changed:
            self.events.extend(events)
            self.instances.add(json.loads(capture)["instance"])
            self._changed.notify_all()

    def wait(self, count: int, seconds: float = 20) -> list[dict[str, Any]]:
        """The events, once so many have come."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.events) >= count, seconds), self.events
            return list(self.events)

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Capture:
    """An agent that sends to a collector, and the events that arrived there."""

    def __init__(self, collector: Collector) -> None:
        self.collector = collector
        self._agent: Agent | None = None

    def with_options(self, **settings: Any) -> Agent:
        """Makes the agent; before the first use of `agent`."""
        assert self._agent is None
        settings.setdefault("timer_wake_up_seconds", 0.05)
        self._agent = Agent(
            read_options(
                None,
                environment={},
                application_id=APPLICATION_ID,
                url=self.collector.url,
                **settings,
            )
        )
        return self._agent

    @property
    def agent(self) -> Agent:
        return self._agent or self.with_options()

    def events(self, count: int = 1) -> list[dict[str, Any]]:
        """All events, after they came; there must be exactly so many."""
        self.collector.wait(count)
        self.agent.close(10)
        assert len(self.collector.events) == count, self.collector.events
        assert self.agent.stats()["errors"] == {}
        return sorted(self.collector.events, key=lambda event: event["request"]["time"])

    def event(self) -> dict[str, Any]:
        return self.events(1)[0]

    def close(self) -> None:
        if self._agent is not None:
            self._agent.close(5)


@pytest.fixture
def collector() -> Iterator[Collector]:
    server = Collector()
    yield server
    server.close()


@pytest.fixture
def capture(collector: Collector) -> Iterator[Capture]:
    made = Capture(collector)
    yield made
    made.close()


def _listening() -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    return listener


@pytest.fixture
def serve_asgi() -> Iterator[Callable[[Any], str]]:
    """Serves ASGI applications by uvicorn in a thread; gives their addresses as host:port."""
    running: list[tuple[uvicorn.Server, threading.Thread, socket.socket]] = []

    def serve(app: Any, **settings: Any) -> str:
        listener = _listening()
        settings.setdefault("lifespan", "off")
        settings.setdefault("ws", "wsproto")
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", **settings))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
        thread.start()
        running.append((server, thread, listener))
        host, port = listener.getsockname()
        # A listening socket queues connections, so it needs no waiting for the server to start.
        listener.listen(64)
        return f"{host}:{port}"

    yield serve
    for server, thread, listener in running:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()
        listener.close()


class _ThreadingWSGIServer(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Silent."""


@pytest.fixture
def serve_wsgi() -> Iterator[Callable[[Any], str]]:
    """Serves WSGI applications by the standard library's server, a thread for each call."""
    running: list[tuple[WSGIServer, threading.Thread]] = []

    def serve(app: Any) -> str:
        server = _ThreadingWSGIServer(("127.0.0.1", 0), _QuietHandler)
        server.set_app(app)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        running.append((server, thread))
        return f"127.0.0.1:{server.server_port}"

    yield serve
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def serve_process(collector: Collector, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Runs a server program on a socket that it inherits; stops it by SIGTERM, which must end well.

    The command gets the socket's file descriptor in the place of `{fd}`.
    """
    running: list[tuple[subprocess.Popen[bytes], socket.socket, Path]] = []

    def serve(
        command: list[str], folder: Path | str, **environment: str
    ) -> tuple[str, Callable[[], int]]:
        listener = _listening()
        listener.listen(64)
        listener.set_inheritable(True)
        fd = listener.fileno()
        log = tmp_path / f"server-{fd}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", *(part.replace("{fd}", str(fd)) for part in command)],
                cwd=folder,
                pass_fds=[fd],
                stdout=out,
                stderr=subprocess.STDOUT,
                env={
                    **os.environ,
                    "TOLLKEEPER_APPLICATION_ID": APPLICATION_ID,
                    "TOLLKEEPER_URL": collector.url,
                    "TOLLKEEPER_TIMER_WAKE_UP_SECONDS": "0.2",
                    "PYTHONUNBUFFERED": "1",
                    **environment,
                },
            )
        running.append((process, listener, log))

        def stop() -> int:
            process.terminate()
            code = process.wait(30)
            assert code in (0, -15), log.read_text()
            return code

        host, port = listener.getsockname()
        return f"{host}:{port}", stop

    yield serve
    for process, listener, _ in running:
        if process.poll() is None:
            process.terminate()
            process.wait(30)
        listener.close()


@pytest.fixture
def django_site() -> Any:
    """A Django site, configured once for the process; gives the module of its views."""
    import django
    from django.conf import settings

    if not settings.configured:
        settings.configure(
            ROOT_URLCONF="django_site",
            ALLOWED_HOSTS=["*"],
            SECRET_KEY="of-the-tests",
            USE_TZ=True,
            MIDDLEWARE=[],
            LOGGING_CONFIG=None,
        )
        sys.path.insert(0, str(Path(__file__).parent / "site"))
        django.setup()
        logging.getLogger("django").setLevel(logging.CRITICAL + 1)
    module = importlib.import_module("django_site")
    module.acknowledged.clear()
    return module
