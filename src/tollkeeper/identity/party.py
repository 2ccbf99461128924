"""Takes what Moesif's SDKs say of users, companies and subscriptions.

The collector's application id is no secret (browsers publish it), so these items are weaker than
the alias table: a session token in them is learned as from an event, and never moves a credential
that an administrator stated. A user's ``company_id`` is a statement: another one later moves the
user from then on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection

from tollkeeper.errors import InvalidInput
from tollkeeper.identity.attributes import merge, text_of
from tollkeeper.identity.bindings import Statement, state_in, teach_customer
from tollkeeper.identity.item import CompanySaid, Said, SubscriptionSaid, UserSaid, read_item
from tollkeeper.identity.learn import teach
from tollkeeper.identity.ledger import CREDENTIAL, USER, Ledger
from tollkeeper.identity.roster import Roster, find
from tollkeeper.identity.timeline import Owner, holder
from tollkeeper.store.records import replace_rows, take_versions
from tollkeeper.store.tables import customers, subscriptions, users


class Item(NamedTuple):
    """One user, company or subscription as it came.

    ``resource`` is ``users``, ``companies`` or ``subscriptions``; ``now_us`` is when the item was
    received, the same again when it is replayed.
    """

    resource: str
    value: Mapping[str, Any]
    now_us: int


def apply(
    connection: Connection,
    application: str,
    resource: str,
    item: Mapping[str, Any],
    now_us: int,
    *,
    pepper: bytes,
) -> None:
    """Creates or deep-merges one user, company or subscription; see ``apply_all``.

    Raises:
        InvalidInput: naming the field; nothing was written.
    """
    (error,) = apply_all(connection, application, [Item(resource, item, now_us)], pepper=pepper)
    if error is not None:
        raise error


def apply_all(
    connection: Connection, application: str, items: Sequence[Item], *, pepper: bytes
) -> list[InvalidInput | None]:
    """Creates or deep-merges users, companies and subscriptions, in order.

    Returns:
        For each item what is wrong with it, or none; a wrong one costs its neighbours nothing.

    Guarantee: applied again they change nothing, also when newer ones were applied since.
    """
    said = [_read(item, pepper) for item in items]
    ledger = Ledger(connection, application)
    roster = Roster(connection, application)
    _load(ledger, roster, [one for one in said if not isinstance(one, InvalidInput)])
    errors: list[InvalidInput | None] = []
    for item, one in zip(items, said, strict=True):
        try:
            if isinstance(one, InvalidInput):
                raise one
            if isinstance(one, UserSaid):
                _user(ledger, roster, one, item.now_us)
            elif isinstance(one, CompanySaid):
                roster.describe(customers, one.party, one.attributes, item.now_us)
                _learn(ledger, one.tokens, Owner("", one.party))
            else:
                _subscription(connection, application, one, item.now_us)
                roster.introduce(customers, [one.customer], item.now_us)
            errors.append(None)
        except InvalidInput as error:
            errors.append(error)
    ledger.flush()
    roster.flush()
    return errors


def _read(item: Item, pepper: bytes) -> Said | InvalidInput:
    try:
        return read_item(item.resource, item.value, pepper)
    except InvalidInput as error:
        return error


def _load(ledger: Ledger, roster: Roster, said: Sequence[Said]) -> None:
    """Reads all that the items name at once."""
    people = [one for one in said if isinstance(one, UserSaid)]
    with_tokens = [one for one in said if not isinstance(one, SubscriptionSaid)]
    ledger.load(USER, (one.party for one in people))
    ledger.load(CREDENTIAL, (token for one in with_tokens for token in one.tokens))
    roster.load(users, (one.party for one in people))
    roster.load(
        customers, (one.party if isinstance(one, CompanySaid) else one.customer for one in said)
    )


def _user(ledger: Ledger, roster: Roster, said: UserSaid, now_us: int) -> None:
    stale = roster.describe(users, said.party, said.attributes, now_us)
    if said.customer:
        roster.introduce(customers, [said.customer], now_us)
        if stale:
            # Older than what is known: it may fill a gap, but moves nobody.
            teach_customer(ledger, said.party, said.customer)
        else:
            state_in(ledger, Statement(USER, said.party, Owner("", said.customer)), now_us)
    _learn(ledger, said.tokens, Owner(said.party, ""))


def _learn(ledger: Ledger, tokens: Sequence[str], owner: Owner) -> None:
    """Learns session tokens; a token whose user is known tells that user's customer, if needed."""
    for token in tokens:
        teach(ledger, token, owner)
        span = holder(ledger.timeline(CREDENTIAL, token), 0)
        if owner.customer and span is not None and span.learned and span.owner.user:
            teach_customer(ledger, span.owner.user, owner.customer)


def _subscription(
    connection: Connection, application: str, said: SubscriptionSaid, now_us: int
) -> None:
    take_versions(connection)  # Lets nobody else merge at the same time.
    row = find(connection, subscriptions, application, said.party)
    customer, status, attributes = said.customer, said.status or "active", said.attributes
    if row is not None:
        known = json.loads(row.attributes)
        if now_us < row.modified_us:
            customer, status = row.customer, row.status
            attributes = merge(attributes, known)
        else:
            status = said.status or row.status
            attributes = merge(known, attributes)
        now_us = max(now_us, row.modified_us)
    changed = {
        "application": application,
        "id": said.party,
        "customer": customer,
        "status": status,
        "attributes": text_of(attributes),
        "modified_us": now_us,
    }
    replace_rows(connection, subscriptions, [changed])
