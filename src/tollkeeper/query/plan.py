"""Which stretches of a window rollups answer, and which raw events must.

Whole days (UTC) come from ``usage_day``, whole hours from ``usage_hour``, the rest, such as the
ragged ends of a window, from ``events``. A day or hour in which somebody's usage changed its owner,
or in which a bucket of the asked calendar begins, is answered one level finer, since a rollup row
cannot be split. Stretches do not overlap and cover
the window, so their rows are simply added up.

Where raw events were let go sooner than rollups, only whole rollup rows still count: the ragged ends
and split buckets of a window that old are empty.

Guarantee: for whatever a plan gives, the answer equals that of raw events alone (property test).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from tollkeeper.query.window import DAY_US, HOUR_US, SECOND_US, Window
from tollkeeper.store import sql
from tollkeeper.store.events import EventStore

Table = Literal["events", "usage_hour", "usage_day"]
Range = tuple[int, int]

# Beyond this, many small ranges cost more than reading the raw events in one go.
_MAX_RANGES = 300


@dataclass(frozen=True, slots=True)
class Source:
    """Half-open ranges of time that one table answers."""

    table: Table
    ranges: tuple[Range, ...]


@dataclass(frozen=True, slots=True)
class Bindings:
    """What an application's alias table can do to a window."""

    credentials: bool
    users: bool
    edges: int


def survey(store: EventStore, application: str, window: Window) -> Bindings:
    """Whether anything is bound at all, and whether anything changes hands within the window."""
    values = _span(application, window.from_us, window.to_us)
    credentials, users, edges = store.query(sql.statement("query/binding_edges"), values).rows[0]
    return Bindings(bool(credentials), bool(users), int(edges))


def raw_only(window: Window) -> tuple[Source, ...]:
    """The window answered by raw events alone."""
    return (Source("events", ((window.from_us, window.to_us),)),)


def sources(
    store: EventStore, application: str, window: Window, *, owners: Collection[str], bound: Bindings
) -> tuple[Source, ...]:
    """The stretches of a window, each with the coarsest table that answers it exactly.

    The caller has made sure that rollups know every field of the question.
    """
    hours, raw = _carve([(window.from_us, window.to_us)], HOUR_US)
    days, hours = _carve(hours, DAY_US)
    # A bucket that begins within a day or hour parts its calls, as some zones' midnights do.
    days, split = _without(days, _parted(window, DAY_US), DAY_US)
    hours = _merge([*hours, *split])
    hours, split = _without(hours, _parted(window, HOUR_US), HOUR_US)
    raw = _merge([*raw, *split])
    if bound.edges and owners:
        days, split = _without(days, _ambiguous(store, application, "day", days), DAY_US)
        hours = _merge([*hours, *split])
        hours, split = _without(hours, _ambiguous(store, application, "hour", hours), HOUR_US)
        raw = _merge([*raw, *split])
    if len(days) + len(hours) + len(raw) > _MAX_RANGES:
        return raw_only(window)
    found = (
        Source("usage_day", tuple(days)),
        Source("usage_hour", tuple(hours)),
        Source("events", tuple(raw)),
    )
    return tuple(source for source in found if source.ranges)


def _parted(window: Window, unit_us: int) -> list[int]:
    """The units within which a bucket of the window begins."""
    return sorted({at - at % unit_us for at in window.starts_us if at % unit_us})


def name(used: Iterable[Source]) -> str:
    """The coarsest kind of rows that took part: ``day``, ``hour`` or ``events``."""
    tables = {source.table for source in used}
    if "usage_day" in tables:
        return "day"
    return "hour" if "usage_hour" in tables else "events"


def _carve(ranges: Iterable[Range], unit_us: int) -> tuple[list[Range], list[Range]]:
    """The whole units inside the ranges, and what is left around them."""
    whole: list[Range] = []
    rest: list[Range] = []
    for start, end in ranges:
        low, high = -(-start // unit_us) * unit_us, end // unit_us * unit_us
        if low >= high:
            rest.append((start, end))
            continue
        whole.append((low, high))
        rest += [part for part in ((start, low), (high, end)) if part[0] < part[1]]
    return whole, rest


def _ambiguous(store: EventStore, application: str, unit: str, ranges: list[Range]) -> list[int]:
    if not ranges:
        return []
    values = _span(application, ranges[0][0], ranges[-1][1])
    rows = store.query(sql.statement(f"query/ambiguous_{unit}"), values).rows
    return sorted(int(row[0]) * SECOND_US for row in rows)


def _without(
    ranges: list[Range], starts: list[int], unit_us: int
) -> tuple[list[Range], list[Range]]:
    """The ranges without some of their units, and those units."""
    out: list[Range] = []
    kept = ranges
    for start in starts:
        remaining: list[Range] = []
        for low, high in kept:
            if low <= start < high:
                out.append((start, start + unit_us))
                remaining += [p for p in ((low, start), (start + unit_us, high)) if p[0] < p[1]]
            else:
                remaining.append((low, high))
        kept = remaining
    return kept, out


def _merge(ranges: list[Range]) -> list[Range]:
    """The ranges in order, neighbours joined."""
    joined: list[Range] = []
    for low, high in sorted(ranges):
        if joined and joined[-1][1] == low:
            joined[-1] = (joined[-1][0], high)
        else:
            joined.append((low, high))
    return joined


def _span(application: str, since: int, until: int) -> dict[str, str | int]:
    return {"application": application, "since": since, "until": until}
