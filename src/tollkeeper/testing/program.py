"""Somebody else's program as a process that a test starts, watches and ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

_LISTENING = re.compile(
    r"(?:listening at:?|running on|listening on) (http://[\d.]+:\d+)", re.IGNORECASE
)
_COMPLAINT = re.compile(
    r"\b(error|errors|exception|traceback|failed|failure|unauthorized)\b", re.IGNORECASE
)


class Program:
    """A process with its output kept in a file.

    Guarantee: only the process started here is ever signalled.
    """

    def __init__(
        self, command: Sequence[str | Path], log: Path, *, folder: Path, **environment: str
    ) -> None:
        """Starts the command in a folder, with variables beside those of this process."""
        self._log = log
        self.url = ""
        with log.open("wb") as out:
            self.process = subprocess.Popen(  # noqa: S603 - a test's own command
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=folder,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
            )

    @property
    def output(self) -> str:
        """All that the process wrote so far."""
        return self._log.read_text("utf-8", "replace")

    @property
    def complaints(self) -> list[str]:
        """The lines of the output that speak of something that went wrong."""
        return [line for line in self.output.splitlines() if _COMPLAINT.search(line)]

    def wait_listening(self, *, seconds: float = 30.0) -> Program:
        """Returns once the process says where it listens; ``url`` is that address.

        Raises:
            RuntimeError: it ended, or said nothing in time; with what it wrote.
        """
        pause = threading.Event()
        for _ in range(int(seconds / 0.05)):
            found = _LISTENING.search(self.output)
            if found:
                self.url = found[1]
                return self
            if self.process.poll() is not None:
                break
            pause.wait(0.05)
        raise RuntimeError(f"the program does not listen:\n{self.output}")

    def finish(self, *, seconds: float = 60.0) -> Program:
        """Waits for a program that ends by itself.

        Raises:
            RuntimeError: it ended with another code than 0; with what it wrote.
        """
        code = self.process.wait(timeout=seconds)
        if code != 0:
            raise RuntimeError(f"exit code {code}:\n{self.output}")
        return self

    def stop(self) -> int:
        """Asks the process to end, and makes it after 20 seconds. Returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                return self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait(timeout=10)

    def __enter__(self) -> Program:
        """The running program."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends the program."""
        self.stop()
