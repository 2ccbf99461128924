"""From a wire event to the row that is stored.

``verify`` says whether an event can be understood, with the field at fault when not; the
collector asks it before it answers, ``normalise`` relies on it after. Both depend on nothing but
the event, its journal entry and the application's context, so that a replay gives the same row.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from tollkeeper.capture.route import template
from tollkeeper.clock import format_us
from tollkeeper.errors import InvalidInput
from tollkeeper.identity.credential import digest_from_secret, digest_from_sha256
from tollkeeper.ingest.claim import user_from_authorization
from tollkeeper.ingest.decode import MAX_DEPTH, too_deep
from tollkeeper.ingest.instant import EARLIEST_US, LATEST_AHEAD_US, parse_us
from tollkeeper.ingest.mask import headers_text, json_text, uri_text
from tollkeeper.model.event import Event, Text, WireEvent
from tollkeeper.model.key import event_key
from tollkeeper.model.secret import MASK

MAX_ID_CHARACTERS = 512
# Two ids and a digest make one key of the counters, and an index of PostgreSQL holds 2,704 bytes.
MAX_ID_BYTES = 1_152
MAX_URI_CHARACTERS = 32_768
MAX_HEADERS = 256
MAX_WEIGHT = 1_000_000
MAX_DURATION_US = 366 * 24 * 3600 * 1_000_000
MAX_BYTES = 2**50
MAX_DIGITS = 20

_SHA256_CHARACTERS = 64
_MEMO_CHARACTERS = 4096
_REFUSED = 401
_DIRECTIONS: dict[Text, str] = {
    "Outgoing": "outgoing",
    "outgoing": "outgoing",
    "Internal": "internal",
    "internal": "internal",
}
_OUTCOMES = frozenset({"", "exception", "disconnect", "websocket"})


class Context(NamedTuple):
    """What an event's row depends on beside the event.

    ``digest`` is the hash of the request body that carried it; ``user_claim`` names the JWT claim
    that tells the user when the SDK did not (empty: never); ``first_item`` is the place of the
    first item in the body that ``digest`` is of. ``credential`` (keyed digest) and ``user`` are of
    the caller of an event whose secrets were taken out before it came here.
    """

    application: str
    source: str
    position: int
    received_us: int
    digest: str
    peer: str
    pepper: bytes
    user_claim: str
    first_item: int = 0
    credential: str = ""
    user: str = ""


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
    _check_ids(event)
    if event.action_name and not request.time:
        start_us = received_us
    else:
        start_us = _instant(request.time, "request.time", received_us, unpadded_ms=unpadded_ms)
    _check_headers(request.headers, "request.headers")
    response = event.response
    if response is None:
        status = 0
    else:
        _check_headers(response.headers, "response.headers")
        status = _integer(response.status, "response.status")
        if not 0 <= status <= 999:
            raise InvalidInput(
                f"{status} is no HTTP status", field="response.status", code="out_of_range"
            )
    _check_depth(event)
    duration_us = _duration_us(event, start_us, received_us, unpadded_ms=unpadded_ms)
    weight = 1 if event.weight is None else _weight(event.weight)
    return Measures(start_us, duration_us, status, weight)


def _check_ids(event: WireEvent) -> None:
    for name, value in (
        ("transaction_id", event.transaction_id),
        ("user_id", event.user_id),
        ("company_id", event.company_id),
    ):
        if value.__class__ is str and _too_long(value):
            raise InvalidInput(
                f"longer than {MAX_ID_CHARACTERS} characters or {MAX_ID_BYTES} bytes",
                field=name,
                code="too_long",
            )


def _too_long(value: str) -> bool:
    """Whether an id is longer than every records database can hold."""
    if len(value) > MAX_ID_CHARACTERS:
        return True
    return not value.isascii() and len(value.encode("utf-8", "replace")) > MAX_ID_BYTES


def _check_depth(event: WireEvent) -> None:
    """Refuses what could not be walked through later, in every place that holds any JSON."""
    request, response = event.request, event.response
    raw = [("request.body", request.body), ("metadata", event.metadata)]
    headers = [("request.headers", request.headers)]
    if response is not None:
        raw.append(("response.body", response.body))
        headers.append(("response.headers", response.headers))
    for field, content in raw:
        if content and too_deep(bytes(content)):
            raise _deep(field)
    for field, values in headers:
        for value in (values or {}).values():
            if value.__class__ is not str and _nested(value):
                raise _deep(field)


def _nested(value: Any) -> bool:
    """Whether a header's value holds more than a flat list or object."""
    if isinstance(value, dict):
        value = list(value.values())
    return isinstance(value, list) and any(isinstance(v, list | dict) for v in value)


def _deep(field: str) -> InvalidInput:
    limit = 1 if field.endswith("headers") else MAX_DEPTH
    return InvalidInput(f"nested deeper than {limit}", field=field, code="too_deep")


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


def _check_headers(headers: dict[str, Any] | None, field: str) -> None:
    if headers is not None and len(headers) > MAX_HEADERS:
        raise InvalidInput(f"more than {MAX_HEADERS} headers", field=field, code="too_many")


def _duration_us(event: WireEvent, start_us: int, received_us: int, *, unpadded_ms: bool) -> int:
    duration_us = event.duration_us
    if duration_us is None:
        response = event.response
        if response is None or not response.time or not event.request.time:
            return 0
        end_us = _instant(response.time, "response.time", received_us, unpadded_ms=unpadded_ms)
        duration_us = max(0, end_us - start_us)
    if not 0 <= duration_us <= MAX_DURATION_US:
        raise InvalidInput(
            "a duration is between 0 and a year", field="duration_us", code="out_of_range"
        )
    return duration_us


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


def _weight(value: float) -> int:
    weight = _integer(value, "weight")
    if not 1 <= weight <= MAX_WEIGHT:
        raise InvalidInput(
            f"a weight is between 1 and {MAX_WEIGHT}", field="weight", code="out_of_range"
        )
    return weight


def normalise(event: WireEvent, measures: Measures, item: int, context: Context) -> Event:
    """The row of an event that was verified; never fails."""
    start_us, duration_us, status, weight = measures
    request, response = event.request, event.response
    uri = uri_text(text(request.uri))
    user, credential = _caller(event, status, context)
    action = _cut(event.action_name, MAX_ID_CHARACTERS)
    event_id = _without_nul(text(event.transaction_id)) or (
        f"{context.digest}-{context.first_item + item}"
    )
    request_body, request_encoding = _body(request.body, request.transfer_encoding)
    if response is None:
        response_headers, response_body, response_encoding, response_bytes = "{}", "", "", 0
    else:
        response_headers = headers_text(response.headers)
        response_body, response_encoding = _body(response.body, response.transfer_encoding)
        response_bytes = _size(response.bytes, response.content_length, response.headers)
    # By position, in the order of Event's fields: naming 37 of them costs more than all the rest.
    says = (
        "action" if action else "api_call",
        _DIRECTIONS.get(event.direction, "incoming"),
        action,
        _cut(request.verb, 64).upper(),
        uri,
        status,
        duration_us,
        _size(request.bytes, request.content_length, request.headers),
        response_bytes,
        headers_text(request.headers),
        response_headers,
        request_body,
        request_encoding,
        response_body,
        response_encoding,
        _without_nul(user),
        _without_nul(text(event.company_id)),
        credential,
        json_text(event.metadata) or "{}",
        _cut(request.api_version, 64),
        weight,
        _cut(event.trace_id, 64),
        _cut(event.blocked_by, 200),
        _cut(event.tags, 512),
        event.outcome if event.outcome in _OUTCOMES else "",
        _cut(event.subscription_id, MAX_ID_CHARACTERS),
    )
    place = (
        context.application,
        start_us,
        event_id,
        event_key(context.application, event_id),
        # A time that we gave (of receipt) is none that a resent event says again.
        _content_key(start_us if request.time else 0, says),
        context.position,
        item,
        context.received_us,
        _cut(request.ip_address, 64) or context.peer,
        _cut(request.route, 512) or template(_path(uri)),
        context.source,
    )
    return Event._make(place + says)


def _content_key(start_us: int, says: tuple[Any, ...]) -> int:
    """The hash of what an event says.

    What we add (route, source, address of the sender) is not in it: a resent event may get another there.
    """
    packed = msgspec.msgpack.encode((start_us, says))
    return int.from_bytes(blake2b(packed, digest_size=8).digest(), "little")


def _caller(event: WireEvent, status: int, context: Context) -> tuple[str, str]:
    """The user as captured, and the keyed digest of the credential; empty when not known."""
    user = text(event.user_id)
    given = event.credential
    if given.__class__ is str and len(given) == _SHA256_CHARACTERS:
        credential = _digest_of_sha256(context.pepper, given)
        if user:
            return user, credential
        secret = _secret(event)
    else:
        secret = _secret(event)
        credential = _keyed(context.pepper, secret) if secret else context.credential
    if not user and status != _REFUSED:
        known = secret and context.user_claim
        user = user_from_authorization(secret, context.user_claim) if known else context.user
        # Cut, it might be somebody else's.
        user = "" if _too_long(user) else user
    return user, credential


def _without_nul(value: str) -> str:
    """An id in text that every records database can hold."""
    return value.replace("\0", "\ufffd") if "\0" in value else value


def _cut(value: Text, characters: int) -> str:
    """Text of a field that describes and does not identify: cut, never refused."""
    if value is None:
        return ""
    return value[:characters] if value.__class__ is str else text(value)


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
    if token and token != MASK:
        return token
    headers = event.request.headers
    if headers:
        for name, value in headers.items():
            if name.lower() in {"authorization", "x-api-key"} and isinstance(value, str):
                return "" if value.startswith(MASK) else value
    return ""


def _keyed(pepper: bytes, secret: str) -> str:
    # Long ones are computed each time: remembered, they would fill the memory.
    if len(secret) > _MEMO_CHARACTERS:
        return digest_from_secret(pepper, secret)
    return _digest_of_secret(pepper, secret)


@lru_cache(maxsize=65_536)
def _digest_of_secret(pepper: bytes, secret: str) -> str:
    return digest_from_secret(pepper, secret)


@lru_cache(maxsize=65_536)
def _digest_of_sha256(pepper: bytes, given: str) -> str:
    return digest_from_sha256(pepper, given)


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
    if declared.__class__ is int and declared >= 0:
        return min(declared, MAX_BYTES)
    if isinstance(declared, str) and declared.isdecimal():
        return min(int(declared), MAX_BYTES) if len(declared) <= MAX_DIGITS else MAX_BYTES
    return 0
