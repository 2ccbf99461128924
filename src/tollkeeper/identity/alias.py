"""Reads one item of the alias table as a caller writes it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tollkeeper.clock import to_us
from tollkeeper.errors import InvalidInput
from tollkeeper.identity.attributes import text_id
from tollkeeper.identity.bindings import Statement
from tollkeeper.identity.credential import (
    digest_from_secret,
    digest_from_sha256,
    is_digest,
    is_sha256,
)
from tollkeeper.identity.ledger import CREDENTIAL, USER
from tollkeeper.identity.timeline import FOREVER_US, Owner
from tollkeeper.model.secret import bare_credential

MAX_CREDENTIAL_CHARACTERS = 16_384

_CREDENTIALS = ("credential", "credential_sha256", "digest")
_KEYS = frozenset({*_CREDENTIALS, "user", "customer", "valid_from", "valid_to"})


def statement(item: Any, pepper: bytes) -> Statement | InvalidInput:
    """What an item states, or what is wrong with it (returned, for its neighbours' sake).

    A credential is named by itself (``credential``), by its sha256 (``credential_sha256``), or by
    the keyed digest that events and lists show (``digest``). Without any, the item states the
    customer of a user.
    """
    try:
        return _read(item, pepper)
    except InvalidInput as error:
        return error


def _read(item: Any, pepper: bytes) -> Statement:
    if not isinstance(item, Mapping):
        raise InvalidInput("an alias is an object", code="wrong_type")
    for name in item:
        if name not in _KEYS:
            raise _unknown(str(name))
    key = _credential(item, pepper)
    user = text_id(item.get("user"), "user")
    customer = text_id(item.get("customer"), "customer")
    start = _instant(item, "valid_from")
    end = _instant(item, "valid_to")
    if key:
        if not user and not customer:
            raise InvalidInput("name a user, a customer or both", field="user", code="missing")
        return Statement(CREDENTIAL, key, Owner(user, customer), start, end)
    for name, value in (("credential", user), ("customer", customer)):
        if not value:
            raise InvalidInput("is missing", field=name, code="missing")
    return Statement(USER, user, Owner("", customer), start, end)


def _credential(item: Mapping[str, Any], pepper: bytes) -> str:
    """The keyed digest of the credential that an item names; empty when it names none."""
    given = [name for name in _CREDENTIALS if item.get(name) not in (None, "")]
    if not given:
        return ""
    if len(given) > 1:
        raise InvalidInput(f"cannot stand beside {given[0]}", field=given[1], code="ambiguous")
    name = given[0]
    value = item[name]
    if not isinstance(value, str):
        raise InvalidInput("must be text", field=name, code="wrong_type")
    if len(value) > MAX_CREDENTIAL_CHARACTERS:
        raise InvalidInput(
            f"has more than {MAX_CREDENTIAL_CHARACTERS} characters", field=name, code="too_long"
        )
    if name == "digest":
        if not is_digest(value):
            raise InvalidInput("is no digest as events show it", field=name, code="wrong_type")
        return value
    if name == "credential_sha256":
        if not is_sha256(value):
            raise InvalidInput("must be 64 hex digits", field=name, code="wrong_type")
        return digest_from_sha256(pepper, value)
    if not bare_credential(value):
        raise InvalidInput("is blank", field=name, code="missing")
    return digest_from_secret(pepper, value)


def _instant(item: Mapping[str, Any], name: str) -> int | None:
    value = item.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidInput("must be text, as 2026-11-20T12:00:00Z", field=name, code="wrong_type")
    try:
        at = datetime.fromisoformat(value)
        us = to_us(at if at.tzinfo is not None else at.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise InvalidInput(
            f"not an RFC 3339 time: {value[:64]!r}", field=name, code="invalid_time"
        ) from error
    if not 0 <= us <= FOREVER_US:
        raise InvalidInput("is before 1970", field=name, code="out_of_range")
    return us


def _unknown(name: str) -> InvalidInput:
    near = difflib.get_close_matches(name, _KEYS, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return InvalidInput(f"no such field{hint}", field=name[:100], code="unknown_field")
