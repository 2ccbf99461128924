"""Single events: a page of a list, the events after a place in the journal, and one by its id.

A page is found by keyset: its cursor is the (time, key) of the last row shown, so a page does not
shift when events arrive. Events whose time is in the future of a window's end are not in it.
"""

# ruff: noqa: S608  statements are put together from constants of this package and placeholders

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tollkeeper.errors import InvalidInput, NotFound
from tollkeeper.model.key import event_key
from tollkeeper.query import plan
from tollkeeper.query.answer import Reader
from tollkeeper.query.compile import split
from tollkeeper.query.filter import Node
from tollkeeper.query.filter import sql as filter_sql
from tollkeeper.query.owner import CAPTURED, resolved
from tollkeeper.query.parameters import Parameters
from tollkeeper.query.row import CONTENT_COLUMNS, LIST_COLUMNS, of_row
from tollkeeper.query.values import text
from tollkeeper.query.window import Window
from tollkeeper.store import sql

MAX_PAGE = 1000
_CURSOR = re.compile(r"(asc|desc)\.(\d{1,19})\.(\d{1,20})", re.ASCII)
_TIMES = ("time", "received_at")


@dataclass(frozen=True, slots=True)
class Page:
    """What to list: which events, in which order of time, how many, after which cursor."""

    application: str | None
    window: Window
    filter: Node | None = None
    limit: int = 50
    order: str = "desc"
    cursor: str | None = None


def page(reader: Reader, wanted: Page) -> dict[str, Any]:
    """A page of list rows.

    Shape: ``{"events": [row…], "next_cursor": text or null}``; null says that this is the end.

    Raises:
        InvalidInput: an order or cursor that is none, or one of the other order.
    """
    if wanted.order not in ("asc", "desc"):
        raise InvalidInput("must be asc or desc", field="order")
    parameters = Parameters()
    application = reader.application(wanted.application)
    low, high = wanted.window.from_us, wanted.window.to_us
    where = [
        f"time >= fromUnixTimestamp64Micro({parameters.integer(low)})",
        f"time < fromUnixTimestamp64Micro({parameters.integer(high)})",
    ]
    if wanted.cursor is not None:
        where += _after(wanted, parameters)
    order = f"time {wanted.order.upper()}, key {wanted.order.upper()}"
    statement = _Listing(
        reader, application, parameters, where, wanted.filter, order, wanted.limit + 1
    )
    rows = statement.rows()
    shown = rows[: wanted.limit]
    more = len(rows) > wanted.limit
    return {
        "events": [of_row(row) for row in shown],
        "next_cursor": _cursor(wanted.order, shown[-1]) if more else None,
    }


def after(
    reader: Reader,
    application: str,
    condition: Node | None,
    *,
    position: int,
    item: int,
    limit: int,
) -> list[tuple[int, int, dict[str, Any]]]:
    """The newest events stored after a place in the journal, oldest first.

    Shape: (position, item, list row).
    """
    parameters = Parameters()
    place, entry = parameters.bind(position, "UInt64"), parameters.bind(item, "UInt64")
    where = [f"position >= {place}", f"(position, item) > ({place}, {entry})"]
    order = "position DESC, item DESC"
    rows = _Listing(reader, application, parameters, where, condition, order, limit).rows()
    return [(row["position"], row["item"], of_row(row)) for row in reversed(rows)]


def one(reader: Reader, wanted: str | None, event_id: str) -> dict[str, Any]:
    """A whole event with headers, bodies and metadata.

    Raises:
        NotFound: when the application has no event of that id.
    """
    said = text(event_id, "id", limit=4000)
    application = reader.application(wanted)
    parameters = Parameters()
    key = parameters.bind(event_key(application, said), "UInt64")
    bound = parameters.text(application)
    found = reader.run(
        f"SELECT DISTINCT toUnixTimestamp64Micro(time) FROM event_keys "
        f"WHERE key = {key} AND application = {bound}",
        parameters,
    )
    if found.rows:
        moments = parameters.bind([row[0] for row in found.rows], "Array(Int64)")
        where = [
            f"time IN arrayMap(us -> fromUnixTimestamp64Micro(us), {moments})",
            f"key = {key}",
            f"id = {parameters.text(said)}",
        ]
        listing = _Listing(reader, application, parameters, where, None, "time", 1, whole=True)
        for row in listing.rows():
            return of_row(row, whole=True)
    raise NotFound("there is no event of this id", field="id")


class _Listing:
    """One statement that lists events with their owners."""

    def __init__(
        self,
        reader: Reader,
        application: str,
        parameters: Parameters,
        where: Sequence[str],
        condition: Node | None,
        order: str,
        limit: int,
        *,
        whole: bool = False,
    ) -> None:
        self._reader = reader
        self._application = application
        self._parameters = parameters
        self._where = where
        self._condition = condition
        self._order = order
        self._limit = parameters.integer(limit)
        self._names = (*LIST_COLUMNS, *(CONTENT_COLUMNS if whole else ()))

    def rows(self) -> list[dict[str, Any]]:
        """The rows by column name, times in microseconds."""
        early, late = split(self._condition)
        leaves = [leaf for node in late for leaf in node.leaves]
        bind = self._parameters
        columns = {
            *self._names,
            *CAPTURED,
            *(c for leaf in leaves for c in leaf.ref.columns(rollup=False)),
        }
        where = [
            f"application = {bind.text(self._application)}",
            *self._where,
            *(f"({filter_sql(n, bind, rollup=False)})" for n in early),
        ]
        rows = (
            f"SELECT {', '.join(sorted(columns))}, toUnixTimestamp64Micro(time) AS us "
            f"FROM events WHERE {' AND '.join(where)}"
        )
        cut = f" ORDER BY {self._order} LIMIT {self._limit}"
        if not late:
            rows += cut
        known = resolved(
            rows,
            owners=("user", "customer"),
            attributes={leaf.ref.owner for leaf in leaves if leaf.ref.attributes},
            bound=self._bound(),
            application=self._application,
            parameters=bind,
        )
        test = " AND ".join(f"({filter_sql(n, bind, rollup=False)})" for n in late)
        names = [*self._names, "user", "customer"]
        chosen = ", ".join(f"source.{n} AS {n}" for n in names)
        statement = (
            f"SELECT {chosen} FROM ({known}) AS source {f'WHERE {test}' if late else ''}{cut}"
        )
        answer = self._reader.run(_in_us(statement, names), bind)
        return [dict(zip(names, row, strict=True)) for row in answer.rows]

    def _bound(self) -> plan.Bindings:
        values = {"application": self._application, "since": 0, "until": 0}
        counts = self._reader.store.query(sql.statement("query/binding_edges"), values).rows[0]
        return plan.Bindings(bool(counts[0]), bool(counts[1]), 0)


def _in_us(statement: str, names: Sequence[str]) -> str:
    chosen = [f"toUnixTimestamp64Micro({n}) AS {n}_us" if n in _TIMES else n for n in names]
    return f"SELECT {', '.join(chosen)} FROM ({statement})"


def _after(wanted: Page, parameters: Parameters) -> list[str]:
    order, time_us, key = _read_cursor(wanted.cursor or "")
    if order != wanted.order:
        raise InvalidInput("is of a list in the other order", field="cursor", code="invalid_cursor")
    moment = f"fromUnixTimestamp64Micro({parameters.integer(time_us)})"
    sign = "<" if order == "desc" else ">"
    return [
        f"time {sign}= {moment}",
        f"(time, key) {sign} ({moment}, {parameters.bind(key, 'UInt64')})",
    ]


def _cursor(order: str, row: dict[str, Any]) -> str:
    plain = f"{order}.{row['time']}.{row['key']}".encode()
    return base64.urlsafe_b64encode(plain).rstrip(b"=").decode()


def _read_cursor(cursor: str) -> tuple[str, int, int]:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        found = _CURSOR.fullmatch(base64.b64decode(padded, b"-_", validate=True).decode("ascii"))
    except (binascii.Error, ValueError):
        found = None
    if found is None or int(found[2]) >= 2**63 or int(found[3]) >= 2**64:
        raise InvalidInput("is no cursor of this list", field="cursor", code="invalid_cursor")
    return found[1], int(found[2]), int(found[3])
