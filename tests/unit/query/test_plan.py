"""Which tables answer which stretches of a window."""

from itertools import pairwise
from typing import Any

import pytest

from tollkeeper.query import plan
from tollkeeper.query.plan import Source
from tollkeeper.query.window import DAY_US, HOUR_US, read_window

UNBOUND = plan.Bindings(credentials=False, users=False, edges=0)


def sources(since: str, until: str, zone: str, interval: str | None) -> tuple[Source, ...]:
    window = read_window(since, until, zone, interval, now_us=0)
    nobody: Any = None  # Without aliases the store is not asked.
    return plan.sources(nobody, "app", window, owners=(), bound=UNBOUND)


def hours(found: tuple[Source, ...]) -> dict[str, float]:
    return {s.table: sum(high - low for low, high in s.ranges) / HOUR_US for s in found}


@pytest.mark.parametrize(
    ("zone", "interval", "expected"),
    [
        ("UTC", "day", {"usage_day": 240}),
        ("UTC", "hour", {"usage_hour": 240}),
        ("UTC", None, {"usage_day": 240}),
        ("Europe/Berlin", "day", {"usage_hour": 240}),
        # A week begins once, an hour before a midnight of UTC.
        ("Europe/Berlin", "week", {"usage_day": 216, "usage_hour": 24}),
        # Each midnight there parts one hour.
        ("Asia/Kolkata", "day", {"usage_hour": 230, "events": 10}),
        ("Asia/Kolkata", "month", {"usage_day": 240}),
        ("Asia/Kolkata", None, {"usage_day": 240}),
    ],
)
def test_only_what_a_bucket_parts_is_answered_more_finely(
    zone: str, interval: str | None, expected: dict[str, float]
) -> None:
    found = sources("2026-03-05T00:00:00Z", "2026-03-15T00:00:00Z", zone, interval)
    assert hours(found) == expected


def test_the_stretches_of_a_window_cover_it_once() -> None:
    window = read_window(
        "2026-03-05T10:20:00Z", "2026-03-31T00:00:01Z", "Asia/Kathmandu", "day", now_us=0
    )
    found = sources("2026-03-05T10:20:00Z", "2026-03-31T00:00:01Z", "Asia/Kathmandu", "day")
    ranges = sorted(part for source in found for part in source.ranges)
    assert (ranges[0][0], ranges[-1][1]) == (window.from_us, window.to_us)
    assert all(low[1] == high[0] for low, high in pairwise(ranges))
    for source in found:
        unit = {"usage_day": DAY_US, "usage_hour": HOUR_US, "events": 1}[source.table]
        for low, high in source.ranges:
            assert low % unit == high % unit == 0
            inside = [at for at in window.starts_us if low < at < high]
            assert all(at % unit == 0 for at in inside)
