"""A server that ends itself at a named point, or that has a bug: what crash tests run.

    python -m tollkeeper.testing.crashing serve --data DIR --port 0 --crash-at pipeline.stored:3
    python -m tollkeeper.testing.crashing serve --data DIR --port 0 --bug no_dedupe
    python -m tollkeeper.testing.crashing serve --data DIR --port 0 --hold-at pipeline.begun

``--crash-at POINT:N`` sends itself SIGKILL when it passes the point for the N-th time;
``--hold-at POINT`` waits there as long as the file ``hold`` lies in the data folder. The bugs are
planted to show that the harness sees them; nothing else imports this module.
"""

from __future__ import annotations

import argparse
import os
import signal
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tollkeeper.app import server
from tollkeeper.app.listen import listen
from tollkeeper.app.log import configure
from tollkeeper.app.settings import server_settings
from tollkeeper.ingest import steps
from tollkeeper.ingest.block import Block
from tollkeeper.ingest.pipeline import Pipeline
from tollkeeper.ingest.seen import Keys, Seen
from tollkeeper.journal.entry import Entry
from tollkeeper.journal.journal import Journal
from tollkeeper.store import progress
from tollkeeper.store.records import write

POINTS = (
    "journal.before_commit",
    "journal.after_commit",
    "journal.rotated",
    "pipeline.begun",
    "pipeline.stored",
    "pipeline.counted",
    "pipeline.released",
    "pipeline.replay",
)


class Fault:
    """Called at every named point; ends or holds the process at one of them."""

    def __init__(self, *, crash_at: str, hold_at: str, hold: Path) -> None:
        point, _, number = crash_at.partition(":")
        self._point = point
        self._left = int(number or 1)
        self._hold_at = hold_at
        self._hold = hold
        self._pause = threading.Event()

    def __call__(self, point: str) -> None:
        """Passes a point, or does not."""
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        if point == self._hold_at:
            while self._hold.exists():
                self._pause.wait(0.02)


class _AnswersBeforeCommit(Journal):
    """Bug: what is acknowledged is only in memory yet."""

    def append(self, entry: Entry) -> Future[int]:
        done: Future[int] = Future()
        done.set_result(self.last_position + 1)
        super().append(entry)
        return done


class _NamesBlocksAnew(Pipeline):
    """Bug: the store cannot recognise a block that comes again."""

    def _insert(self, block: Block) -> None:
        self._store.insert_block(block.events, token=os.urandom(8).hex())


class _CountsApart(Pipeline):
    """Bug: counters move in a transaction of their own."""

    def _count(self, block: Block) -> None:
        with write(self._records) as connection:
            steps.count(connection, block)
        self._fault("pipeline.counted")
        with write(self._records) as connection:
            steps.record(connection, block)
            self._parties.apply(connection, block)
            progress.finish(connection, block.last)


class _MovesPositionFirst(Pipeline):
    """Bug: the position says stored before anything is."""

    def _begin(self, block: Block) -> None:
        with write(self._records) as connection:
            progress.finish(connection, block.last)

    def _count(self, block: Block) -> None:
        with write(self._records) as connection:
            steps.count(connection, block)
            steps.record(connection, block)


class _ForgetsHalfBlocks(Pipeline):
    """Bug: after a crash the block under way is not sent again as it was."""

    def _next_entries(self) -> list[Entry]:
        self._half = None
        return super()._next_entries()


class _SeesNothingTwice(Seen):
    """Bug: the filter says of every event that it surely is new."""

    def maybe(self, keys: Keys) -> NDArray[np.bool_]:
        return np.zeros(len(keys), dtype=bool)


BUGS: Mapping[str, tuple[str, type]] = {
    "ack_before_commit": ("Journal", _AnswersBeforeCommit),
    "token_of_its_own": ("Pipeline", _NamesBlocksAnew),
    "counts_apart": ("Pipeline", _CountsApart),
    "position_first": ("Pipeline", _MovesPositionFirst),
    "replay_skipped": ("Pipeline", _ForgetsHalfBlocks),
    "no_dedupe": ("Seen", _SeesNothingTwice),
}
"""Name of a bug → which part of the server is replaced by which careless one."""


def main(install: Callable[[str, type], None]) -> None:
    """Serves with the faults that the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tollkeeper.testing.crashing")
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("--data", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--crash-at", default="")
    parser.add_argument("--hold-at", default="", choices=["", *POINTS])
    parser.add_argument("--bug", default="", choices=["", *BUGS])
    given = parser.parse_args()
    if given.crash_at and given.crash_at.partition(":")[0] not in POINTS:
        parser.error(f"no such point: {given.crash_at}")
    if given.bug:
        install(*BUGS[given.bug])
    settings = server_settings(os.environ, {"data": given.data, "port": given.port})
    configure(settings.log_format, settings.log_level)
    fault = Fault(crash_at=given.crash_at, hold_at=given.hold_at, hold=Path(settings.data) / "hold")
    listen(server.App(settings, fault=fault), ready=lambda _: None)


if __name__ == "__main__":
    main(lambda name, careless: setattr(server, name, careless))
