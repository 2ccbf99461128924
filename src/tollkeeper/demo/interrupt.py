"""Ctrl-C: the first ends the demo in good order, the second at once.

Guarantee: neither takes a lock in the thread that the signal interrupts. That thread may well be
inside the very event that is to be set, holding the lock of it, and would then wait for ever.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType

_SHOW_CURSOR = b"\x1b[?25h"
_INTERRUPTED = 130


def heed(stop: threading.Event) -> None:
    """From now on the first SIGINT or SIGTERM sets ``stop``, the next ends this process.

    Whatever it started follows by itself, being on a leash. For the main thread, once.
    """
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)

    def wait() -> None:
        os.read(read_end, 1)
        stop.set()
        os.read(read_end, 1)
        if sys.__stdout__ is not None and sys.__stdout__.isatty():
            # The live table hides it.
            os.write(sys.__stdout__.fileno(), _SHOW_CURSOR)
        os._exit(_INTERRUPTED)

    threading.Thread(target=wait, name="interrupt", daemon=True).start()
    # The interpreter itself writes to the pipe when the signal comes, whatever Python code does.
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _no_exception)


def _no_exception(_number: int, _frame: FrameType | None) -> None:
    """The signal is on its way through the pipe; no KeyboardInterrupt is needed."""
