"""Reads users, companies and subscriptions as Moesif's SDKs write them.

Source: protocol notes section 1.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from tollkeeper.errors import InvalidInput
from tollkeeper.identity.attributes import document, merge, storable, text_id
from tollkeeper.identity.credential import digest_from_secret
from tollkeeper.model.secret import MASK

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


class UserSaid(NamedTuple):
    """What an item says of a user. ``tokens`` are digests; ``customer`` may be empty."""

    party: str
    customer: str
    tokens: list[str]
    attributes: dict[str, Any]


class CompanySaid(NamedTuple):
    """What an item says of a customer."""

    party: str
    tokens: list[str]
    attributes: dict[str, Any]


class SubscriptionSaid(NamedTuple):
    """What an item says of a subscription; ``status`` may be empty."""

    party: str
    customer: str
    status: str
    attributes: dict[str, Any]


Said = UserSaid | CompanySaid | SubscriptionSaid


def read_item(resource: str, item: Mapping[str, Any], pepper: bytes) -> Said:
    """What an item of ``users``, ``companies`` or ``subscriptions`` says.

    Empty text means absent. Session tokens leave here only as keyed digests.

    Raises:
        InvalidInput: naming the field.
    """
    if resource == "users":
        return _user(item, pepper)
    if resource == "companies":
        party = text_id(item.get("company_id"), "company_id")
        if not party:
            raise InvalidInput("a company needs an id", field="company_id", code="missing")
        return CompanySaid(party, _tokens(item, pepper), _attributes(item, _COMPANY_TEXTS))
    if resource == "subscriptions":
        return _subscription(item)
    raise InvalidInput(f"no such resource: {resource[:40]}", field="resource")


def _user(item: Mapping[str, Any], pepper: bytes) -> UserSaid:
    user = text_id(item.get("user_id"), "user_id")
    party = user or text_id(item.get("anonymous_id"), "anonymous_id")
    if not party:
        raise InvalidInput("a user needs an id", field="user_id", code="missing")
    customer = text_id(item.get("company_id"), "company_id")
    return UserSaid(party, customer, _tokens(item, pepper), _attributes(item, _USER_TEXTS))


def _subscription(item: Mapping[str, Any]) -> SubscriptionSaid:
    party = text_id(item.get("subscription_id"), "subscription_id")
    customer = text_id(item.get("company_id"), "company_id")
    for name, value in (("subscription_id", party), ("company_id", customer)):
        if not value:
            raise InvalidInput("a subscription needs it", field=name, code="missing")
    status = _text(item.get("status"), "status").lower()[:40]
    attributes = _attributes(item, _SUBSCRIPTION_TEXTS)
    if item.get("items") is not None:
        attributes["items"] = _plans(item["items"])
    return SubscriptionSaid(party, customer, status, attributes)


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
    return [digest_from_secret(pepper, text) for text in texts if text.strip() not in ("", MASK)]
