"""A host with a spool, made to be killed: forks one child per line of its input, which hands in calls until it dies.

    spool_host.py <spool folder> <collector url> <record file> <planted bug or ->

Each input line names the point at which the child kills itself (`never` leaves it to the test). The
child writes the number of each call to the record file once `finish` has returned.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any

from tollkeeper.capture.agent import Agent
from tollkeeper.capture.call import Call
from tollkeeper.capture.options import read_options
from tollkeeper.capture.send import Pauses, Sending
from tollkeeper.capture.spool import Spool

APPLICATION_ID = "crash-test-" + "0123456789" * 5


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def torn_write(spool: Spool, data: bytes) -> None:
    os.write(spool._descriptor, data[: len(data) // 2])
    die()


def after(owner: Any, name: str, count: int) -> None:
    """Kills the process right after the so-manieth run of a method."""
    inner, runs = getattr(owner, name), []

    def wrapped(*arguments: Any, **named: Any) -> Any:
        answer = inner(*arguments, **named)
        runs.append(1)
        if len(runs) >= count:
            die()
        return answer

    setattr(owner, name, wrapped)


def before(owner: Any, name: str, count: int) -> None:
    """Kills the process right before the so-manieth run of a method."""
    inner, runs = getattr(owner, name), []

    def wrapped(*arguments: Any, **named: Any) -> Any:
        runs.append(1)
        if len(runs) >= count:
            die()
        return inner(*arguments, **named)

    setattr(owner, name, wrapped)


POINTS = {
    "never": lambda: None,
    "written": lambda: after(Spool, "_write", 30),
    "torn": lambda: setattr(Spool, "_write", lambda spool, data: torn_write(spool, data)),
    "segment_closed": lambda: after(Spool, "_close_segment", 2),
    "before_delivery": lambda: before(Sending, "deliver", 2),
    "delivered": lambda: after(Sending, "deliver", 2),
    "settled": lambda: after(Spool, "settle", 2),
    "adopting": lambda: before(Spool, "_adopt_home", 1),
    "adopted": lambda: after(Spool, "_adopt_home", 1),
}


def plant(bug: str) -> None:
    """Breaks the spool in a way that the harness must notice."""
    if bug == "late_write":
        inner, held = Spool._write, []

        def later(spool: Spool, data: bytes) -> None:
            held.append(data)
            if len(held) >= 7:
                inner(spool, b"".join(held))
                held.clear()

        Spool._write = later  # type: ignore[method-assign]
    if bug == "early_settle":
        segment_of = Spool.next_segment

        def settled(spool: Spool, *, close_open: bool) -> Any:
            segment = segment_of(spool, close_open=close_open)
            if segment is not None:
                events = segment.events()
                segment.path.unlink(missing_ok=True)
                type(segment).events = lambda self: events  # type: ignore[method-assign]
            return segment

        Spool.next_segment = settled  # type: ignore[method-assign]


def hand_in(agent: Agent, record: int, start: int) -> None:
    number, pause = start, threading.Event()
    while True:
        if number % 20 < 2:
            pause.wait(0.005)  # about 1,500 calls a second
        call = Call()
        call.time_us = agent.clock.now_us()
        call.host, call.path, call.status = "host", f"/call/{number}", 200
        agent.finish(call)
        os.write(record, b"%d\n" % number)
        number += 2


def live(point: str, generation: int, directory: str, url: str, record_path: str) -> None:
    POINTS[point]()
    record = os.open(record_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    options = read_options(
        application_id=APPLICATION_ID, url=url, spool_directory=directory, batch_size=20,
        timer_wake_up_seconds=0.02, timeout_seconds=1, environment={},
    )  # fmt: skip
    agent = Agent(options, pauses=Pauses(0.01, 0.05))
    start = generation * 10_000_000
    threading.Thread(target=hand_in, args=(agent, record, start), daemon=True).start()
    hand_in(agent, record, start + 1)


def main() -> None:
    directory, url, record_path, bug = sys.argv[1:]
    plant(bug)
    for generation, line in enumerate(sys.stdin):
        pid = os.fork()
        if pid == 0:
            live(line.strip(), generation, directory, url, record_path)
        print(pid, flush=True)
        os.waitpid(pid, 0)
        print("dead", flush=True)


if __name__ == "__main__":
    main()
