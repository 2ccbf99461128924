"""A Tollkeeper server as a real process on a free loopback port."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

import httpx
import msgspec

COLLECTOR_ID = "tk_test_" + "0123456789" * 5 + "abcdefghij"
ADMIN_TOKEN = "tka_test_0123456789abcdef"  # noqa: S105 - of test servers only


class ServerProcess:
    """``tollkeeper serve`` over a folder, started, watched and ended by a test.

    Guarantee: only the process started here is ever signalled; leaving the ``with`` block ends it.
    """

    def __init__(
        self,
        data: Path,
        *,
        environment: Mapping[str, str] | None = None,
        command: Sequence[str] = ("-m", "tollkeeper"),
        arguments: Sequence[str] = (),
    ) -> None:
        """``command`` is what Python runs in place of ``-m tollkeeper``."""
        self.data = data
        self.collector_id = COLLECTOR_ID
        self.admin_token = ADMIN_TOKEN
        self.url = ""
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("TOLLKEEPER_")},
            "TOLLKEEPER_APPLICATION_ID": COLLECTOR_ID,
            "TOLLKEEPER_ADMIN_TOKEN": ADMIN_TOKEN,
            **(environment or {}),
        }
        self._serve = [*command, "serve", "--data", str(data), "--port", "0"]
        self._arguments = list(arguments)
        self._process: subprocess.Popen[bytes] | None = None

    def run_with(self, arguments: Sequence[str]) -> None:
        """Changes the arguments of the next start."""
        self._arguments = list(arguments)

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The running (or last) process."""
        if self._process is None:
            raise RuntimeError("the server was never started")
        return self._process

    @property
    def log(self) -> str:
        """All that the process wrote so far."""
        return (self.data / "test-server.log").read_text("utf-8", "replace")

    def start(self, *, seconds: float = 30.0) -> ServerProcess:
        """Starts the process and returns once it is ready.

        Raises:
            RuntimeError: it ended, or was not ready in time; with what it wrote.
        """
        self.launch()
        self.wait_ready(seconds=seconds)
        return self

    def launch(self) -> None:
        """Starts the process without waiting for it."""
        self.data.mkdir(parents=True, exist_ok=True)
        (self.data / "server.json").unlink(missing_ok=True)
        with (self.data / "test-server.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, *self._serve, *self._arguments],
                env=self._environment,
                stdout=log,
                stderr=log,
            )

    def wait_ready(self, *, seconds: float = 30.0) -> None:
        """Waits until ``/health/ready`` answers 200."""
        pause = threading.Event()
        for _ in range(int(seconds / 0.02)):
            if self.process.poll() is not None:
                break
            if self._is_ready():
                return
            pause.wait(0.02)
        raise RuntimeError(f"the server is not ready (code {self.process.poll()}):\n{self.log}")

    def _is_ready(self) -> bool:
        try:
            address = msgspec.json.decode((self.data / "server.json").read_bytes())
            self.url = address["url"]
            # Not httpx: it would load certificates each time, and this asks often.
            connection = HTTPConnection(urlsplit(self.url).netloc, timeout=2)
            with closing(connection):
                connection.request("GET", "/health/ready")
                return connection.getresponse().status == HTTPStatus.OK
        except (OSError, msgspec.DecodeError, HTTPException):
            return False

    def client(self, *, timeout: float = 30.0) -> httpx.Client:
        """An HTTP client that is an operator of this server."""
        return httpx.Client(
            base_url=self.url,
            headers={"authorization": f"Bearer {self.admin_token}"},
            timeout=timeout,
        )

    def collector(self, *, timeout: float = 30.0) -> httpx.Client:
        """An HTTP client that sends events to this server."""
        return httpx.Client(
            base_url=self.url,
            headers={"x-moesif-application-id": self.collector_id},
            timeout=timeout,
        )

    def settle(self, *, seconds: float = 30.0) -> None:
        """Waits until everything that was accepted is stored.

        Raises:
            RuntimeError: it was not in time.
        """
        pause = threading.Event()
        with self.client() as client:
            for _ in range(int(seconds / 0.05)):
                journal = client.get("/api/status").json()["journal"]
                if journal["stored_position"] == journal["last_position"]:
                    return
                pause.wait(0.05)
        raise RuntimeError(f"the backlog is not stored in {seconds} s:\n{self.log}")

    def stop(self) -> int:
        """Asks the process to end and returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)

    def kill(self) -> None:
        """Ends the process at once, as a crash would."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(timeout=30)

    def __enter__(self) -> ServerProcess:
        """Starts the server."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends the server."""
        if self._process is not None and self._process.poll() is None:
            self.stop()
