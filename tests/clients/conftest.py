"""Real clients as real processes, each talking to a real server through a relay.

The relay sends every write twice. So each test here checks three promises at once: what a client
sent counts exactly, what it sent again counts once, and nothing that it asked for was refused.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import httpx
import jwt
import pytest

from tollkeeper.testing.program import Program
from tollkeeper.testing.relay import Relay
from tollkeeper.testing.server import ServerProcess
from tollkeeper.testing.tally import Tally

HERE = Path(__file__).parent
ARTICLE_SECRET = "my_super_secret"
ARTICLE_TOKEN = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
    "eyJzdWIiOiI1MTMiLCJuYW1lIjoiSm9obiBEb2UiLCJpYXQiOjE1MTYyMzkwMjJ9."
    "FPN2Bj5b6OUzeTJ7lrNQPWUkZnnBnhMFYeyMjJ_-tN0"
)


class Partners(NamedTuple):
    """The article's three partners: their tokens, and how often each of them calls."""

    tokens: Mapping[str, str]
    calls: Mapping[str, int]

    @property
    def call_count(self) -> int:
        return sum(self.calls.values())

    def call(self, url: str, path: str = "/accounts/abcdef/message") -> None:
        """Calls an application as every partner, interleaved."""
        turns = range(max(self.calls.values()))
        order = [sub for turn in turns for sub in self.calls if turn < self.calls[sub]]
        with httpx.Client(base_url=url, timeout=30) as client:
            for sub in order:
                bearer = {"authorization": f"Bearer {self.tokens[sub]}"}
                answer = client.get(path, headers=bearer)
                assert answer.status_code == 200, answer.text
                assert answer.json() == {"my_object": {"my_message": "Hello World!"}}


@pytest.fixture(scope="session")
def partners() -> Partners:
    tokens = {"513": ARTICLE_TOKEN}
    for sub in ("1234", "2560"):
        claims = {"sub": sub, "name": "Jane Doe", "iat": 1516239022}
        # PyJWT warns of the article's short secret.
        with pytest.warns(jwt.warnings.InsecureKeyLengthWarning):
            tokens[sub] = jwt.encode(claims, ARTICLE_SECRET, algorithm="HS256")
    return Partners(tokens, {"513": 7, "1234": 5, "2560": 3})


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "data") as running:
        yield running


@pytest.fixture
def tally(server: ServerProcess) -> Iterator[Tally]:
    with Tally(server) as asking:
        yield asking


@pytest.fixture
def relay(server: ServerProcess) -> Iterator[Relay]:
    with Relay(server.url) as running:
        yield running


@pytest.fixture
def run(tmp_path: Path, server: ServerProcess, relay: Relay) -> Iterator[Callable[..., Program]]:
    """Starts a client's process that finds the relay and the collector id in its environment."""
    started: list[Program] = []

    def start(*command: str | Path, **environment: str) -> Program:
        program = Program(
            command,
            tmp_path / f"client-{len(started)}.log",
            folder=HERE,
            MOESIF_APPLICATION_ID=server.collector_id,
            MOESIF_BASE_URI=relay.url,
            **environment,
        )
        started.append(program)
        return program

    yield start
    for program in started:
        program.stop()


@pytest.fixture
def counted_exactly(tally: Tally, relay: Relay) -> Callable[[int], None]:
    """Checks a server's totals: every event once, every resent one recognised, nothing refused."""

    def check(event_count: int) -> None:
        status = tally.status
        assert (status["events_total"], status["calls_total"]) == (event_count, event_count)
        assert tally.duplicate_count == event_count
        assert status["quarantine"]["count"] == 0
        for exchange in relay.exchanges:
            cloudevents = exchange.path == "/api/v1/events"
            expected = 200 if exchange.method == "GET" else 204 if cloudevents else 201
            assert exchange.status == expected, exchange

    return check


@pytest.fixture(scope="session")
def node() -> Path:
    """The folder of the Node programs, their packages installed exactly as locked."""
    folder = HERE / "node"
    lock = (folder / "package-lock.json").read_bytes()
    stamp = folder / "node_modules" / ".installed-lock"
    if not stamp.exists() or stamp.read_bytes() != lock:
        done = subprocess.run(
            ["npm", "ci", "--no-progress"], cwd=folder, capture_output=True, text=True, timeout=110
        )
        assert done.returncode == 0, f"npm ci failed:\n{done.stdout}{done.stderr}"
        stamp.write_bytes(lock)
    return folder
