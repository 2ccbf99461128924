"""A host that forks, run as a process of its own: `forking_host.py <collector url> <own|busy> [<spool folder>]`.

Its exit code is 0 when each child could do its work.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable

from tollkeeper.capture.agent import Agent
from tollkeeper.capture.call import Call
from tollkeeper.capture.options import read_options


def call(path: str) -> Call:
    made = Call()
    made.host, made.path, made.status = "host", path, 200
    return made


def in_child(work: Callable[[], bool]) -> bool:
    """True when a forked child's work is done in time."""
    signal.alarm(30)  # inherited by no child, but it ends a parent that waits for one in vain
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        done = False
        try:
            done = work()
        finally:
            os._exit(0 if done else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def own(agent: Agent) -> bool:
    """Children send what they took, the parent what it took."""
    agent.finish(call("/parent/before"))
    parent = agent.instance

    def child(number: int) -> bool:
        agent.finish(call(f"/child/{number}"))
        fine = agent.instance != parent and agent.flush(10) and agent.stats()["sent"] == 1
        agent.close(5)
        return fine

    fine = all(in_child(lambda number=number: child(number)) for number in range(3))
    agent.finish(call("/parent/after"))
    return agent.flush(10) and fine


def busy(agent: Agent) -> bool:
    """Forks while other threads hand in calls and the sender is inside of a connection."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.0002):
            agent.finish(call("/parent"))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()

    def child() -> bool:
        agent.finish(call("/child"))
        return agent.flush(10)

    fine = [in_child(child) for _ in range(15)]
    stop.set()
    for thread in threads:
        thread.join()
    return all(fine)


def main() -> int:
    url, mode, *spool = sys.argv[1:]
    options = read_options(
        application_id="x" * 50,
        url=url,
        spool_directory=spool[0] if spool else None,
        batch_size=5 if mode == "busy" else 200,
        timer_wake_up_seconds=0.01 if mode == "busy" else 60,
        environment={},
    )
    agent = Agent(options)
    fine = {"own": own, "busy": busy}[mode](agent)
    agent.close(10)
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
