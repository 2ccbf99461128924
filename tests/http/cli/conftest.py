import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tollkeeper.testing.server import ServerProcess

Run = Callable[..., subprocess.CompletedProcess[str]]


def wire(number: int, user: str, status: int = 200, **more: Any) -> dict[str, Any]:
    return {
        "transaction_id": f"e{number}",
        "request": {
            "time": f"2026-11-18T12:{number // 60 % 60:02}:{number % 60:02}.{number:06}Z",
            "uri": f"https://api.example.com/pets/{number}?page=1",
            "verb": "GET",
            "headers": {"user-agent": "test"},
        },
        "response": {"status": status},
        "duration_us": 1000 * number,
        "user_id": user,
        **more,
    }


EVENTS = [
    *(wire(n, "513") for n in range(1, 5)),
    wire(5, "513", 500),
    wire(6, "1234", 404, company_id="acme"),
    wire(7, "=HYPERLINK(1)", weight=3),
]


def tollkeeper(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("TOLLKEEPER_")}
    environment = {**clean, "COLUMNS": "120", **more.pop("environment", {})}
    return subprocess.run(
        [sys.executable, "-m", "tollkeeper", *arguments],
        env=environment, capture_output=True, text=True, timeout=90, **more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that holds EVENTS."""
    with ServerProcess(tmp_path_factory.mktemp("cli") / "data") as running:
        with running.collector() as collector:
            answer = collector.post("/v1/events/batch?results=items", json=EVENTS)
            assert {item["result"] for item in answer.json()["results"]} == {"stored"}
        yield running


@pytest.fixture
def run(server: ServerProcess) -> Run:
    """Runs a command on that server, found by its data folder."""

    def command(*arguments: str, code: int = 0, **more: Any) -> subprocess.CompletedProcess[str]:
        done = tollkeeper(*arguments, "--data", str(server.data), **more)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done

    return command


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Writes JSON lines to a file and gives its name."""

    def lines(name: str, *items: Any) -> str:
        texts = [item if isinstance(item, str) else json.dumps(item) for item in items]
        (tmp_path / name).write_text("\n".join(texts) + "\n")
        return str(tmp_path / name)

    return lines
