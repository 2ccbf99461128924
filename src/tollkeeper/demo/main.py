"""The demo's command line."""

from __future__ import annotations

import argparse
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tollkeeper.clock import SYSTEM_CLOCK
from tollkeeper.demo.interrupt import heed
from tollkeeper.demo.run import Plan, run
from tollkeeper.errors import TollkeeperError

PORT = 8600
_PLAIN_WIDTH = 120
FOLDER = Path(".tollkeeper") / "demo"
MISCOUNT = "DEMO_MISCOUNT"
"""Environment variable that adds calls that nobody made: shows that the comparison can fail."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the demo; exit code 0 when every call was counted, 1 when not or when something broke."""
    plan = _plan(arguments)
    stop = threading.Event()
    heed(stop)
    # Where there is no terminal, its width is not known, and lines may be long.
    width = None if sys.stdout.isatty() else _PLAIN_WIDTH
    console = Console(highlight=False, markup=False, emoji=False, width=width)
    try:
        equal = run(plan, stop=stop, clock=SYSTEM_CLOCK, console=console)
    except TollkeeperError as error:
        print(f"error: {error.detail}", file=sys.stderr)
        sys.exit(1)
    sys.exit(0 if equal else 1)


def _plan(arguments: Sequence[str] | None) -> Plan:
    parser = argparse.ArgumentParser(
        prog="python -m tollkeeper.demo",
        description="A server, a sample API and forty partners that call it; counted to the call.",
    )
    parser.add_argument("--seconds", type=float, help="end after so many seconds of calls")
    parser.add_argument(
        "--data", type=Path, default=FOLDER, help=f"folder, kept for the next run ({FOLDER})"
    )
    parser.add_argument(
        "--port", type=int, default=PORT, help=f"port of the server; another if taken ({PORT})"
    )
    parser.add_argument("--days", type=int, default=30, help="days of sample history (30)")
    parser.add_argument("--seed", type=int, default=513, help="of the sample history (513)")
    given = parser.parse_args(arguments)
    if given.seconds is not None and given.seconds <= 0:
        parser.error("--seconds must be more than 0")
    if not 0 <= given.days <= 365:
        parser.error("--days must be between 0 and 365")
    return Plan(
        folder=given.data,
        port=given.port,
        seconds=given.seconds,
        days=given.days,
        seed=given.seed,
        miscount=int(os.environ.get(MISCOUNT, "0")),
    )
