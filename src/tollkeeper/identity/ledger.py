"""The alias table within one transaction: read once, changed as values, written once.

A row that no longer holds stays, marked as deleted, so that its going reaches the copy beside the
events. A learned row that was deleted is also the memory that a credential showed two users.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, select

from tollkeeper.identity.timeline import FOREVER_US, SINCE_EVER_US, Owner, Span, Timeline
from tollkeeper.store.records import replace_rows, take_versions
from tollkeeper.store.tables import bindings

CREDENTIAL = "credential"
USER = "user"

_KEYS_PER_QUERY = 500


class Ledger:
    """Timelines of keys of one application.

    Guarantee: from the first ``load`` until the transaction ends no other writer changes a
    binding. Nothing is written before ``flush``.
    """

    def __init__(self, connection: Connection, application: str) -> None:
        """Takes a connection in a transaction that may write."""
        self._connection = connection
        self._application = application
        self._rows: dict[tuple[str, str], list[Row[Any]]] = {}
        self._changed: dict[tuple[str, str], Timeline] = {}
        self._retired: set[str] = set()
        self._locked = False

    def load(self, kind: str, keys: Iterable[str]) -> None:
        """Reads the bindings of keys that were not read yet."""
        missing = [key for key in dict.fromkeys(keys) if (kind, key) not in self._rows]
        if missing and not self._locked:
            take_versions(self._connection)
            self._locked = True
        for start in range(0, len(missing), _KEYS_PER_QUERY):
            part = missing[start : start + _KEYS_PER_QUERY]
            self._rows.update({(kind, key): [] for key in part})
            query = select(bindings).where(
                bindings.c.application == self._application,
                bindings.c.kind == kind,
                bindings.c.key.in_(part),
            )
            for row in self._connection.execute(query.order_by(bindings.c.valid_from_us)):
                self._rows[kind, row.key].append(row)

    def timeline(self, kind: str, key: str) -> Timeline:
        """What holds for a key, with the changes made so far."""
        if (kind, key) in self._changed:
            return self._changed[kind, key]
        self.load(kind, [key])
        return tuple(
            Span(row.valid_from_us, row.valid_to_us, Owner(row.user, row.customer), row.learned)
            for row in self._rows[kind, key]
            if not row.deleted
        )

    def ambiguous(self, credential: str) -> bool:
        """Whether what was learned of a credential was taken back, here or before."""
        self.load(CREDENTIAL, [credential])
        return credential in self._retired or any(
            row.learned and row.deleted for row in self._rows[CREDENTIAL, credential]
        )

    def change(self, kind: str, key: str, timeline: Timeline) -> None:
        """Lets a timeline hold for a key from now on."""
        self.load(kind, [key])
        self._changed[kind, key] = timeline

    def retire(self, credential: str) -> None:
        """Takes back what was learned of a credential, and remembers not to learn it again."""
        self.change(CREDENTIAL, credential, ())
        self._retired.add(credential)

    def flush(self) -> bool:
        """Writes what changed, each row under a version of its own; true when anything did."""
        rows = [
            row
            for (kind, key), timeline in self._changed.items()
            for row in self._differences(kind, key, timeline)
        ]
        if rows:
            version = take_versions(self._connection, len(rows)) - len(rows)
            for number, row in enumerate(rows, start=version + 1):
                row["version"] = number
            replace_rows(self._connection, bindings, rows)
        self._changed.clear()
        self._retired.clear()
        self._rows.clear()
        return bool(rows)

    def _differences(self, kind: str, key: str, timeline: Timeline) -> list[dict[str, Any]]:
        wanted = {span.from_us: self._row(kind, key, span) for span in timeline}
        if kind == CREDENTIAL and key in self._retired:
            # The memory of it is a row, also when it was learned and taken back in here.
            span = Span(SINCE_EVER_US, FOREVER_US, Owner("", ""), learned=True)
            wanted.setdefault(span.from_us, {**self._row(kind, key, span), "deleted": True})
        there = {row.valid_from_us: dict(row._mapping) for row in self._rows[kind, key]}
        for row in there.values():
            del row["version"]
        gone = [
            {**row, "deleted": True}
            for start, row in there.items()
            if start not in wanted and not row["deleted"]
        ]
        return gone + [row for start, row in wanted.items() if there.get(start) != row]

    def _row(self, kind: str, key: str, span: Span) -> dict[str, Any]:
        return {
            "application": self._application,
            "kind": kind,
            "key": key,
            "valid_from_us": span.from_us,
            "valid_to_us": span.to_us,
            "user": span.owner.user,
            "customer": span.owner.customer,
            "learned": span.learned,
            "deleted": False,
        }
