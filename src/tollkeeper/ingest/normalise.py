"""From a wire event to the row that is stored.

``verify`` says whether an event can be understood, with the field at fault when not; the
collector asks it before it answers, ``normalise`` relies on it after. Both depend on nothing but
the event, its journal entry and the application's context, so that a replay gives the same row.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

from tollkeeper.capture.route import template
from tollkeeper.clock import format_us
from tollkeeper.errors import InvalidInput
from tollkeeper.identity.credential import digest_from_secret, digest_from_sha256
from tollkeeper.ingest.claim import user_from_authorization
from tollkeeper.ingest.instant import EARLIEST_US, LATEST_AHEAD_US, parse_us
from tollkeeper.ingest.mask import headers_text, json_text, uri_text
from tollkeeper.model.event import Event, Text, WireEvent
from tollkeeper.model.key import event_key

MAX_ID_CHARACTERS = 512
MAX_URI_CHARACTERS = 32_768
MAX_HEADERS = 256
MAX_WEIGHT = 1_000_000
MAX_DURATION_US = 366 * 24 * 3600 * 1_000_000
MAX_BYTES = 2**50

_IDS = ("transaction_id", "user_id", "company_id", "subscription_id", "trace_id", "action_name")
_DIRECTIONS = {
    "": "incoming",
    "incoming": "incoming",
    "outgoing": "outgoing",
    "internal": "internal",
}
_OUTCOMES = frozenset({"", "exception", "disconnect", "websocket"})


class Context(NamedTuple):
    """What an event's row depends on beside the event.

    ``digest`` is the hash of the request body that carried it; ``user_claim`` names the JWT claim
    that tells the user when the SDK did not (empty: never); ``unpadded_ms`` reads times the way
    Kong's plugin writes them.
    """

    application: str
    source: str
    position: int
    received_us: int
    digest: str
    peer: str
    pepper: bytes
    user_claim: str
    unpadded_ms: bool


class Measures(NamedTuple):
    """The numbers of an event, checked. Units as in ``Event``."""

    time_us: int
    duration_us: int
    status: int
    weight: int


def text(value: Text) -> str:
    """An id or a name as text; absent and empty are the same."""
    if value.__class__ is str:
        return value
    if value is None or value is False:
        return ""
    return "true" if value is True else str(value)


def verify(event: WireEvent, *, received_us: int, unpadded_ms: bool = False) -> Measures:
    """The event's checked numbers.

    Raises:
        InvalidInput: naming the first field that cannot be understood.
    """
    request = event.request
    uri = text(request.uri)
    if not uri:
        raise InvalidInput(
            "an event needs the address that was called", field="request.uri", code="missing"
        )
    if len(uri) > MAX_URI_CHARACTERS:
        raise InvalidInput(
            f"longer than {MAX_URI_CHARACTERS} characters", field="request.uri", code="too_long"
        )
    for name in _IDS:
        value = getattr(event, name)
        if value.__class__ is str and len(value) > MAX_ID_CHARACTERS:
            raise InvalidInput(
                f"longer than {MAX_ID_CHARACTERS} characters", field=name, code="too_long"
            )
    if event.action_name and not text(request.time):
        start_us = received_us
    else:
        start_us = _instant(request.time, "request.time", received_us, unpadded_ms=unpadded_ms)
    _check_headers(event)
    duration_us, status = _response(event, start_us, received_us, unpadded_ms=unpadded_ms)
    return Measures(start_us, duration_us, status, _weight(event.weight))


def _instant(value: Text, field: str, received_us: int, *, unpadded_ms: bool) -> int:
    written = text(value)
    if not written:
        raise InvalidInput("an event needs its time", field=field, code="missing")
    try:
        us = parse_us(written, unpadded_ms=unpadded_ms)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(
            f"not an ISO 8601 time: {written[:64]!r}", field=field, code="invalid_time"
        ) from error
    if not EARLIEST_US <= us <= received_us + LATEST_AHEAD_US:
        raise InvalidInput(
            f"{format_us(us)} is before 2000 or more than a day ahead",
            field=field,
            code="time_out_of_range",
        )
    return us


def _check_headers(event: WireEvent) -> None:
    if event.request.headers and len(event.request.headers) > MAX_HEADERS:
        raise InvalidInput(
            f"more than {MAX_HEADERS} headers", field="request.headers", code="too_many"
        )
    response = event.response
    if response is not None and response.headers and len(response.headers) > MAX_HEADERS:
        raise InvalidInput(
            f"more than {MAX_HEADERS} headers", field="response.headers", code="too_many"
        )


def _response(
    event: WireEvent, start_us: int, received_us: int, *, unpadded_ms: bool
) -> tuple[int, int]:
    duration_us = event.duration_us
    response = event.response
    if duration_us is None:
        if response is not None and text(response.time):
            end = _instant(response.time, "response.time", received_us, unpadded_ms=unpadded_ms)
            duration_us = max(0, end - start_us)
        else:
            duration_us = 0
    if not 0 <= duration_us <= MAX_DURATION_US:
        raise InvalidInput(
            "a duration is between 0 and a year", field="duration_us", code="out_of_range"
        )
    if response is None:
        return duration_us, 0
    status = _integer(response.status, "response.status")
    if not 0 <= status <= 999:
        raise InvalidInput(
            f"{status} is no HTTP status", field="response.status", code="out_of_range"
        )
    return duration_us, status


def _integer(value: Text, field: str) -> int:
    if value.__class__ is int:
        return value
    if value is None or value == "":
        return 0
    try:
        number = float(value)
        if number != int(number):
            raise ValueError
        return int(number)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(
            f"not a whole number: {str(value)[:64]!r}", field=field, code="wrong_type"
        ) from error


def _weight(value: float | None) -> int:
    if value is None:
        return 1
    weight = _integer(value, "weight")
    if not 1 <= weight <= MAX_WEIGHT:
        raise InvalidInput(
            f"a weight is between 1 and {MAX_WEIGHT}", field="weight", code="out_of_range"
        )
    return weight


def normalise(event: WireEvent, item: int, context: Context) -> Event:
    """The row of an event.

    Raises:
        InvalidInput: as ``verify``.
    """
    measures = verify(event, received_us=context.received_us, unpadded_ms=context.unpadded_ms)
    request, response = event.request, event.response
    uri = uri_text(_utf8(text(request.uri)))
    secret = _secret(event)
    user = text(event.user_id)
    if not user and context.user_claim and measures.status != 401 and secret:
        user = user_from_authorization(secret, context.user_claim)
    request_body, request_encoding = _body(request.body, request.transfer_encoding)
    response_body, response_encoding = (
        ("", "") if response is None else _body(response.body, response.transfer_encoding)
    )
    action = text(event.action_name)
    method = text(request.verb).upper()
    said = (
        format(measures.time_us, "x"),
        action,
        method[:64],
        uri,
        str(measures.status),
        str(measures.duration_us),
        str(measures.weight),
        _utf8(user),
        _utf8(text(event.company_id)),
        _credential(event, secret, context.pepper),
        text(event.subscription_id),
        _utf8(json_text(event.metadata)),
        headers_text(request.headers),
        "{}" if response is None else headers_text(response.headers),
        request_body,
        response_body,
        text(event.trace_id),
        text(event.blocked_by),
        _utf8(text(event.tags)),
    )
    content = int.from_bytes(
        blake2b("\x1f".join(said).encode("utf-8", "replace"), digest_size=8).digest(), "little"
    )
    event_id = _utf8(text(event.transaction_id)) or f"{context.digest}-{item}"
    return Event(
        application=context.application,
        time=measures.time_us,
        id=event_id,
        key=event_key(context.application, event_id),
        content=content,
        position=context.position,
        item=item,
        received_at=context.received_us,
        kind="action" if action else "api_call",
        source=context.source,
        direction=_DIRECTIONS.get(text(event.direction).lower(), "incoming"),
        action=said[1],
        method=said[2],
        uri=uri,
        route=_utf8(text(request.route))[:512] or template(_path(uri)),
        status=measures.status,
        duration_us=measures.duration_us,
        request_bytes=_size(request.bytes, request.content_length, request.headers),
        response_bytes=0
        if response is None
        else _size(response.bytes, response.content_length, response.headers),
        request_headers=said[12],
        response_headers=said[13],
        request_body=request_body,
        request_encoding=request_encoding,
        response_body=response_body,
        response_encoding=response_encoding,
        ip=text(request.ip_address)[:64] or context.peer,
        captured_user=said[7],
        captured_customer=said[8],
        credential=said[9],
        metadata=said[11] or "{}",
        api_version=_utf8(text(request.api_version))[:64],
        weight=measures.weight,
        trace_id=said[16],
        blocked_by=_utf8(said[17]),
        tags=said[18],
        outcome=_outcome(text(event.outcome)),
        subscription=_utf8(said[10]),
    )


def _outcome(value: str) -> str:
    return value if value in _OUTCOMES else ""


def _utf8(value: str) -> str:
    """Text that can be stored: lone surrogates become question marks."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def _path(uri: str) -> str:
    """The path of a full or relative address, without query and fragment."""
    scheme = uri.find("://")
    start = uri.find("/", scheme + 3) if scheme >= 0 else 0
    if start < 0:
        return "/"
    end = len(uri)
    for mark in "?#":
        found = uri.find(mark, start)
        if 0 <= found < end:
            end = found
    return uri[start:end] or "/"


def _secret(event: WireEvent) -> str:
    """The credential that the call showed, raw: the session token, else a header that carries one."""
    token = text(event.session_token)
    if token:
        return token
    headers = event.request.headers
    if headers:
        for name, value in headers.items():
            if name.lower() in {"authorization", "x-api-key"} and isinstance(value, str):
                return "" if value.startswith("[masked]") else value
    return ""


@lru_cache(maxsize=65_536)
def _digest_of_secret(pepper: bytes, secret: str) -> str:
    return digest_from_secret(pepper, secret)


@lru_cache(maxsize=65_536)
def _digest_of_sha256(pepper: bytes, given: str) -> str:
    return digest_from_sha256(pepper, given)


def _credential(event: WireEvent, secret: str, pepper: bytes) -> str:
    given = text(event.credential)
    if len(given) == 64:
        return _digest_of_sha256(pepper, given)
    return _digest_of_secret(pepper, secret) if secret else ""


def _body(raw: Any, transfer_encoding: Text) -> tuple[str, str]:
    """Body as stored and how it is encoded: json or base64."""
    kept = json_text(raw)
    if not kept:
        return "", ""
    return kept, "base64" if transfer_encoding == "base64" else "json"


def _size(given: int | None, content_length: Text, headers: dict[str, Any] | None) -> int:
    """Bytes of a body: as counted by the host, else as declared; never negative."""
    if given is not None:
        return min(max(given, 0), MAX_BYTES)
    declared: Any = content_length
    if declared is None and headers:
        declared = (
            headers.get("content-length")
            or headers.get("Content-Length")
            or headers.get("CONTENT-LENGTH")
        )
    if isinstance(declared, (int, str)) and str(declared).isdecimal():
        return min(int(declared), MAX_BYTES)
    return 0
