"""A call as the JSON event that leaves the host: built once, masked, straight to bytes.

Source: the Moesif event (protocol notes 1.3) plus our fields `route`, `bytes`, `duration_us`,
`credential`, `outcome`. A raw credential is never part of it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from tollkeeper.capture import body as bodies
from tollkeeper.capture.address import Proxies
from tollkeeper.capture.body import is_deep
from tollkeeper.capture.call import Call
from tollkeeper.capture.guard import FAILED, Failed, quiet
from tollkeeper.capture.ids import Ids
from tollkeeper.capture.loop import OwnLoop
from tollkeeper.capture.mask import Verdicts, mask_headers, mask_query, without_secrets
from tollkeeper.capture.options import Options
from tollkeeper.capture.route import template
from tollkeeper.capture.stats import Counts
from tollkeeper.clock import format_us
from tollkeeper.model.secret import credential_digest

EVENT_LIMIT_BYTES = 1_000_000
"""A larger event goes out without its content, so that the call is still counted."""

ID_LIMIT = 512
URI_LIMIT = 32_000
HEADERS_LIMIT = 256

_TRACE = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_SURROGATES = re.compile("[\ud800-\udfff]")


class Request(msgspec.Struct, gc=False):
    """What was asked."""

    time: str
    uri: str
    verb: str
    headers: dict[str, str]
    ip_address: str | None
    route: str
    bytes: int
    api_version: str | UnsetType = UNSET
    body: Any = UNSET
    transfer_encoding: str | UnsetType = UNSET


class Response(msgspec.Struct, gc=False):
    """What was answered."""

    time: str
    status: int
    headers: dict[str, str]
    bytes: int
    body: Any = UNSET
    transfer_encoding: str | UnsetType = UNSET


class Event(msgspec.Struct, gc=False):
    """One call on the wire."""

    transaction_id: str
    request: Request
    response: Response | None
    direction: str
    weight: int
    duration_us: int
    user_id: str | UnsetType = UNSET
    company_id: str | UnsetType = UNSET
    credential: str | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET
    trace_id: str | UnsetType = UNSET
    outcome: str | UnsetType = UNSET


class Encoder:
    """Turns calls into the bytes of events.

    Guarantee: thread safe; does not change the call's header lists.
    """

    def __init__(
        self, options: Options, ids: Ids, counts: Counts, proxies: Proxies, loop: OwnLoop
    ) -> None:
        self._ids = ids
        self._counts = counts
        self._api_version = options.api_version or UNSET
        self._static = {"krakend": options.metadata} if options.metadata else None
        self._log_body = options.log_body
        self._limit_bytes = options.body_limit_bytes
        self._mask_event = options.mask_event
        self._loop = loop
        self._timeout_seconds = options.timeout_seconds
        self._proxies = proxies
        self._query_masks = Verdicts()
        self._request_headers = Verdicts(options.request_header_masks)
        self._response_headers = Verdicts(options.response_header_masks)
        self._request_bodies = Verdicts(options.request_body_masks)
        self._response_bodies = Verdicts(options.response_body_masks)
        self._json = msgspec.json.Encoder(enc_hook=self._text)
        self._second = (-1_000_000, "")

    def encode(self, call: Call, request_headers: dict[str, str], response_headers: dict[str, str],
               credential: str | None, weight: int) -> bytes:  # fmt: skip
        """The event's JSON.

        Args:
            call: With user and company resolved.
            request_headers: The call's headers as a dict; masked in place here.
            response_headers: The same for the answer.
            credential: Its digest.
            weight: How many real calls the event stands for.
        """
        event = self._event(call, request_headers, response_headers, credential, weight)
        if self._mask_event is not None:
            return self._masked_by_host(event)
        encoded = self._encoded(event)
        if len(encoded) > EVENT_LIMIT_BYTES:
            self._counts.failed("too_large", ValueError("event"))
            return self._encoded(_stripped(event))
        return encoded

    def _event(self, call: Call, request_headers: dict[str, str], response_headers: dict[str, str],
               credential: str | None, weight: int) -> Event:  # fmt: skip
        """The event as a struct, masked by our rules."""
        trace = request_headers.get("traceparent")
        if len(request_headers) > HEADERS_LIMIT:
            request_headers = dict(list(request_headers.items())[:HEADERS_LIMIT])
        if len(response_headers) > HEADERS_LIMIT:
            response_headers = dict(list(response_headers.items())[:HEADERS_LIMIT])
        forwarded = request_headers.get("x-forwarded-for", "")
        ip = self._proxies.client_ip(call.peer_ip, forwarded) or None
        metadata: dict[str, Any] | None = call.metadata or None
        if metadata and is_deep(metadata):
            self._counts.failed("get_metadata", ValueError("too deep"))
            metadata = None
        if metadata:
            metadata = without_secrets(metadata, self._query_masks)
        if self._static:
            metadata = {**self._static, **(metadata or {})}
        request = Request(
            self._time(call.time_us), self._uri(call), call.method, request_headers, ip,
            call.route or template(call.path), call.request_bytes, self._api_version,
        )  # fmt: skip
        response = None
        if call.status:
            response = Response(
                self._time(call.time_us + call.duration_us),
                call.status,
                response_headers,
                call.response_bytes,
            )
        if self._log_body:
            metadata = self._with_bodies(call, request, response, metadata)
        mask_headers(request_headers, self._request_headers)
        mask_headers(response_headers, self._response_headers)
        return Event(
            self._ids.next(), request, response, call.direction, weight, call.duration_us,
            _id(call.user), _id(call.company), credential or UNSET, metadata or UNSET,
            (_trace_id(trace) or UNSET) if trace else UNSET, call.outcome or UNSET,
        )  # fmt: skip

    def _with_bodies(
        self,
        call: Call,
        request: Request,
        response: Response | None,
        metadata: dict[str, Any] | None,
    ) -> dict[str, Any] | None:
        """Puts the bodies in; returns the metadata, with a note on what a body is not."""
        notes: dict[str, str] = {}
        if call.request_body:
            note = self._put(
                request, call.request_body, self._request_bodies, truncated=call.request_truncated
            )
            if note:
                notes["request_body"] = note
        if call.response_body and response is not None:
            note = self._put(
                response,
                call.response_body,
                self._response_bodies,
                truncated=call.response_truncated,
            )
            if note:
                notes["response_body"] = note
        return {**(metadata or {}), "tollkeeper": notes} if notes else metadata

    def _put(
        self, side: Request | Response, data: bytes, verdicts: Verdicts, *, truncated: bool
    ) -> str | None:
        """Puts one body into its side of the event; returns what must be said of it."""
        look = partial(
            bodies.present, data, side.headers, verdicts, self._limit_bytes, truncated=truncated
        )
        found: bodies.Body | Failed = quiet(self._counts, "body", look)
        if isinstance(found, Failed):  # whatever a client sent, its call counts
            return "not sent: cannot be read"
        if found.value is not None:
            side.body = found.value
            side.transfer_encoding = found.transfer_encoding or UNSET
        return found.note

    def _uri(self, call: Call) -> str:
        """The full address, secrets in the query masked, no user part."""
        host = call.host or "localhost"
        if "@" in host:
            host = host.rpartition("@")[2]
        uri = f"{call.scheme}://{host}{call.path}"
        if call.query:
            uri = f"{uri}?{mask_query(call.query, self._query_masks)}"
        return uri if len(uri) <= URI_LIMIT else uri[:URI_LIMIT]

    def _time(self, us: int) -> str:
        """RFC 3339 text; the text of the second is kept, as calls come many to a second."""
        start_us, text = self._second
        rest_us = us - start_us
        if not 0 <= rest_us < 1_000_000:
            rest_us = us % 1_000_000
            text = format_us(us)[:20]
            self._second = (us - rest_us, text)
        return f"{text}{rest_us:06d}Z"

    def _masked_by_host(self, event: Event) -> bytes:
        """The event after the host's `mask_event`; stripped of its content when that fails.

        Anything but a dict as answer is a failure: a forgotten return must not send what was to be
        masked.
        """
        plain = msgspec.json.decode(self._encoded(event))
        masked = quiet(self._counts, "mask_event", self._ask_mask, plain)
        if not isinstance(masked, dict):
            if masked is not FAILED:
                self._counts.failed("mask_event", TypeError("no dict"))
            return self._encoded(_stripped(event))
        masked["transaction_id"], masked["weight"] = event.transaction_id, event.weight
        encoded = quiet(self._counts, "mask_event", self._json.encode, masked)
        return self._encoded(_stripped(event)) if encoded is FAILED else encoded

    def _ask_mask(self, plain: Any) -> Any:
        """What the host's `mask_event` answers, awaited when it has to be."""
        answer = self._mask_event(plain)
        return (
            self._loop.run(answer, self._timeout_seconds) if inspect.isawaitable(answer) else answer
        )

    def _text(self, value: object) -> str | None:
        """The text of a value that JSON does not know; None when even that fails."""
        return quiet(self._counts, "get_metadata", str, value) or None

    def _encoded(self, event: Event) -> bytes:
        """The event's JSON, rescued when it does not encode."""
        try:
            return self._json.encode(event)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            return self._rescued(event, error)

    def _rescued(self, event: Event, error: Exception) -> bytes:
        """The JSON of an event that holds what JSON cannot: lone surrogates are replaced, bad metadata left out."""
        if event.metadata is not UNSET:
            try:
                event.metadata = _clean(event.metadata)
                self._json.encode(event.metadata)
            except (TypeError, ValueError, OverflowError, RecursionError):
                self._counts.failed("get_metadata", error)
                event.metadata = UNSET
        request, response = event.request, event.response
        request.uri, request.verb, request.route = (
            _clean(request.uri),
            _clean(request.verb),
            _clean(request.route),
        )
        request.headers = _clean(request.headers)
        request.body = _clean(request.body)
        if response is not None:
            response.headers, response.body = _clean(response.headers), _clean(response.body)
        event.user_id, event.company_id = _clean(event.user_id), _clean(event.company_id)
        return self._json.encode(event)


def _id(text: str | None) -> str | UnsetType:
    """An id as the collector takes it: one that is too long ends in its digest, so that no two become one."""
    if not text:
        return UNSET
    if len(text) <= ID_LIMIT:
        return text
    return f"{text[: ID_LIMIT - 65]}~{credential_digest(text)}"


def _trace_id(traceparent: str) -> str | None:
    """The trace id of a W3C `traceparent` header."""
    found = _TRACE.match(traceparent)
    return found[1] if found else None


def _stripped(event: Event) -> Event:
    """The event reduced to what counts it: nothing of its content."""
    event.request.headers, event.request.body, event.request.transfer_encoding = {}, UNSET, UNSET
    event.request.uri = event.request.uri.partition("?")[0]
    if event.response is not None:
        event.response.headers, event.response.body, event.response.transfer_encoding = (
            {},
            UNSET,
            UNSET,
        )
    event.metadata = UNSET
    return event


def _clean(value: Any) -> Any:
    """The value with lone surrogates replaced in every text."""
    if isinstance(value, str):
        return _SURROGATES.sub("\ufffd", value)
    if isinstance(value, Mapping):
        return {_clean(key): _clean(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(inner) for inner in value]
    return value
