"""JSON Web Tokens: read, verified when there is a key, remembered until they expire.

Ten lines decode a token; the keys that verify one are made in `jwk`.

Source: RFC 7515 (compact form), RFC 7519 (exp, nbf), RFC 8725 (the algorithm comes from the key,
never from the token alone).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from tollkeeper.capture.jwk import Key, unbase64

Claims = Mapping[str, Any]

TOKEN_LIMIT = 16_384
"""Longer bearer tokens are not looked into."""

_CACHE_LIMIT = 10_000
_CACHE_CHARACTERS = 4_000_000  # of the tokens read; their claims take up to forty times as much


class Token(NamedTuple):
    """A bearer token taken apart: nothing in it is believed yet."""

    header: Claims
    claims: Claims
    signed: bytes
    signature: bytes


class Read(NamedTuple):
    """What is remembered of a token. Bounds in epoch microseconds; None where there is none."""

    claims: Claims
    not_before_us: int | None
    expires_us: int | None


def decode(token: str) -> Token | None:
    """The token's parts, unverified; None when it is no JWT."""
    if len(token) > TOKEN_LIMIT or token.count(".") != 2:
        return None
    head, body, signature = token.split(".")
    try:
        header = msgspec.json.decode(unbase64(head))
        claims = msgspec.json.decode(unbase64(body))
        parts = Token(header, claims, f"{head}.{body}".encode("ascii"), unbase64(signature))
    except (ValueError, RecursionError):  # not ASCII, not base64, not UTF-8, not JSON
        return None
    return parts if isinstance(header, dict) and isinstance(claims, dict) else None


def claim(claims: Claims, name: str) -> str | None:
    """The claim's text, None when it is absent, empty or no string.

    With dots in the name a claim of literally that name decides; else the longest literal prefix
    under which the rest exists is walked into.
    """
    value = _find(claims, name)
    return value if isinstance(value, str) and value else None


_ABSENT = object()


def _find(claims: Claims, name: str) -> Any:
    """The value at a dotted name, `_ABSENT` when there is none."""
    if name in claims:
        return claims[name]
    end = name.rfind(".")
    while end > 0:
        inner = claims.get(name[:end])
        if isinstance(inner, dict):
            found = _find(inner, name[end + 1 :])
            if found is not _ABSENT:
                return found
        end = name.rfind(".", 0, end)
    return _ABSENT


class Tokens:
    """Reads bearer tokens of one host, each distinct token once.

    Guarantee: with keys, only claims of a token whose signature one of them verifies, at a time
    within `nbf` and `exp` (leeway included), are returned; the cache is bounded in number and by the
    length of what was read, keyed by digest, and holds no token.
    """

    def __init__(self, keys: tuple[Key, ...] = (), *, leeway_seconds: float = 0) -> None:
        self._keys = keys
        self._leeway_us = int(leeway_seconds * 1_000_000)
        self._cache: dict[str, Read | None] = {}
        self._characters = 0
        self.rejected = 0

    def claims(self, token: str, digest: str, now_us: int) -> Claims | None:
        """The token's claims; None when it is no JWT, or cannot be believed at that time."""
        try:
            read = self._cache[digest]
        except KeyError:
            read = self._remember(digest, self._read(token), len(token))
        if read is None:
            return None
        if self._keys and not _is_current(read, now_us):
            self.rejected += 1
            return None
        return read.claims

    def _read(self, token: str) -> Read | None:
        """Decodes and verifies."""
        parts = decode(token)
        if parts is None:
            return None
        if not self._keys:
            return Read(parts.claims, None, None)
        if not self._is_signed(parts):
            self.rejected += 1
            return None
        try:
            nbf = _instant_us(parts.claims.get("nbf"), -self._leeway_us)
            exp = _instant_us(parts.claims.get("exp"), self._leeway_us)
        except ValueError:
            self.rejected += 1
            return None
        return Read(parts.claims, nbf, exp)

    def _is_signed(self, parts: Token) -> bool:
        """True when one of our keys, by an algorithm allowed for that key, made the signature."""
        algorithm, kid = parts.header.get("alg"), parts.header.get("kid")
        if not isinstance(algorithm, str) or "crit" in parts.header:
            return False
        for key in self._keys:
            if key.kid is not None and kid is not None and key.kid != kid:
                continue
            check = key.checks.get(algorithm)
            if check is not None and check(parts.signed, parts.signature):
                return True
        return False

    def _remember(self, digest: str, read: Read | None, characters: int) -> Read | None:
        """Keeps the answer; the oldest ones make room, and all of them for a flood of long tokens."""
        cache = self._cache
        if read is not None:
            self._characters += characters
        if self._characters > _CACHE_CHARACTERS:
            cache.clear()
            self._characters = 0
        elif len(cache) >= _CACHE_LIMIT:
            for old in list(cache)[: _CACHE_LIMIT // 8]:
                cache.pop(old, None)
        cache[digest] = read
        return read


def _is_current(read: Read, now_us: int) -> bool:
    """True when the token is valid at that time."""
    if read.not_before_us is not None and now_us < read.not_before_us:
        return False
    return read.expires_us is None or now_us < read.expires_us


def _instant_us(seconds: Any, shift_us: int) -> int | None:
    """A NumericDate as shifted microseconds, None when absent.

    Raises:
        ValueError: when it is no finite number.
    """
    if seconds is None:
        return None
    if (
        isinstance(seconds, bool)
        or not isinstance(seconds, (int, float))
        or not abs(seconds) < 1e15
    ):
        raise ValueError("not a date")
    return int(seconds * 1_000_000) + shift_us
