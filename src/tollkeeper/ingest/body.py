"""Reads a request's body within limits, whatever encoding it says it has.

A body is inflated in steps and given up the moment it grows over the limit, so a gzip bomb costs
no more memory than an honest body.
Source: RFC 9110 section 8.4; Kong's plugin sends zlib streams as ``deflate``.
"""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from tollkeeper.errors import InvalidInput, Overloaded, TooLarge

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_AUTO = zlib.MAX_WBITS | 32  # gzip or zlib, by its header
_RAW = -zlib.MAX_WBITS
_FREE_BYTES = 256 * 1024  # small bodies always have room, so that large ones do not keep them out
_MAX_MEMBERS = 64  # each costs a copy of the rest, so many tiny ones would cost its square


class BodyLimits(NamedTuple):
    """Most bytes of a body as sent, and after inflating."""

    sent_bytes: int
    inflated_bytes: int


class Disconnected(Exception):
    """The client went away before its body was complete."""


class Room:
    """Bounds what the bodies of all requests may hold in memory at once.

    Many slow senders would otherwise fill it, each within the limit of one body. For one event
    loop.
    """

    def __init__(self, size_bytes: int) -> None:
        self._free_bytes = size_bytes

    @contextmanager
    def held(self) -> Iterator[Callable[[int], None]]:
        """A function that takes bytes, which are all given back in the end.

        Raises:
            Overloaded: by that function, when there is no room.
        """
        taken = 0

        def take(size_bytes: int) -> None:
            nonlocal taken
            if size_bytes > self._free_bytes:
                raise Overloaded("too many bodies are being received", code="busy")
            self._free_bytes -= size_bytes
            taken += size_bytes

        try:
            yield take
        finally:
            self._free_bytes += taken


async def read(
    receive: Receive,
    declared: int | None,
    limits: BodyLimits,
    take: Callable[[int], None] = lambda _: None,
) -> bytes:
    """The body as sent; ``take`` is asked for the room of each part.

    Raises:
        TooLarge: it is over the limit, declared or real.
        Overloaded: there is no room for it now.
        Disconnected: it never was complete.
    """
    if declared is not None and declared > limits.sent_bytes:
        raise TooLarge(f"a body may have {limits.sent_bytes} bytes", code="body_too_large")
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        part = message.get("body", b"")
        size += len(part)
        if size > limits.sent_bytes:
            raise TooLarge(f"a body may have {limits.sent_bytes} bytes", code="body_too_large")
        if size > _FREE_BYTES:
            take(len(part))
        parts.append(part)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def inflate(body: bytes, encoding: str, limits: BodyLimits) -> bytes:
    """The body without its content encoding (gzip, deflate as zlib or raw, identity).

    Raises:
        TooLarge: it inflates to more than the limit.
        InvalidInput: the encoding is unknown, or the body is not what the encoding says.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return body
    if name not in ("gzip", "x-gzip", "deflate"):
        raise InvalidInput(
            f"cannot read content encoding {name[:32]!r}; gzip, deflate and none are known",
            field="Content-Encoding",
            code="unknown_encoding",
        )
    try:
        return _inflate(body, _AUTO, limits)
    except zlib.error as error:
        if name == "deflate":
            try:
                return _inflate(body, _RAW, limits)
            except zlib.error:
                pass
        raise InvalidInput(
            f"the body is not {name}: {error}", field="Content-Encoding", code="broken_encoding"
        ) from error


def _inflate(body: bytes, window: int, limits: BodyLimits) -> bytes:
    out: list[bytes] = []
    room = limits.inflated_bytes
    for _ in range(_MAX_MEMBERS):
        if not body:
            return b"".join(out)
        stream = zlib.decompressobj(window)
        while True:
            part = stream.decompress(body, room + 1)
            room -= len(part)
            if room < 0:
                raise TooLarge(
                    f"a body may inflate to {limits.inflated_bytes} bytes",
                    code="inflated_too_large",
                )
            out.append(part)
            body = stream.unconsumed_tail
            if not body:
                break
        if not stream.eof:
            raise zlib.error("the stream breaks off")
        body = stream.unused_data
    if body:
        raise zlib.error(f"it has more than {_MAX_MEMBERS} parts")
    return b"".join(out)
