"""Kills a server again and again under load, then compares it with the load's own record."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec
from crash.load import Load, differences

from tollkeeper.testing.contents import contents
from tollkeeper.testing.server import ServerProcess

ENVIRONMENT = {"TOLLKEEPER_SEGMENT_BYTES": "60000", "TOLLKEEPER_LOG_LEVEL": "warning"}
COMMAND = ("-m", "tollkeeper.testing.crashing")
LONGEST_LIFE_SECONDS = 6.0


class Outcome(msgspec.Struct):
    """What a drive saw: kills by point (``random`` too), and where the contents are wrong."""

    kills: Counter[str]
    wrong: list[str]
    acknowledged_count: int
    unanswered_count: int
    recount_equal: bool


def drive(folder: Path, plan: Sequence[str], *, seed: int, bug: str = "") -> Outcome:
    """Runs one server life for each line of the plan: a ``point:n``, or ``random``."""
    dice = random.Random(seed)
    kills: Counter[str] = Counter()
    server = ServerProcess(folder, environment=ENVIRONMENT, command=COMMAND)
    with ending(server), Load(server, seed=seed) as load:
        for line in plan:
            arguments = ["--bug", bug] if bug else []
            if line != "random":
                arguments += ["--crash-at", line]
            server.run_with(arguments)
            kills[_one_life(server, line, dice)] += 1
        server.run_with(["--bug", bug] if bug else [])
        server.start()
        load.finish()
        server.settle()
        with server.client() as client:
            application = client.get("/api/applications").json()["applications"][0]["id"]
            recount = client.post("/api/recount").raise_for_status().json()
        assert server.stop() == 0, server.log
    wrong = differences(load.record, contents(folder), application)
    return Outcome(
        kills,
        wrong,
        len(load.record.acknowledged),
        load.record.unanswered,
        recount["equal"],
    )


@contextmanager
def ending(server: ServerProcess) -> Iterator[None]:
    """Leaves no process behind, whatever happens."""
    try:
        yield
    finally:
        server.kill()


def _one_life(server: ServerProcess, line: str, dice: random.Random) -> str:
    """One start and its end; returns the point it ended at, ``random`` when we ended it."""
    server.launch()
    ready = _follow(server)
    if line == "random" and ready:
        threading.Event().wait(dice.random() * 0.6)
    elif line != "random":
        for _ in range(int(LONGEST_LIFE_SECONDS / 0.02)):
            if server.process.poll() is not None:
                return line.partition(":")[0]
            threading.Event().wait(0.02)
    server.kill()
    return "random"


def _follow(server: ServerProcess) -> bool:
    """Waits until the server answers or is dead; true when it answers."""
    try:
        server.wait_ready(seconds=60)
    except (RuntimeError, httpx.HTTPError):
        if server.process.poll() is None:
            raise
        return False
    return True
