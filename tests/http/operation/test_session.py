import httpx

from tollkeeper.testing.server import ServerProcess


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
