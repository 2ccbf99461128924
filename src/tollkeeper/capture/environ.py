"""Reading a WSGI environ: the same for the WSGI middleware and for Django's requests."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from tollkeeper.capture.call import Call, Headers

MEMO_NAMES_COUNT = 1024
# Kept as they are by a client that quotes a path (RFC 3986 pchar, and the separator).
_PATH_SAFE = "/~!$&'()*+,;=:@"


@lru_cache(maxsize=MEMO_NAMES_COUNT)
def _header_name(key: str) -> str | None:
    if key.startswith("HTTP_"):
        return key[5:].replace("_", "-").lower()
    if key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        return key.replace("_", "-").lower()
    return None


def headers(environ: Mapping[str, Any]) -> Headers:
    """The request's headers; repeats were joined by the server, underscores became dashes."""
    found = []
    for key, value in environ.items():
        name = _header_name(key)
        if name is not None and value:
            found.append((name, str(value)))
    return found


def has_body(environ: Mapping[str, Any]) -> bool:
    """True when the request announces a body."""
    return environ.get("CONTENT_LENGTH", "") not in ("", "0") or "HTTP_TRANSFER_ENCODING" in environ


def path(environ: Mapping[str, Any]) -> str:
    """The path percent-encoded as it was received, or quoted again if the server did not keep it."""
    raw = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    if raw.startswith("/"):
        return str(raw).partition("?")[0]
    decoded = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"
    return quote(decoded.encode("latin-1", "replace"), safe=_PATH_SAFE) or "/"


def host(environ: Mapping[str, Any]) -> str:
    """The Host header, or the server's own name and port."""
    named = environ.get("HTTP_HOST")
    if named:
        return str(named)
    name, port = environ.get("SERVER_NAME", ""), environ.get("SERVER_PORT", "")
    return f"{name}:{port}" if port else str(name)


def describe(call: Call, environ: Mapping[str, Any]) -> None:
    """Fills what the environ says about the request; cheap enough for the request's own path."""
    call.method = str(environ.get("REQUEST_METHOD", "GET"))
    call.scheme = str(environ.get("wsgi.url_scheme", "http"))
    call.host = host(environ)
    call.path = path(environ)
    call.query = str(environ.get("QUERY_STRING", ""))
    call.request_headers = headers(environ)
    call.peer_ip = str(environ.get("REMOTE_ADDR") or "")
