"""Installed without extras into an empty environment, the package captures: msgspec is all it needs."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

# What a user's program does: wrap an application, serve a call, end.
PROGRAM = """
import sys

before = set(sys.modules)  # Debian's Python comes with a sitecustomize
from wsgiref.simple_server import demo_app
from wsgiref.util import setup_testing_defaults

import tollkeeper.capture
from tollkeeper.capture.wsgi import TollkeeperMiddleware
from tollkeeper.capture.asgi import TollkeeperMiddleware as AsgiMiddleware

app = TollkeeperMiddleware(demo_app)
for number in range(3):
    environ = {"PATH_INFO": f"/pets/{number}", "HTTP_AUTHORIZATION": "Basic YW5uOnB3"}
    setup_testing_defaults(environ)
    result = app(environ, lambda status, headers, exc_info=None: print)
    list(result)
    result.close()
loaded = set(sys.modules) - before
third_party = {name.partition(".")[0] for name in loaded} - set(sys.stdlib_module_names)
print(sorted(name for name in third_party if not name.startswith("_")))
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds the project and what it requires, no more."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(ROOT)],
        check=True,
        env={**os.environ, "TOLLKEEPER_SKIP_UI": "1"},
    )
    return python


@pytest.fixture
def collector() -> Any:
    """Takes batches; gives its address and the events that came."""
    events: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            events.extend(json.loads(gzip.decompress(body)))
            self.send_response(201)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: Any) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", events
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.timeout(300)
def test_a_bare_install_holds_msgspec_only(python):
    listed = subprocess.run(
        [str(python), "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"],
        check=True,
        capture_output=True,
    )
    names = {row["name"].lower() for row in json.loads(listed.stdout)}
    assert names - {"pip", "setuptools"} == {"tollkeeper", "msgspec"}


@pytest.mark.timeout(300)
def test_a_bare_install_captures_and_delivers_at_exit(python, collector):
    url, events = collector
    done = subprocess.run(
        [str(python), "-W", "error", "-c", PROGRAM],
        check=True,
        capture_output=True,
        env={
            "TOLLKEEPER_URL": url,
            "TOLLKEEPER_APPLICATION_ID": "bare-" + "x" * 50,
            "PATH": "/usr/bin:/bin",
        },
    )
    assert done.stdout.decode().splitlines()[-1] == "['msgspec', 'tollkeeper']"
    assert sorted(event["request"]["uri"] for event in events) == [
        f"http://127.0.0.1/pets/{number}" for number in range(3)
    ]
    assert {event["user_id"] for event in events} == {"ann"}
    assert "YW5uOnB3" not in json.dumps(events)
    assert {event["request"]["route"] for event in events} == {"/pets/{id}"}
