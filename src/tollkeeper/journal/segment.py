"""One file of the journal: a SQLite database in WAL mode with ``synchronous=FULL``.

Guarantee: after ``write`` returns, its entries survive a crash of the process and of the machine;
if it raises, none of them is there.
Source: sqlite.org, "Atomic Commit" and "Write-Ahead Logging".
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from tollkeeper.journal.entry import Entry

SUFFIX = ".journal"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (
    position INTEGER PRIMARY KEY,
    application TEXT NOT NULL,
    resource TEXT NOT NULL,
    source TEXT NOT NULL,
    received_us INTEGER NOT NULL,
    attributes TEXT NOT NULL,
    count INTEGER NOT NULL,
    body BLOB NOT NULL
)"""
_STORED = 8  # an entry's fields that are kept on disk
_INSERT = "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_READ = "SELECT * FROM entry WHERE position > ? ORDER BY position"
_SPAN = (
    "SELECT COUNT(*), COALESCE(SUM(LENGTH(body)), 0), MAX(position) FROM entry WHERE position > ?"
)


class Segment:
    """A journal file, named by the position of its first entry.

    Shape: the file is ``<first position, 20 digits>.journal`` with SQLite's own ``-wal`` beside.
    One thread writes; reads use connections of their own.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.first = int(path.stem)
        self._writer = self._connect()
        try:
            path.chmod(0o600)
            self._writer.execute(_SCHEMA)
        except (sqlite3.Error, OSError):
            self._writer.close()
            raise
        self._reader: sqlite3.Connection | None = None

    @classmethod
    def create(cls, folder: Path, first: int) -> Segment:
        """A new file for entries from ``first`` on."""
        made = cls(folder / f"{first:020d}{SUFFIX}")
        sync_folder(folder)
        return made

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA journal_size_limit=67108864")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def write(self, entries: Sequence[Entry]) -> None:
        """Adds entries in one fsynced transaction.

        Raises:
            sqlite3.Error: the disk is full or broken; nothing of this call is kept.
        """
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            self._writer.executemany(_INSERT, (entry[:_STORED] for entry in entries))
            self._writer.execute("COMMIT")
        except BaseException:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise

    def touch(self) -> None:
        """Writes and fsyncs something that means nothing, to learn whether that is possible.

        Raises:
            sqlite3.Error: it is not.
        """
        (number,) = self._writer.execute("PRAGMA user_version").fetchone()
        self._writer.execute(f"PRAGMA user_version = {(number + 1) % 2**31}")

    def read(self, after: int) -> Iterator[Entry]:
        """Committed entries behind a position, in order. For one reading thread."""
        if self._reader is None:
            self._reader = self._connect()
        cursor = self._reader.execute(_READ, (after,))
        try:
            for row in cursor:
                yield Entry(*row)
        finally:
            cursor.close()

    def span(self, after: int) -> tuple[int, int, int | None]:
        """Number of entries, bytes of their bodies and the last position, behind a position."""
        count, size, last = self._writer.execute(_SPAN, (after,)).fetchone()
        return count, size, last

    def size_bytes(self) -> int:
        """Bytes on disk, with the write-ahead log."""
        wal = self.path.with_name(self.path.name + "-wal")
        return sum(p.stat().st_size for p in (self.path, wal) if p.exists())

    def close(self) -> None:
        """Closes the connections; SQLite folds the write-ahead log into the file."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self._writer.close()

    def drop(self) -> None:
        """Closes and deletes the file with all that SQLite put beside it."""
        self.close()
        for path in self.path.parent.glob(self.path.name + "*"):
            path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable, as fsync makes a file's content."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
