"""What is known of a party, as a JSON document: made storable, merged, written.

Values under names that hold secrets are masked, as everywhere on the server.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from tollkeeper.errors import InvalidInput
from tollkeeper.model.secret import MASK, is_secret_name

MAX_DEPTH = 32
MAX_BYTES = 65_536
MAX_ID_CHARACTERS = 512


def text_id(value: Any, field: str) -> str:
    """An id as text; empty when absent (none, empty or blank). SDKs also send numbers.

    Raises:
        InvalidInput: when it is of another type, too long, or cannot be stored.
    """
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InvalidInput(f"must be text, not {_kind(value)}", field=field, code="wrong_type")
    try:
        text = value if isinstance(value, str) else str(value)
    except ValueError as error:
        raise InvalidInput(
            "a number of that size is no id", field=field, code="too_long"
        ) from error
    if not text.strip():
        return ""
    if len(text) > MAX_ID_CHARACTERS:
        raise InvalidInput(
            f"an id has at most {MAX_ID_CHARACTERS} characters", field=field, code="too_long"
        )
    if "\0" in text:
        raise InvalidInput("an id cannot hold a NUL character", field=field, code="bad_character")
    return storable(text)


def storable(text: str) -> str:
    """Text as valid Unicode: lone surrogates become question marks, as in stored events."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def document(value: Any, field: str) -> dict[str, Any]:
    """An object as it can be stored; empty when absent.

    Raises:
        InvalidInput: when it is no object, or nested too deeply.
    """
    if value is None or value == "":
        return {}
    if not isinstance(value, Mapping):
        raise InvalidInput(f"must be an object, not {_kind(value)}", field=field, code="wrong_type")
    cleaned: dict[str, Any] = _clean(value, field, MAX_DEPTH)
    return cleaned


def merge(known: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """The deep merge: objects are merged, everything else, null and arrays too, is replaced."""
    merged = dict(known)
    for key, value in said.items():
        before = merged.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            value = merge(before, value)
        merged[key] = value
    return merged


def text_of(attributes: Mapping[str, Any]) -> str:
    """The JSON text of a document, the same for the same content.

    Raises:
        InvalidInput: when it is over the limit.
    """
    try:
        text = json.dumps(attributes, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    except ValueError as error:
        raise InvalidInput("holds a number that is too long", field="metadata") from error
    if len(text.encode()) > MAX_BYTES:
        raise InvalidInput(
            f"all that is known of one party may take {MAX_BYTES} bytes",
            field="metadata",
            code="too_large",
        )
    return text


def _clean(value: Any, field: str, depth: int) -> Any:
    if depth == 0:
        raise InvalidInput(f"nested deeper than {MAX_DEPTH}", field=field, code="too_deep")
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {
            storable(str(key)): MASK if _hides(str(key), item) else _clean(item, field, depth - 1)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_clean(item, field, depth - 1) for item in value]
    return value


def _hides(name: str, value: Any) -> bool:
    return value is not None and not isinstance(value, Mapping) and is_secret_name(name)


def _kind(value: Any) -> str:
    names = {bool: "a truth value", dict: "an object", list: "an array", str: "text"}
    return names.get(type(value), "a number")
