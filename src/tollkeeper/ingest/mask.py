"""Masks once more what hosts and SDKs should have masked, before anything is stored.

Names decide (``model.secret``); values under them are replaced, never hashed. What cannot be
parsed is kept as it is only when it has no structure that could hold a name.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote_plus

import msgspec

from tollkeeper.errors import InvalidInput
from tollkeeper.ingest.decode import relaxed
from tollkeeper.model.secret import MASK, is_secret_name

_encode = msgspec.json.encode
_decode = msgspec.json.decode
_NAMES_LIMIT = 4096
_NAME_CHARACTERS = 256
_names: dict[str, str] = {}
# Each string is taken whole, so that nothing inside of one is ever tried as a beginning.
_STRING = re.compile(r'"((?:[^"\\]|\\.)*+)"(\s*:)?', re.DOTALL)
_USERINFO = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)[^/?#@]*@")


def headers_text(headers: dict[str, Any] | None) -> str:
    """JSON text of headers, names in lower case, secrets masked, lists joined by a comma."""
    if not headers:
        return "{}"
    clean: dict[str, str] = {}
    for name, value in headers.items():
        lower = _names.get(name) or _learn_name(name)
        if is_secret_name(lower):
            clean[lower] = MASK
        else:
            clean[lower] = value if value.__class__ is str else _joined(value)
    return _encode(clean).decode()


def _learn_name(name: str) -> str:
    """The header's name in lower case; most names are few and come again and again."""
    lower = name.lower()
    if len(name) <= _NAME_CHARACTERS:
        if len(_names) >= _NAMES_LIMIT:
            _names.clear()
        _names[name] = lower
    return lower


def _joined(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_joined(v) for v in value)
    return "" if value is None else value if isinstance(value, str) else _encode(value).decode()


def uri_text(uri: str) -> str:
    """The address with secret values of query and fragment, and any user information, masked."""
    if "@" in uri:
        uri = _USERINFO.sub(rf"\1{MASK}@", uri)
    if "=" not in uri:
        return uri
    uri, hash_mark, fragment = uri.partition("#")
    base, mark, query = uri.partition("?")
    return f"{base}{mark}{_pairs(query)}{hash_mark}{_pairs(fragment)}"


def _pairs(text: str) -> str:
    """``name=value`` pairs, written in any way that a server reads, with secret values masked."""
    parts = re.split("([&;?])", text) if "=" in text else [text]
    for index, part in enumerate(parts):
        name, equals, value = part.partition("=")
        if value and is_secret_name(unquote_plus(name) if "%" in name else name):
            parts[index] = name + equals + MASK
    return "".join(parts)


def json_text(raw: msgspec.Raw) -> str:
    """JSON text with secrets masked at any depth; empty when there is none.

    Shape: ``null`` becomes empty; text that only lax writers call JSON is made strict.
    """
    content = bytes(raw)
    if not content or content == b"null":
        return ""
    try:
        value = _decode(content)
        text = content.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            content = relaxed(content)
        except InvalidInput:
            return ""
        value = _decode(content)
        text = content.decode()
    if isinstance(value, (dict, list)) and (mask_names(value) or _names_secret(text)):
        return _encode(value).decode()
    return text


def _names_secret(text: str) -> bool:
    """Whether a name in JSON text hides what its value does not show.

    Of two members with one name only the last is in the value; the text still holds the first.
    """
    return any(
        colon and ("\\" in name or is_secret_name(name)) for name, colon in _STRING.findall(text)
    )


def mask_names(value: Any) -> bool:
    """Masks what stands under secret names in an object or array, in place; true when anything did."""
    changed = False
    if isinstance(value, dict):
        for name, inner in value.items():
            if inner is None or inner == MASK:
                continue
            if is_secret_name(name):
                value[name] = MASK
                changed = True
            elif isinstance(inner, (dict, list)):
                changed |= mask_names(inner)
    else:
        for inner in value:
            if isinstance(inner, (dict, list)):
                changed |= mask_names(inner)
    return changed
