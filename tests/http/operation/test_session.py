import asyncio
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from tollkeeper.clock import SYSTEM_CLOCK
from tollkeeper.identity import access
from tollkeeper.store.records import open_migrated
from tollkeeper.testing.server import ServerProcess
from tollkeeper.web import session
from tollkeeper.web.api import build_api
from tollkeeper.web.auth import guard


def test_an_admin_token_becomes_a_cookie_that_scripts_cannot_read(server: ServerProcess) -> None:
    with httpx.Client(base_url=server.url) as browser:
        answer = browser.post("/api/session", json={"token": server.admin_token})
        assert answer.status_code == 204
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert browser.get("/api/session").json()["authenticated"] is True


def test_a_session_ends_when_it_is_closed(server: ServerProcess) -> None:
    with httpx.Client(base_url=server.url) as browser:
        browser.post("/api/session", json={"token": server.admin_token})
        kept = dict(browser.cookies)
        assert browser.delete("/api/session").status_code == 204
        again = httpx.get(f"{server.url}/api/session", cookies=kept)
        assert again.status_code == 401


def test_a_wrong_token_is_a_problem_document(server: ServerProcess) -> None:
    answer = httpx.post(f"{server.url}/api/session", json={"token": "x" * 30})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "unauthorized"


def test_a_cookie_from_another_site_changes_nothing(server: ServerProcess) -> None:
    with httpx.Client(base_url=server.url) as browser:
        browser.post("/api/session", json={"token": server.admin_token})
        foreign = {"origin": "https://evil.example"}
        refused = browser.post("/api/recount", headers=foreign)
        assert refused.status_code == 403
        assert refused.json()["code"] == "cross_site"
        own = {"origin": server.url}
        assert browser.post("/api/recount", headers=own).status_code == 200


def test_an_origin_that_is_none_changes_nothing(server: ServerProcess) -> None:
    with httpx.Client(base_url=server.url) as browser:
        browser.post("/api/session", json={"token": server.admin_token})
        for origin in ("http://[", "null", ""):
            assert browser.post("/api/recount", headers={"origin": origin}).status_code == 403


def test_behind_a_proxy_the_public_address_is_our_own(tmp_path: Path) -> None:
    records = open_migrated(f"sqlite:///{tmp_path / 'records.db'}")
    token = access.new_token()
    access.set_token(records, token, name="test", now_us=1)
    public_url = "https://calls.example/"
    principal = guard(records, SYSTEM_CLOCK, public_url=public_url)
    api = build_api([session.router(records, SYSTEM_CLOCK, principal, public_url=public_url)])

    async def check() -> None:
        transport = httpx.ASGITransport(api)
        async with httpx.AsyncClient(transport=transport, base_url="http://inner:8600") as inner:
            answer = await inner.post("/api/session", json={"token": token})
            assert "secure" in answer.headers["set-cookie"].lower()
            cookie = answer.headers["set-cookie"].partition(";")[0]
            for origin, status in (
                ("http://calls.example", 403),
                ("https://calls.example.evil.example", 403),
                ("https://calls.example", 204),
            ):
                headers = {"cookie": cookie, "origin": origin}
                found = await inner.delete("/api/session", headers=headers)
                assert found.status_code == status

    asyncio.run(check())
    records.dispose()


def test_a_new_admin_token_ends_the_old_one_and_its_sessions(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as first:
        old = {"authorization": f"Bearer {first.admin_token}"}
        answer = httpx.post(f"{first.url}/api/session", json={"token": first.admin_token})
        kept = {"cookie": answer.headers["set-cookie"].partition(";")[0]}
        assert httpx.get(f"{first.url}/api/session", headers=kept).status_code == 200
    changed = {"TOLLKEEPER_ADMIN_TOKEN": "tka_another_0123456789"}
    with ServerProcess(tmp_path, environment=changed) as second:
        new = {"authorization": "Bearer tka_another_0123456789"}
        for headers, status in ((old, 401), (kept, 401), (new, 200)):
            assert httpx.get(f"{second.url}/api/session", headers=headers).status_code == status


def test_nobody_fills_the_memory_with_a_body(server: ServerProcess) -> None:
    def peak_bytes() -> int:
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        return 1024 * int(next(x for x in status.splitlines() if x.startswith("VmHWM")).split()[1])

    for method, path in (
        ("POST", "/api/session"),
        ("PUT", "/api/aliases"),
        ("POST", "/api/quarantine/replay"),
        ("PATCH", "/api/applications/a"),
    ):
        before = peak_bytes()
        parts = (b" " * 1_000_000 for _ in range(300))
        headers = {"content-type": "application/json"}
        with httpx.Client(base_url=server.url) as client:
            try:
                answer = client.request(method, path, content=parts, headers=headers)
                assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
            except httpx.TransportError:
                pass  # The server may close while the body still comes.
        assert peak_bytes() - before < 250_000_000
        declared = {"content-type": "application/json", "content-length": "300000000"}
        with closing(HTTPConnection(urlsplit(server.url).netloc)) as raw:
            raw.putrequest(method, path)
            for name, value in declared.items():
                raw.putheader(name, value)
            raw.endheaders(b"x")
            assert raw.getresponse().status == 413


def test_everything_but_health_needs_a_credential(server: ServerProcess) -> None:
    paths = httpx.get(f"{server.url}/api/openapi.json").json()["paths"]
    open_to_all = {"/health/live", "/health/ready"}
    for path, item in paths.items():
        for method, operation in item.items():
            if "collector" in operation["tags"] or path in open_to_all or path == "/api/session":
                continue
            url = server.url + path.replace("{", "").replace("}", "")
            body = {} if method != "get" else None
            assert httpx.request(method, url, json=body).status_code == 401, (method, path)
