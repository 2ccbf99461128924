"""From the bytes of a body to items, each either understood or rejected with its reason.

The fast way decodes a whole typed batch in one step. When that fails, items are decoded one by
one, so that a bad item costs its neighbours nothing; when the body is not even strict JSON, it is
read the way Python SDKs write it: ``NaN``, ``Infinity``, lone surrogates, broken UTF-8.

Source: protocol notes section 0 points 6 and 7.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from tollkeeper.errors import InvalidInput, TooLarge

T = TypeVar("T")

MAX_DEPTH = 64
"""How deep a body or metadata may be nested."""

_AROUND_BODY = 4  # levels of an event around its body
_MOST_DIGITS = 400
_OPEN = (b"[", b"{")
_CLOSE = (b"]", b"}")
_BOM = b"\xef\xbb\xbf"
# Possessive, so that a string without an end costs one pass and not one for each quote in it.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["\[\]{},]', re.DOTALL)
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_NOT_BRACKETS = bytes(b for b in range(256) if b not in b"[]{}")
_AT = re.compile(r" - at `\$\.?([^`]*)`$")
_MISSING = re.compile(r"^Object missing required field `([^`]*)`")


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why one item was not taken: a stable reason, the field at fault, a sentence, its bytes."""

    index: int
    reason: str
    field: str | None
    detail: str
    content: bytes


class Decoder(Generic[T]):
    """Decodes bodies that hold one item or an array of items of one type."""

    def __init__(self, item: type[T], *, mark: bytes) -> None:
        """``mark`` stands in every item that is one, unless it is written with escapes."""
        self._mark = mark
        self._batch: msgspec.json.Decoder[list[T]] = msgspec.json.Decoder(list[item])  # type: ignore[valid-type]
        self._item = msgspec.json.Decoder(item)

    def decode(self, body: bytes, most: int | None = None) -> list[T | Rejection]:
        """The items of a body in order.

        Raises:
            InvalidInput: the body as a whole is not JSON, or neither an object nor an array.
            TooLarge: it has more than ``most`` items; found out before they are made.
        """
        if most is not None and body.count(self._mark) + body.count(b"\\u") > most:
            split(body, most)
        try:
            if body[:1] == b"[":
                return self._batch.decode(body)  # type: ignore[return-value]
            return [self._item.decode(body)]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        return [self._one(index, content) for index, content in enumerate(split(body, most))]

    def _one(self, index: int, content: bytes) -> T | Rejection:
        try:
            try:
                return self._item.decode(content)
            except msgspec.ValidationError:
                raise
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                return self._item.decode(relaxed(content))
        except msgspec.ValidationError as error:
            return _rejection(index, str(error), content)
        except InvalidInput as error:
            return Rejection(index, error.code, error.field, error.detail, content)


def _rejection(index: int, message: str, content: bytes) -> Rejection:
    """What msgspec says, in our words: a missing field is named like any other."""
    at = _AT.search(message)
    field = at[1] if at else ""
    detail = _AT.sub("", message)
    missing = _MISSING.match(detail)
    if missing:
        field = f"{field}.{missing[1]}" if field else missing[1]
        return Rejection(index, "missing", field, "an item needs it", content)
    return Rejection(index, "wrong_type", field or None, detail, content)


def split(body: bytes, most: int | None = None) -> list[bytes]:
    """The items of a body that holds one object or an array, whatever stands inside the items.

    Raises:
        InvalidInput: the body is neither, or its array has no end.
        TooLarge: the array has more than ``most`` items.
    """
    text = body.removeprefix(_BOM).strip()
    if text[:1] != b"[":
        if text[:1] != b"{":
            raise InvalidInput("the body must be a JSON object or array", code="not_json")
        return [text]
    items, depth, start = [], 0, 1
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in _OPEN:
            depth += 1
        elif mark == b'"':
            break
        elif mark == b"," and depth == 1:
            items.append(text[start : token.start()])
            start = token.end()
            if most is not None and len(items) >= most:
                raise TooLarge(f"a batch may have {most} items", code="too_many_items")
        elif mark in _CLOSE:
            depth -= 1
            if depth == 0:
                items.append(text[start : token.start()])
                return [] if len(items) == 1 and not items[0].strip() else items
    raise InvalidInput("the body is JSON that breaks off", code="not_json")


def relaxed(content: bytes) -> bytes:
    """Strict JSON with the meaning of content that lax writers sent.

    Raises:
        InvalidInput: it is not JSON at all, or nested too deeply.
    """
    try:
        value = json.loads(
            content.decode("utf-8", "replace"), parse_constant=lambda _: None, parse_int=_whole
        )
    except RecursionError as error:
        raise InvalidInput(f"nested deeper than {MAX_DEPTH}", code="too_deep") from error
    except ValueError as error:
        raise InvalidInput(f"not JSON: {error}", code="not_json") from error
    return msgspec.json.encode(clean(value))


def _whole(digits: str) -> int | float | None:
    # Python refuses to read integers of thousands of digits; no sender means those.
    return int(digits) if len(digits) < _MOST_DIGITS else None


def too_deep(content: bytes) -> bool:
    """Whether JSON text is nested deeper than ``MAX_DEPTH``.

    Brackets are counted first: most bodies have too few of them to be deep at all.
    """
    if content.count(b"[") + content.count(b"{") <= MAX_DEPTH:
        return False
    nest = _STRING.sub(b"", content).translate(_ONE_KIND, _NOT_BRACKETS)
    for _ in range(MAX_DEPTH):
        nest = nest.replace(b"[]", b"")
        if not nest:
            return False
    return True


def clean(value: Any, depth: int = 0) -> Any:
    """The value with text that UTF-8 can carry and numbers that JSON can carry.

    Raises:
        InvalidInput: nested deeper than ``MAX_DEPTH``.
    """
    if depth > MAX_DEPTH + _AROUND_BODY:
        raise InvalidInput(f"nested deeper than {MAX_DEPTH}", code="too_deep")
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {clean(k, depth): clean(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list):
        return [clean(v, depth + 1) for v in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return float(value) if abs(value) < 10**300 else None
    return value
