"""Who owns a passing event, from the records and a memory in front of them.

Stored events are resolved in SQL when somebody asks (``query.owner``); this is for events that
are shown before anybody asks. Same rule: as captured, else the credential's owner at the time of
the call, else the user's customer.
"""

from __future__ import annotations

import threading

from sqlalchemy import Engine, select

from tollkeeper.identity.ledger import CREDENTIAL, USER
from tollkeeper.identity.timeline import Owner, Span, Timeline, holder
from tollkeeper.store.records import read
from tollkeeper.store.tables import bindings

_REMEMBERED = 50_000


class Resolver:
    """Owners by credential or user.

    Guarantee: thread-safe; what is remembered is bounded and forgotten with ``forget``, which
    whoever changes the alias table calls.
    """

    def __init__(self, records: Engine) -> None:
        self._records = records
        self._known: dict[tuple[str, str, str], Timeline] = {}
        self._lock = threading.Lock()

    def owner(
        self, application: str, *, credential: str, user: str, customer: str, at_us: int
    ) -> Owner:
        """The user and customer of a call; parts that nobody knows are empty."""
        if not (user and customer) and credential:
            span = holder(self._timeline(application, CREDENTIAL, credential), at_us)
            if span is not None:
                user = user or span.owner.user
                customer = customer or span.owner.customer
        if user and not customer:
            span = holder(self._timeline(application, USER, user), at_us)
            customer = "" if span is None else span.owner.customer
        return Owner(user, customer)

    def forget(self) -> None:
        """Lets the next questions read the records again."""
        with self._lock:
            self._known.clear()

    def _timeline(self, application: str, kind: str, key: str) -> Timeline:
        place = (application, kind, key)
        known = self._known.get(place)
        if known is None:
            known = self._read(*place)
            with self._lock:
                if len(self._known) >= _REMEMBERED:
                    self._known.clear()
                self._known[place] = known
        return known

    def _read(self, application: str, kind: str, key: str) -> Timeline:
        query = select(bindings).where(
            bindings.c.application == application,
            bindings.c.kind == kind,
            bindings.c.key == key,
            bindings.c.deleted.is_(False),
        )
        with read(self._records) as connection:
            rows = connection.execute(query.order_by(bindings.c.valid_from_us)).all()
        return tuple(
            Span(row.valid_from_us, row.valid_to_us, Owner(row.user, row.customer), row.learned)
            for row in rows
        )
