"""Takes secrets out of what was captured, before it leaves the host.

Every name that `model.secret` calls a secret is masked always; the host's own lists are masked
beside it. Names are compared without regard to case, values become `[masked]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_plus

from tollkeeper.model.secret import MASK, is_secret_name

_MEMO_LIMIT = 8192
_NAME_LIMIT = 256
_ADDRESSES = frozenset(
    {
        "referer",
        "location",
        "content-location",
        "x-original-url",
        "x-rewrite-url",
        "x-forwarded-uri",
        "link",
        "refresh",
    }
)
"""Headers that hold addresses, whose query parameters may be secrets."""

_USER_PART = re.compile(r"(?<=://)[^/@\s]*@")

SHOW, HIDE, LOOK_INSIDE = 0, 1, 2


class Verdicts(dict[str, int]):
    """What to do with the value under a name, remembered: a plain lookup for names seen before.

    `SHOW`, `HIDE`, or `LOOK_INSIDE` for headers that are addresses. Bounded; thread safe.
    """

    def __init__(self, masks: Iterable[str] = ()) -> None:
        super().__init__()
        self._masks = frozenset(name.lower() for name in masks)

    def __missing__(self, name: str) -> int:
        """The verdict on a name that comes for the first time."""
        lowered = name.lower()
        verdict = HIDE if lowered in self._masks or is_secret_name(name) else SHOW
        if verdict == SHOW and lowered in _ADDRESSES:
            verdict = LOOK_INSIDE
        if len(name) <= _NAME_LIMIT:
            if len(self) >= _MEMO_LIMIT:
                self.clear()
            self[name] = verdict
        return verdict


def joined(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Headers as a dict; repeated ones are joined as HTTP allows (cookies by semicolons)."""
    headers = dict(pairs)
    if len(headers) == len(pairs):
        return headers
    headers = {}
    for name, value in pairs:
        known = headers.get(name)
        headers[name] = (
            value if known is None else f"{known}{'; ' if name == 'cookie' else ', '}{value}"
        )
    return headers


def mask_headers(headers: dict[str, str], verdicts: Verdicts) -> None:
    """Masks headers in place."""
    for name in headers:
        verdict = verdicts[name]
        if verdict:
            headers[name] = MASK if verdict == HIDE else mask_address(headers[name], verdicts)


def mask_query(query: str, verdicts: Verdicts) -> str:
    """The query string with the values of secret parameters masked; all else stays byte for byte."""
    if "=" not in query:
        return query
    parts = query.split("&")
    for at, part in enumerate(parts):
        name, equals, value = part.partition("=")
        if (
            equals
            and value
            and verdicts[unquote_plus(name) if "%" in name or "+" in name else name] == HIDE
        ):
            parts[at] = f"{name}={MASK}"
    return "&".join(parts)


def mask_address(address: str, verdicts: Verdicts) -> str:
    """An address with the secrets in its query and fragment masked and its user part left out."""
    address = _USER_PART.sub("", address)
    before, mark, rest = address.partition("?")
    if not mark:
        before, mark, rest = address.partition("#")
        return before + mark + mask_query(rest, verdicts)
    query, hash_mark, fragment = rest.partition("#")
    return f"{before}?{mask_query(query, verdicts)}{hash_mark}{mask_query(fragment, verdicts)}"


def mask_json(document: Any, verdicts: Verdicts) -> bool:
    """Masks a JSON document in place, at any depth, through lists too; true when something was.

    Null stays null: that nothing was sent is no secret.
    """
    changed = False
    stack = [document]
    while stack:
        node = stack.pop()
        if type(node) is dict:
            for key, value in node.items():
                if verdicts[key] == HIDE and value is not None:
                    node[key] = MASK
                    changed = True
                elif type(value) is dict or type(value) is list:
                    stack.append(value)
        elif type(node) is list:
            stack.extend(node)
    return changed


_MEMBER = re.compile(
    r'"((?:[^"\\]|\\.){1,128})"(\s*:\s*)("(?:[^"\\]|\\.)*"?|[^\s,}\]{\["]+|[{\[])', re.DOTALL
)


def mask_text(text: str, verdicts: Verdicts) -> str:
    """Text with the values of secret JSON members masked, where it holds JSON in pieces.

    For bodies that are cut off, event streams and JSON lines. Where an object or list stands under
    a secret name, the text ends there: without a parser nobody knows where the secret stops.
    """
    out: list[str] = []
    at = 0
    for member in _MEMBER.finditer(text):
        if verdicts[member[1]] != HIDE or member[3] == "null":
            continue
        out.append(f'{text[at : member.start()]}"{member[1]}"{member[2]}"{MASK}"')
        at = member.end()
        if member[3] in ("{", "["):
            return "".join(out)
    out.append(text[at:])
    return "".join(out)
