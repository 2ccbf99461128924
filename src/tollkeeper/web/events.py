"""Single events over HTTP: a list by pages, one with everything, and the stream of new ones."""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, Field

from tollkeeper.errors import InvalidInput
from tollkeeper.query.answer import Asker
from tollkeeper.query.ask import read_application
from tollkeeper.query.events import MAX_PAGE, Page, one, page
from tollkeeper.query.filter import Node, read_filter
from tollkeeper.query.stream import LiveHub, Message, Place
from tollkeeper.query.window import read_window
from tollkeeper.web.answers import REFUSALS, answer, decoded
from tollkeeper.web.auth import Guard
from tollkeeper.web.query import FILTER, INSTANT

_PLACE = re.compile(r"(\d{1,19})\.(\d{1,9})", re.ASCII)


class RequestOut(BaseModel):
    """What was asked. In lists headers and body are null."""

    method: str
    uri: str
    host: str
    path: str
    route: str
    headers: dict[str, str] | None
    query: dict[str, str]
    body: Any
    body_encoding: Literal["json", "text", "base64"] | None
    bytes: int
    ip: str
    api_version: str


class ResponseOut(BaseModel):
    """What was answered; status 0 when no answer was seen."""

    status: int
    headers: dict[str, str] | None
    body: Any
    body_encoding: Literal["json", "text", "base64"] | None
    bytes: int


class EventOut(BaseModel):
    """An event. Unknown text is empty; ``user`` and ``customer`` are as known now."""

    id: str
    application: str
    time: str
    received_at: str
    kind: str
    source: str
    direction: str
    action: str
    user: str
    customer: str
    credential: str
    request: RequestOut
    response: ResponseOut
    duration_ms: float
    metadata: Any
    weight: int
    trace_id: str
    blocked_by: str
    tags: str
    outcome: str
    subscription: str


class PageOut(BaseModel):
    """A page; ``next_cursor`` asks for the next one, null at the end."""

    events: list[EventOut]
    next_cursor: str | None = Field(...)


class _Stream(NamedTuple):
    application: str
    condition: Node | None
    resume: Place | None


def router(asker: Asker, hub: LiveHub, principal: Guard) -> APIRouter:
    """Routes under ``/api/events``."""
    routes = APIRouter(
        prefix="/api/events",
        tags=["events"],
        dependencies=[Depends(principal)],
        responses=REFUSALS,
    )
    now_us = asker.clock.now_us

    @routes.get("", response_class=Response, responses={200: {"model": PageOut}})
    def listing(
        application: str | None = None,
        since: Annotated[str, Query(alias="from", description=INSTANT)] = "-24h",
        until: Annotated[str, Query(alias="to", description=INSTANT)] = "now",
        condition: Annotated[str | None, Query(alias="filter", description=FILTER)] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
        cursor: Annotated[str | None, Query(max_length=200)] = None,
        order: Literal["asc", "desc"] = "desc",
    ) -> Response:
        """Lists events by time, without headers, bodies and metadata."""
        wanted = Page(
            application=read_application(application),
            window=read_window(since, until, "UTC", None, now_us=now_us()),
            filter=_condition(condition, now_us()),
            limit=limit,
            order=order,
            cursor=cursor or None,
        )
        return answer(page(asker, wanted))

    def stream(
        application: str | None = None,
        condition: Annotated[str | None, Query(alias="filter", description=FILTER)] = None,
        last_event_id: Annotated[str | None, Query(description="go on after this one")] = None,
        last_seen: Annotated[str | None, Header(alias="last-event-id")] = None,
    ) -> _Stream:
        node = _condition(condition, now_us())
        hub.check(node)
        return _Stream(
            asker.application(read_application(application)),
            node,
            _resume(last_seen or last_event_id),
        )

    @routes.get(
        "/live",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {}}}},
    )
    async def live(wanted: Annotated[_Stream, Depends(stream)]) -> StreamingResponse:
        """Streams calls as they are stored: ``event: call`` and ``event: rate``."""
        messages = hub.watch(wanted.application, wanted.condition, resume=wanted.resume)
        return StreamingResponse(
            _lines(messages),
            media_type="text/event-stream",
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )

    # Ids may have slashes: those of CloudEvents are made of an address.
    @routes.get("/{event_id:path}", response_class=Response, responses={200: {"model": EventOut}})
    def whole(event_id: str, application: str | None = None) -> Response:
        """Gives one event with headers, bodies and metadata."""
        return answer(one(asker, read_application(application), event_id))

    return routes


def _condition(text: str | None, now_us: int) -> Node | None:
    return read_filter(decoded(text, "filter"), "filter", now_us=now_us) if text else None


def _resume(text: str | None) -> Place | None:
    if not text:
        return None
    found = _PLACE.fullmatch(text)
    if found is None or int(found[1]) >= 2**63:
        raise InvalidInput(
            "must be an id of this stream", field="last_event_id", code="invalid_place"
        )
    return int(found[1]), int(found[2])


async def _lines(messages: AsyncGenerator[Message, None]) -> AsyncIterator[bytes]:
    # A first line at once: the browser then knows that the stream is open.
    yield b": open\n\n"
    async with aclosing(messages):
        async for message in messages:
            if message.kind == "heartbeat":
                yield b": still here\n\n"
                continue
            place = f"id: {message.id}\n".encode() if message.id else b""
            data = msgspec.json.encode(message.data)
            yield place + f"event: {message.kind}\ndata: ".encode() + data + b"\n\n"
