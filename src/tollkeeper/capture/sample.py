"""Sends only a share of the calls, and loses none from the count.

Calls fall into strata of one rate rule, user and company. In each stratum every so-manieth call is
kept, and carries as its weight the number of calls since the last kept one, itself included. What
a stratum skipped after its last kept call goes out when it falls idle, when it must make room, or
at a flush: as its last skipped call, with the weight of them all. So weights are integers, and
their sum is the number of real calls, exactly, per user, per company and per rule.
"""

from __future__ import annotations

import fnmatch
import random
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from tollkeeper.capture.call import Call
from tollkeeper.errors import InvalidSettings

STRATA_LIMIT = 2048
IDLE_NS = 60 * 1_000_000_000
"""A skipped rest that nothing follows is sent after a minute."""

WEIGHT_LIMIT = 1_000_000
"""The collector takes no larger weight; a call is kept when it would be exceeded."""

_FIELDS: dict[str, Callable[[Call], str]] = {
    "user": lambda call: call.user or "",
    "company": lambda call: call.company or "",
    "method": lambda call: call.method,
    "route": lambda call: call.route or call.path,
    "path": lambda call: call.path,
    "host": lambda call: call.host,
    "status": lambda call: str(call.status),
    "direction": lambda call: call.direction,
}

Weighted = tuple[Call, int]


class Rule:
    """One row of `sample_rules`: patterns that must all match, and a rate.

    A pattern is a text or a list of texts with `*` and `?` as wildcards: {"route": "/health*",
    "status": ["2??", 304], "rate": 5}.
    """

    def __init__(self, row: Mapping[str, Any], position: int) -> None:
        where = f"sample_rules[{position}]"
        rate = row.get("rate")
        if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 < rate <= 100:
            raise InvalidSettings(
                f"{where}.rate: expected a number above 0, up to 100", field="sample_rules"
            )
        self.share = share(rate)
        self._tests = [
            (_field(name, where), _pattern(value, f"{where}.{name}"))
            for name, value in row.items()
            if name != "rate"
        ]

    def matches(self, call: Call) -> bool:
        """True when every pattern matches."""
        return all(pattern.fullmatch(read(call)) for read, pattern in self._tests)


def share(rate: float) -> Fraction:
    """A rate in percent as an exact fraction of one; 33.3 means 333 of 1000."""
    return Fraction(str(rate)) / 100


def _field(name: str, where: str) -> Callable[[Call], str]:
    """How a field that a rule may name is read off a call."""
    if name not in _FIELDS:
        raise InvalidSettings(
            f"{where}: unknown field {name}, known are {', '.join(_FIELDS)}", field="sample_rules"
        )
    return _FIELDS[name]


def _pattern(value: Any, where: str) -> re.Pattern[str]:
    """A pattern, or a list of them, as one expression."""
    texts = value if isinstance(value, (list, tuple)) else [value]
    if not texts or any(
        isinstance(text, bool) or not isinstance(text, (str, int)) for text in texts
    ):
        raise InvalidSettings(f"{where}: expected a text or a list of texts", field="sample_rules")
    return re.compile("|".join(fnmatch.translate(str(text)) for text in texts))


class _Stratum:
    """The state of one stratum: how far the next kept call is, and what was skipped since the last."""

    __slots__ = ("credit", "last", "skipped", "touched_ns")

    def __init__(self, credit: int) -> None:
        self.credit = credit
        self.skipped = 0
        self.last: Call | None = None
        self.touched_ns = 0


class Sampler:
    """Decides call by call what is sent, with which weight.

    Guarantee: over any run that ends with `tails(all)`, the weights given out sum to the number of
    calls taken, in each stratum. Memory is bounded. Not thread safe: its owner holds a lock.
    """

    def __init__(
        self,
        rate: float,
        rules: tuple[Mapping[str, Any], ...] = (),
        *,
        chance: random.Random,
        limit: int = STRATA_LIMIT,
    ) -> None:
        self._rules = [Rule(row, position) for position, row in enumerate(rules)]
        self._share = share(rate)
        self._chance = chance
        self._limit = limit
        self._strata: dict[tuple[int, str | None, str | None], _Stratum] = {}

    @property
    def samples(self) -> bool:
        """False when every call is sent anyway."""
        return self._share != 1 or any(rule.share != 1 for rule in self._rules)

    def forget(self) -> None:
        """Drops all state: in a forked child the rests are the parent's to send."""
        self._strata.clear()

    def take(self, call: Call, now_ns: int) -> list[Weighted]:
        """What goes out now that this call came: the call with its weight, or nothing; and rests that made room."""
        position, part = self._rate_of(call)
        if part == 1:
            return [(call, 1)]
        key = (position, call.user, call.company)
        out: list[Weighted] = []
        stratum = self._strata.pop(key, None)
        if stratum is None:
            out = self._make_room()
            # A random start, so that traffic with a rhythm of its own is not seen at one beat only.
            stratum = _Stratum(self._chance.randrange(part.denominator))
        self._strata[key] = stratum  # last in order: the first one is the longest untouched
        stratum.touched_ns = now_ns
        stratum.credit += part.numerator
        if stratum.credit >= part.denominator or stratum.skipped + 1 >= WEIGHT_LIMIT:
            stratum.credit = max(0, stratum.credit - part.denominator)
            out.append((call, stratum.skipped + 1))
            stratum.skipped, stratum.last = 0, None
        else:
            stratum.skipped += 1
            call.request_body = call.response_body = None  # what waits must stay small
            call.request = call.response = None
            stratum.last = call
        return out

    def tails(self, now_ns: int | None = None) -> list[Weighted]:
        """The rests of the strata idle for a minute, or of all when no time is given."""
        out: list[Weighted] = []
        for stratum in self._strata.values():
            if stratum.last is None:
                continue
            if now_ns is not None and now_ns - stratum.touched_ns < IDLE_NS:
                break
            out.append(_rest(stratum))
        return out

    def next_tail_ns(self) -> int | None:
        """When the next rest falls due, None when there is none."""
        for stratum in self._strata.values():
            if stratum.last is not None:
                return stratum.touched_ns + IDLE_NS
        return None

    def _rate_of(self, call: Call) -> tuple[int, Fraction]:
        """The position of the first rule that matches, and its share."""
        for position, rule in enumerate(self._rules):
            if rule.matches(call):
                return position, rule.share
        return -1, self._share

    def _make_room(self) -> list[Weighted]:
        """Lets the longest untouched stratum go when the table is full; returns its rest."""
        if len(self._strata) < self._limit:
            return []
        oldest = self._strata.pop(next(iter(self._strata)))
        return [_rest(oldest)] if oldest.last is not None else []


def _rest(stratum: _Stratum) -> Weighted:
    """The last skipped call, standing for all that were skipped."""
    call, weight = stratum.last, stratum.skipped
    stratum.last, stratum.skipped = None, 0
    if call is None:
        raise ValueError("no call was skipped")
    return call, weight
