"""One block on its way through the pipeline: what was read, and what each step made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from tollkeeper.ingest.quarantine import Held
from tollkeeper.journal.entry import Entry
from tollkeeper.model.event import Event

STORED, DUPLICATE, CONFLICT, REJECTED = "stored", "duplicate", "conflict", "rejected"


class CaptureReport(msgspec.Struct, omit_defaults=True):
    """What a capture instance tells of itself: events it lost so far, by reason."""

    instance: str = ""
    agent: str = ""
    dropped: dict[str, int] = {}


class Attributes(msgspec.Struct, omit_defaults=True):
    """What came beside a body: kept with the journal entry as JSON.

    ``capture`` is the report of a capture instance, ``headers`` the CloudEvents headers of a
    binary-mode request; ``items`` says that the sender waits for the result of each item;
    ``first_item`` is the place of the first item in the body that brought it, other than 0 only
    for what is sent again from quarantine, as are ``credential`` (keyed digest) and ``user``: its
    caller, since its secrets are gone.
    """

    peer: str = ""
    agent: str = ""
    content_type: str = ""
    digest: str = ""
    capture: CaptureReport | None = None
    headers: dict[str, str] | None = None
    items: bool = False
    first_item: int = 0
    credential: str = ""
    user: str = ""


class Pair(NamedTuple):
    """A session token and the user that one event showed together."""

    application: str
    credential: str
    user: str
    customer: str
    time_us: int


@dataclass(frozen=True, slots=True)
class PartyItem:
    """A user, company or subscription as an SDK sent it; ``attributes`` as in ``Held``."""

    entry: Entry
    index: int
    value: dict[str, Any]
    attributes: str


class Block:
    """Consecutive journal entries that are stored as one.

    ``outcomes`` maps a journal position to one (result, reason, field, id) for each item of that
    entry, in order; it is filled only for entries whose sender waits for it.
    """

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries
        self.first = entries[0].position
        self.last = entries[-1].position
        self.events: list[Event] = []
        self.held: list[Held] = []
        self.conflicts: list[Event] = []
        self.pairs: list[Pair] = []
        self.parties: list[PartyItem] = []
        self.reports: list[tuple[str, CaptureReport]] = []
        self.duplicate_count = 0
        self.outcomes: dict[int, list[tuple[str, str, str, str]]] = {}

    @property
    def token(self) -> str:
        """What makes the stored block recognisable when it is sent again."""
        return f"{self.first}-{self.last}"

    @property
    def size_bytes(self) -> int:
        """Bytes of all bodies, as the journal counts its backlog."""
        return sum(len(entry.body) for entry in self.entries)

    def note(
        self,
        position: int,
        item: int,
        result: str,
        reason: str = "",
        field: str = "",
        event_id: str = "",
    ) -> None:
        """Notes the result of one item, when somebody waits for it."""
        waiting = self.outcomes.get(position)
        if waiting is not None:
            waiting.extend([(STORED, "", "", "")] * (item + 1 - len(waiting)))
            waiting[item] = (result, reason, field, event_id)
