"""A relay between a client and a server that sends every write twice and notes what was said."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

Answer = tuple[int, list[tuple[str, str]], bytes]


class Exchange(NamedTuple):
    """One request as the relay saw it, and the status it got."""

    method: str
    path: str
    agent: str
    encoding: str
    status: int


class Relay:
    """Passes requests on to a server byte for byte; POST goes twice, as when an answer is lost.

    ``exchanges`` holds every request that reached the server, resent ones too.
    """

    def __init__(self, server_url: str) -> None:
        """Listens on a free loopback port at once."""
        self.exchanges: list[Exchange] = []
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.target = urlsplit(server_url).netloc
        self._server.exchanges = self.exchanges
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def asked(self) -> Counter[str]:
        """How often the client asked for each ``METHOD path``; resending is not counted."""
        every = Counter(f"{e.method} {e.path}" for e in self.exchanges)
        return Counter({k: n // 2 if k.startswith("POST") else n for k, n in every.items()})

    def stop(self) -> None:
        """Ends the relay; what is under way is cut off."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Relay:
        """The running relay."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends the relay."""
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    target = ""
    exchanges: list[Exchange]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing; ``exchanges`` is the log."""

    def do_GET(self) -> None:
        """Passes a read on."""
        self._answer(self._forward(b""))

    def do_POST(self) -> None:
        """Passes a write on twice and answers what the second try was answered."""
        body = self.rfile.read(int(self.headers["content-length"]))
        self._forward(body)
        self._answer(self._forward(body))

    def _forward(self, body: bytes) -> Answer:
        connection = http.client.HTTPConnection(self.server.target, timeout=30)
        try:
            connection.putrequest(
                self.command, self.path, skip_host=True, skip_accept_encoding=True
            )
            for name, value in self.headers.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        agent, encoding = (
            self.headers.get(name, "") for name in ("user-agent", "content-encoding")
        )
        self.server.exchanges.append(
            Exchange(self.command, self.path, agent, encoding, answer.status)
        )
        return answer.status, answer.getheaders(), content

    def _answer(self, answer: Answer) -> None:
        status, headers, content = answer
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
