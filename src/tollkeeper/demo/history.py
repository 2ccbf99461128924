"""Thirty days of sample history: what the partners did before the demo was started.

Believable, not random noise: working hours and weekends, night batches, growth, an evening on
which exports broke, a partner that fell silent, a report that grows slower by the day. Every
event follows from the seed and the first day alone, so that sending it twice stores it once.

Units: instants are microseconds since the epoch, latencies milliseconds.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, NamedTuple

import msgspec

from tollkeeper.clock import format_us, to_datetime
from tollkeeper.demo.cast import SILENT_USER, Partner

DAYS = 30
HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US

_SPIKE_DAY, _SPIKE_HOURS = 21, range(16, 20)
_SILENT_AFTER_DAY = 24
_VOLUME = 0.7
_GROWTH = 0.75
_WEEKEND = 0.35
_SLOWER_EACH_DAY = 0.05


class Way(NamedTuple):
    """One route as partners use it.

    ``ways`` are concrete paths with ``{}`` for a number up to ``numbers``; ``median_ms`` and
    ``spread`` shape its latency; ``mishaps`` are statuses with their chance.
    """

    method: str
    route: str
    path: str
    numbers: int
    median_ms: float
    spread: float
    success: int
    mishaps: tuple[tuple[int, float], ...]


WAYS: dict[str, Way] = {
    "message": Way("GET", "/accounts/{account}/message", "/accounts/{}/message", 40, 6, 0.35, 200,
                   ((401, 0.004),)),
    "items": Way("GET", "/accounts/{account}/items", "/accounts/{}/items?page=1", 9000, 18, 0.5, 200,
                 ((429, 0.004), (500, 0.001))),
    "order": Way("GET", "/orders/{number}", "/orders/{}", 5000, 9, 0.4, 200, ((404, 0.02),)),
    "new_order": Way("POST", "/orders", "/orders", 0, 42, 0.6, 201, ((422, 0.03), (500, 0.002))),
    "search": Way("GET", "/search", "/search?q=item-{}", 300, 35, 0.9, 200, ((400, 0.006),)),
    "report": Way("GET", "/reports/{number}", "/reports/{}", 200, 480, 0.5, 200, ((504, 0.015),)),
    "export": Way("GET", "/exports/{number}", "/exports/{}", 400, 60, 0.7, 200,
                  ((503, 0.02), (500, 0.01))),
}  # fmt: skip

_MIXES: dict[str, tuple[tuple[str, int], ...]] = {
    "reading": (("message", 9), ("items", 1)),
    "steady": (("items", 55), ("order", 30), ("search", 10), ("export", 5)),
    "bursty": (("items", 60), ("order", 30), ("export", 10)),
    "nightly": (("items", 90), ("export", 10)),
    "failing": (("order", 40), ("new_order", 25), ("export", 35)),
    "ordering": (("new_order", 50), ("order", 50)),
    "searching": (("search", 95), ("items", 5)),
    "slow": (("report", 95), ("items", 5)),
}


def history(
    partners: Sequence[Partner], *, first_us: int, from_us: int, to_us: int, seed: int
) -> Iterator[dict[str, Any]]:
    """The wire events of ``from_us <= time < to_us``, hour by hour.

    ``first_us`` is the midnight on which the history begins; the story's days count from it.
    """
    for start_us in range(first_us, to_us, HOUR_US):
        if start_us + HOUR_US <= from_us:
            continue
        for partner in partners:
            dice = Random(f"{seed}/{first_us}/{start_us}/{partner.user}")
            for event_us in _moments(partner, start_us, first_us, dice):
                event = _event(partner, event_us, (start_us - first_us) // DAY_US, dice)
                if from_us <= event_us < to_us:
                    yield event


def _moments(partner: Partner, start_us: int, first_us: int, dice: Random) -> list[int]:
    """When a partner calls within an hour."""
    day = (start_us - first_us) // DAY_US
    if partner.user == SILENT_USER and day > _SILENT_AFTER_DAY:
        return []
    count = _poisson(
        _VOLUME * partner.daily * _rhythm(partner, start_us) * _growth(partner, day), dice
    )
    return sorted(start_us + dice.randrange(HOUR_US) for _ in range(count))


def _rhythm(partner: Partner, start_us: int) -> float:
    """The part of a working day's calls that falls into an hour."""
    at = to_datetime(start_us)
    weekend = _WEEKEND if at.weekday() >= 5 else 1.0
    if partner.habit == "nightly":
        return (0.4, 0.35, 0.2)[at.hour - 1] if 1 <= at.hour <= 3 else 0.002
    # A bell around the early afternoon over a floor that never sleeps; it sums up to about 1.
    bell = math.exp(-(((at.hour - 13.5) / 4.2) ** 2) / 2)
    return weekend * (0.0065 + 0.082 * bell)


def _growth(partner: Partner, day: int) -> float:
    own = Random(partner.user).uniform(-0.2, 1.2)
    return max(0.2, 1 + _GROWTH * own * day / DAYS)


def _poisson(mean: float, dice: Random) -> int:
    if mean > 30:
        return max(0, round(dice.gauss(mean, math.sqrt(mean))))
    limit, count, product = math.exp(-mean), 0, dice.random()
    while product > limit:
        count += 1
        product *= dice.random()
    return count


def _event(partner: Partner, at_us: int, day: int, dice: Random) -> dict[str, Any]:
    names, weights = zip(*_MIXES[partner.habit], strict=True)
    way = WAYS[dice.choices(names, weights)[0]]
    status = _status(way, partner, at_us, day, dice)
    uri = f"https://api.example.com{way.path.format(dice.randrange(way.numbers + 1))}"
    event: dict[str, Any] = {
        "transaction_id": _id(at_us, dice),
        "request": {
            "time": format_us(at_us),
            "uri": uri,
            "verb": way.method,
            "route": way.route,
            "headers": {"user-agent": f"{partner.company}-client/1.0" if partner.company else "curl/8.5.0"},
            "ip_address": f"203.0.113.{sum(partner.user.encode()) % 250 + 1}",
            "bytes": dice.randrange(40, 400) if way.method == "POST" else 0,
        },
        "response": {"status": status, "bytes": dice.randrange(80, 6000) if status < 400 else 64},
        "duration_us": round(_latency_ms(way, status, day, dice) * 1000),
        "metadata": {"sample": True},
    }  # fmt: skip
    if partner.known:
        event["user_id"] = partner.user
        event["company_id"] = partner.company
    else:
        event["credential"] = hashlib.sha256(partner.tokens[0].encode()).hexdigest()
    return event


def _status(way: Way, partner: Partner, at_us: int, day: int, dice: Random) -> int:
    if way.path.startswith("/exports") and day == _SPIKE_DAY and _hour(at_us) in _SPIKE_HOURS:
        return 500 if dice.random() < 0.7 else way.success
    chance = dice.random()
    for status, part in way.mishaps:
        part *= 6 if partner.habit == "failing" else 1
        if chance < part:
            return status
        chance -= part
    return way.success


def _latency_ms(way: Way, status: int, day: int, dice: Random) -> float:
    slower = 1 + _SLOWER_EACH_DAY * day if way.route.startswith("/reports") else 1.0
    median = 2.5 if 400 <= status < 500 else way.median_ms * slower
    return dice.lognormvariate(math.log(median), way.spread)


def _hour(at_us: int) -> int:
    return at_us // HOUR_US % 24


def _id(at_us: int, dice: Random) -> str:
    """A UUIDv7 of the event's time; its random part comes from the dice."""
    low = dice.getrandbits(74)
    value = at_us // 1000 << 80 | 7 << 76 | low >> 62 << 64 | 2 << 62 | low & (1 << 62) - 1
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def batches(events: Iterator[dict[str, Any]], size: int) -> Iterator[bytes]:
    """JSON arrays of so many events each."""
    encoder = msgspec.json.Encoder()
    part: list[bytes] = []
    for event in events:
        part.append(encoder.encode(event))
        if len(part) == size:
            yield b"[" + b",".join(part) + b"]"
            part = []
    if part:
        yield b"[" + b",".join(part) + b"]"
