"""Takes secrets out of what was captured, before it leaves the host.

Every name that `model.secret` calls a secret is masked always; the host's own lists are masked
beside it. Names are compared without regard to case, values become `[masked]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, unquote, unquote_plus

import msgspec

from tollkeeper.model.secret import MASK, is_secret_name

_MEMO_LIMIT = 8192
_NAME_LIMIT = 256
_ADDRESS = re.compile(
    r"(?:^|[-_])(?:ur[li]|path|refer+er|referrer|location|link|redirect|refresh|destination)$"
)
"""Headers that hold addresses, whose query parameters may be secrets."""

_SUBPROTOCOL = "sec-websocket-protocol"
"""Browsers can set no other header of a websocket, so tokens travel in it beside real protocols."""

_USER_PART = re.compile(r"(?<=://)[^/?#\s]*@")
_BETWEEN = re.compile(r"([\s<>]+)")
_LONG_TOKEN = re.compile(r"[\w.~+/=-]{32,}")
_NESTED_LEVELS = 3

SHOW, HIDE, LOOK_INSIDE, LOOK_FOR_TOKENS = 0, 1, 2, 3


class Verdicts(dict[str, int]):
    """What to do with the value under a name, remembered: a plain lookup for names seen before.

    `SHOW`, `HIDE`, `LOOK_INSIDE` for headers that are addresses, `LOOK_FOR_TOKENS` for the one that
    lists subprotocols. Bounded; thread safe.
    """

    def __init__(self, masks: Iterable[str] = ()) -> None:
        super().__init__()
        self._masks = frozenset(name.lower() for name in masks)

    def __missing__(self, name: str) -> int:
        """The verdict on a name that comes for the first time."""
        lowered = name.lower()
        verdict = HIDE if lowered in self._masks or is_secret_name(name) else SHOW
        if verdict == SHOW and lowered == _SUBPROTOCOL:
            verdict = LOOK_FOR_TOKENS
        elif verdict == SHOW and _ADDRESS.search(lowered):
            verdict = LOOK_INSIDE
        if len(name) <= _NAME_LIMIT:
            if len(self) >= _MEMO_LIMIT:
                self.clear()
            self[name] = verdict
        return verdict


def mask_headers(headers: dict[str, str], verdicts: Verdicts) -> None:
    """Masks headers in place."""
    for name in headers:
        verdict = verdicts[name]
        if verdict:
            headers[name] = _masked_value(headers[name], verdict, verdicts)


def _masked_value(value: str, verdict: int, verdicts: Verdicts) -> str:
    """A header's value by the verdict on its name."""
    if verdict == HIDE:
        return MASK
    return mask_address(value, verdicts) if verdict == LOOK_INSIDE else _LONG_TOKEN.sub(MASK, value)


def mask_query(query: str, verdicts: Verdicts, levels: int = _NESTED_LEVELS) -> str:
    """The query string with the values of secret parameters masked; all else stays byte for byte.

    Addresses and further parameters inside a value are looked into, percent-encoded ones so many
    levels deep.
    """
    if "=" not in query:
        return query
    has_more = ";" in query or "?" in query or "%3" in query or "%25" in query
    parts = query.split("&")
    for at, part in enumerate(parts):
        name, _, value = part.partition("=")
        if not value:
            continue
        if verdicts[unquote_plus(name) if "%" in name or "+" in name else name] == HIDE:
            parts[at] = f"{name}={MASK}"
        elif has_more:
            parts[at] = f"{name}={_mask_inside(value, verdicts, levels)}"
    return "&".join(parts)


def _mask_inside(value: str, verdicts: Verdicts, levels: int) -> str:
    """A parameter's value without the secrets of the address, or of the parameters, that it holds."""
    if ";" in value:
        return ";".join([mask_query(piece, verdicts, levels) for piece in value.split(";")])
    if "?" in value:
        return mask_address(value, verdicts, levels)
    if "%" in value and levels:
        plain = unquote(value)
        look = mask_address if "=" in plain else _mask_inside
        masked = look(plain, verdicts, levels - 1)
        if masked != plain:
            return quote(masked, safe="[]")
    return value


def mask_address(address: str, verdicts: Verdicts, levels: int = _NESTED_LEVELS) -> str:
    """An address with the secrets in its query and fragment masked and its user part left out.

    Several addresses in one text, as a Link header holds them, are masked one by one.
    """
    if "@" in address:
        address = _USER_PART.sub("", address)
    if "=" not in address and "%" not in address:
        return address
    pieces = _BETWEEN.split(address)
    for at in range(0, len(pieces), 2):
        pieces[at] = _mask_one_address(pieces[at], verdicts, levels)
    return "".join(pieces)


def _mask_one_address(address: str, verdicts: Verdicts, levels: int) -> str:
    """One address, or bare parameters."""
    at = min((at for mark in "?#" if (at := address.find(mark)) >= 0), default=-1)
    if at < 0:
        return mask_query(address, verdicts, levels)
    query, hash_mark, fragment = address[at + 1 :].partition("#")
    masked = mask_query(query, verdicts, levels)
    return f"{address[: at + 1]}{masked}{hash_mark}{mask_query(fragment, verdicts, levels)}"


def mask_json(document: Any, verdicts: Verdicts) -> bool:
    """Masks a JSON document in place, at any depth, through lists too; true when something was.

    Texts that are JSON or addresses themselves are looked into. Null stays null: that nothing was
    sent is no secret.
    """
    changed = False
    stack = [document] if type(document) is dict or type(document) is list else []
    while stack:
        node = stack.pop()
        pairs: Iterable[tuple[Any, Any]] = node.items() if type(node) is dict else enumerate(node)
        named = type(node) is dict
        for key, value in pairs:
            if named and value is not None and verdicts[key] == HIDE:
                node[key] = MASK
                changed = True
            elif type(value) is dict or type(value) is list:
                stack.append(value)
            elif type(value) is str:
                masked = mask_string(value, verdicts)
                if masked != value:
                    node[key] = masked
                    changed = True
    return changed


def without_secrets(value: Any, verdicts: Verdicts) -> Any:
    """A copy of what the host gave, masked by its keys at any depth; the host's own objects stay as they are."""
    if isinstance(value, dict):
        return {
            key: MASK
            if inner is not None and isinstance(key, str) and verdicts[key] == HIDE
            else without_secrets(inner, verdicts)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [without_secrets(inner, verdicts) for inner in value]
    return value


_OPENING = ("{", "[")


def mask_string(text: str, verdicts: Verdicts) -> str:
    """A text inside of a document: masked as text when it is JSON itself, as an address when it holds one."""
    if text[:1] in _OPENING:
        return mask_text(text, verdicts)
    return mask_address(text, verdicts) if "://" in text else text


_MEMBER = re.compile(
    r'"((?:[^"\\]|\\.){1,128})"(\s*:\s*)("(?:[^"\\]|\\.)*"?|[^\s,}\]{\["]+|[{\[])', re.DOTALL
)
_ELEMENT = re.compile(
    r"(<(?:[\w.-]{1,128}:)?([\w.-]{1,128})(?:\s[^<>]*)?(?<!/)>)(?:<!\[CDATA\[.*?(?:\]\]>|\Z)|[^<])+",
    re.DOTALL,
)
_ASSIGNED = re.compile(r"""(?<![\w.-])([\w.-]{1,128})(\s*=\s*)("[^"]*"?|'[^']*'?|[^\s&;,"'<>]+)""")
_LINE = re.compile(r"^([ \t]*([\w.-]{1,128})[ \t]*:[ \t]+)(\S.*)$", re.MULTILINE)


def mask_text(text: str, verdicts: Verdicts) -> str:
    """Text with what stands under secret names masked.

    Names are those of JSON members (bodies that are cut off, event streams, JSON lines), of XML
    elements and attributes, and what stands before `=`, or before `:` at the start of a line. Where
    an object or list stands under a secret JSON name, the text ends there: without a parser nobody
    knows where the secret stops.
    """
    text = _mask_members(text, verdicts)
    if "<" in text:
        text = _ELEMENT.sub(lambda found: _unless_shown(found, 2, found[1], verdicts), text)
    if "=" in text:
        text = _ASSIGNED.sub(
            lambda found: _unless_shown(found, 1, f"{found[1]}{found[2]}", verdicts), text
        )
    if ": " in text:
        text = _LINE.sub(lambda found: _unless_shown(found, 2, found[1], verdicts), text)
    return text


def _unless_shown(found: re.Match[str], name: int, lead: str, verdicts: Verdicts) -> str:
    """What was found, or its lead and the mask when its name is a secret's."""
    return f"{lead}{MASK}" if verdicts[found[name]] == HIDE else found[0]


def _mask_members(text: str, verdicts: Verdicts) -> str:
    """Text with the values of secret JSON members masked, where it holds JSON in pieces."""
    out: list[str] = []
    at = 0
    for member in _MEMBER.finditer(text):
        if verdicts[_unescaped(member[1])] != HIDE or member[3] == "null":
            continue
        out.append(f'{text[at : member.start()]}"{member[1]}"{member[2]}"{MASK}"')
        at = member.end()
        if member[3] in ("{", "["):
            return "".join(out)
    out.append(text[at:])
    return "".join(out)


def _unescaped(name: str) -> str:
    """A member's name as it reads, whatever escapes it was written with."""
    if "\\" not in name:
        return name
    try:
        return msgspec.json.decode(f'"{name}"', type=str)
    except ValueError:
        return name
