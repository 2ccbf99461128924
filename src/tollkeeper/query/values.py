"""Reading the parts of a JSON document strictly: a wrong part is refused by its path."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tollkeeper.errors import InvalidInput

MAX_TEXT = 4_000
INT64_MAX = 2**63 - 1


def mapping(value: object, at: str, known: Sequence[str]) -> Mapping[str, Any]:
    """The value as an object that has no unknown keys.

    Raises:
        InvalidInput: naming the part that is not an object or the key that nobody knows.
    """
    if not isinstance(value, Mapping):
        raise InvalidInput("must be an object", field=at or "body")
    for key in value:
        if key not in known:
            where = text(key, at or "body", limit=200)
            raise InvalidInput(f"unknown key; known are {', '.join(known)}", field=join(at, where))
    return value


def join(at: str, key: str) -> str:
    """The path of a key inside the part at ``at``."""
    return f"{at}.{key}" if at else key


def text(value: object, at: str, *, limit: int = MAX_TEXT) -> str:
    """The value as text that can be stored and sent.

    Raises:
        InvalidInput: not text, too long, or with lone surrogates.
    """
    if not isinstance(value, str):
        raise InvalidInput("must be text", field=at)
    if len(value) > limit:
        raise InvalidInput(f"must have at most {limit} characters", field=at)
    try:
        value.encode()
    except UnicodeEncodeError:
        # No echo of the value: it could not be encoded into the answer either.
        raise InvalidInput("is not valid Unicode", field=at if at.isprintable() else None) from None
    return value


def number(value: object, at: str) -> int | float:
    """The value as a finite number that fits 64 bits.

    Raises:
        InvalidInput: anything else, also true and false.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput("must be a number", field=at)
    possible = math.isfinite(value) if isinstance(value, float) else abs(value) <= INT64_MAX
    if not possible:
        raise InvalidInput("must be finite, a whole number within 64 bits", field=at)
    return value


def integer(value: object, at: str, *, low: int, high: int) -> int:
    """The value as a whole number between two bounds.

    Raises:
        InvalidInput: anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidInput("must be a whole number", field=at)
    if not low <= value <= high:
        raise InvalidInput(f"must be between {low} and {high}", field=at)
    return value


def boolean(value: object, at: str) -> bool:
    """The value as true or false.

    Raises:
        InvalidInput: anything else.
    """
    if not isinstance(value, bool):
        raise InvalidInput("must be true or false", field=at)
    return value


def items(value: object, at: str, *, limit: int) -> Sequence[Any]:
    """The value as a list.

    Raises:
        InvalidInput: not a list, or longer than the limit.
    """
    if not isinstance(value, list):
        raise InvalidInput("must be a list", field=at)
    if len(value) > limit:
        raise InvalidInput(f"must have at most {limit} entries", field=at)
    return value
