"""A full disk and a full backlog: refused and said so, nothing lost, recovered without help."""

import os
import resource
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from crash.drive import COMMAND

from tollkeeper.testing.contents import contents
from tollkeeper.testing.server import ServerProcess

MEGABYTE = 1024 * 1024


def event(number: int, body_bytes: int = 0) -> dict[str, Any]:
    return {
        "transaction_id": f"event-{number}",
        "request": {
            "time": "2026-10-01T00:00:00Z",
            "uri": f"/things/{number}",
            "verb": "POST",
            # Of many characters, so that no store makes it small.
            "body": "".join(chr(33 + (number * 7 + i * i) % 80) for i in range(body_bytes)),
        },
        "user_id": "ann",
    }


def until(true: Callable[[], bool], *, seconds: float = 40) -> None:
    pause = threading.Event()
    for _ in range(int(seconds / 0.1)):
        if true():
            return
        pause.wait(0.1)
    raise AssertionError("it did not come in time")


def ready(server: ServerProcess) -> int:
    return httpx.get(f"{server.url}/health/ready").status_code


def check(server: ServerProcess, acknowledged: set[str]) -> None:
    """Everything acknowledged is there once, and counted."""
    server.settle()
    assert server.stop() == 0, server.log
    found = contents(server.data)
    assert found.ids == dict.fromkeys(acknowledged, 1)
    assert found.usage_hour == found.counters == {"ann": (len(acknowledged), len(acknowledged))}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own of 160 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", str(folder)]
    subprocess.run(mounted, check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Takes all the room that is left."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (MEGABYTE, 4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue


def refuses_and_recovers(
    server: ServerProcess, fill: Callable[[], None], empty: Callable[[], None]
) -> None:
    """Sends, fills the disk, sees the refusal everywhere, makes room, and counts what is there."""
    acknowledged: set[str] = set()
    numbers = iter(range(10_000))
    refusals = 0

    def send(client: httpx.Client) -> bool:
        nonlocal refusals
        batch = [event(next(numbers), 20_000) for _ in range(5)]
        answer = client.post("/v1/events/batch", json=batch)
        assert answer.status_code in {201, 503}, answer.text
        if answer.status_code == 503:
            refusals += 1
            assert int(answer.headers["retry-after"]) > 0
            assert answer.json()["code"] == "journal_full"
            return False
        acknowledged.update(one["transaction_id"] for one in batch)
        return True

    try:
        with server, server.collector() as client, server.client() as api:
            assert send(client)
            server.settle()
            fill()
            until(lambda: not send(client))
            assert ready(server) == 503
            status = api.get("/api/status").json()
            assert status["accepting"] is False
            assert "disk" in status["refusal"] or "journal" in status["refusal"]
            empty()
            until(lambda: ready(server) == 200)
            until(lambda: send(client))
            assert api.get("/api/status").json()["accepting"] is True
            check(server, acknowledged)
    finally:
        server.kill()
    assert refusals > 0


# Only root may mount a disk of its own; for all others the test after these shows the same.
if os.geteuid() == 0:

    @pytest.mark.crash
    @pytest.mark.timeout(180)
    @pytest.mark.parametrize("least_free_bytes", [0, 20 * MEGABYTE], ids=["really", "nearly"])
    def test_a_full_disk_refuses_and_recovers_by_itself(
        small_disk: Path, least_free_bytes: int
    ) -> None:
        server = ServerProcess(
            small_disk / "data", environment={"TOLLKEEPER_MIN_FREE_BYTES": str(least_free_bytes)}
        )
        refuses_and_recovers(
            server, lambda: fill(small_disk), lambda: (small_disk / "ballast").unlink()
        )


@pytest.mark.crash
@pytest.mark.timeout(180)
def test_writes_that_fail_are_refusals_and_recovery_needs_nobody(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data")

    def limit(file_bytes: int) -> None:
        hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (file_bytes, hard))

    # From then on no file can grow or be made: as on a full disk, but in the middle of a write.
    refuses_and_recovers(server, lambda: limit(0), lambda: limit(resource.RLIM_INFINITY))


@pytest.mark.crash
def test_a_full_backlog_refuses_until_it_drains(tmp_path: Path) -> None:
    server = ServerProcess(
        tmp_path,
        environment={"TOLLKEEPER_BACKLOG_BYTES": "100000"},
        command=COMMAND,
        arguments=["--hold-at", "pipeline.begun"],
    )
    hold = tmp_path / "hold"
    hold.touch()
    acknowledged = 0
    try:
        with server, server.collector() as client, server.client() as api:
            for number in range(1000):
                answer = client.post("/v1/events/batch", json=[event(number, 1000)])
                if answer.status_code != 201:
                    break
                acknowledged += 1
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
            assert "backlog" in answer.json()["detail"]
            assert 50 < acknowledged < 120
            status = api.get("/api/status").json()
            assert status["accepting"] is False
            assert "backlog" in status["refusal"]
            assert status["journal"]["backlog_entries"] == acknowledged
            assert ready(server) == 503
            hold.unlink()
            until(lambda: ready(server) == 200)
            again = client.post("/v1/events/batch", json=[event(acknowledged, 1000)])
            assert again.status_code == 201
            check(server, {f"event-{number}" for number in range(acknowledged + 1)})
    finally:
        server.kill()


@pytest.mark.crash
def test_waiting_for_results_does_not_hold_up_the_end(tmp_path: Path) -> None:
    hold = tmp_path / "hold"
    server = ServerProcess(tmp_path, command=COMMAND, arguments=["--hold-at", "pipeline.begun"])
    tmp_path.mkdir(exist_ok=True)
    hold.touch()
    try:
        with server, server.collector() as client:

            def ask() -> None:
                # Ends without results, one way or the other; what was accepted is kept all the same.
                with suppress(httpx.HTTPError):
                    client.post("/v1/events/batch?results=items", json=[event(1)])

            asking = threading.Thread(target=ask)
            asking.start()
            until(lambda: _waits(server))
            # Longer than running requests are waited for, shorter than results are.
            threading.Timer(7, hold.unlink).start()
            server.process.terminate()
            assert server.process.wait(20) == 0
            asking.join()
        assert contents(tmp_path).ids == {"event-1": 1}
    finally:
        server.kill()


def _waits(server: ServerProcess) -> bool:
    with server.client() as api:
        waits: bool = api.get("/api/status").json()["journal"]["backlog_entries"] == 1
    return waits
