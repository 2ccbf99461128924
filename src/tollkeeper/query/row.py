"""An event as our API shows it: from a row of the store or from an event on its way there.

A *list row* is the same object as the whole event without headers, bodies and metadata, which
are null in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tollkeeper.clock import format_us
from tollkeeper.model.event import Event
from tollkeeper.query.match import Owner, host_of, path_of, query_of

LIST_COLUMNS = (
    "application", "time", "id", "key", "position", "item", "received_at", "kind", "source",
    "direction", "action", "method", "uri", "route", "status", "duration_us", "request_bytes",
    "response_bytes", "ip", "credential", "api_version", "weight", "trace_id", "blocked_by",
    "tags", "outcome", "subscription",
)  # fmt: skip
CONTENT_COLUMNS = (
    "request_headers", "response_headers", "request_body", "request_encoding", "response_body",
    "response_encoding", "metadata",
)  # fmt: skip


def of_event(event: Event, owner: Owner) -> dict[str, Any]:
    """The list row of an event that is on its way."""
    values = dict(zip(Event._fields, event, strict=True))
    return of_row({**values, "user": owner[0], "customer": owner[1]})


def of_row(row: Mapping[str, Any], *, whole: bool = False) -> dict[str, Any]:
    """The JSON of a row; times are microseconds in it. ``whole`` adds the contents."""
    uri = row["uri"]
    return {
        "id": row["id"],
        "application": row["application"],
        "time": format_us(row["time"]),
        "received_at": format_us(row["received_at"]),
        "kind": row["kind"],
        "source": row["source"],
        "direction": row["direction"],
        "action": row["action"],
        "user": row["user"],
        "customer": row["customer"],
        "credential": row["credential"],
        "request": {
            "method": row["method"],
            "uri": uri,
            "host": host_of(uri),
            "path": path_of(uri),
            "route": row["route"],
            "headers": _object(row["request_headers"]) if whole else None,
            "query": query_of(uri),
            **_body(row, "request", whole=whole),
            "bytes": row["request_bytes"],
            "ip": row["ip"],
            "api_version": row["api_version"],
        },
        "response": {
            "status": row["status"],
            "headers": _object(row["response_headers"]) if whole else None,
            **_body(row, "response", whole=whole),
            "bytes": row["response_bytes"],
        },
        "duration_ms": row["duration_us"] / 1000,
        "metadata": _object(row["metadata"]) if whole else None,
        "weight": row["weight"],
        "trace_id": row["trace_id"],
        "blocked_by": row["blocked_by"],
        "tags": row["tags"],
        "outcome": row["outcome"],
        "subscription": row["subscription"],
    }


def _object(text: str) -> Any:
    return _json(text) if text else {}


def _body(row: Mapping[str, Any], side: str, *, whole: bool) -> dict[str, Any]:
    text = row[f"{side}_body"] if whole else ""
    if not text:
        return {"body": None, "body_encoding": None}
    encoding = row[f"{side}_encoding"] or "json"
    return {"body": text if encoding == "text" else _json(text), "body_encoding": encoding}


def _json(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.MsgspecError:
        return text
