"""Reading a WSGI environ: the same for the WSGI middleware and for Django's requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from tollkeeper.capture.call import Call, Texts

MEMO_NAMES_COUNT = 1024
LONGEST_MEMO_NAME_CHARACTERS = 64
# Kept as they are by a client that quotes a path (RFC 3986 pchar, and the separator).
_PATH_SAFE = "/~!$&'()*+,;=:@"


class _Names(dict[str, str]):
    """The header's name of each key, or "" for a key that is none; bounded in number and length."""

    def __missing__(self, key: str) -> str:
        name = ""
        if key.startswith("HTTP_"):
            name = key[5:].replace("_", "-").lower()
        elif key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            name = key.replace("_", "-").lower()
        if len(key) <= LONGEST_MEMO_NAME_CHARACTERS:
            if len(self) >= MEMO_NAMES_COUNT:
                self.clear()
            self[key] = name
        return name


_names = _Names()


def headers(environ: Mapping[str, Any]) -> Texts:
    """The request's headers; repeats were joined by the server, underscores became dashes."""
    return [(name, value) for key, value in environ.items() if (name := _names[key]) and value]


def has_body(environ: Mapping[str, Any]) -> bool:
    """True when the request announces a body."""
    return environ.get("CONTENT_LENGTH", "") not in ("", "0") or "HTTP_TRANSFER_ENCODING" in environ


def path(environ: Mapping[str, Any]) -> str:
    """The path percent-encoded as it was received, or quoted again if the server did not keep it."""
    raw: str = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    if raw.startswith("/"):
        return raw.partition("?")[0]
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
    """Fills what the environ says about the request, but for its method and path.

    Those two are read before the application runs, which may change them as it goes.
    """
    call.scheme = environ.get("wsgi.url_scheme", "http")
    call.host = host(environ)
    call.query = environ.get("QUERY_STRING", "")
    call.request_headers = headers(environ)
    call.peer_ip = environ.get("REMOTE_ADDR") or ""
