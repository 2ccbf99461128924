"""The event store: one ClickHouse dialect, embedded (chDB) or a server.

Guarantee: ``insert_block`` may be called again with the same token and the same rows any number
of times, also after a crash in its middle; the rows are then in ``events`` and in everything fed
from it exactly once. The method is thread-safe, as all here are.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from numpy.typing import NDArray

from tollkeeper.errors import StoreError
from tollkeeper.model.event import Event
from tollkeeper.store import sql

_KEYS_PER_QUERY = 20_000


_INSTANT = pa.timestamp("us", tz="UTC")
_NUMBERS = {
    "time": _INSTANT,
    "received_at": _INSTANT,
    "key": pa.uint64(),
    "content": pa.uint64(),
    "position": pa.uint64(),
    "item": pa.uint32(),
    "status": pa.uint16(),
    "duration_us": pa.uint64(),
    "request_bytes": pa.uint64(),
    "response_bytes": pa.uint64(),
    "weight": pa.uint64(),
}
# What Arrow says of a value that no column can hold.
_NOT_CONVERTIBLE = (pa.ArrowException, ValueError, TypeError, OverflowError)
_KINDS = [_NUMBERS.get(name, pa.string()) for name in Event._fields]


def _block_settings(token: str) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "max_partitions_per_insert_block": 0,
        # Newer servers gather inserts by default: then a block is stored some time, not now.
        "async_insert": 0,
    }
    if token:
        settings["insert_deduplication_token"] = token
        settings["deduplicate_blocks_in_dependent_materialized_views"] = 1
    return settings


class Place(NamedTuple):
    """Where an event stands in the journal, and the hash of what it says."""

    content: int
    position: int
    item: int


class Answer:
    """Rows of a query, with what it cost.

    Shape: ``names`` and ``rows`` (lists of tuples); ``rows_read`` counts table rows.
    """

    __slots__ = ("names", "rows", "rows_read")

    def __init__(self, names: Sequence[str], rows: list[tuple[Any, ...]], rows_read: int) -> None:
        self.names = names
        self.rows = rows
        self.rows_read = rows_read


class EventStore:
    """Keeps events and answers SQL over them."""

    def __init__(self, connect: Callable[[], Client], *, database: str) -> None:
        """Takes a way to get a client; each thread gets its own."""
        self._connect = connect
        self._local = threading.local()
        self._clients: list[Client] = []
        self._lock = threading.Lock()
        self.database = database
        self._create()

    def _create(self) -> None:
        client = self._client(database=False)
        client.command(f"CREATE DATABASE IF NOT EXISTS `{self.database}`")
        client.database = self.database
        for text in sql.schema():
            client.command(text)

    def _client(self, *, database: bool = True) -> Client:
        client: Client | None = getattr(self._local, "client", None)
        if client is None:
            client = self._connect()
            if database:
                client.database = self.database
            self._local.client = client
            with self._lock:
                self._clients.append(client)
        return client

    def insert_block(self, events: Sequence[Event], *, token: str) -> None:
        """Stores one block of events under its journal range.

        Raises:
            StoreError: nothing may be assumed stored; send the same block again.
        """
        if events:
            self._insert_events("events", events, token)

    def try_block(self, events: Sequence[Event]) -> None:
        """Goes all the way of ``insert_block``, into a table that keeps nothing.

        Raises:
            StoreError: something in these events, or the store itself, does not let them in.
        """
        self.command("CREATE TABLE IF NOT EXISTS events_tried AS events ENGINE = Null")
        if events:
            self._insert_events("events_tried", events, "")

    def _insert_events(self, table: str, events: Sequence[Event], token: str) -> None:
        try:
            columns = [
                pa.array(values, type=kind)
                for values, kind in zip(zip(*events, strict=True), _KINDS, strict=True)
            ]
            block = pa.Table.from_arrays(columns, names=list(Event._fields))
            self._client().insert_arrow(table, block, settings=_block_settings(token))
        except (ClickHouseError, *_NOT_CONVERTIBLE) as error:
            raise StoreError(f"cannot store in {table}: {error}") from error

    def insert_rows(
        self, table: str, names: Sequence[str], rows: Iterable[Sequence[Any]], *, token: str = ""
    ) -> None:
        """Appends rows to one of the small tables (bindings, attributes)."""
        columns = list(zip(*rows, strict=True))
        if columns:
            self._insert(table, names, columns, token)

    def _insert(
        self, table: str, names: Sequence[str], columns: Sequence[Sequence[Any]], token: str
    ) -> None:
        try:
            self._client().insert(
                table,
                columns,
                column_names=list(names),
                column_oriented=True,
                settings=_block_settings(token),
            )
        except ClickHouseError as error:
            raise StoreError(f"cannot store in {table}: {error}") from error

    def query(
        self,
        text: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        settings: Mapping[str, Any] | None = None,
    ) -> Answer:
        """Rows of a SELECT with bound parameters ``{name:Type}``.

        Raises:
            StoreError: with the engine's message.
        """
        try:
            result = self._client().query(
                text, parameters=dict(parameters or {}), settings=dict(settings or {})
            )
        except ClickHouseError as error:
            raise StoreError(f"cannot answer: {error}") from error
        rows_read = int((result.summary or {}).get("read_rows", 0))
        return Answer(result.column_names, [tuple(row) for row in result.result_rows], rows_read)

    def command(self, text: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Runs a statement that gives no rows (deletes, optimisations).

        Raises:
            StoreError: with the engine's message.
        """
        try:
            self._client().command(text, parameters=dict(parameters or {}))
        except ClickHouseError as error:
            raise StoreError(f"cannot do: {error}") from error

    def seen(self, keys: Sequence[int], *, before: int) -> dict[int, list[Place]]:
        """What is stored under these keys by blocks that start before a journal position.

        Shape: key → its places; keys that are not there are missing.
        """
        found: dict[int, list[Place]] = {}
        for start in range(0, len(keys), _KEYS_PER_QUERY):
            part = list(keys[start : start + _KEYS_PER_QUERY])
            answer = self.query(sql.statement("seen_keys"), {"keys": part, "before": before})
            for key, content, position, item in answer.rows:
                found.setdefault(key, []).append(Place(content, position, item))
        return found

    def ids_at(self, places: Sequence[Place]) -> dict[Place, str]:
        """The ids of the raw events at these places; without those that retention deleted."""
        answer = self.query(
            sql.statement("ids_at"),
            {
                "positions": [place.position for place in places],
                "places": [(place.position, place.item) for place in places],
            },
        )
        ids = {(position, item): event_id for position, item, event_id in answer.rows}
        return {
            place: ids[place.position, place.item]
            for place in places
            if (place.position, place.item) in ids
        }

    def last_position(self) -> int:
        """The greatest journal position that events are stored from; 0 when there are none."""
        return int(self.query(sql.statement("last_position")).rows[0][0])

    def keys_after(self, position: int) -> Iterator[NDArray[np.uint64]]:
        """Keys of all events that were stored from later journal positions, in parts."""
        with self._client().query_column_block_stream(
            sql.statement("keys_after"), parameters={"position": position}
        ) as stream:
            for (keys,) in stream:
                yield np.asarray(keys, dtype=np.uint64)

    def close(self) -> None:
        """Closes every thread's client."""
        with self._lock:
            for client in self._clients:
                client.close()
            self._clients.clear()
