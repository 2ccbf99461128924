"""A host with a spool is killed again and again; every call it handed in arrives, and as one event."""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tollkeeper.capture.agent import Agent
from tollkeeper.capture.options import read_options
from tollkeeper.capture.send import Pauses

HOST = Path(__file__).with_name("spool_host.py")
APPLICATION_ID = "crash-test-" + "0123456789" * 5
POINTS = [
    "written",
    "torn",
    "segment_closed",
    "before_delivery",
    "delivered",
    "settled",
    "adopting",
    "adopted",
]


class FlakyCollector:
    """Takes batches, fails some, and tells nobody of some that it took; counts ids by call number."""

    def __init__(self, seed: int) -> None:
        self.ids: dict[int, set[str]] = defaultdict(set)
        self.calm = False
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                collector.take(self)

            def log_message(self, *arguments: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *arguments: Any) -> None:
                pass  # its clients get killed

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def take(self, handler: BaseHTTPRequestHandler) -> None:
        events = json.loads(
            gzip.decompress(handler.rfile.read(int(handler.headers["Content-Length"])))
        )
        with self._lock:
            dice = 1.0 if self.calm else self._chance.random()
            if dice > 0.3:
                for event in events:
                    number = int(event["request"]["uri"].rpartition("/")[2])
                    self.ids[number].add(event["transaction_id"])
        if dice < 0.2 or 0.3 < dice < 0.4:  # refused, or taken with the answer lost
            handler.close_connection = True
            handler.connection.close()
            return
        handler.send_response(201 if dice > 0.3 else 503)
        handler.send_header("Content-Length", "2")
        handler.end_headers()
        handler.wfile.write(b"{}")

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def run(
    tmp_path: Path, points: list[str], *, bug: str = "-", seed: int = 1
) -> tuple[set[int], FlakyCollector, int]:
    """Kills a host at each of the points, lets a last agent inherit; returns what was handed in and what came."""
    collector, chance = FlakyCollector(seed), random.Random(seed)
    record, spool = tmp_path / "record", tmp_path / "spool"
    command = [sys.executable, str(HOST), str(spool), collector.url, str(record), bug]
    kills = 0
    try:
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as host:
            assert host.stdin is not None
            assert host.stdout is not None
            for point in points:
                host.stdin.write(point + "\n")
                host.stdin.flush()
                pid = int(host.stdout.readline())
                timer = threading.Timer(5, os.kill, (pid, signal.SIGKILL))
                if point == "never":
                    wait_for_growth(record)
                    time.sleep(chance.uniform(0.02, 0.3))
                    os.kill(pid, signal.SIGKILL)
                else:
                    timer.start()
                assert host.stdout.readline() == "dead\n"
                timer.cancel()
                kills += 1
            host.stdin.close()
        collector.calm = True
        heir = Agent(
            read_options(
                application_id=APPLICATION_ID,
                url=collector.url,
                spool_directory=str(spool),
                environment={},
            ),
            pauses=Pauses(0.01, 0.05),
        )
        assert heir.flush(60)
        heir.close(5)
    finally:
        collector.stop()
    text = record.read_text() if record.exists() else ""
    return {int(line) for line in text.split("\n")[:-1]}, collector, kills


def wait_for_growth(file: Path) -> None:
    """Returns once the host has handed calls in."""
    size = file.stat().st_size if file.exists() else 0
    deadline = time.monotonic() + 20
    while (file.stat().st_size if file.exists() else 0) == size:
        assert time.monotonic() < deadline, "the host hands nothing in"
        time.sleep(0.005)


def lost(handed_in: set[int], collector: FlakyCollector) -> set[int]:
    return handed_in - collector.ids.keys()


@pytest.mark.crash
def test_fifty_kills_of_the_host_lose_and_double_nothing(tmp_path):
    points = ["never"] * 34 + POINTS * 2
    random.Random(7).shuffle(points)
    handed_in, collector, kills = run(tmp_path, points, seed=7)
    assert kills == 50
    assert len(handed_in) > 1000
    assert lost(handed_in, collector) == set()
    assert [number for number, ids in collector.ids.items() if len(ids) > 1] == []
    # A kill may come between `finish` and the record, once in each of a host's two threads.
    assert len(collector.ids.keys() - handed_in) <= 2 * kills
    assert list((tmp_path / "spool").rglob("*.seg")) == []


@pytest.mark.crash
@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_each_named_point_loses_nothing(tmp_path, point):
    handed_in, collector, _ = run(tmp_path, ["never", point, point], seed=3)
    assert handed_in
    assert lost(handed_in, collector) == set()
    assert all(len(ids) == 1 for ids in collector.ids.values())


@pytest.mark.crash
@pytest.mark.parametrize("bug", ["late_write", "early_settle"])
def test_the_harness_notices_a_planted_bug(tmp_path, bug):
    handed_in, collector, _ = run(tmp_path, ["never"] * 8, bug=bug, seed=5)
    assert lost(handed_in, collector)
