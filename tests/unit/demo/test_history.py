from collections import Counter

from tollkeeper.clock import to_datetime
from tollkeeper.demo.cast import JOHN_DOE, SILENT_USER, partners
from tollkeeper.demo.history import DAY_US, history
from tollkeeper.demo.token import SECRET, sign, verify

FIRST_US = 1_793_491_200_000_000  # 2026-11-01, a Sunday
CAST = partners()


def days(first: int, count: int) -> list[dict[str, object]]:
    from_us = FIRST_US + first * DAY_US
    found = history(
        CAST, first_us=FIRST_US, from_us=from_us, to_us=from_us + count * DAY_US, seed=1
    )
    return list(found)


def test_the_same_seed_gives_the_same_events() -> None:
    assert days(2, 1) == days(2, 1)
    assert days(2, 2) == days(2, 1) + days(3, 1)


def test_every_event_has_an_id_of_its_own() -> None:
    ids = Counter(event["transaction_id"] for event in days(0, 2))
    assert max(ids.values()) == 1


def test_weekends_are_quiet_and_one_partner_falls_silent() -> None:
    sunday, monday = len(days(0, 1)), len(days(1, 1))
    assert to_datetime(FIRST_US).weekday() == 6
    assert sunday < 0.6 * monday
    assert SILENT_USER in {event.get("user_id") for event in days(23, 1)}
    assert SILENT_USER not in {event.get("user_id") for event in days(26, 1)}


def test_unknown_callers_name_no_user() -> None:
    opaque = [event for event in days(1, 1) if "user_id" not in event]
    assert opaque
    assert all(len(str(event["credential"])) == 64 for event in opaque)


def test_the_articles_token_is_the_one_that_the_api_would_sign() -> None:
    claims = {"sub": "513", "name": "John Doe", "iat": 1516239022}
    assert SECRET == "my_super_secret"
    assert sign(claims) == JOHN_DOE
    assert verify(JOHN_DOE, now_us=FIRST_US) == claims
