"""What an adapter saw of one API call: the value that crosses from adapter to agent."""

from __future__ import annotations

from typing import Any

Headers = list[tuple[str, str]]


class Call:
    """One API call, filled by an adapter and handed to `Agent.finish`.

    Mutable and slotted because one is made on the path of every request of somebody else's program; an adapter sets what
    it knows and leaves the rest at its default.

    Units and bounds: `time_us` is epoch microseconds at the start, `duration_us` runs to the last byte. `status` 0 means
    that no response ever started. `request_bytes` and `response_bytes` are body bytes really seen on the wire. Bodies are
    None when they were not asked for. Header names are lower-case, values latin-1 decoded, order and repeats kept. `path`
    is percent-encoded as received, `host` is the Host header with its port. `route` None lets the agent template ids out
    of the path.
    """

    __slots__ = (
        "company",
        "direction",
        "duration_us",
        "host",
        "metadata",
        "method",
        "outcome",
        "path",
        "peer_ip",
        "query",
        "request",
        "request_body",
        "request_bytes",
        "request_headers",
        "request_truncated",
        "response",
        "response_body",
        "response_bytes",
        "response_headers",
        "response_truncated",
        "route",
        "scheme",
        "session_token",
        "status",
        "time_us",
        "user",
    )

    time_us: int
    duration_us: int
    method: str
    scheme: str
    host: str
    path: str
    query: str
    route: str | None
    request_headers: Headers
    response_headers: Headers
    status: int
    request_bytes: int
    response_bytes: int
    request_body: bytes | None
    response_body: bytes | None
    request_truncated: bool
    response_truncated: bool
    peer_ip: str
    direction: str
    outcome: str | None
    request: Any
    response: Any
    user: str | None
    company: str | None
    session_token: str | None
    metadata: dict[str, Any] | None

    def __init__(self) -> None:
        """Set every field to the value that means "nothing seen"."""
        self.time_us = 0
        self.duration_us = 0
        self.method = "GET"
        self.scheme = "http"
        self.host = ""
        self.path = "/"
        self.query = ""
        self.route = None
        self.request_headers = []
        self.response_headers = []
        self.status = 0
        self.request_bytes = 0
        self.response_bytes = 0
        self.request_body = None
        self.response_body = None
        self.request_truncated = False
        self.response_truncated = False
        self.peer_ip = ""
        self.direction = "Incoming"
        self.outcome = None
        self.request = None
        self.response = None
        self.user = None
        self.company = None
        self.session_token = None
        self.metadata = None
