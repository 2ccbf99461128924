"""The collector: takes events from any SDK, appends them to the journal, and only then says 201.

A plain ASGI application beside the management API. It speaks Moesif's protocol (events, actions,
users, companies, subscriptions, each with batch; config; rules) and CloudEvents 1.0 in all three
modes at ``/api/v1/events``.

Guarantee: 201 (204 for CloudEvents) is sent after the journal's fsync. A bad item is named in the
answer and kept in quarantine; its neighbours are stored.
Source: protocol notes sections 0 and 1.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from tollkeeper.clock import Clock
from tollkeeper.errors import InvalidInput, Overloaded, TollkeeperError, TooLarge, Unauthorized
from tollkeeper.ingest.block import REJECTED, Attributes, CaptureReport
from tollkeeper.ingest.body import BodyLimits, Disconnected, Receive, Room, inflate, read
from tollkeeper.ingest.decode import Rejection
from tollkeeper.ingest.governance import Documents, documents
from tollkeeper.ingest.outcomes import Outcomes
from tollkeeper.ingest.steps import Item, items_of, objects_of
from tollkeeper.ingest.telemetry import IngestMetrics
from tollkeeper.journal.entry import Entry
from tollkeeper.journal.journal import Journal

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Found = Sequence[Item | dict[str, Any]]
"""Items of a body, understood or rejected."""
Understood = tuple[Entry, Found, InvalidInput | None]
"""A body's journal entry, its items, and what is wrong with the body as a whole."""

_THREAD_OVER_BYTES = 256 * 1024
_LARGE_AT_ONCE = 2  # each takes many times its bytes while it is understood
_ROOM_BYTES = 512 * 1024 * 1024
_SHOWN_REJECTIONS = 100
_WAIT_SECONDS = 30.0
_SOURCES = {b"import": "import", b"sample": "sample"}


class Route(NamedTuple):
    """What a path takes: which resource, and whether the protocol means one item or many."""

    resource: str
    single: bool
    cloudevents: bool = False


ROUTES: dict[str, Route] = {
    f"/v1/{path}{tail}": Route(resource, single=not tail)
    for path, resource in (
        ("events", "events"),
        ("actions", "events"),
        ("users", "users"),
        ("companies", "companies"),
        ("subscriptions", "subscriptions"),
    )
    for tail in ("", "/batch")
}
ROUTES["/api/v1/events"] = Route("events", single=False, cloudevents=True)
_METHODS = {True: ("GET", "HEAD"), False: ("POST",)}
"""Methods of a path, by whether it is a document to fetch."""
DOCUMENTS = frozenset({"/v1/config", "/v1/rules", "/health/probe"})


class CollectorLimits(NamedTuple):
    """What one request may bring at most."""

    body: BodyLimits
    items: int


class Collector:
    """The ASGI application. Collaborators are shared with the pipeline; it holds no state itself."""

    def __init__(
        self,
        *,
        journal: Journal,
        application_of: Callable[[str], str | None],
        outcomes: Outcomes,
        metrics: IngestMetrics,
        limits: CollectorLimits,
        clock: Clock,
    ) -> None:
        self._journal = journal
        self._application_of = application_of
        self._outcomes = outcomes
        self._metrics = metrics
        self._limits = limits
        self._clock = clock
        self._documents: dict[str, Documents] = {}
        self._room = Room(max(_ROOM_BYTES, 2 * limits.body.sent_bytes))
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)

    @staticmethod
    def takes(path: str) -> bool:
        """True when a path belongs to the collector."""
        return path in ROUTES or path in DOCUMENTS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        path, method = scope["path"], scope["method"]
        headers: dict[bytes, bytes] = dict(scope["headers"])
        application = self._application(headers)
        extra: list[tuple[bytes, bytes]] = []
        try:
            if method == "OPTIONS":
                status, body = 204, b""
            elif method not in _METHODS[path in DOCUMENTS]:
                raise _NotAllowed(f"{path} takes {_METHODS[path in DOCUMENTS][0]}")
            elif path in DOCUMENTS:
                status, body = self._document(path, application)
            else:
                route = ROUTES[path]
                status, body = await self._take(route, application, scope, headers, receive)
        except Disconnected:
            return
        except TollkeeperError as error:
            # A malformed body is a bad request; 422 is for questions that are wrong in their meaning.
            status = 400 if isinstance(error, InvalidInput) else error.status
            body = msgspec.json.encode({**error.problem(), "status": status})
            extra.append((b"content-type", b"application/problem+json"))
            if isinstance(error, Overloaded):
                extra.append((b"retry-after", str(error.retry_after_seconds).encode()))
            elif isinstance(error, _NotAllowed):
                allowed = ", ".join((*_METHODS[path in DOCUMENTS], "OPTIONS"))
                extra.append((b"allow", allowed.encode()))
            elif isinstance(error, Unauthorized):
                extra.append((b"www-authenticate", b"Bearer"))
        resource = ROUTES[path].resource if path in ROUTES else path.rpartition("/")[2]
        self._metrics.requests.labels(resource, str(status)).inc()
        await _answer(send, status, body, [*extra, *self._headers(application)])

    def _application(self, headers: dict[bytes, bytes]) -> str | None:
        given = headers.get(b"x-moesif-application-id", b"")
        if not given:
            scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
            given = token.strip() if scheme.lower() == b"bearer" else b""
        return self._application_of(given.decode("latin-1")) if given else None

    def _documents_of(self, application: str | None) -> Documents:
        key = application or ""
        found = self._documents.get(key)
        if found is None:
            found = self._documents[key] = documents(key)
        return found

    def _headers(self, application: str | None) -> list[tuple[bytes, bytes]]:
        found = self._documents_of(application)
        rules_tag = found.rules_tag.encode()
        return [
            (b"x-moesif-config-etag", found.config_tag.encode()),
            (b"x-moesif-rules-tag", rules_tag),
            (b"x-moesif-rules-etag", rules_tag),
            (b"access-control-allow-origin", b"*"),
            (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
            (
                b"access-control-allow-headers",
                b"content-type, content-encoding, authorization, x-moesif-application-id, x-moesif-sdk",
            ),
            (b"access-control-expose-headers", b"x-moesif-config-etag, x-moesif-rules-tag"),
            (b"access-control-max-age", b"86400"),
        ]

    def _document(self, path: str, application: str | None) -> tuple[int, bytes]:
        if path == "/health/probe":
            return 200, b'{"status": true, "region": "local"}'
        found = self._documents_of(application)
        return 200, found.config if path == "/v1/config" else found.rules

    async def _take(
        self,
        route: Route,
        application: str | None,
        scope: Scope,
        headers: dict[bytes, bytes],
        receive: Receive,
    ) -> tuple[int, bytes]:
        if application is None:
            raise Unauthorized(
                "no application has this id; send it as X-Moesif-Application-Id",
                field="X-Moesif-Application-Id",
                code="unknown_application",
            )
        refusal = self._journal.refusal()
        if refusal is not None:
            raise Overloaded(refusal, code="journal_full")
        declared = headers.get(b"content-length", b"")
        length = int(declared) if declared.isdigit() else None
        with self._room.held() as take:
            sent = await read(receive, length, self._limits.body, take)
            work = (route, application, scope, headers)
            entry, found, broken = await self._inflate(sent, *work)
            position = await asyncio.wrap_future(self._journal.append(entry))
        if broken is not None:
            raise broken
        rejected = [item for item in found if isinstance(item, Rejection)]
        self._metrics.accepted.labels(entry.source).inc(len(found) - len(rejected))
        if route.cloudevents:
            return _cloudevents_answer(found, rejected)
        if route.single and rejected and len(found) == 1:
            first = rejected[0]
            raise InvalidInput(first.detail, field=first.field, code=first.reason)
        if _wants_items(scope):
            return 201, await self._results(position, found)
        return 201, _summary(found, rejected)

    async def _inflate(
        self,
        sent: bytes,
        route: Route,
        application: str,
        scope: Scope,
        headers: dict[bytes, bytes],
    ) -> Understood:
        """What ``_understand`` makes of a body: here when it is small, else in a thread."""
        encoding = headers.get(b"content-encoding", b"").decode("latin-1")
        limits = self._limits.body
        work = (route, application, scope, headers)
        if len(sent) <= _THREAD_OVER_BYTES:
            here = min(limits.inflated_bytes, _THREAD_OVER_BYTES)
            try:
                body = inflate(sent, encoding, limits._replace(inflated_bytes=here))
            except TooLarge:
                pass  # A few bytes may be a long body, too long for the loop of all others.
            else:
                return self._understand(body, *work)
        async with self._large:
            return await asyncio.to_thread(
                lambda: self._understand(inflate(sent, encoding, limits), *work)
            )

    def _understand(
        self,
        body: bytes,
        route: Route,
        application: str,
        scope: Scope,
        headers: dict[bytes, bytes],
    ) -> Understood:
        """The journal entry of a body, its items, and what is wrong with the body as a whole."""
        attributes = _attributes(scope, headers, body, route)
        entry = Entry(
            position=0,
            application=application,
            resource=route.resource,
            source=_source(route, headers),
            received_us=self._clock.now_us(),
            attributes=msgspec.json.encode(attributes).decode(),
            item_count=0,
            body=body,
        )
        try:
            found = self._items(entry, attributes, route)
        except InvalidInput as error:
            return entry, [], error
        return entry._replace(item_count=len(found), understood=found), found, None

    def _items(self, entry: Entry, attributes: Attributes, route: Route) -> Found:
        if route.resource != "events":
            return objects_of(entry, self._limits.items)
        return items_of(entry, attributes, self._limits.items)

    async def _results(self, position: int, found: Found) -> bytes:
        results = await self._outcomes.wait(position, _WAIT_SECONDS)
        shown = []
        for index, item in enumerate(found):
            result, reason, field, event_id = "accepted", "", "", ""
            if results is not None and index < len(results):
                result, reason, field, event_id = results[index]
            elif isinstance(item, Rejection):
                result, reason, field = REJECTED, item.reason, item.field or ""
            row = {"index": index, "id": event_id, "result": result}
            if reason:
                row |= {"reason": reason, "field": field}
            shown.append(row)
        return msgspec.json.encode({"results": shown})


class _NotAllowed(TollkeeperError):
    """The path is right, the method is not."""

    code = "method_not_allowed"
    status = 405
    title = "Method not allowed"


def _wants_items(scope: Scope) -> bool:
    return b"results=items" in scope.get("query_string", b"").split(b"&")


def _attributes(scope: Scope, headers: dict[bytes, bytes], body: bytes, route: Route) -> Attributes:
    client = scope.get("client")
    attributes = Attributes(
        peer=client[0] if client else "",
        agent=headers.get(b"user-agent", b"").decode("latin-1")[:200],
        digest=blake2b(body, digest_size=16).hexdigest(),
        items=_wants_items(scope),
    )
    report = headers.get(b"x-tollkeeper-capture")
    if report:
        try:
            attributes.capture = msgspec.json.decode(report, type=CaptureReport)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            attributes.capture = None
    if route.cloudevents:
        attributes.content_type = headers.get(b"content-type", b"").decode("latin-1")
        attributes.headers = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in headers.items()
            if name.startswith(b"ce-")
        }
    return attributes


def _source(route: Route, headers: dict[bytes, bytes]) -> str:
    if route.cloudevents:
        return "cloudevents"
    given = _SOURCES.get(headers.get(b"x-tollkeeper-source", b""))
    if given is not None:
        return given
    own = headers.get(b"user-agent", b"").startswith(b"tollkeeper-")
    return "native" if own else "moesif"


def _summary(found: Found, rejected: list[Rejection]) -> bytes:
    answer: dict[str, Any] = {"accepted": len(found) - len(rejected)}
    if rejected:
        answer["rejected_count"] = len(rejected)
        answer["rejected"] = [_shown(item) for item in rejected[:_SHOWN_REJECTIONS]]
    return msgspec.json.encode(answer)


def _shown(item: Rejection) -> dict[str, Any]:
    return {"index": item.index, "reason": item.reason, "field": item.field, "detail": item.detail}


def _cloudevents_answer(found: Found, rejected: list[Rejection]) -> tuple[int, bytes]:
    """204 as OpenMeter's clients expect; with rejected items, their list instead."""
    if not rejected:
        return 204, b""
    return (200 if len(rejected) < len(found) else 400), _summary(found, rejected)


async def _answer(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    if body and not any(name == b"content-type" for name, _ in headers):
        headers.insert(0, (b"content-type", b"application/json"))
    if status != 204:
        headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
