"""Bounded copies of bodies as they pass: nothing is read ahead, nothing is held back.

A tee keeps at most its limit of a body, however long the stream is, so that a download of a
gigabyte costs the host no more memory than a short answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class Tee:
    """Keeps the first bytes of a body, up to a limit.

    Units and bounds: `limit_bytes` is what is kept at most; `truncated` says that there was more.
    """

    __slots__ = ("_kept_bytes", "_limit_bytes", "_parts", "truncated")

    def __init__(self, limit_bytes: int) -> None:
        self._parts: list[bytes] = []
        self._kept_bytes = 0
        self._limit_bytes = limit_bytes
        self.truncated = False

    def add(self, chunk: bytes) -> None:
        """Copies what of the chunk still fits."""
        room = self._limit_bytes - self._kept_bytes
        if len(chunk) > room:
            self.truncated = True
            chunk = chunk[:room]
        if chunk:
            # Frameworks may hand out a buffer that they use again, so mutable ones are copied.
            self._parts.append(bytes(chunk))
            self._kept_bytes += len(chunk)

    def body(self) -> bytes:
        """What was kept."""
        return b"".join(self._parts)


class Reader:
    """A request's input stream that counts what the application reads from it.

    Every call goes to the wrapped stream as it came, so the application reads exactly what, and
    when, it would have read without us. Attributes that are not about reading are the stream's.
    """

    __slots__ = ("_stream", "_tee", "read_bytes")

    def __init__(self, stream: Any, tee: Tee | None) -> None:
        self._stream = stream
        self._tee = tee
        self.read_bytes = 0

    def _seen(self, chunk: bytes) -> bytes:
        if chunk:
            self.read_bytes += len(chunk)
            if self._tee is not None:
                self._tee.add(chunk)
        return chunk

    def read(self, *size: int) -> bytes:
        """The stream's `read`, counted."""
        return self._seen(self._stream.read(*size))

    def read1(self, *size: int) -> bytes:
        """The stream's `read1`, counted."""
        return self._seen(self._stream.read1(*size))

    def readinto(self, buffer: Any) -> int:
        """The stream's `readinto`, counted."""
        count: int = self._stream.readinto(buffer)
        self._seen(bytes(memoryview(buffer)[:count]))
        return count

    def readline(self, *size: int) -> bytes:
        """The stream's `readline`, counted."""
        return self._seen(self._stream.readline(*size))

    def readlines(self, *hint: int) -> list[bytes]:
        """The stream's `readlines`, counted."""
        lines: list[bytes] = self._stream.readlines(*hint)
        for line in lines:
            self._seen(line)
        return lines

    def __iter__(self) -> Iterator[bytes]:
        for line in self._stream:
            yield self._seen(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
