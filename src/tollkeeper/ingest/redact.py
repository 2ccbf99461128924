"""Takes the secrets out of what could not be understood, before it is kept.

What is understood is masked field by field; this is for the rest, where any part may be wrong.
JSON is masked by the names in it; what is no JSON, by what looks like a name with its value, and
by the shape of tokens. Who called is kept beside it, as the keyed digest and the user that the
event would have got, so that it can still become that event.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec

from tollkeeper.errors import InvalidInput
from tollkeeper.identity.credential import digest_from_secret, digest_from_sha256, is_sha256
from tollkeeper.ingest.claim import user_from_authorization
from tollkeeper.ingest.decode import relaxed, too_deep
from tollkeeper.ingest.mask import mask_names, uri_text
from tollkeeper.model.secret import MASK, is_secret_name

_PARSED_BYTES = 256 * 1024
# A string is taken whole even when it names nothing or has no end: nothing inside of one is ever
# tried as a beginning, which would cost the square of its length.
_NAMED = re.compile(
    rb'"((?:[^"\\]|\\.)*+)(?:"(\s*+:\s*+)("(?:[^"\\]|\\.)*+"?|[^\s,}\]"]++)|"?)', re.DOTALL
)
_PARAMETER = re.compile(rb"([?&;\s\"'])([A-Za-z0-9_.-]{1,100}+)=([^&;\s\"'\\]++)")
_SCHEMED = re.compile(rb"\b(bearer|basic|token|apikey)(\s++)[A-Za-z0-9._~+/=-]{6,}+", re.IGNORECASE)
_JWT = re.compile(rb"\beyJ[A-Za-z0-9_-]{6,}+\.[A-Za-z0-9_-]++(?:\.[A-Za-z0-9_-]*+)?")
_MASKED = MASK.encode()


class Safe(NamedTuple):
    """Content without secrets; keyed digest of the credential and user in it, empty when none."""

    content: bytes
    credential: str
    user: str


def safe(content: bytes, *, pepper: bytes, user_claim: str, limit: int) -> Safe:
    """The content as it may be kept; what is longer than ``limit`` bytes is cut.

    What was cut cannot be sent again, so nobody is looked for in it.
    """
    value = _value(content) if len(content) <= min(limit, _PARSED_BYTES) else None
    if value is None:
        masked = _masked_text(content[: 2 * limit])
        # One byte more than the limit tells whoever keeps it that it was cut.
        cut = masked[: limit + 1].ljust(limit + 1) if len(content) > limit else masked
        return Safe(cut, "", "")
    credential, user = _caller(value, pepper, user_claim)
    changed = mask_names(value) if isinstance(value, dict | list) else False
    changed |= _mask_addresses(value)
    return Safe(msgspec.json.encode(value) if changed else content, credential, user)


def _value(content: bytes) -> Any:
    """What JSON content says; none when it is no JSON."""
    if too_deep(content):
        return None
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return msgspec.json.decode(relaxed(content))
    except (InvalidInput, msgspec.DecodeError, RecursionError):
        return None


def _mask_addresses(value: Any) -> bool:
    changed = False
    if isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(inner, str):
                masked = uri_text(inner) if "://" in inner or "?" in inner else inner
                changed |= masked != inner
                value[name] = masked
            else:
                changed |= _mask_addresses(inner)
    elif isinstance(value, list):
        for inner in value:
            changed |= _mask_addresses(inner)
    return changed


def _masked_text(content: bytes) -> bytes:
    content = _NAMED.sub(_named, content)
    content = _PARAMETER.sub(_parameter, content)
    content = _SCHEMED.sub(rb"\1\2" + _MASKED, content)
    return _JWT.sub(_MASKED, content)


def _named(found: re.Match[bytes]) -> bytes:
    if found[2] is not None and is_secret_name(found[1].decode("utf-8", "replace")):
        return b'"' + found[1] + b'"' + found[2] + b'"' + _MASKED + b'"'
    return found[0]


def _parameter(found: re.Match[bytes]) -> bytes:
    secret = is_secret_name(found[2].decode("ascii"))
    return found[1] + found[2] + b"=" + _MASKED if secret else found[0]


def _caller(value: Any, pepper: bytes, user_claim: str) -> tuple[str, str]:
    """Keyed digest and user of an event, as ``normalise`` would find them in it."""
    if not isinstance(value, dict):
        return "", ""
    secret = _secret(value)
    given = value.get("credential")
    credential = digest_from_secret(pepper, secret) if secret else ""
    if isinstance(given, str) and is_sha256(given):
        credential = digest_from_sha256(pepper, given)
    return credential, user_from_authorization(secret, user_claim) if user_claim else ""


def _secret(value: dict[str, Any]) -> str:
    token = value.get("session_token")
    if isinstance(token, str) and token and token != MASK:
        return token
    request = value.get("request")
    headers = request.get("headers") if isinstance(request, dict) else None
    for name, text in headers.items() if isinstance(headers, dict) else ():
        if name.lower() in {"authorization", "x-api-key"} and isinstance(text, str):
            return "" if text.startswith(MASK) else text
    return ""
