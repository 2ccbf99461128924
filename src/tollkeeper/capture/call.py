"""What an adapter saw of one API call: the value that crosses from adapter to agent."""

from __future__ import annotations

from typing import Any

import msgspec

Texts = list[tuple[str, str]]
Headers = Texts | list[tuple[bytes, bytes]]


class Call(msgspec.Struct, eq=False):
    """One API call, filled by an adapter and handed to `Agent.finish`.

    A mutable struct because one is made on the path of every request of somebody else's program; an adapter sets what
    it knows and leaves the rest at its default, which means "nothing seen".

    Units and bounds: `time_us` is epoch microseconds at the start, `duration_us` runs to the last byte. `status` 0 means
    that no response ever started. `request_bytes` and `response_bytes` are body bytes really seen on the wire. Bodies are
    None when they were not asked for. Headers are pairs of texts, names lower-case and values latin-1 decoded, or of the
    bytes that those come from; order and repeats are kept. `path` is percent-encoded as received, `host` is the Host
    header with its port. `route` None lets the agent template ids out of the path.
    """

    time_us: int = 0
    duration_us: int = 0
    method: str = "GET"
    scheme: str = "http"
    host: str = ""
    path: str = "/"
    query: str = ""
    route: str | None = None
    request_headers: Headers = []
    response_headers: Headers = []
    status: int = 0
    request_bytes: int = 0
    response_bytes: int = 0
    request_body: bytes | None = None
    response_body: bytes | None = None
    request_truncated: bool = False
    response_truncated: bool = False
    peer_ip: str = ""
    direction: str = "Incoming"
    outcome: str | None = None
    request: Any = None
    response: Any = None
    user: str | None = None
    company: str | None = None
    session_token: str | None = None
    metadata: dict[str, Any] | None = None
