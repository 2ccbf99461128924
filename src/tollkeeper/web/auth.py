"""Who may use the management API: a bearer admin token, or the session cookie a browser got for it.

A cookie is accepted for changes only when the request's ``Origin``, if it names one, is our own
host or public address; with ``SameSite=Strict`` that closes cross-site requests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from sqlalchemy import Engine
from starlette.requests import Request

from tollkeeper.clock import Clock
from tollkeeper.errors import Forbidden, Unauthorized
from tollkeeper.identity import access

COOKIE = "tollkeeper_session"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Principal(NamedTuple):
    """Who asks. ``session`` is the cookie's secret, empty for a token."""

    name: str
    session: str


Guard = Callable[[Request], Principal]


def guard(records: Engine, clock: Clock, *, public_url: str = "") -> Guard:
    """A FastAPI dependency that lets only operators through.

    ``public_url`` is where browsers reach us when a proxy before us gives another ``Host``.
    """
    public = urlsplit(public_url)

    def principal(request: Request) -> Principal:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and access.is_token(records, token.strip()):
            return Principal("admin", "")
        secret = request.cookies.get(COOKIE, "")
        if secret and not token and access.is_session(records, secret, now_us=clock.now_us()):
            _check_origin(request, public)
            return Principal("admin", secret)
        raise Unauthorized("send an admin token as bearer, or log in")

    return principal


def _check_origin(request: Request, public: SplitResult) -> None:
    origin = request.headers.get("origin")
    if request.method in _SAFE or origin is None:
        return
    try:
        said = urlsplit(origin)
    except ValueError:
        said = urlsplit("null")
    if public.netloc and said[:2] == public[:2]:
        return
    if said.netloc != request.headers.get("host", ""):
        raise Forbidden("the request comes from another site", code="cross_site")
