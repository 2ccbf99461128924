"""The demo's two other processes: started apart from the terminal, stopped in order, watched."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec

from tollkeeper.errors import TollkeeperError

_START_SECONDS = 60.0
_STOP_SECONDS = 60.0
_STEP_SECONDS = 0.05


class Process:
    """A Python process with its output in a file.

    It is a session of its own, so that Ctrl-C in the terminal reaches the demo alone, which then
    ends everything in the right order.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        log: Path,
        environment: dict[str, str] | None = None,
        keep: Sequence[int] = (),
    ) -> None:
        """``keep`` are file descriptors that it inherits."""
        self.name = name
        self._log = log
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TOLLKEEPER_")}
        with log.open("wb") as out:
            self._process = subprocess.Popen(  # noqa: S603 - our own modules
                [sys.executable, *arguments],
                env={**clean, **(environment or {})},
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                pass_fds=keep,
                start_new_session=True,
            )

    def check(self) -> None:
        """Makes sure that it runs.

        Raises:
            TollkeeperError: it ended, with the last of what it wrote.
        """
        code = self._process.poll()
        if code is not None:
            raise TollkeeperError(f"{self.name} ended with code {code}: {self.tail()}")

    def tail(self) -> str:
        """The last line that it wrote."""
        lines = self._log.read_text("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it wrote nothing"

    def stop(self) -> int:
        """Asks it to end and returns its exit code; what does not end in time is killed."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
        finally:
            if self._process.stdin is not None:
                self._process.stdin.close()


def start_server(folder: Path, port: int) -> tuple[Process, dict[str, Any]]:
    """A server over ``folder``/data, ready, and what it wrote of itself: url, token, collector id.

    Raises:
        TollkeeperError: another one runs there, or it does not get ready.
    """
    data, log = folder / "data", folder / "server.log"
    known = _address(data)
    if known is not None and _answers(known["url"], "/health/live"):
        raise TollkeeperError(f"a demo runs already on {folder}: {known['url']}")
    (data / "server.json").unlink(missing_ok=True)
    arguments = (
        "-m",
        "tollkeeper.demo.leash",
        "serve",
        "--data",
        str(data),
        "--port",
        str(_free(port)),
    )
    process = Process("the server", arguments, log=log)
    try:
        return process, _ready(process, data)
    except BaseException:
        process.stop()
        raise


def _ready(process: Process, data: Path) -> dict[str, Any]:
    never = threading.Event()
    for _ in range(int(_START_SECONDS / _STEP_SECONDS)):
        process.check()
        address = _address(data)
        if address is not None and _answers(address["url"], "/health/ready"):
            return address
        never.wait(_STEP_SECONDS)
    raise TollkeeperError(f"the server is not ready after {_START_SECONDS:.0f} s: {process.tail()}")


def start_api(folder: Path, server: dict[str, Any]) -> tuple[Process, str]:
    """The sample API, captured for this server, and its address.

    Its socket listens before it starts, so that no call is ever refused.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as bound:
        environment = {
            "TOLLKEEPER_URL": server["url"],
            "TOLLKEEPER_APPLICATION_ID": server["collector_id"],
        }
        process = Process(
            "the sample API",
            ("-m", "tollkeeper.demo.api", str(bound.fileno())),
            log=folder / "api.log",
            environment=environment,
            keep=(bound.fileno(),),
        )
        return process, f"http://127.0.0.1:{bound.getsockname()[1]}"


def _address(data: Path) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode((data / "server.json").read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError):
        return None


def _answers(url: str, path: str) -> bool:
    try:
        return httpx.get(f"{url}{path}", timeout=2).is_success
    except httpx.HTTPError:
        return False


def _free(port: int) -> int:
    """The port, or 0 (any) when somebody else has it."""
    try:
        with socket.create_server(("127.0.0.1", port)):
            return port
    except OSError:
        return 0
