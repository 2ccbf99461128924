"""Applications and how long they keep things."""

from typing import Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Engine

from tollkeeper.clock import format_us
from tollkeeper.identity import applications
from tollkeeper.identity.applications import Application
from tollkeeper.web.auth import Guard


class Retention(BaseModel):
    """Days that each kind of data is kept; null keeps it for ever."""

    bodies_days: int | None
    events_days: int | None
    rollups_days: int | None


class ApplicationOut(BaseModel):
    """One application. ``collector_id`` is what SDKs send with their events."""

    id: str
    name: str
    collector_id: str
    created_at: str
    retention: Retention


class ApplicationList(BaseModel):
    """All applications, oldest first."""

    applications: list[ApplicationOut]


class ApplicationChange(BaseModel):
    """What to change; what is not named stays."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = None
    retention: dict[str, int | None] | None = None


def router(records: Engine, principal: Guard) -> APIRouter:
    """Routes under ``/api/applications``."""
    routes = APIRouter(
        prefix="/api/applications", tags=["applications"], dependencies=[Depends(principal)]
    )

    @routes.get("")
    def show() -> ApplicationList:
        """Lists the applications of this server."""
        return ApplicationList(applications=[_out(a) for a in applications.listing(records)])

    @routes.patch("/{application}")
    def change(application: str, body: ApplicationChange) -> ApplicationOut:
        """Changes an application's name or retention."""
        changes: dict[str, Any] = dict(body.retention or {})
        if body.name is not None:
            changes["name"] = body.name
        return _out(applications.change(records, application, changes))

    return routes


def _out(application: Application) -> ApplicationOut:
    return ApplicationOut(
        id=application.id,
        name=application.name,
        collector_id=application.collector_id,
        created_at=format_us(application.created_us),
        retention=Retention(**application.retention._asdict()),
    )
