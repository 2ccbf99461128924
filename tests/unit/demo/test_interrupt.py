import subprocess
import sys

import pytest

# Signals belong to a whole process, so each promise is tried in one of its own.
SCRIPT = """
import os, signal, threading
from tollkeeper.demo.interrupt import heed

class Watched(threading.Event):
    by = None
    def set(self):
        self.by = threading.current_thread()
        super().set()

stop = Watched()
heed(stop)
"""


def run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT + script], capture_output=True, text=True, timeout=20
    )


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_sets_the_event_but_never_in_the_thread_that_it_interrupts(name: str) -> None:
    done = run(
        f"os.kill(os.getpid(), signal.{name})\n"
        "assert stop.wait(10)\n"
        "assert stop.by is not threading.main_thread()\n"
    )
    assert done.returncode == 0, done.stderr


def test_a_signal_that_comes_while_the_events_lock_is_held_does_not_hang() -> None:
    done = run(
        "with stop._cond:\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    threading.Event().wait(0.1)\n"
        "assert stop.wait(10)\n"
    )
    assert done.returncode == 0, done.stderr


def test_a_second_signal_ends_the_process_at_once_whatever_it_waits_for() -> None:
    done = run(
        "os.kill(os.getpid(), signal.SIGINT)\n"
        "stop.wait(10)\n"
        "os.kill(os.getpid(), signal.SIGINT)\n"
        "lock = threading.Lock()\n"
        "lock.acquire()\n"
        "lock.acquire()\n"
    )
    assert done.returncode == 130, done.stderr
