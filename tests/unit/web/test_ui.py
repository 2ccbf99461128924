"""The static handler: known files only, cached by content, safe headers on everything."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

import httpx
import pytest
from starlette.types import ASGIApp

from tollkeeper.web.ui import dashboard


class Client:
    """Asks an ASGI application without a server or a thread between."""

    def __init__(self, app: ASGIApp) -> None:
        self._transport = httpx.ASGITransport(app)

    def ask(self, method: str, path: str, **headers: str) -> httpx.Response:
        """One request; header names are written with underscores."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}

        async def exchange() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=self._transport,
                base_url="http://test",
                headers={"accept-encoding": "identity"},
            ) as client:
                return await client.request(method, path, headers=given)

        return asyncio.run(exchange())

    def get(self, path: str, **headers: str) -> httpx.Response:
        """One GET."""
        return self.ask("GET", path, **headers)


@pytest.fixture
def client(tmp_path: Path) -> Client:
    """The handler over a tiny built dashboard."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>here</title>")
    (tmp_path / "assets" / "index-abc.js").write_text("go()")
    (tmp_path / "assets" / "index-abc.js.gz").write_bytes(gzip.compress(b"go()", mtime=0))
    (tmp_path / "assets" / "face.woff2").write_bytes(b"font")
    (tmp_path / ".stamp").write_text("1234")
    return Client(dashboard(tmp_path))


@pytest.mark.parametrize("path", ["/", "/requests", "/explore/deeper", "/login"])
def test_every_path_of_the_dashboard_gets_the_page(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert "<title>here" in answer.text
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path", ["/api/nothing", "/v1/nothing", "/health/x", "/metrics", "/missing.js"]
)
def test_unknown_addresses_of_machines_and_files_are_problems(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert path in answer.json()["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "/.stamp",
        "/assets/../.stamp",
        "/assets/..%2f.stamp",
        "/assets/index-abc.js.gz",
        "/%2e%2e/ui.py",
    ],
)
def test_only_shipped_files_are_served(client: Client, path: str) -> None:
    answer = client.get(path)
    assert "1234" not in answer.text
    assert answer.status_code == 404 or "<title>here" in answer.text


def test_hashed_assets_are_kept_for_ever_and_packed_when_accepted(client: Client) -> None:
    plain = client.get("/assets/index-abc.js")
    assert plain.text == "go()"
    assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert plain.headers["content-type"].startswith("text/javascript")
    assert "content-encoding" not in plain.headers
    packed = client.get("/assets/index-abc.js", accept_encoding="gzip, br")
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"] == "accept-encoding"
    assert packed.text == "go()"
    assert client.get("/assets/face.woff2").headers["content-type"] == "font/woff2"


def test_unchanged_page_is_answered_without_a_body(client: Client) -> None:
    tag = client.get("/").headers["etag"]
    again = client.get("/", if_none_match=tag)
    assert again.status_code == 304
    assert again.content == b""


@pytest.mark.parametrize("path", ["/", "/assets/index-abc.js", "/missing.js"])
def test_security_headers_are_on_every_answer(client: Client, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_the_dashboard_is_only_read(client: Client) -> None:
    answer = client.ask("POST", "/requests")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"
    head = client.ask("HEAD", "/")
    assert head.status_code == 200
    assert head.content == b""


def test_a_copy_without_the_dashboard_explains_itself(tmp_path: Path) -> None:
    answer = Client(dashboard(tmp_path / "none")).get("/requests")
    assert answer.status_code == 503
    assert "python ui/build.py" in answer.text
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
