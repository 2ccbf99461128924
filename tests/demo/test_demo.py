import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from tollkeeper.clock import SYSTEM_CLOCK, format_us
from tollkeeper.demo.cast import OPAQUE_USER, partners


def demo(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ("-m", "tollkeeper.demo", "--data", str(folder), "--port", "0", "--days", "1")
    return subprocess.run(
        [sys.executable, *command, *arguments],
        env={**os.environ, **environment}, capture_output=True, text=True, timeout=110,
    )  # fmt: skip


def rows(output: str) -> dict[str, tuple[int, int]]:
    """Counted and made by user, of the last table."""
    table = output[output.rindex(" user ") :]
    found = re.findall(r"^ (\S+) .*?  ([\d,]+)  +([\d,]+)  +[\d,]+ ", table, re.MULTILINE)
    return {user: (int(c.replace(",", "")), int(m.replace(",", ""))) for user, c, m in found}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A demo of eight seconds that ended well: its folder and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    done = demo(folder, "--seconds", "8")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


def test_every_call_is_counted_with_its_owner(played: tuple[Path, str]) -> None:
    found = rows(played[1])
    total = found.pop("total")
    assert all(counted == made for counted, made in found.values())
    assert total == (sum(c for c, _ in found.values()), sum(m for _, m in found.values()))
    assert total[0] > 100
    assert {"513", "1234", "2560", OPAQUE_USER} <= set(found)
    assert len(partners()) >= 39


def test_the_dashboard_is_announced_and_the_history_is_there_first(
    played: tuple[Path, str],
) -> None:
    output = played[1]
    assert re.search(r"[\d,]{4,} sample events sent and stored", output)
    assert output.index("sample events") < output.index("/login#token=")
    assert "The alias table learns" in output


def test_a_second_demo_goes_on_in_the_same_folder_and_a_miscount_fails_it(
    played: tuple[Path, str],
) -> None:
    done = demo(played[0], "--seconds", "3", DEMO_MISCOUNT="1")
    assert done.returncode == 1, done.stdout
    assert re.search(r"the server counted (\d+) calls, \d+ were made", done.stdout)
    total = rows(done.stdout)["total"]
    assert total[1] == total[0] + 1
    # What is sample stays marked as sample, and is stored once.
    usage = subprocess.run(
        [sys.executable, "-m", "tollkeeper", "usage", "--by", "source", "--json",
         "--data", str(played[0] / "data"), "--since", "3d"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    counts = dict(json.loads(usage.stdout)["rows"])
    assert set(counts) == {"sample", "native"}
    assert counts["native"] == sum(rows(text)["total"][0] for text in (played[1], done.stdout))


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, str]:
    """A second demo on a folder, with an event of somebody else, ended by Ctrl-C after seconds.

    Its folder, its exit code and what it printed.
    """
    folder = tmp_path_factory.mktemp("kept")
    done = demo(folder, "--seconds", "3")
    assert "The alias table learns" in done.stdout, done.stdout + done.stderr
    command = ("-m", "tollkeeper.demo", "--data", str(folder), "--port", "0", "--days", "1")
    process = subprocess.Popen(
        [sys.executable, "-u", *command], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    told = []
    with process.stdout as out:
        for line in out:
            told.append(line)
            if "calls made" in line and " 0 calls" not in line:
                break
        send_a_test_request(folder)
        os.killpg(process.pid, signal.SIGINT)
        told.append(out.read())
    return folder, process.wait(60), "".join(told)


def send_a_test_request(folder: Path) -> None:
    """What the dashboard sends when it is asked for a test request."""
    address = json.loads((folder / "data" / "server.json").read_bytes())
    now = format_us(SYSTEM_CLOCK.now_us())
    event = {
        "request": {"time": now, "verb": "GET", "uri": f"{address['url']}/hello-tollkeeper"},
        "response": {"time": now, "status": 500},
        "user_id": "test-user",
    }
    headers = {"x-moesif-application-id": address["collector_id"]}
    assert httpx.post(f"{address['url']}/v1/events", json=event, headers=headers).is_success


def test_ctrl_c_ends_the_demo_cleanly(stopped: tuple[Path, int, str]) -> None:
    folder, code, output = stopped
    assert code == 0, output
    assert "Equal: " in output
    assert not (folder / "data" / "server.json").exists()


def test_a_key_that_an_earlier_run_has_bound_belongs_to_its_owner_from_the_start(
    stopped: tuple[Path, int, str],
) -> None:
    output = stopped[2]
    assert "The alias table learns" not in output
    counted, made = rows(output)[OPAQUE_USER]
    assert counted == made > 0


def test_what_others_send_meanwhile_is_told_apart(stopped: tuple[Path, int, str]) -> None:
    output = stopped[2]
    assert "test-user" not in rows(output)
    assert "Not in the table: 1 events that partners did not cause." in output


def test_a_second_start_says_that_the_history_is_there(stopped: tuple[Path, int, str]) -> None:
    output = stopped[2]
    assert "The sample history is there already, from an earlier start" in output
    assert "sent and stored" not in output


def test_nothing_is_left_running_when_the_demo_is_killed(tmp_path: Path) -> None:
    command = ("-m", "tollkeeper.demo", "--data", str(tmp_path), "--port", "0", "--days", "0")
    process = subprocess.Popen([sys.executable, "-u", *command], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout as out:
        for line in out:
            if "calls made" in line:
                break
        address = json.loads((tmp_path / "data" / "server.json").read_bytes())
        process.kill()
        process.wait(30)
    for _ in range(600):
        try:
            os.kill(address["pid"], 0)
        except ProcessLookupError:
            return
        threading.Event().wait(0.1)
    raise AssertionError(f"the server {address['pid']} still runs")
