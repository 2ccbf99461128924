import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tollkeeper.testing.server import ServerProcess


def call(number: int, user: str) -> dict[str, Any]:
    request = {"time": "2026-11-18T13:00:00Z", "uri": "https://h/live", "verb": "GET"}
    return {"transaction_id": f"live-{user}-{number}", "request": request, "user_id": user}


class Tail:
    """A running ``tollkeeper tail``; its lines come as they are written."""

    def __init__(self, server: ServerProcess, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tollkeeper", "tail", "--data", str(server.data), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self.said: list[str] = []
        self.is_live = threading.Semaphore(0)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line)
            if line.startswith("live"):
                self.is_live.release()

    def wait_live(self) -> None:
        assert self.is_live.acquire(timeout=30), self.said

    def end(self) -> list[str]:
        assert self.process.stdout is not None
        with self.process.stdout as out:
            lines = out.read().splitlines()
        self.process.wait(30)
        self._reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()
        return lines


def send(server: ServerProcess, *events: dict[str, Any]) -> None:
    with server.collector() as collector:
        assert collector.post("/v1/events/batch", json=list(events)).status_code == 201


def test_tail_shows_calls_that_the_filter_holds_for(server: ServerProcess) -> None:
    tail = Tail(server, "--where", "user:watched", "--json", "--limit", "2")
    tail.wait_live()
    send(server, call(1, "watched"), call(1, "other"), call(2, "watched"))
    lines = tail.end()
    assert [json.loads(line)["id"] for line in lines] == ["live-watched-1", "live-watched-2"]
    assert tail.process.returncode == 0


def test_tail_goes_on_where_it_was_after_a_restart(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data")
    with server:
        address = server.url
        port = address.rpartition(":")[2]
        tail = Tail(
            server, "--url", address, "--token", server.admin_token, "--json", "--limit", "3"
        )
        tail.wait_live()
        send(server, call(1, "u"))
        server.settle()
    again = ServerProcess(tmp_path / "data", arguments=("--port", port))
    with again:
        send(again, call(2, "u"), call(3, "u"))
        lines = tail.end()
    assert sorted(json.loads(line)["id"] for line in lines) == ["live-u-1", "live-u-2", "live-u-3"]
    assert any("trying again" in line for line in tail.said)


def test_ctrl_c_ends_tail_without_an_error(server: ServerProcess) -> None:
    tail = Tail(server)
    tail.wait_live()
    tail.process.send_signal(signal.SIGINT)
    assert tail.end() == []
    assert tail.process.returncode == 0
    assert "Traceback" not in "".join(tail.said)


def test_the_doctor_finds_a_running_server_well(run: Any, server: ServerProcess) -> None:
    found = {f["name"]: f["state"] for f in json.loads(run("doctor", "--json").stdout)}
    assert found == {
        "connection": "ok", "ready": "ok", "version": "ok", "clock": "ok", "accepting": "ok",
        "backlog": "ok", "quarantine": "ok", "drops": "ok", "events": "ok", "disk": "ok",
        "permissions": found["permissions"],
    }  # fmt: skip
    assert server.url in run("doctor").stdout


def test_the_doctor_warns_of_losses_and_of_open_folders(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with ServerProcess(data) as server:
        report = {"instance": "8a7e", "agent": "test", "dropped": {"queue_full": 12}}
        with server.collector() as collector:
            collector.headers["x-tollkeeper-capture"] = json.dumps(report)
            collector.post("/v1/events/batch?results=items", json=[call(1, "u"), {"request": {}}])
        data.chmod(0o755)
        found = {f["name"]: f for f in doctor(data)}
    assert found["drops"]["state"] == "warn"
    assert "12 queue_full" in found["drops"]["detail"]
    assert found["quarantine"]["state"] == "warn"
    assert found["permissions"]["state"] == "warn"
    assert all(finding["advice"] for finding in found.values() if finding["state"] != "ok")


def doctor(data: Path, code: int = 0) -> list[dict[str, str]]:
    done = subprocess.run(
        [sys.executable, "-m", "tollkeeper", "doctor", "--json", "--data", str(data)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    found: list[dict[str, str]] = json.loads(done.stdout)
    return found


def test_the_doctor_fails_where_there_is_no_server(tmp_path: Path) -> None:
    assert [f["state"] for f in doctor(tmp_path / "none", code=1)] == ["fail"]


def test_commands_work_on_a_folder_whose_server_does_not_run(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with ServerProcess(data) as server:
        send(server, call(1, "513"), call(2, "513"))
        server.settle()

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tollkeeper", *arguments, "--data", str(data)],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    assert run("usage", "--since", "2026-11-18", "--csv").stdout == "user,count\n513,2\n"
    assert run("recount").returncode == 0
    (tmp_path / "in.jsonl").write_text(json.dumps(call(3, "513")))
    assert "1  stored" in run("import", str(tmp_path / "in.jsonl")).stdout
    assert run("usage", "--since", "2026-11-18", "--csv").stdout == "user,count\n513,3\n"
    done = run("tail")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no server runs" in done.stderr


def test_a_folder_that_another_process_owns_is_refused_in_one_line(server: ServerProcess) -> None:
    file = server.data / "server.json"
    kept = file.read_bytes()
    file.unlink()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tollkeeper", "usage", "--data", str(server.data)],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    finally:
        file.write_bytes(kept)
    assert done.returncode == 1
    assert "another process uses" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("secret", ["TOLLKEEPER_ADMIN_TOKEN", "TOLLKEEPER_APPLICATION_ID"])
def test_check_config_names_origins_and_masks_secrets(secret: str) -> None:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("TOLLKEEPER_")}
    value = "tk_" + "z" * 60
    environment = {**clean, secret: value, "TOLLKEEPER_PORT": "9000"}
    done = check_config(environment, "--json")
    found = {row["name"]: row for row in json.loads(done.stdout)["server"]}
    assert (found["port"]["value"], found["port"]["origin"]) == (9000, "TOLLKEEPER_PORT")
    assert (found["host"]["value"], found["host"]["origin"]) == ("127.0.0.1", "default")
    assert found[secret.removeprefix("TOLLKEEPER_").lower()]["origin"] == secret
    assert value not in done.stdout + check_config(environment).stdout


def test_check_config_refuses_unknown_and_wrong_settings() -> None:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("TOLLKEEPER_")}
    unknown = check_config({**clean, "TOLLKEEPER_PROT": "1"}, code=1)
    assert "did you mean TOLLKEEPER_PORT" in unknown.stderr
    wrong = check_config({**clean, "TOLLKEEPER_PORT": "many"}, code=1)
    assert len(wrong.stderr.splitlines()) == 1


def check_config(
    environment: dict[str, str], *arguments: str, code: int = 0
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "tollkeeper", "check-config", *arguments],
        env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done
