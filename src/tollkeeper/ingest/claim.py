"""The user that an Authorization header names, when the SDK named none.

moesif-express, as its own article sets it up, sends neither a user id nor a session token, only
the request's headers; the claim in the token is then the one thing that tells who called. It is
read, not verified: the API that was called has verified it, so an answer of 401 is never
attributed. Own SDKs resolve the user in the host, where keys are.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, urlsafe_b64decode
from typing import Any

import msgspec

_memo: dict[tuple[str, str], str] = {}
_MEMO_LIMIT = 4096
_MEMO_CHARACTERS = 8192


def user_from_authorization(value: str, claim: str) -> str:
    """The user in ``Bearer <JWT>`` (by claim) or ``Basic <...>`` (user name); empty when none."""
    known = _memo.get((value, claim))
    if known is None:
        known = _read(value, claim)
        if len(value) <= _MEMO_CHARACTERS:
            if len(_memo) >= _MEMO_LIMIT:
                _memo.clear()
            _memo[value, claim] = known
    return known


def _read(value: str, claim: str) -> str:
    scheme, _, rest = value.strip().partition(" ")
    try:
        if scheme.lower() == "basic":
            return b64decode(rest.strip(), validate=True).decode().partition(":")[0]
        token = rest.strip() if rest else scheme
        parts = token.split(".")
        if len(parts) != 3:
            return ""
        payload = urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        found = msgspec.json.decode(payload)
    except (binascii.Error, UnicodeDecodeError, ValueError, msgspec.DecodeError, RecursionError):
        return ""
    if not isinstance(found, dict):
        return ""
    if claim in found:
        return _text(found[claim])
    for name in claim.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return _text(found)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value) if type(value) is int else ""
