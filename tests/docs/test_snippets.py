"""What pages tell readers to paste works: it runs, and its events arrive."""

from __future__ import annotations

import ast
import base64
import importlib
import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tollkeeper.capture import Agent, Options, read_options, stats
from tollkeeper.capture.options import CompanyStrategy
from tollkeeper.config import rows
from tollkeeper.testing.program import Program
from tollkeeper.testing.server import ServerProcess
from tollkeeper.testing.tally import Tally

Run = Callable[..., Program]
Pages = dict[str, Any]
UVICORN = ("-m", "uvicorn", "--port", "0")
GUNICORN = ("-m", "gunicorn", "--bind=127.0.0.1:0", "--no-control-socket")
CALLS = {"513": 3, "1234": 2, "2560": 1}

DJANGO = {
    "settings.py": 'SECRET_KEY = "of a test"\nALLOWED_HOSTS = ["*"]\nROOT_URLCONF = "urls"\n',
    "urls.py": (
        "from django.http import HttpResponse\nfrom django.urls import path\n"
        'urlpatterns = [path("pets/<int:pet_id>", lambda request, pet_id: HttpResponse("Rex"))]\n'
    ),
    "app.py": (
        'import os\nos.environ["DJANGO_SETTINGS_MODULE"] = "settings"\n'
        "from django.core.wsgi import get_wsgi_application\napp = get_wsgi_application()\n"
    ),
}
ROUTES = {
    "FastAPI": '\n@app.get("/pets/{pet_id}")\ndef pet(pet_id: int): return {"name": "Rex"}\n',
    "Flask": '\n@app.get("/pets/<int:pet_id>")\ndef pet(pet_id): return {"name": "Rex"}\n',
}


def unsigned(sub: str) -> str:
    """A token like those of the tutorial."""
    parts = ({"alg": "none"}, {"sub": sub})
    coded = [base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts]
    return ".".join([*coded, ""])


def call(url: str) -> None:
    with httpx.Client(base_url=url, timeout=30) as client:
        for sub, count in CALLS.items():
            for number in range(count):
                bearer = {"authorization": f"Bearer {unsigned(sub)}"}
                assert client.get(f"/pets/{number}", headers=bearer).status_code in (200, 404)


def filled(text: str, server: ServerProcess) -> str:
    """A snippet with its placeholders replaced by what a reader would put there."""
    replaced = text.replace("YOUR_COLLECTOR_ID", server.collector_id)
    return replaced.replace("http://127.0.0.1:8600", server.url)


def only_block(page: Any, language: str) -> str:
    found = [block.text for block in page.blocks if block.language == language]
    assert len(found) == 1
    return str(found[0])


@pytest.mark.parametrize("framework", ["FastAPI", "Flask"])
def test_readme_snippet_counts_calls(
    framework: str, pages: Pages, run: Run, tmp_path: Path, tally: Tally
) -> None:
    snippet = only_block(pages["README.md"].section(framework), "python")
    (tmp_path / "app.py").write_text(snippet + ROUTES[framework])
    program = run(sys.executable, *(UVICORN if framework == "FastAPI" else GUNICORN), "app:app")
    call(program.wait_listening().url)
    program.stop()

    assert tally.by("user") == CALLS
    template = "/pets/{pet_id}"
    assert tally.by("source", "route", "status") == {("native", template, 200): 6}


def test_readme_snippet_for_django_counts_calls(
    pages: Pages, run: Run, tmp_path: Path, tally: Tally
) -> None:
    snippet = only_block(pages["README.md"].section("Django"), "python")
    for name, text in DJANGO.items():
        (tmp_path / name).write_text(text + (snippet if name == "settings.py" else ""))
    program = run(sys.executable, *GUNICORN, "app:app")
    call(program.wait_listening().url)
    program.stop()

    assert tally.by("user") == CALLS
    assert tally.by("source", "route", "status") == {("native", "/pets/{pet_id}", 200): 6}


def test_readme_snippet_for_a_moesif_sdk_counts_calls(
    pages: Pages, run: Run, tmp_path: Path, server: ServerProcess, tally: Tally
) -> None:
    snippet = only_block(pages["README.md"].section("Moesif SDK in Python"), "python")
    (tmp_path / "app.py").write_text(filled(snippet, server))
    program = run(sys.executable, *UVICORN, "app:app")
    call(program.wait_listening().url)
    tally.wait_for(sum(CALLS.values()))

    assert tally.by("user", "source") == {(sub, "moesif"): n for sub, n in CALLS.items()}


def test_the_tutorials_service_counts_its_partners(
    pages: Pages, run: Run, tmp_path: Path, tally: Tally
) -> None:
    page = pages["docs/tutorial/first-calls.md"]
    (tmp_path / "pets.py").write_text(next(b.text for b in page.blocks if b.title == "pets.py"))
    program = run(sys.executable, *UVICORN, "pets:app")
    call(program.wait_listening().url)
    program.stop()

    assert tally.by("user") == CALLS
    assert tally.by("route") == {"/pets/{pet_id}": 6}


def test_every_example_question_is_answered(pages: Pages, server: ServerProcess) -> None:
    questions = [
        block.text
        for page in pages.values()
        for block in page.blocks
        if block.title == "POST /api/query"
    ]
    assert len(questions) >= 4
    with server.client() as client:
        answers = [client.post("/api/query", content=question) for question in questions]
    assert [answer.text for answer in answers if answer.status_code != 200] == []


def test_every_curl_example_is_accepted(pages: Pages, server: ServerProcess) -> None:
    with server.client() as client:
        application = client.get("/api/applications").json()["applications"][0]["id"]
    examples = [
        (page.name, text)
        for page in pages.values()
        for block in page.blocks
        if block.language == "sh" and block.text.startswith("curl ")
        for text in [block.text]
    ]
    assert len(examples) >= 4
    for name, text in examples:
        known = filled(text, server).replace("app_0123456789ab", application)
        answer = curl(known.replace("$ADMIN_TOKEN", server.admin_token))
        assert answer.status_code in (200, 201, 204), f"{name}: {answer.text}"
        assert "rejected" not in answer.text, f"{name}: {answer.text}"


def curl(text: str) -> httpx.Response:
    """Does what the few options of curl in our pages mean."""
    words = iter(shlex.split(text.replace("\\\n", " "))[1:])
    method, url, body = "", "", None
    headers: dict[str, str] = {}
    for word in words:
        if word == "-X":
            method = next(words)
        elif word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = next(words)
        elif not word.startswith("-"):
            url = word
    return httpx.request(
        method or ("POST" if body else "GET"), url, headers=headers, content=body, timeout=30
    )


def python_blocks(pages: Pages) -> list[tuple[str, ast.Module]]:
    return [
        (page.name, ast.parse(block.text))
        for page in pages.values()
        for block in page.blocks
        if block.language == "python"
    ]


def test_python_examples_import_only_what_exists(pages: Pages) -> None:
    seen = 0
    for name, tree in python_blocks(pages):
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tollkeeper"):
                module = importlib.import_module(node.module or "")
                assert [a.name for a in node.names if not hasattr(module, a.name)] == [], name
                seen += 1
    assert seen >= 10


def test_python_examples_use_only_options_that_exist(pages: Pages) -> None:
    known = {row.name for row in rows(Options)} - {"identify_company_by"} | {"options", "agent"}
    seen: set[str] = set()
    for name, tree in python_blocks(pages):
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            words = [getattr(part, "id", "") for part in (node.func, *node.args[:1])]
            if "TollkeeperMiddleware" in words or "capture_outgoing" in words:
                given = {keyword.arg or "" for keyword in node.keywords}
                assert given <= known, name
                seen |= given
    assert {"user_id_headers", "identify_company", "log_body", "spool_directory"} <= seen


def test_the_krakend_example_is_understood(pages: Pages) -> None:
    block = only_block(pages["docs/how-to/krakend.md"], "json")
    options = read_options(block, environment={})
    assert options.batch_size == 1000
    assert options.identify_company == CompanyStrategy(jwt_claim="company_id")


def test_every_counter_of_capture_is_documented(pages: Pages) -> None:
    agent = Agent({"application_id": "of-a-test"})
    try:
        counters = stats().keys()
    finally:
        agent.close()
    text = pages["docs/reference/capture-options.md"].section("Counters").text
    assert [name for name in counters if f"`{name}`" not in text] == []
