"""Settings: one table of typed rows feeds environment, file, command line and documentation.

A table is a frozen msgspec struct. Each field carries its help and unit in ``msgspec.Meta``, so
that the same class is the type that code reads, the list that documentation prints, and the rule
by which text from the environment is converted. Nothing else reads the environment, and a key
that no table knows is an error that names the nearest known one.
"""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from tollkeeper.errors import InvalidSettings

PREFIX = "TOLLKEEPER_"
T = TypeVar("T", bound=msgspec.Struct)


@dataclass(frozen=True)
class Setting:
    """One row of a settings table.

    ``environment`` is the variable that sets it; ``secret`` values are never printed.
    """

    name: str
    type: str
    default: Any
    unit: str
    help: str
    secret: bool
    environment: str


def rows(table: type[msgspec.Struct]) -> tuple[Setting, ...]:
    """The settings of a table, in the order of their declaration."""
    hints = typing.get_type_hints(table, include_extras=True)
    found = []
    for field in msgspec.structs.fields(table):
        meta = next(
            (
                m
                for m in getattr(hints[field.name], "__metadata__", ())
                if isinstance(m, msgspec.Meta)
            ),
            msgspec.Meta(),
        )
        extra = meta.extra or {}
        default = None if field.default is msgspec.NODEFAULT else field.default
        if field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        found.append(
            Setting(
                name=field.name,
                type=_type_name(hints[field.name]),
                default=default,
                unit=str(extra.get("unit", "")),
                help=meta.description or "",
                secret=bool(extra.get("secret", False)),
                environment=PREFIX + field.name.upper(),
            )
        )
    return tuple(found)


def load(
    table: type[T],
    *,
    environment: Mapping[str, str],
    file: Mapping[str, Any] | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> tuple[T, dict[str, str]]:
    """The settings and where each came from.

    Later sources win: default, file, environment, arguments (where ``None`` means not given).

    Returns:
        The filled table, and for each name one of ``default``, ``file``, ``environment``,
        ``argument``.

    Raises:
        InvalidSettings: for an unknown key of the file, or a value of the wrong type.
    """
    known = {row.name: row for row in rows(table)}
    values: dict[str, Any] = {}
    origin = dict.fromkeys(known, "default")
    for key, value in (file or {}).items():
        if key not in known:
            raise unknown_key(key, known)
        values[key], origin[key] = value, "file"
    for name, row in known.items():
        if row.environment in environment:
            values[name] = environment[row.environment]
            origin[name] = "environment"
    for key, value in (arguments or {}).items():
        if value is not None:
            values[key], origin[key] = value, "argument"
    try:
        return msgspec.convert(values, table, strict=False), origin
    except msgspec.ValidationError as error:
        raise InvalidSettings(str(error)) from error


def check_environment(environment: Mapping[str, str], known: Iterable[Setting]) -> None:
    """Refuses variables with our prefix that no table knows.

    Raises:
        InvalidSettings: naming the variable and the nearest known one.
    """
    names = {row.environment for row in known}
    for key in environment:
        if key.startswith(PREFIX) and key not in names:
            raise unknown_key(key, names)


def unknown_key(key: str, known: Iterable[str]) -> InvalidSettings:
    """The error for a key that no table knows, with the nearest known one as a hint."""
    near = difflib.get_close_matches(key, list(known), n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return InvalidSettings(f"unknown setting {key}{hint}", field=key)


def _type_name(hint: Any) -> str:
    """Readable name of an annotation, without its metadata."""
    if typing.get_origin(hint) is typing.Annotated:
        hint = typing.get_args(hint)[0]
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        parts = [a for a in typing.get_args(hint) if a is not type(None)]
        return " | ".join(_type_name(p) for p in parts)
    return getattr(hint, "__name__", str(hint))


def _row(help: str, *, unit: str = "", secret: bool = False) -> msgspec.Meta:
    return msgspec.Meta(description=help, extra={"unit": unit, "secret": secret})


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of ``tollkeeper serve``."""

    data: Annotated[str, _row("Folder that holds everything the server keeps")] = "tollkeeper-data"
    host: Annotated[str, _row("Address to listen on")] = "127.0.0.1"
    port: Annotated[int, _row("Port to listen on; 0 takes a free one")] = 8600
    public_url: Annotated[
        str,
        _row("Address under which browsers and SDKs reach the server, when it is not host:port"),
    ] = ""
    events: Annotated[
        str, _row("Event store: chdb://DIR or clickhouse://user:password@host:port/db", secret=True)
    ] = ""
    records: Annotated[str, _row("Records database, as a SQLAlchemy address", secret=True)] = ""
    application_id: Annotated[
        str, _row("Collector id of the first application, at least 50 characters", secret=True)
    ] = ""
    admin_token: Annotated[str, _row("Admin token, at least 20 characters", secret=True)] = ""
    user_id_jwt_claim: Annotated[
        str,
        _row("Claim that names the user when an SDK sent none; empty to never look into tokens"),
    ] = "sub"
    max_body_bytes: Annotated[int, _row("Largest body as sent", unit="bytes")] = 50 * 1024 * 1024
    max_inflated_bytes: Annotated[int, _row("Largest body after inflating", unit="bytes")] = (
        64 * 1024 * 1024
    )
    max_batch_items: Annotated[int, _row("Most items in one request")] = 100_000
    backlog_bytes: Annotated[
        int, _row("Accepted but not yet stored bytes at which new events are refused", unit="bytes")
    ] = 2 * 1024**3
    min_free_bytes: Annotated[
        int, _row("Free disk below which new events are refused", unit="bytes")
    ] = 256 * 1024**2
    segment_bytes: Annotated[int, _row("Size at which a journal file is rotated", unit="bytes")] = (
        128 * 1024**2
    )
    query_seconds: Annotated[int, _row("Longest time of one query", unit="seconds")] = 30
    query_memory_bytes: Annotated[int, _row("Most memory of one query", unit="bytes")] = 4 * 1024**3
    bodies_days: Annotated[
        int, _row("Days that bodies of new applications are kept; 0 for ever", unit="days")
    ] = 30
    events_days: Annotated[
        int, _row("Days that raw events of new applications are kept; 0 for ever", unit="days")
    ] = 0
    rollups_days: Annotated[
        int, _row("Days that rollups of new applications are kept; 0 for ever", unit="days")
    ] = 0
    log_format: Annotated[Literal["console", "json"], _row("How log lines look")] = "console"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], _row("Least level that is logged")
    ] = "info"
