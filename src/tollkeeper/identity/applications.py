"""Applications: what is being tracked, each with the collector id that its events carry.

A collector id is a write-only secret of at least 50 characters whose last ten are unique: some
gateway plugins key their queues by those.
Source: protocol notes section 0 point 9.
"""

from __future__ import annotations

import secrets
import string
from typing import Any, NamedTuple

from sqlalchemy import Engine, select, update

from tollkeeper.errors import InvalidInput, InvalidSettings, NotFound
from tollkeeper.store.records import read, write
from tollkeeper.store.tables import applications

COLLECTOR_ID_LEAST = 50
_ALPHABET = string.ascii_letters + string.digits
_RETENTION = ("bodies_days", "events_days", "rollups_days")
_LONGEST_DAYS = 36_500


class Retention(NamedTuple):
    """Days that each kind of data is kept; ``None`` keeps it for ever."""

    bodies_days: int | None
    events_days: int | None
    rollups_days: int | None


class Application(NamedTuple):
    """One tracked product or environment of the API's owner."""

    id: str
    name: str
    collector_id: str
    created_us: int
    retention: Retention


def new_collector_id() -> str:
    """A fresh collector id: ``tk_`` and 61 characters of letters and digits."""
    return "tk_" + "".join(secrets.choice(_ALPHABET) for _ in range(61))


def listing(engine: Engine) -> list[Application]:
    """All applications, oldest first."""
    with read(engine) as connection:
        rows = connection.execute(
            select(applications).order_by(applications.c.created_us, applications.c.id)
        ).all()
    return [
        Application(
            row.id,
            row.name,
            row.collector_id,
            row.created_us,
            Retention(row.bodies_days, row.events_days, row.rollups_days),
        )
        for row in rows
    ]


def create(
    engine: Engine, *, name: str, collector_id: str, retention: Retention, now_us: int
) -> Application:
    """Makes an application.

    Raises:
        InvalidSettings: the collector id is too short, not plain ASCII, or its end is taken.
    """
    check_collector_id(collector_id, [known.collector_id for known in listing(engine)])
    application = Application("app_" + secrets.token_hex(6), name, collector_id, now_us, retention)
    with write(engine) as connection:
        connection.execute(
            applications.insert().values(
                id=application.id,
                name=name,
                collector_id=collector_id,
                created_us=now_us,
                **retention._asdict(),
            )
        )
    return application


def check_collector_id(value: str, taken: list[str]) -> None:
    """Refuses an id that some SDK could not use.

    Raises:
        InvalidSettings: with what is wrong.
    """
    if len(value) < COLLECTOR_ID_LEAST or len(value) > 200:
        raise InvalidSettings(
            f"a collector id has {COLLECTOR_ID_LEAST} to 200 characters, not {len(value)}",
            field="application_id",
        )
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise InvalidSettings(
            "a collector id is printable ASCII without spaces", field="application_id"
        )
    if any(known[-10:] == value[-10:] for known in taken):
        raise InvalidSettings(
            "the last ten characters of a collector id must be unique", field="application_id"
        )


def change(engine: Engine, application_id: str, changes: dict[str, Any]) -> Application:
    """Sets name and retention of an application.

    Raises:
        NotFound: there is no such application.
        InvalidInput: a value is not possible; the field is named.
    """
    values: dict[str, Any] = {}
    for key, value in changes.items():
        if (key == "name" and isinstance(value, str) and 0 < len(value) <= 200) or (
            key in _RETENTION
            and (value is None or (type(value) is int and 0 < value <= _LONGEST_DAYS))
        ):
            values[key] = value
        else:
            raise InvalidInput("not a possible value", field=key)
    with write(engine) as connection:
        if values:
            connection.execute(
                update(applications).where(applications.c.id == application_id).values(**values)
            )
    for application in listing(engine):
        if application.id == application_id:
            return application
    raise NotFound(f"no application {application_id}", field="application")
