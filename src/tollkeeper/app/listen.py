"""Serves an ``App`` on a port until it is told to stop.

Guarantee: on SIGTERM or SIGINT no new request is taken, running ones are answered, everything
accepted is stored, and the process ends with code 0.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import msgspec
import uvicorn

from tollkeeper.app.folder import SERVER_FILE
from tollkeeper.app.server import App, write_private
from tollkeeper.errors import InvalidSettings

_GRACE_SECONDS = 5
_KEEP_ALIVE_SECONDS = 75


class Address(NamedTuple):
    """Where the server is and how to get in; what the start prints, and the command line reads."""

    url: str
    collector_id: str
    admin_token: str
    pid: int

    @property
    def admin_link(self) -> str:
        """A link that logs a browser in; the token stands in the fragment and is never sent."""
        return f"{self.url}/login#token={self.admin_token}"


class _Server(uvicorn.Server):
    """uvicorn, but a signal is a reason to stop and not one to die of."""

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stops on SIGINT and SIGTERM; a second SIGINT does not wait for running requests."""

        def stop(number: int, frame: FrameType | None) -> None:
            self.handle_exit(number, frame)
            # Not here: the code that was interrupted may hold the very lock this needs.
            threading.Thread(target=self._stopping, name="stopping").start()

        before = {s: signal.signal(s, stop) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, old in before.items():
                signal.signal(number, old)


def listen(app: App, *, ready: Callable[[Address], None]) -> None:
    """Serves until a signal comes, then stops the app.

    ``ready`` is called once the port is bound, before the first request is taken.

    Raises:
        InvalidSettings: the port cannot be bound.
    """
    settings = app.settings
    bound = _bind(settings.host, settings.port)
    host, port = settings.host, bound.getsockname()[1]
    shown = f"[{host}]" if ":" in host else "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104 - compared, not bound
    address = Address(
        url=settings.public_url.rstrip("/") or f"http://{shown}:{port}",
        collector_id=app.collector_id,
        admin_token=app.admin_token,
        pid=os.getpid(),
    )
    file = Path(settings.data) / SERVER_FILE
    server = _Server(
        uvicorn.Config(
            app.asgi,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        ),
        app.stop_watching,
    )
    app.start()
    try:
        write_private(file, msgspec.json.encode(address._asdict()))
        ready(address)
        server.run(sockets=[bound])
    finally:
        file.unlink(missing_ok=True)
        app.stop()
        bound.close()


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(2048)
    except (OSError, OverflowError) as error:
        bound.close()
        raise InvalidSettings(f"cannot listen on {host}:{port}: {error}", field="port") from error
    return bound
