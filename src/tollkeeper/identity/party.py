"""Takes users, companies and subscriptions as Moesif's SDKs send them.

The collector's application id is no secret (browsers publish it), so these items are weaker than
the alias table: a session token in them is learned as from an event, and never moves a credential
that an administrator stated. A user's ``company_id`` is a statement: another one later moves the
user from then on.

Source: protocol notes section 1.4.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from tollkeeper.errors import InvalidInput
from tollkeeper.identity.attributes import document, merge, storable, text_id, text_of
from tollkeeper.identity.bindings import Statement, put_here, teach_customer
from tollkeeper.identity.credential import digest_from_secret
from tollkeeper.identity.learn import teach
from tollkeeper.identity.ledger import CREDENTIAL, USER, Ledger
from tollkeeper.identity.roster import describe, find, introduce
from tollkeeper.identity.timeline import Owner, holder
from tollkeeper.store.records import replace_rows, take_versions
from tollkeeper.store.tables import customers, subscriptions, users

MAX_TOKENS = 100
MAX_TEXT_CHARACTERS = 2048
MAX_TOKEN_CHARACTERS = 16_384

_USER_TEXTS = ("modified_time", "ip_address", "user_agent_string", "anonymous_id")
_COMPANY_TEXTS = ("modified_time", "ip_address", "company_domain")
_SUBSCRIPTION_TEXTS = (
    "current_period_start",
    "current_period_end",
    "trial_start",
    "trial_end",
    "start_date",
    "cancel_time",
    "collection_method",
    "provider",
    "payment_status",
    "external_id",
    "company_external_id",
    "version_id",
)


def apply(
    connection: Connection,
    application: str,
    resource: str,
    item: Mapping[str, Any],
    now_us: int,
    *,
    pepper: bytes,
) -> None:
    """Creates or deep-merges one user, company or subscription.

    ``resource`` is ``users``, ``companies`` or ``subscriptions``; ``now_us`` is when the item was
    received, the same again when it is replayed. Empty text means absent.

    Guarantee: applied again it changes nothing, also when newer items were applied since.

    Raises:
        InvalidInput: naming the field; nothing was written.
    """
    take = _RESOURCES.get(resource)
    if take is None:
        raise InvalidInput(f"no such resource: {resource[:40]}", field="resource")
    take(connection, application, item, now_us, pepper)


def _user(
    connection: Connection, application: str, item: Mapping[str, Any], now_us: int, pepper: bytes
) -> None:
    party = text_id(item.get("user_id"), "user_id") or text_id(
        item.get("anonymous_id"), "anonymous_id"
    )
    if not party:
        raise InvalidInput("a user needs an id", field="user_id", code="missing")
    customer = text_id(item.get("company_id"), "company_id")
    tokens = _tokens(item, pepper)
    attributes = _attributes(item, _USER_TEXTS)
    stale = describe(connection, users, application, party, attributes, now_us)
    if customer:
        _move(connection, application, party, customer, now_us, stale=stale)
    _learn(connection, application, tokens, Owner(party, ""))


def _move(
    connection: Connection, application: str, user: str, customer: str, now_us: int, *, stale: bool
) -> None:
    """The user is with this customer from now on; what is older than that only fills a gap."""
    introduce(connection, application, user_ids=(), customer_ids=(customer,), now_us=now_us)
    if stale:
        ledger = Ledger(connection, application)
        teach_customer(ledger, user, customer)
        ledger.flush()
        return
    statement = Statement(USER, user, Owner("", customer))
    put_here(connection, application, [statement], now_us)


def _company(
    connection: Connection, application: str, item: Mapping[str, Any], now_us: int, pepper: bytes
) -> None:
    party = text_id(item.get("company_id"), "company_id")
    if not party:
        raise InvalidInput("a company needs an id", field="company_id", code="missing")
    tokens = _tokens(item, pepper)
    attributes = _attributes(item, _COMPANY_TEXTS)
    describe(connection, customers, application, party, attributes, now_us)
    _learn(connection, application, tokens, Owner("", party))


def _learn(connection: Connection, application: str, tokens: list[str], owner: Owner) -> None:
    """Learns session tokens; a token whose user is known tells that user's customer, if needed."""
    if not tokens:
        return
    ledger = Ledger(connection, application)
    ledger.load(CREDENTIAL, tokens)
    for token in tokens:
        teach(ledger, token, owner)
        span = holder(ledger.timeline(CREDENTIAL, token), 0)
        if owner.customer and span is not None and span.learned and span.owner.user:
            teach_customer(ledger, span.owner.user, owner.customer)
    ledger.flush()


def _subscription(
    connection: Connection, application: str, item: Mapping[str, Any], now_us: int, _pepper: bytes
) -> None:
    party = text_id(item.get("subscription_id"), "subscription_id")
    customer = text_id(item.get("company_id"), "company_id")
    for name, value in (("subscription_id", party), ("company_id", customer)):
        if not value:
            raise InvalidInput("a subscription needs it", field=name, code="missing")
    status = _text(item.get("status"), "status").lower()[:40]
    said = _attributes(item, _SUBSCRIPTION_TEXTS)
    if item.get("items") is not None:
        said["items"] = _plans(item["items"])
    take_versions(connection)  # Lets nobody else merge at the same time.
    row = find(connection, subscriptions, application, party)
    changed: dict[str, Any] = {"id": party, "customer": customer, "status": status or "active"}
    if row is not None:
        said = _over(row, said, stale=now_us < row.modified_us)
        if now_us < row.modified_us:
            changed.update(customer=row.customer, status=row.status)
        elif not status:
            changed.update(status=row.status)
        now_us = max(now_us, row.modified_us)
    changed.update(application=application, attributes=text_of(said), modified_us=now_us)
    replace_rows(connection, subscriptions, [changed])
    introduce(connection, application, user_ids=(), customer_ids=(customer,), now_us=now_us)


def _over(row: Row[Any], said: dict[str, Any], *, stale: bool) -> dict[str, Any]:
    known = json.loads(row.attributes)
    return merge(said, known) if stale else merge(known, said)


def _plans(items: Any) -> list[Any]:
    if not isinstance(items, list):
        raise InvalidInput("must be an array", field="items", code="wrong_type")
    return [document(plan, f"items.{index}") for index, plan in enumerate(items)]


def _attributes(item: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Metadata with the named texts and the campaign laid over it; what is absent is left out."""
    attributes = document(item.get("metadata"), "metadata")
    campaign = document(item.get("campaign"), "campaign")
    said = {key: value for key, value in campaign.items() if value not in (None, "")}
    if said:
        attributes = merge(attributes, {"campaign": said})
    for name in names:
        if value := _text(item.get(name), name):
            attributes[name] = value
    if "modified_time" in names and "modified_time" in attributes:
        _check_time(attributes["modified_time"])
    return attributes


def _check_time(value: Any) -> None:
    # Text is ISO 8601; SDKs that are handed a number send milliseconds, which say no less.
    if isinstance(value, str) and not value.isdecimal():
        try:
            datetime.fromisoformat(value)
        except ValueError as error:
            raise InvalidInput(
                f"not an ISO 8601 time: {value[:64]!r}", field="modified_time", code="invalid_time"
            ) from error


def _text(value: Any, field: str, limit: int = MAX_TEXT_CHARACTERS) -> str:
    """A text or number as text, bounded; empty when absent."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InvalidInput("must be text", field=field, code="wrong_type")
    text = storable(str(value)) if isinstance(value, str) or abs(value) < 1e300 else ""
    if len(text) > limit:
        raise InvalidInput(f"has more than {limit} characters", field=field, code="too_long")
    return text


def _tokens(item: Mapping[str, Any], pepper: bytes) -> list[str]:
    """Digests of the session tokens of an item: one token, or an array of them."""
    value = item.get("session_token")
    given = value if isinstance(value, list) else [value]
    if len(given) > MAX_TOKENS:
        raise InvalidInput(f"more than {MAX_TOKENS}", field="session_token", code="too_many")
    texts = [_text(token, "session_token", MAX_TOKEN_CHARACTERS) for token in given]
    return [digest_from_secret(pepper, text) for text in texts if text.strip()]


_RESOURCES: dict[str, Callable[[Connection, str, Mapping[str, Any], int, bytes], None]] = {
    "users": _user,
    "companies": _company,
    "subscriptions": _subscription,
}
