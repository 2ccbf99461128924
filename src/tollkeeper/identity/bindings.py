"""States who owns credentials and users: the bulk behind the alias table, and its list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, Row, select, tuple_

from tollkeeper.errors import InvalidInput
from tollkeeper.identity.ledger import CREDENTIAL, USER, Ledger
from tollkeeper.identity.roster import Roster
from tollkeeper.identity.timeline import SINCE_EVER_US, Owner, Timeline, state
from tollkeeper.store.records import write
from tollkeeper.store.tables import bindings, customers, users

_PER_TRANSACTION = 1000


class Statement(NamedTuple):
    """Somebody says: this key belongs to this owner, from and to.

    ``kind`` is ``credential`` (``key`` = keyed digest) or ``user`` (``key`` = user id, and the
    owner has no user of its own). Without times see ``timeline.state``.
    """

    kind: str
    key: str
    owner: Owner
    valid_from_us: int | None = None
    valid_to_us: int | None = None


class Outcome(NamedTuple):
    """What became of a statement: created, unchanged, replaced, or rejected with its reason."""

    result: str
    reason: str | None = None
    field: str | None = None
    detail: str | None = None


def rejected(error: InvalidInput) -> Outcome:
    """The outcome of an item that was not understood."""
    return Outcome("rejected", error.code, error.field, error.detail)


def put(
    engine: Engine,
    application: str,
    statements: Iterable[Statement | InvalidInput],
    now_us: int,
) -> list[Outcome]:
    """States owners, in order, in transactions of a thousand.

    An item that is an error already is passed through as rejected, so that outcomes and items
    stay side by side.
    """
    outcomes: list[Outcome] = []
    rest = iter(statements)
    while part := list(islice(rest, _PER_TRANSACTION)):
        with write(engine) as connection:
            outcomes.extend(put_here(connection, application, part, now_us))
    return outcomes


def put_here(
    connection: Connection,
    application: str,
    statements: Sequence[Statement | InvalidInput],
    now_us: int,
) -> list[Outcome]:
    """As ``put``, within the caller's transaction."""
    ledger = Ledger(connection, application)
    good = [s for s in statements if isinstance(s, Statement)]
    ledger.load(CREDENTIAL, (s.key for s in good if s.kind == CREDENTIAL))
    ledger.load(USER, (s.key if s.kind == USER else s.owner.user for s in good))
    outcomes = [
        rejected(s) if isinstance(s, InvalidInput) else state_in(ledger, s, now_us)
        for s in statements
    ]
    ledger.flush()
    taken = [
        statement
        for statement, outcome in zip(statements, outcomes, strict=True)
        if isinstance(statement, Statement) and outcome.result != "rejected"
    ]
    roster = Roster(connection, application)
    roster.introduce(users, (s.key if s.kind == USER else s.owner.user for s in taken), now_us)
    roster.introduce(customers, (s.owner.customer for s in taken), now_us)
    roster.flush()
    return outcomes


def state_in(ledger: Ledger, statement: Statement, now_us: int) -> Outcome:
    """States one owner in a ledger; teaches the user's customer when both are named."""
    kind, key, owner = statement.kind, statement.key, statement.owner
    before = ledger.timeline(kind, key)
    try:
        after = state(
            before,
            owner,
            valid_from_us=statement.valid_from_us,
            valid_to_us=statement.valid_to_us,
            now_us=now_us,
        )
    except InvalidInput as error:
        return rejected(error)
    if after is not before:
        ledger.change(kind, key, after)
    if kind == CREDENTIAL and owner.user and owner.customer:
        teach_customer(ledger, owner.user, owner.customer)
    return Outcome("unchanged" if after is before else "replaced" if before else "created")


def teach_customer(ledger: Ledger, user: str, customer: str) -> None:
    """Binds a user to a customer since ever, when nothing is known of the user's customer."""
    if not ledger.timeline(USER, user):
        since_ever: Timeline = state(
            (), Owner("", customer), valid_from_us=SINCE_EVER_US, valid_to_us=None, now_us=0
        )
        ledger.change(USER, user, since_ever)


class Place(NamedTuple):
    """Where a list of bindings goes on: after this row."""

    kind: str
    key: str
    valid_from_us: int


def listing(
    connection: Connection,
    application: str,
    *,
    filters: dict[str, str],
    after: Place | None,
    limit: int,
) -> list[Row[Any]]:
    """Rows of the alias table in order of kind, key and start.

    ``filters`` maps column names (kind, key, user, customer) to the value they must have.
    """
    c = bindings.c
    query = select(bindings).where(c.application == application, c.deleted.is_(False))
    for name, value in filters.items():
        query = query.where(c[name] == value)
    if after is not None:
        query = query.where(tuple_(c.kind, c.key, c.valid_from_us) > tuple_(*after))
    return list(connection.execute(query.order_by(c.kind, c.key, c.valid_from_us).limit(limit)))


def customers_of(
    connection: Connection, application: str, user_ids: Sequence[str], at_us: int
) -> dict[str, str]:
    """The customer of each user at an instant; users without one are missing."""
    c = bindings.c
    query = select(c.key, c.customer).where(
        c.application == application,
        c.kind == USER,
        c.key.in_(user_ids),
        c.deleted.is_(False),
        c.valid_from_us <= at_us,
        c.valid_to_us > at_us,
    )
    return {row.key: row.customer for row in connection.execute(query)}
