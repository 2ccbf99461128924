"""How the server is doing: status, quarantine, recount, health and metrics."""

from base64 import b64encode
from typing import Annotated, Any, Protocol

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from pydantic import BaseModel

from tollkeeper.clock import format_us
from tollkeeper.web.auth import Guard
from tollkeeper.web.page import Limit, Word


class Journal(BaseModel):
    """The durable inbox: what is accepted but not stored yet."""

    backlog_entries: int
    backlog_bytes: int
    last_position: int
    stored_position: int


class Status(BaseModel):
    """The state of the server. ``refusal`` says why nothing is accepted, when that is so."""

    version: str
    started_at: str
    as_of: str
    applications: int
    events_total: int
    calls_total: int
    last_event_at: str | None
    journal: Journal
    quarantine: dict[str, int]
    conflicts: dict[str, int]
    dropped: dict[str, int]
    accepting: bool
    refusal: str | None


class HeldOut(BaseModel):
    """One thing that was not understood. ``content`` is text, or base64 when it is not UTF-8.

    What is ``truncated`` was too large to keep whole and cannot be sent again.
    """

    id: int
    application: str
    source: str
    resource: str
    reason: str
    field: str | None
    detail: str
    content: str
    content_encoding: str
    truncated: bool
    first_seen_at: str
    last_seen_at: str
    seen_count: int


class Quarantine(BaseModel):
    """What waits, oldest first; ask again with ``after`` = last id for more."""

    count: int
    items: list[HeldOut]


class ConflictOut(BaseModel):
    """An event that came under the id of another one and said something else. It is not counted.

    ``content`` is what it said, as stored events are kept: by column, masked.
    """

    application: str
    event_id: str
    seen_at: str
    content: dict[str, Any]


class Conflicts(BaseModel):
    """The number of conflicts, and the newest of them."""

    count: int
    items: list[ConflictOut]


class Replay(BaseModel):
    """Which items to send through the pipeline again; all when no id is given."""

    ids: list[int] | None = None


class Replayed(BaseModel):
    """How many items were sent again. What is still not understood comes back to quarantine."""

    replayed: int


class Difference(BaseModel):
    """One place where a count differs from the raw events."""

    what: str
    application: str
    day: int
    counted: int
    found: int


class Recount(BaseModel):
    """The answer of a recount: ``equal`` when nothing differs."""

    equal: bool
    applications: dict[str, dict[str, int]]
    differences: list[Difference]


class Operator(Protocol):
    """What the running server tells and does about itself."""

    def ready(self) -> str | None:
        """Why the server is not ready; ``None`` when it is."""
        ...

    def status(self) -> dict[str, Any]:
        """The members of ``Status``."""
        ...

    def held(self, *, limit: int, after: int) -> tuple[int, list[dict[str, Any]]]:
        """Number of held items, and a page of them."""
        ...

    def conflicts(self, *, event_id: str | None, limit: int) -> tuple[int, list[dict[str, Any]]]:
        """Number of conflicting events, and the newest of them."""
        ...

    def replay(self, ids: list[int] | None) -> int:
        """Sends held items through the pipeline again."""
        ...

    def recount(self) -> dict[str, Any]:
        """The members of ``Recount``."""
        ...


def router(operator: Operator, registry: CollectorRegistry, principal: Guard) -> APIRouter:
    """Routes for whoever runs the server."""
    routes = APIRouter(tags=["operation"])
    guarded = [Depends(principal)]

    @routes.get("/health/live")
    def live() -> dict[str, str]:
        """Answers as long as the process does."""
        return {"status": "ok"}

    @routes.get("/health/ready", response_model=None)
    def ready() -> Response:
        """Answers 200 once events are taken and stored, else 503 with the reason."""
        reason = operator.ready()
        if reason is None:
            return JSONResponse({"status": "ok"})
        return JSONResponse({"status": "waiting", "reason": reason}, status_code=503)

    @routes.get("/metrics", response_class=PlainTextResponse, dependencies=guarded)
    def metrics() -> Response:
        """Prometheus metrics."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    @routes.get("/api/status", dependencies=guarded)
    def status() -> Status:
        """Tells how the server is doing."""
        return Status(**operator.status())

    @routes.get("/api/quarantine", dependencies=guarded)
    def quarantine(
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        after: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0,
    ) -> Quarantine:
        """Lists what could not be understood, with the reason of each."""
        count, rows = operator.held(limit=limit, after=after)
        return Quarantine(count=count, items=[_held(row) for row in rows])

    @routes.get("/api/conflicts", dependencies=guarded)
    def conflicts(event_id: Word | None = None, limit: Limit = 100) -> Conflicts:
        """Lists events that came under the id of another one with other content."""
        count, rows = operator.conflicts(event_id=event_id, limit=limit)
        return Conflicts(count=count, items=[_conflict(row) for row in rows])

    @routes.post("/api/quarantine/replay", dependencies=guarded)
    def replay(which: Replay) -> Replayed:
        """Sends held items through the pipeline again."""
        return Replayed(replayed=operator.replay(which.ids))

    @routes.post("/api/recount", dependencies=guarded)
    def recount() -> Recount:
        """Counts raw events again and compares with rollups and counters."""
        return Recount(**operator.recount())

    return routes


def _conflict(row: dict[str, Any]) -> ConflictOut:
    return ConflictOut(
        application=row["application"],
        event_id=row["event_id"],
        seen_at=format_us(row["seen_us"]),
        content=msgspec.json.decode(row["content"]),
    )


def _held(row: dict[str, Any]) -> HeldOut:
    content: bytes = row["content"]
    try:
        text, encoding = content.decode(), "text"
    except UnicodeDecodeError:
        text, encoding = b64encode(content).decode(), "base64"
    return HeldOut(
        **{k: row[k] for k in ("id", "application", "source", "resource", "reason", "field")},
        detail=row["detail"],
        content=text,
        content_encoding=encoding,
        truncated=row["size_bytes"] > len(content),
        first_seen_at=format_us(row["first_seen_us"]),
        last_seen_at=format_us(row["last_seen_us"]),
        seen_count=row["seen_count"],
    )
