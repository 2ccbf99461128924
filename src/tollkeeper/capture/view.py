"""What the host's callables are given in ASGI and WSGI hosts: small views of a request and a response.

`identify_user(request, response)` and its like read the same attributes whatever served the call.
Views look nothing up before they are asked. In Django, and for outgoing
calls, callables get the framework's own objects instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

from tollkeeper.capture.call import Texts


class HeaderView(Mapping[str, str]):
    """Headers by name, whatever the case; the first value wins where a name repeats."""

    __slots__ = ("_pairs",)

    def __init__(self, pairs: Texts) -> None:
        self._pairs = pairs

    def __getitem__(self, name: str) -> str:
        wanted = name.lower()
        for key, value in self._pairs:
            if key == wanted:
                return value
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self._pairs))

    def __len__(self) -> int:
        return len(dict(self._pairs))


class RequestView:
    """A request as the host's callables see it.

    `raw` is the ASGI scope or the WSGI environ itself, for everything that has no name here.
    """

    __slots__ = ("_pairs", "path", "query", "raw")

    def __init__(self, raw: Any, path: str, query: str, pairs: Texts) -> None:
        self.raw = raw
        self.path = path
        self.query = query
        self._pairs = pairs

    @property
    def headers(self) -> HeaderView:
        """The request's headers."""
        return HeaderView(self._pairs)

    @property
    def method(self) -> str:
        """GET, POST and so on."""
        return str(self.raw.get("method") or self.raw.get("REQUEST_METHOD") or "GET")

    @property
    def query_params(self) -> dict[str, str]:
        """The query's parameters; the last value wins where a name repeats."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @property
    def path_params(self) -> Mapping[str, Any]:
        """What an ASGI framework matched in the path; empty elsewhere."""
        return self.raw.get("path_params") or {}

    @property
    def scope(self) -> Any:
        """The ASGI scope."""
        return self.raw

    @property
    def environ(self) -> Any:
        """The WSGI environ."""
        return self.raw

    @property
    def user(self) -> Any:
        """What authentication left in the scope or environ: `user`, or `REMOTE_USER`."""
        return self.raw.get("user", self.raw.get("REMOTE_USER"))

    @property
    def state(self) -> SimpleNamespace:
        """What the host keeps for the request in an ASGI scope; reading only."""
        state = self.raw.get("state") or {}
        return SimpleNamespace(**{str(key): value for key, value in state.items()})


class ResponseView:
    """A response as the host's callables see it."""

    __slots__ = ("_pairs", "body", "status_code")

    def __init__(self, status_code: int, pairs: Texts, body: bytes | None) -> None:
        self.status_code = status_code
        self._pairs = pairs
        self.body = body

    @property
    def headers(self) -> HeaderView:
        """The response's headers."""
        return HeaderView(self._pairs)
