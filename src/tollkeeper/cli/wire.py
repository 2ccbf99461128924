"""Turns a line of an import into what the collector takes.

A line is an event as SDKs send it (its request has ``uri`` and ``time``), or one as our API and
``tollkeeper export`` show it, turned back here. An exported credential is a keyed digest, which
only its own server could read, so it is left out: user and customer say whose call it was.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tollkeeper.errors import InvalidInput


def to_wire(line: bytes) -> bytes:
    """The line as a wire event; one that is a wire event already stays as it is.

    Raises:
        InvalidInput: it is not a JSON object.
    """
    try:
        event = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"not JSON: {error}", code="not_json") from error
    if not isinstance(event, dict):
        raise InvalidInput("not a JSON object", code="not_json")
    if not is_exported(event):
        return line
    return msgspec.json.encode(from_exported(event))


def is_exported(event: dict[str, Any]) -> bool:
    """Whether this is an event as our API shows it."""
    request = event.get("request")
    return isinstance(request, dict) and "time" in event and "method" in request


def from_exported(event: dict[str, Any]) -> dict[str, Any]:
    """The wire event of an event as our API shows it."""
    request, response = event["request"], event.get("response") or {}
    wire: dict[str, Any] = {
        "transaction_id": event.get("id"),
        "request": {
            "time": event["time"],
            "uri": request.get("uri"),
            "verb": request["method"],
            "headers": request.get("headers"),
            "ip_address": request.get("ip"),
            "api_version": request.get("api_version"),
            "route": request.get("route"),
            "bytes": request.get("bytes"),
            **_body(request),
        },
        "user_id": event.get("user"),
        "company_id": event.get("customer"),
        "subscription_id": event.get("subscription"),
        "metadata": event.get("metadata"),
        "direction": event.get("direction"),
        "weight": event.get("weight"),
        "tags": event.get("tags"),
        "blocked_by": event.get("blocked_by"),
        "trace_id": event.get("trace_id"),
        "action_name": event.get("action") or None,
        "outcome": event.get("outcome"),
    }
    if isinstance(event.get("duration_ms"), int | float):
        wire["duration_us"] = round(event["duration_ms"] * 1000)
    if response.get("status"):
        wire["response"] = {
            "status": response["status"],
            "headers": response.get("headers"),
            "bytes": response.get("bytes"),
            **_body(response),
        }
    return wire


def _body(side: dict[str, Any]) -> dict[str, Any]:
    if side.get("body") is None:
        return {}
    encoding = "base64" if side.get("body_encoding") == "base64" else "json"
    return {"body": side["body"], "transfer_encoding": encoding}
