"""Brings the sample history and the partners' names to a server; a second run adds what is missing."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import msgspec

from tollkeeper.clock import Clock
from tollkeeper.demo.cast import Partner
from tollkeeper.demo.history import DAY_US, DAYS, batches, history
from tollkeeper.demo.watch import answer_of, wait_stored
from tollkeeper.errors import TollkeeperError

_FILE = "history.json"
_BATCH = 10_000
_STORE_SECONDS = 120.0


class Filled(msgspec.Struct):
    """Which stretch of time has its sample history already."""

    seed: int
    first_us: int
    through_us: int


class Sent(NamedTuple):
    """What a start sent: so many events, ``added`` to a history that an earlier start had sent."""

    events: int
    added: bool


def fill(
    folder: Path,
    client: httpx.Client,
    collector_id: str,
    partners: Sequence[Partner],
    *,
    clock: Clock,
    seed: int,
    days: int = DAYS,
) -> Sent:
    """Sends the history up to now, as far as the server lacks it, and waits until it is stored."""
    now_us = clock.now_us()
    known = _read(folder / _FILE, seed)
    first_us = (now_us // DAY_US - days) * DAY_US
    if known is None:
        known = Filled(seed, first_us, first_us)
        _write(folder / _FILE, known)
    added = known.through_us > known.first_us
    headers = {
        "x-moesif-application-id": collector_id,
        "x-tollkeeper-source": "sample",
        "content-encoding": "gzip",
    }
    _introduce(client, headers, partners)
    events = history(
        partners,
        first_us=known.first_us,
        from_us=max(known.through_us, first_us),
        to_us=now_us,
        seed=known.seed,
    )
    sent = 0
    for body in batches(events, _BATCH):
        answer = _post(client, "/v1/events/batch", headers, body)
        if answer.get("rejected"):
            raise TollkeeperError(f"the history was not understood: {answer['rejected'][0]}")
        sent += answer["accepted"]
    wait_stored(client, clock, seconds=_STORE_SECONDS)
    _write(folder / _FILE, Filled(known.seed, known.first_us, now_us))
    return Sent(sent, added)


def _introduce(client: httpx.Client, headers: dict[str, str], partners: Sequence[Partner]) -> None:
    """Tells the server the names of users and customers."""
    # The owner of the opaque key is introduced too, but nothing says yet that the key is theirs.
    users = [
        {
            "user_id": partner.user,
            "company_id": partner.company or None,
            "metadata": {"name": partner.name, "habit": partner.habit},
        }
        for partner in partners
    ]
    companies = [
        {
            "company_id": company,
            "metadata": {
                "name": company.title(),
                "plan": ("free", "pro", "enterprise")[sum(company.encode()) % 3],
            },
        }
        for company in sorted({partner.company for partner in partners} - {""})
    ]
    _post(client, "/v1/users/batch", headers, msgspec.json.encode(users))
    _post(client, "/v1/companies/batch", headers, msgspec.json.encode(companies))


def _post(client: httpx.Client, path: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    packed = gzip.compress(body, 1)
    return answer_of(client.post(path, headers=headers, content=packed)) or {}


def _read(file: Path, seed: int) -> Filled | None:
    try:
        known = msgspec.json.decode(file.read_bytes(), type=Filled)
    except (OSError, msgspec.DecodeError):
        return None
    return known if known.seed == seed else None


def _write(file: Path, filled: Filled) -> None:
    file.write_bytes(msgspec.json.encode(filled))
