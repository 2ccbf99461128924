"""Keeps the event store's copy of bindings and attributes behind the records by a second at most.

Rows are sent in order of their version, so the largest version there tells how far the copy is,
whatever was killed when. Rows sent twice are one row there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import structlog
from sqlalchemy import Engine, Integer, Select, cast, literal, select, union_all
from sqlalchemy.exc import SQLAlchemyError

from tollkeeper.clock import Clock
from tollkeeper.errors import StoreError
from tollkeeper.store.events import Answer
from tollkeeper.store.records import last_version, read
from tollkeeper.store.tables import bindings, customers, users

_ROWS_PER_INSERT = 10_000
_LOOK_SECONDS = 0.5

_log = structlog.get_logger(__name__)


class Copies(Protocol):
    """What the mirror needs of the event store; ``EventStore`` is one."""

    def query(self, text: str) -> Answer:
        """Rows of a SELECT."""
        ...

    def insert_rows(self, table: str, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Appends rows to a table."""
        ...

    def command(self, text: str) -> None:
        """Runs a statement that gives no rows."""
        ...


class _Copy(NamedTuple):
    """One copied table: how to read what is new here, and to ask there how far it is."""

    table: str
    names: tuple[str, ...]
    source: Callable[[int], Select[Any]]
    largest: str
    clear: str


class Mirror:
    """Sends changed rows, once or (after a crash) again.

    Guarantee: when ``run_once`` returns, everything that was committed before it began is in the
    event store.
    """

    def __init__(
        self,
        records: Engine,
        events: Copies,
        *,
        clock: Clock,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """``changed`` is called after rows arrived there, on the mirror's thread."""
        self._records = records
        self._events = events
        self._clock = clock
        self._changed = changed
        self._sent: dict[str, int] = {}
        self._look = threading.Event()
        self._stopping = False

    def run_once(self) -> int:
        """Sends what is new and returns how many rows that were.

        Raises:
            StoreError: the event store did not take them; the next call sends them again.
        """
        with read(self._records) as connection:
            newest = last_version(connection)
        if not self._sent:
            self._sent = self._begin(newest)
        sent_count = sum(self._send(copy, newest) for copy in _COPIES)
        if sent_count:
            self._changed()
        return sent_count

    def run(self) -> None:
        """Sends what is new, twice a second and when woken, until stopped; for a thread."""
        while not self._stopping:
            try:
                self.run_once()
            except (StoreError, SQLAlchemyError) as error:
                _log.warning("bindings_not_copied", error=str(error))
            self._clock.wait(self._look, _LOOK_SECONDS)
            if not self._stopping:
                self._look.clear()

    def wake(self) -> None:
        """Lets the thread look now; for whoever just committed a change."""
        self._look.set()

    def stop(self) -> None:
        """Lets ``run`` return."""
        self._stopping = True
        self._look.set()

    def _begin(self, newest: int) -> dict[str, int]:
        there = {copy.table: _largest(self._events, copy) for copy in _COPIES}
        if max(there.values()) > newest:
            # The records were put back to an earlier day, or begun anew: their rows would lose
            # against later ones there. The copy holds nothing of its own, so it is made again.
            _log.warning("copy_is_newer_than_records", copy=max(there.values()), records=newest)
            for copy in _COPIES:
                self._events.command(copy.clear)
                there[copy.table] = 0
        return there

    def _send(self, copy: _Copy, newest: int) -> int:
        sent_count = 0
        while self._sent[copy.table] < newest:
            with read(self._records) as connection:
                rows = [
                    tuple(row) for row in connection.execute(copy.source(self._sent[copy.table]))
                ]
            if rows:
                self._events.insert_rows(copy.table, copy.names, rows)
            full = len(rows) == _ROWS_PER_INSERT
            self._sent[copy.table] = (
                rows[-1][-1] if full else max(newest, rows[-1][-1] if rows else 0)
            )
            sent_count += len(rows)
        return sent_count


def _largest(events: Copies, copy: _Copy) -> int:
    return int(events.query(copy.largest).rows[0][0])


def _new_bindings(after: int) -> Select[Any]:
    c = bindings.c
    columns = (c.application, c.kind, c.key, c.valid_from_us, c.valid_to_us, c.user, c.customer)
    return (
        select(*columns, cast(c.deleted, Integer), c.version)
        .where(c.version > after)
        .order_by(c.version)
        .limit(_ROWS_PER_INSERT)
    )


def _new_attributes(after: int) -> Select[Any]:
    parts = union_all(
        *(
            select(
                table.c.application,
                literal(kind).label("kind"),
                table.c.id,
                table.c.attributes,
                table.c.version,
            ).where(table.c.version > after)
            for kind, table in (("user", users), ("customer", customers))
        )
    ).subquery()
    return select(parts).order_by(parts.c.version).limit(_ROWS_PER_INSERT)


_COPIES = (
    _Copy(
        "bindings",
        (
            "application",
            "kind",
            "key",
            "valid_from",
            "valid_to",
            "user",
            "customer",
            "deleted",
            "version",
        ),
        _new_bindings,
        "SELECT max(version) FROM bindings",
        "TRUNCATE TABLE bindings",
    ),
    _Copy(
        "attributes",
        ("application", "kind", "id", "attributes", "version"),
        _new_attributes,
        "SELECT max(version) FROM attributes",
        "TRUNCATE TABLE attributes",
    ),
)
