"""CloudEvents 1.0 as events: structured, batch and binary mode.

The pair (source, id) is the event's identity; ``subject`` is the customer, ``type`` the action's
name, ``data`` its metadata. ``sampledrate`` is its weight, ``traceparent`` its trace. Where data
carries an HTTP call's ``method``, ``route``, ``path``, ``status`` or ``duration_ms``, they are
read as such.
Source: cloudevents.io, spec 1.0.2 and its HTTP protocol binding; OpenMeter's use of ``subject``.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from tollkeeper.errors import InvalidInput
from tollkeeper.ingest.decode import MAX_DEPTH, Decoder, Rejection, relaxed, split, too_deep
from tollkeeper.model.event import WireEvent, WireRequest, WireResponse

BATCH = "application/cloudevents-batch"
STRUCTURED = "application/cloudevents"
_OBJECTS: Decoder[dict[str, Any]] = Decoder(dict[str, Any], mark=b"{")
_REQUIRED = ("id", "source", "type")
_MOST_DIGITS = 20


def decode(
    body: bytes, content_type: str, headers: Mapping[str, str], *, most: int | None = None
) -> list[WireEvent | Rejection]:
    """The events of a request in any of the three modes.

    Raises:
        InvalidInput: the body is not what its content type says.
        TooLarge: it has more than ``most`` events.
    """
    if "ce-specversion" in headers or "ce-id" in headers:
        return [_one(0, _binary(body, content_type, headers), body)]
    items = _OBJECTS.decode(body, most)
    contents = split(body) if too_deep(body) else []
    found: list[WireEvent | Rejection] = []
    for index, item in enumerate(items):
        if isinstance(item, Rejection):
            found.append(item)
        elif contents and too_deep(contents[index]):
            detail = f"nested deeper than {MAX_DEPTH}"
            found.append(Rejection(index, "too_deep", "data", detail, contents[index]))
        else:
            found.append(_one(index, item, b""))
    return found


def _binary(body: bytes, content_type: str, headers: Mapping[str, str]) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")
    }
    if not body:
        return attributes
    kind = content_type.partition(";")[0].strip().lower()
    if kind in ("", "application/json") or kind.endswith("+json"):
        try:
            attributes["data"] = msgspec.json.decode(body)
            if too_deep(body):
                raise InvalidInput(f"nested deeper than {MAX_DEPTH}", field="data", code="too_deep")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            attributes["data"] = msgspec.json.decode(relaxed(body))
    elif kind.startswith("text/"):
        attributes["data"] = body.decode("utf-8", "replace")
    else:
        attributes["data_base64"] = b64encode(body).decode()
    return attributes


def _one(index: int, event: dict[str, Any], content: bytes) -> WireEvent | Rejection:
    try:
        return translate(event)
    except InvalidInput as error:
        return Rejection(index, error.code, error.field, error.detail, content)


def translate(event: Mapping[str, Any]) -> WireEvent:
    """A CloudEvent as a wire event.

    Raises:
        InvalidInput: a required attribute is missing or of the wrong type.
    """
    if event.get("specversion") != "1.0":
        raise InvalidInput("must be 1.0", field="specversion", code="unknown_version")
    for name in _REQUIRED:
        value = event.get(name)
        if not isinstance(value, str) or not value:
            raise InvalidInput("must be text that is not empty", field=name, code="missing")
    for name in ("subject", "time", "traceparent"):
        if not isinstance(event.get(name), (str, type(None))):
            raise InvalidInput("must be text", field=name, code="wrong_type")
    data = event.get("data", event.get("data_base64"))
    fields: dict[str, Any] = data if isinstance(data, dict) else {}
    status = fields.get("status", fields.get("status_code"))
    response = WireResponse(status=status) if type(status) is int and 0 <= status <= 999 else None
    return WireEvent(
        request=WireRequest(
            time=event.get("time"),
            uri=event["source"],
            verb=_text(fields, "method"),
            route=_text(fields, "route") or _text(fields, "path"),
        ),
        response=response,
        # "|" cannot stand in a URI reference, so the two parts cannot be confused.
        transaction_id=f"{event['source']}|{event['id']}",
        company_id=event.get("subject"),
        action_name=event["type"],
        metadata=_metadata(data),
        weight=_weight(event.get("sampledrate")),
        trace_id=_trace(event.get("traceparent")),
        duration_us=_duration_us(fields.get("duration_ms")),
    )


def _text(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    return value if isinstance(value, str) else None


def _metadata(data: Any) -> msgspec.Raw:
    if data is None:
        return msgspec.Raw()
    return msgspec.Raw(msgspec.json.encode(data if isinstance(data, dict) else {"data": data}))


def _weight(value: Any) -> int | None:
    if isinstance(value, str) and value.isdecimal() and len(value) <= _MOST_DIGITS:
        return int(value)
    return value if type(value) is int else None


def _duration_us(value: Any) -> int | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e10:
        return round(value * 1000)
    return None


def _trace(value: str | None) -> str | None:
    parts = (value or "").split("-")
    return parts[1] if len(parts) >= 4 else None
