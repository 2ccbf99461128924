"""The stretch of time of a question and the calendar it is cut by.

Units: instants are microseconds since the epoch (``_us``), UTC. Windows are half-open. A bucket
begins at a local minute, hour, midnight, Monday or first of a month in the asked zone, so a day
may have 23 or 25 hours; the first and last bucket of a window may be cut by its ends.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from tollkeeper.clock import EPOCH, to_datetime, to_us
from tollkeeper.errors import InvalidInput
from tollkeeper.query.values import text

SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
DAY_US = 24 * HOUR_US
MAX_BUCKETS = 10_000
INTERVALS = ("minute", "hour", "day", "week", "month")

_LATEST = datetime(2200, 1, 1, tzinfo=UTC)
_UNITS_US = {"s": SECOND_US, "m": 60 * SECOND_US, "h": HOUR_US, "d": DAY_US, "w": 7 * DAY_US}
_RELATIVE = re.compile(r"-([0-9]{1,6})([smhdwM])", re.ASCII)
_SHORTEST_US = {"minute": 60 * SECOND_US, "hour": HOUR_US, "day": 23 * HOUR_US,
                "week": 167 * HOUR_US, "month": 671 * HOUR_US}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open stretch of time, and the starts of its buckets when it is cut.

    ``step_us`` is the length of every bucket where all are equally long, counted from the first
    start, else 0.
    """

    from_us: int
    to_us: int
    zone: ZoneInfo
    interval: str | None = None
    starts_us: tuple[int, ...] = ()
    step_us: int = 0

    def bucket(self, at_us: int) -> int:
        """The start of the bucket that an instant within the window falls in."""
        return self.starts_us[bisect_right(self.starts_us, at_us) - 1]

    def seconds(self, start_us: int | None = None) -> float:
        """How long the window, or the part of a bucket that lies within it, lasts."""
        if start_us is None:
            return (self.to_us - self.from_us) / SECOND_US
        place = bisect_right(self.starts_us, start_us)
        end_us = self.starts_us[place] if place < len(self.starts_us) else self.to_us
        return (min(end_us, self.to_us) - max(start_us, self.from_us)) / SECOND_US

    def local(self, at_us: int) -> str:
        """RFC 3339 text of an instant with the zone's offset at that time."""
        return to_datetime(at_us).astimezone(self.zone).isoformat()


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def read_zone(name: object, at: str) -> ZoneInfo:
    """The IANA time zone of a name.

    Raises:
        InvalidInput: when there is none.
    """
    said = text(name, at, limit=100)
    if said not in _zones():
        raise InvalidInput(f"there is no time zone {said!r}", field=at, code="unknown_time_zone")
    return ZoneInfo(said)


def read_instant(value: object, at: str, *, now_us: int, zone: ZoneInfo) -> int:
    """An instant: ``now``, relative to now, or ISO 8601 with an offset.

    Units and bounds: relative is ``-`` number unit with s, m, h, d (24 hours), w or M (months of
    the calendar in the zone). 1970 to 2200.

    Raises:
        InvalidInput: anything else.
    """
    said = text(value, at, limit=64)
    if said == "now":
        return now_us
    relative = _RELATIVE.fullmatch(said)
    try:
        if relative is None:
            return _bounded(_iso(said))
        count, unit = int(relative[1]), relative[2]
        if unit == "M":
            return _bounded(_months_before(now_us, count, zone))
        return _bounded(EPOCH + timedelta(microseconds=now_us - count * _UNITS_US[unit]))
    except (ValueError, OverflowError):
        raise InvalidInput(
            "must be now, relative such as -24h, -7d or -3M, or ISO 8601 with an offset, "
            "between 1970 and 2200",
            field=at,
            code="invalid_time",
        ) from None


def _iso(said: str) -> datetime:
    at = datetime.fromisoformat(said)
    if at.tzinfo is None:
        raise ValueError("no offset")
    return at.astimezone(UTC)


def _bounded(at: datetime) -> int:
    if not EPOCH <= at <= _LATEST:
        raise ValueError("out of bounds")
    return to_us(at)


def _months_before(now_us: int, count: int, zone: ZoneInfo) -> datetime:
    local = to_datetime(now_us).astimezone(zone)
    months = local.year * 12 + local.month - 1 - count
    year, month = divmod(months, 12)
    first = local.replace(year=year, month=month + 1, day=1)
    following = (first + timedelta(days=32)).replace(day=1)
    last_day = (following - timedelta(days=1)).day
    return first.replace(day=min(local.day, last_day)).astimezone(UTC)


def read_window(
    since: object, until: object, zone_name: object, interval: object, *, now_us: int, at: str = ""
) -> Window:
    """The window of a question.

    Raises:
        InvalidInput: an unknown zone, instant or interval, an end before its start, or more than
            ``MAX_BUCKETS`` buckets.
    """
    zone = read_zone(zone_name, f"{at}time_zone")
    from_us = read_instant(since, f"{at}from", now_us=now_us, zone=zone)
    to_us_ = read_instant(until, f"{at}to", now_us=now_us, zone=zone)
    if from_us >= to_us_:
        raise InvalidInput("must be later than from", field=f"{at}to", code="empty_range")
    if interval is None:
        return Window(from_us, to_us_, zone)
    name = text(interval, f"{at}interval", limit=20)
    if name not in INTERVALS:
        raise InvalidInput(
            f"must be null or one of {', '.join(INTERVALS)}",
            field=f"{at}interval",
            code="unknown_interval",
        )
    if (to_us_ - from_us) // _SHORTEST_US[name] >= MAX_BUCKETS:
        raise InvalidInput(
            f"gives more than {MAX_BUCKETS} buckets; take a longer interval or a shorter range",
            field=f"{at}interval",
            code="too_many_buckets",
        )
    return _cut(Window(from_us, to_us_, zone, name))


def _cut(window: Window) -> Window:
    if window.interval in ("minute", "hour"):
        step_us = 60 * SECOND_US if window.interval == "minute" else HOUR_US
        starts, regular = _short(window, step_us)
        return Window(
            window.from_us, window.to_us, window.zone, window.interval, starts,
            step_us if regular else 0,
        )  # fmt: skip
    starts = _long(window)
    return Window(window.from_us, window.to_us, window.zone, window.interval, starts)


def _offset_us(at_us: int, zone: ZoneInfo) -> int:
    offset = to_datetime(at_us).astimezone(zone).utcoffset()
    return 0 if offset is None else offset // timedelta(microseconds=1)


def _short(window: Window, step_us: int) -> tuple[tuple[int, ...], bool]:
    """Starts of minutes or hours, and whether all are equally long.

    Only where a zone moves by a part of an hour (Lord Howe) does the cut itself move.
    """
    zone, end = window.zone, window.to_us
    first = window.from_us - (window.from_us + _offset_us(window.from_us, zone)) % step_us
    probes = (*range(first, end, DAY_US), end)
    if len({_offset_us(probe, zone) % step_us for probe in probes}) == 1:
        return tuple(range(first, end, step_us)), True
    starts = [first]
    while (following := _following(starts[-1], step_us, zone)) < end:
        starts.append(following)
    return tuple(starts), False


def _following(at: int, step_us: int, zone: ZoneInfo) -> int:
    """The next local minute or hour, or the change of the zone's offset when that comes first."""
    following = at + step_us
    offset = _offset_us(following, zone)
    aligned = following - (following + offset) % step_us
    if _offset_us(aligned, zone) == offset:
        return aligned
    low, high = at, following
    while high - low > SECOND_US:  # offsets change at whole seconds
        middle = low + (high - low) // (2 * SECOND_US) * SECOND_US
        low, high = (low, middle) if _offset_us(middle, zone) == offset else (middle, high)
    return high


def _long(window: Window) -> tuple[int, ...]:
    """Starts of days, weeks or months in the zone."""
    zone = window.zone
    day = to_datetime(window.from_us).astimezone(zone).date()
    if window.interval == "week":
        day -= timedelta(days=day.weekday())
    elif window.interval == "month":
        day = day.replace(day=1)
    starts: list[int] = []
    while True:
        # A midnight that the zone skips is the instant of the change: fold 0 counts with the
        # offset before it.
        start = to_us(datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC))
        if start >= window.to_us:
            return tuple(starts)
        starts.append(start)
        if window.interval == "month":
            day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
        else:
            day += timedelta(days=7 if window.interval == "week" else 1)
