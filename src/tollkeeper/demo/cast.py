"""The partners of the sample API: who they are, how they prove it, and what they are like."""

from __future__ import annotations

from typing import NamedTuple

from tollkeeper.demo.token import sign

JOHN_DOE = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
    ".eyJzdWIiOiI1MTMiLCJuYW1lIjoiSm9obiBEb2UiLCJpYXQiOjE1MTYyMzkwMjJ9"
    ".FPN2Bj5b6OUzeTJ7lrNQPWUkZnnBnhMFYeyMjJ_-tN0"
)
"""The token of the article "How to track number of API calls made by each partner", letter by letter."""

OPAQUE_KEY = "vireo_live_8Qm2Zc4Rw7Yt1Np6Ls9Kd3Hb"
"""A key that says nothing about its owner; the alias table tells later."""

_ISSUED = 1_516_239_022


AGENT_SUFFIX = "-partner/1.0"
"""How the user agent of every partner ends: who else calls the sample API is told apart by it."""


class Partner(NamedTuple):
    """One caller of the sample API.

    ``tokens`` are used in turn. ``pace`` is the mean time between calls in seconds, ``daily`` the
    calls of a working day at the start of the history. ``known`` is false when the calls do not
    tell who made them; ``bound_later`` when the alias table will.
    """

    user: str
    company: str
    name: str
    habit: str
    tokens: tuple[str, ...]
    pace: float
    daily: int
    known: bool = True
    bound_later: bool = False


# (user, company, name, habit, pace in seconds, calls a day)
_MANY: tuple[tuple[str, str, str, str, float, int], ...] = (
    ("acme-erp", "acme", "Acme ERP", "steady", 0.5, 420),
    ("acme-shop", "acme", "Acme Web Shop", "bursty", 0.8, 380),
    ("globex-sync", "globex", "Globex Sync", "nightly", 0.6, 300),
    ("initech-tps", "initech", "Initech TPS Reports", "slow", 1.2, 60),
    ("umbrella-lab", "umbrella", "Umbrella Lab", "failing", 0.9, 150),
    ("hooli-search", "hooli", "Hooli Search", "searching", 0.6, 400),
    ("hooli-mobile", "hooli", "Hooli Mobile", "steady", 0.7, 330),
    ("piedpiper-app", "piedpiper", "Pied Piper", "bursty", 1.0, 210),
    ("stark-orders", "stark", "Stark Procurement", "ordering", 0.9, 180),
    ("wayne-fleet", "wayne", "Wayne Fleet", "steady", 1.1, 160),
    ("wonka-pos", "wonka", "Wonka Point of Sale", "ordering", 1.0, 170),
    ("tyrell-crm", "tyrell", "Tyrell CRM", "steady", 1.3, 140),
    ("cyberdyne-iot", "cyberdyne", "Cyberdyne Devices", "bursty", 0.9, 260),
    ("soylent-store", "soylent", "Soylent Store", "ordering", 1.4, 110),
    ("massive-bi", "massive", "Massive Dynamic BI", "slow", 1.6, 50),
    ("aperture-qa", "aperture", "Aperture QA", "failing", 1.5, 90),
    ("blackmesa-core", "blackmesa", "Black Mesa", "steady", 1.4, 120),
    ("oscorp-feed", "oscorp", "Oscorp Feed", "nightly", 1.0, 200),
    ("gringotts-ledger", "gringotts", "Gringotts Ledger", "nightly", 1.2, 180),
    ("duff-delivery", "duff", "Duff Delivery", "steady", 1.5, 100),
    ("kwik-e-mart", "kwikemart", "Kwik-E-Mart", "ordering", 1.7, 90),
    ("planet-express", "planet", "Planet Express", "bursty", 1.5, 130),
    ("momcorp-bots", "momcorp", "MomCorp Bots", "searching", 1.1, 190),
    ("nakatomi-hr", "nakatomi", "Nakatomi HR", "steady", 2.0, 70),
    ("weyland-nav", "weyland", "Weyland Navigation", "steady", 1.8, 80),
    ("yutani-cargo", "weyland", "Yutani Cargo", "nightly", 1.8, 100),
    ("oceanic-book", "oceanic", "Oceanic Booking", "bursty", 1.9, 90),
    ("dunder-paper", "dunder", "Dunder Paper", "ordering", 2.0, 60),
    ("prestige-rent", "prestige", "Prestige Rentals", "steady", 2.2, 55),
    ("bluth-homes", "bluth", "Bluth Homes", "failing", 2.4, 40),
    ("sterling-fax", "sterling", "Sterling Cooper", "steady", 2.5, 45),
    ("vandelay-io", "vandelay", "Vandelay Imports", "slow", 2.4, 30),
    ("zorg-parts", "zorg", "Zorg Parts", "steady", 2.6, 40),
)

SILENT_USER = "duff-delivery"
"""Stopped calling a few days before the history ends; calls again in the demo."""

ROTATING_USER = "contoso-api"
LAPSED_USER = "northwind-old"
OPAQUE_USER = "vireo-maps"


def partners() -> list[Partner]:
    """All of them, the three of the article first."""
    return [*_story(), *(_named(row) for row in _MANY), *_special()]


def _story() -> list[Partner]:
    return [
        Partner("513", "", "John Doe", "reading", (JOHN_DOE,), 0.5, 240),
        Partner("1234", "", "Jane Roe", "reading", (_token("1234", "Jane Roe", ""),), 0.9, 130),
        Partner("2560", "", "Ada Poe", "reading", (_token("2560", "Ada Poe", ""),), 1.8, 60),
    ]


def _named(row: tuple[str, str, str, str, float, int]) -> Partner:
    user, company, name, habit, pace, daily = row
    return Partner(user, company, name, habit, (_token(user, name, company),), pace, daily)


def _special() -> list[Partner]:
    two_keys = tuple(
        _token(ROTATING_USER, "Contoso", "contoso", issued=_ISSUED + n) for n in (0, 86_400)
    )
    lapsed = _token(LAPSED_USER, "Northwind", "northwind", expires=_ISSUED + 3600)
    return [
        Partner(ROTATING_USER, "contoso", "Contoso (two keys)", "steady", two_keys, 0.8, 200),
        Partner(
            LAPSED_USER, "northwind", "Northwind (expired token)", "steady", (lapsed,), 1.5, 0,
            known=False,
        ),
        Partner(
            OPAQUE_USER, "vireo", "Vireo Maps (opaque key)", "searching", (OPAQUE_KEY,), 0.7, 150,
            known=False, bound_later=True,
        ),
    ]  # fmt: skip


def _token(
    user: str, name: str, company: str, *, issued: int = _ISSUED, expires: int | None = None
) -> str:
    claims: dict[str, str | int] = {"sub": user, "name": name, "iat": issued}
    if company:
        claims["company"] = company
    if expires is not None:
        claims["exp"] = expires
    return sign(claims)
