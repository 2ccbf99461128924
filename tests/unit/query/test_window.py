from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.clock import EPOCH, to_us
from tollkeeper.errors import InvalidInput
from tollkeeper.query.window import HOUR_US, Window, read_instant, read_window

NOW = to_us(datetime(2026, 3, 31, 12, tzinfo=UTC))


def window(since: str, until: str, zone: str, interval: str | None) -> Window:
    return read_window(since, until, zone, interval, now_us=NOW)


def starts(since: str, until: str, zone: str, interval: str) -> list[str]:
    found = window(since, until, zone, interval)
    return [found.local(start) for start in found.starts_us]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", "2026-03-31T12:00:00+00:00"),
        ("-90s", "2026-03-31T11:58:30+00:00"),
        ("-30m", "2026-03-31T11:30:00+00:00"),
        ("-24h", "2026-03-30T12:00:00+00:00"),
        ("-7d", "2026-03-24T12:00:00+00:00"),
        ("-1w", "2026-03-24T12:00:00+00:00"),
        ("-1M", "2026-02-28T12:00:00+00:00"),
        ("-3M", "2025-12-31T12:00:00+00:00"),
        ("-15M", "2024-12-31T12:00:00+00:00"),
        ("2026-03-29T03:00:00+02:00", "2026-03-29T01:00:00+00:00"),
        ("2026-03-29T03:00Z", "2026-03-29T03:00:00+00:00"),
    ],
)
def test_an_instant_is_read(text: str, expected: str) -> None:
    us = read_instant(text, "from", now_us=NOW, zone=ZoneInfo("UTC"))
    assert us == to_us(datetime.fromisoformat(expected))


def test_months_go_back_by_the_calendar_of_the_zone() -> None:
    us = read_instant("-1M", "from", now_us=NOW, zone=ZoneInfo("Europe/Berlin"))
    # 14:00 summer time is one hour earlier in UTC than 14:00 winter time.
    assert us == to_us(datetime(2026, 2, 28, 13, tzinfo=UTC))


@pytest.mark.parametrize(
    "text", ["", "now-1h", "-h", "1h", "--1h", "-1y", "-1.5h", "2026-03-29", "-9999999h", "0001-01-01T00:00Z",
             "2026-13-01T00:00Z", "2300-01-01T00:00Z", "-٣h"],
)  # fmt: skip
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_instant(text, "from", now_us=NOW, zone=ZoneInfo("UTC"))
    assert refused.value.field == "from"


def test_a_day_has_23_hours_in_spring_and_25_in_autumn() -> None:
    berlin = window("2026-03-28T12:00Z", "2026-03-30T12:00Z", "Europe/Berlin", "day").starts_us
    assert [(b - a) // HOUR_US for a, b in pairwise(berlin)] == [24, 23]
    berlin = window("2026-10-24T12:00Z", "2026-10-26T12:00Z", "Europe/Berlin", "day").starts_us
    assert [(b - a) // HOUR_US for a, b in pairwise(berlin)] == [24, 25]


def test_the_hour_that_comes_twice_is_two_buckets() -> None:
    assert starts("2026-10-25T00:00Z", "2026-10-25T03:00Z", "Europe/Berlin", "hour") == [
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-10-25T03:00:00+01:00",
    ]


def test_a_midnight_that_is_skipped_begins_its_day_later() -> None:
    # Beirut moves its clocks at midnight.
    found = starts("2026-03-28T10:00Z", "2026-03-29T10:00Z", "Asia/Beirut", "day")
    assert found == ["2026-03-28T00:00:00+02:00", "2026-03-29T01:00:00+03:00"]


def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    assert starts("2026-11-18T00:00Z", "2026-12-01T00:00Z", "UTC", "week") == [
        "2026-11-16T00:00:00+00:00",
        "2026-11-23T00:00:00+00:00",
        "2026-11-30T00:00:00+00:00",
    ]
    assert starts("2026-11-18T00:00Z", "2027-01-01T12:00Z", "Asia/Tokyo", "month") == [
        "2026-11-01T00:00:00+09:00",
        "2026-12-01T00:00:00+09:00",
        "2027-01-01T00:00:00+09:00",
    ]


def test_an_hour_of_a_zone_that_moves_by_half_an_hour_is_cut_there() -> None:
    # Lord Howe goes from 02:00 to 02:30 in October, and back from 02:00 to 01:30 in April.
    assert starts("2026-10-03T14:30Z", "2026-10-03T17:00Z", "Australia/Lord_Howe", "hour") == [
        "2026-10-04T01:00:00+10:30",
        "2026-10-04T02:30:00+11:00",
        "2026-10-04T03:00:00+11:00",
    ]
    assert starts("2026-04-04T14:00Z", "2026-04-04T17:00Z", "Australia/Lord_Howe", "hour") == [
        "2026-04-05T01:00:00+11:00",
        "2026-04-05T01:30:00+10:30",
        "2026-04-05T02:00:00+10:30",
        "2026-04-05T03:00:00+10:30",
    ]


def test_a_bucket_lasts_as_long_as_it_lies_in_the_window() -> None:
    found = window("2026-11-18T10:30Z", "2026-11-18T12:15Z", "UTC", "hour")
    assert [found.seconds(start) for start in found.starts_us] == [1800, 3600, 900]
    assert found.seconds() == 6300


@pytest.mark.parametrize(
    ("since", "interval"), [("-7d", "minute"), ("-10001h", "hour"), ("-999d", "minute")]
)
def test_too_many_buckets_are_refused(since: str, interval: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        window(since, "now", "UTC", interval)
    assert (refused.value.field, refused.value.code) == ("interval", "too_many_buckets")


@given(
    since=st.integers(366, 47_000).map(lambda days: EPOCH + timedelta(days=days, seconds=days)),
    length=st.integers(1, 40 * 24 * 3600),
    zone=st.sampled_from(
        ["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kathmandu",
         "Africa/Monrovia", "Pacific/Apia", "America/Havana", "Antarctica/Troll", "Asia/Gaza"]
    ),
    interval=st.sampled_from(["hour", "day", "week", "month"]),
)  # fmt: skip
def test_buckets_cover_the_window_and_begin_at_their_place_on_the_clock(
    since: datetime, length: int, zone: str, interval: str
) -> None:
    begin = since
    end = begin + timedelta(seconds=length)
    found = read_window(begin.isoformat(), end.isoformat(), zone, interval, now_us=NOW)
    assert found.starts_us[0] <= found.from_us
    assert found.starts_us[-1] < found.to_us
    assert list(found.starts_us) == sorted(set(found.starts_us))
    assert sum(found.seconds(s) for s in found.starts_us) == pytest.approx(length)
    for start in found.starts_us:
        before = datetime.fromtimestamp(start // 1_000_000 - 1, ZoneInfo(zone))
        local = datetime.fromtimestamp(start // 1_000_000, ZoneInfo(zone))
        moved = before.utcoffset() != local.utcoffset()
        assert moved or local.minute == 0 or zone == "Africa/Monrovia"
        if interval != "hour":
            assert moved or local.hour == 0
            assert before.date() != local.date() or moved
    assert found.bucket(found.from_us) == found.starts_us[0]
    assert found.bucket(found.to_us - 1) == found.starts_us[-1]
