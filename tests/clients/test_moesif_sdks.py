"""Moesif's other SDKs, unmodified: middleware, entities, actions, and outgoing calls."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tollkeeper.testing.program import Program
from tollkeeper.testing.relay import Relay
from tollkeeper.testing.server import ServerProcess
from tollkeeper.testing.tally import Tally

Run = Callable[..., Program]
GUNICORN = (
    "-m",
    "gunicorn",
    "--bind=127.0.0.1:0",
    "--threads=4",
    "--chdir=apps",
    "--no-control-socket",
)
UVICORN = ("-m", "uvicorn", "--port", "0", "--app-dir", "apps")
AGENTS = {
    "starlette": "moesifasgi-python/None",
    "flask": "moesifwsgi-python/1.10.5",
    "django": "moesifdjango-python/2.3.13",
}


@pytest.mark.parametrize("framework", AGENTS)
def test_python_middleware_counts_each_partner(
    framework: str,
    run: Run,
    partners: Any,
    tally: Tally,
    relay: Relay,
    counted_exactly: Callable[[int], None],
) -> None:
    runner = UVICORN if framework == "starlette" else GUNICORN
    app = run(sys.executable, *runner, f"{framework}_app:app").wait_listening()
    partners.call(app.url)
    with httpx.Client(base_url=app.url, headers={"x-company": "acme"}, timeout=30) as client:
        assert client.post("/echo", json={"item": "disk"}).json() == {"item": "disk"}
        plain = {"content-type": "text/plain"}
        assert client.post("/echo", content=b"some text", headers=plain).text == "some text"
        assert client.get("/stream").text == "part 0\npart 1\npart 2\n"
        assert client.get("/missing").status_code == 404
    tally.wait_for(partners.call_count + 4)
    app.stop()

    assert tally.by("user") == {**partners.calls, "": 4}
    counted_exactly(partners.call_count + 4)
    assert tally.by("customer") == {"": partners.call_count, "acme": 4}
    assert tally.by("response.status") == {200: partners.call_count + 3, 404: 1}
    assert tally.by("metadata.framework") == {framework: partners.call_count + 4}
    assert tally.by("request.body.item")["disk"] == 1
    assert {e.agent for e in relay.exchanges if e.method == "POST"} == {AGENTS[framework]}
    assert relay.asked["GET /v1/config"] >= 1
    assert relay.asked["GET /v1/rules"] >= 1
    assert app.complaints == []


def test_moesifapi_python_sends_events_users_companies_and_subscriptions(
    run: Run, tally: Tally, relay: Relay, counted_exactly: Callable[[int], None]
) -> None:
    script = run(sys.executable, "apps/entities.py").finish()

    assert tally.by("user", "customer") == {("alice", "acme"): 4, ("bob", "acme"): 2}
    counted_exactly(6)
    assert tally.by("user.plan") == {"free": 4, "pro": 2}
    assert tally.by("customer.tier") == {"gold": 6}
    assert tally.by("request.route", "request.method") == {("/items/{id}", "POST"): 6}
    assert relay.asked == {
        "GET /v1/config": 1,
        "GET /v1/rules": 1,
        "POST /v1/events": 1,
        "POST /v1/events/batch": 2,
        "POST /v1/users": 1,
        "POST /v1/users/batch": 1,
        "POST /v1/companies": 1,
        "POST /v1/companies/batch": 1,
        "POST /v1/subscriptions": 1,
        "POST /v1/subscriptions/batch": 1,
    }
    assert script.complaints == []


def test_moesif_nodejs_sends_users_companies_subscriptions_and_actions(
    run: Run, node: Path, tally: Tally, relay: Relay, counted_exactly: Callable[[int], None]
) -> None:
    script = run("node", node / "entities.js").finish()

    assert tally.by("kind", "action", "user") == {
        ("action", "Clicked Sign Up", "alice"): 1,
        ("action", "Job done", "bob"): 1,
        ("action", "Job done", "carol"): 1,
    }
    counted_exactly(3)
    assert tally.by("user.plan") == {"free": 1, "pro": 2}
    assert tally.by("customer.tier") == {"gold": 2, "silver": 1}
    assert {path for path in relay.asked if path.startswith("POST")} == {
        f"POST /v1/{name}{tail}"
        for name in ("users", "companies", "subscriptions", "actions")
        for tail in ("", "/batch")
    }
    assert script.complaints == []


def test_moesifpythonrequest_counts_outgoing_calls(
    run: Run,
    server: ServerProcess,
    tally: Tally,
    relay: Relay,
    counted_exactly: Callable[[int], None],
) -> None:
    script = run(sys.executable, "apps/outgoing.py", server.url).finish()

    assert tally.by("direction", "user", "customer", "request.path") == {
        ("outgoing", "alice", "acme", "/health/live"): 6
    }
    counted_exactly(6)
    assert relay.asked["POST /v1/events"] == 6
    assert script.complaints == []


def test_the_readmes_snippet_for_node_counts_each_partner(
    run: Run, node: Path, partners: Any, tmp_path: Path, server: ServerProcess, tally: Tally
) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    snippet = re.search(r"^```js\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert snippet is not None
    filled = snippet[1].replace("YOUR_COLLECTOR_ID", server.collector_id)
    (tmp_path / "app.js").write_text(
        "const app = require('express5')();\n"
        + filled.replace("http://127.0.0.1:8600", server.url)
        + "app.get('/accounts/:id/message', (req, res) =>\n"
        "  res.json({ my_object: { my_message: 'Hello World!' } }));\n"
        "const listener = app.listen(0, '127.0.0.1', () =>\n"
        "  console.log(`listening at http://127.0.0.1:${listener.address().port}`));\n"
    )
    app = run("node", tmp_path / "app.js", NODE_PATH=str(node / "node_modules"))
    partners.call(app.wait_listening().url)
    tally.wait_for(partners.call_count)

    assert tally.by("user") == partners.calls
    assert app.complaints == []
