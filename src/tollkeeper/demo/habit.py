"""What partners are like: the calls that each habit makes, one after the other, for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any, NamedTuple


class Step(NamedTuple):
    """Wait so long, then make this call. ``body`` goes out as JSON."""

    pause: float
    method: str
    path: str
    body: Any = None


Habit = Callable[[Random, float], Iterator[Step]]

_WORDS = ("bolt", "gear", "lamp", "pump", "valve", "wheel", "cable", "relay", "a", "us")
_BURST = (5, 25)
_NIGHT_PAGES = 30


def _reading(dice: Random, pace: float) -> Iterator[Step]:
    accounts = ("abcdef", "1234", "5678", "9012")
    while True:
        path = f"/accounts/{dice.choice(accounts)}/message"
        yield Step(dice.expovariate(1 / pace), "GET", path if dice.random() < 0.8 else "/api")


def _steady(dice: Random, pace: float) -> Iterator[Step]:
    while True:
        yield Step(dice.expovariate(1 / pace), *_everyday(dice))


def _everyday(dice: Random) -> tuple[str, str]:
    chance = dice.random()
    if chance < 0.55:
        return "GET", f"/accounts/{dice.randrange(1000, 9999)}/items?page={dice.randrange(1, 9)}"
    if chance < 0.85:
        return "GET", f"/orders/{dice.randrange(1, 5100)}"
    if chance < 0.95:
        return "GET", f"/search?q={dice.choice(_WORDS)}"
    return "GET", f"/exports/{dice.randrange(1, 400)}"


def _bursty(dice: Random, pace: float) -> Iterator[Step]:
    while True:
        count = dice.randrange(*_BURST)
        yield Step(dice.uniform(0.5, 1.5) * pace * count, *_everyday(dice))
        for _ in range(count - 1):
            yield Step(0.02, *_everyday(dice))


def _nightly(dice: Random, pace: float) -> Iterator[Step]:
    while True:
        account = dice.randrange(1000, 9999)
        for page in range(1, _NIGHT_PAGES):
            # The first call starts the night, the others follow as fast as answers come.
            pause = dice.uniform(0.1, 1.0) * pace * _NIGHT_PAGES if page == 1 else 0.01
            yield Step(pause, "GET", f"/accounts/{account}/items?page={page}")


def _failing(dice: Random, pace: float) -> Iterator[Step]:
    while True:
        pause, chance = dice.expovariate(1 / pace), dice.random()
        if chance < 0.4:
            yield Step(pause, "GET", f"/orders/{dice.randrange(5001, 9999)}")
        elif chance < 0.6:
            yield Step(pause, "POST", "/orders", {"article": "", "pieces": dice.randrange(-3, 1)})
        else:
            yield Step(pause, "GET", f"/exports/{dice.randrange(1, 400)}")


def _ordering(dice: Random, pace: float) -> Iterator[Step]:
    while True:
        article = dice.choice(_WORDS)
        order = {"article": article, "pieces": dice.randrange(1, 103)}
        yield Step(dice.expovariate(1 / pace), "POST", "/orders", order)
        yield Step(0.1, "GET", f"/orders/{dice.randrange(1, 5010)}")


def _searching(dice: Random, pace: float) -> Iterator[Step]:
    while True:
        word = "".join(dice.sample(_WORDS, 1))
        yield Step(dice.expovariate(1 / pace), "GET", f"/search?q={word}")


def _slow(dice: Random, pace: float) -> Iterator[Step]:
    while True:
        yield Step(dice.expovariate(1 / pace), "GET", f"/reports/{dice.randrange(1, 200)}")


HABITS: dict[str, Habit] = {
    "reading": _reading,
    "steady": _steady,
    "bursty": _bursty,
    "nightly": _nightly,
    "failing": _failing,
    "ordering": _ordering,
    "searching": _searching,
    "slow": _slow,
}
"""Habits by name."""
