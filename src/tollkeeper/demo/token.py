"""JSON Web Tokens with HMAC-SHA256, as the sample API hands them out and checks them.

Source: RFC 7515, RFC 7519.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import msgspec

SECRET = "my_super_secret"  # noqa: S105 - the very secret of the article that the demo plays


class InvalidToken(Exception):
    """A token that the API does not accept; the text says why."""


def sign(claims: dict[str, Any]) -> str:
    """A token with these claims."""
    head = _encode(b'{"alg":"HS256","typ":"JWT"}')
    body = _encode(msgspec.json.encode(claims))
    return f"{head}.{body}.{_signature(f'{head}.{body}')}"


def verify(token: str, *, now_us: int) -> dict[str, Any]:
    """The claims of a token.

    Raises:
        InvalidToken: it is none, somebody else signed it, or it has expired.
    """
    signed, _, signature = token.rpartition(".")
    if not hmac.compare_digest(signature.encode(), _signature(signed).encode()):
        raise InvalidToken("the signature is not ours")
    try:
        claims = msgspec.json.decode(_decode(signed.partition(".")[2]), type=dict[str, Any])
    except (msgspec.DecodeError, binascii.Error) as error:
        raise InvalidToken("not a JSON Web Token") from error
    if now_us >= claims.get("exp", 1 << 40) * 1_000_000:
        raise InvalidToken("the token has expired")
    return claims


def _signature(signed: str) -> str:
    return _encode(hmac.digest(SECRET.encode(), signed.encode(), "sha256"))


def _encode(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
