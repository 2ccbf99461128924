"""Ties a process to the one that started it.

``python -m tollkeeper.demo.leash serve …`` is ``tollkeeper serve …`` that ends when the demo does,
however the demo ended.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading


def follow() -> None:
    """Sends SIGTERM to this process when standard input, a pipe from the demo, ends."""

    def watch() -> None:
        # Not through sys.stdin: its lock, held by a thread, breaks the interpreter's shutdown.
        while os.read(0, 1024):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="leash", daemon=True).start()


def main() -> None:
    """Runs Tollkeeper's command line on a leash."""
    follow()
    sys.argv[0] = "tollkeeper"
    runpy.run_module("tollkeeper", run_name="__main__")


if __name__ == "__main__":
    main()
