"""Reads filters and times as people write them on a command line.

A term is ``field:value`` as in the dashboard's text box (``status:>=500``, ``route:/v1/pets*``,
``-customer:acme``, ``user:a,b``, ``path:~^/v1``, ``status:5xx``, ``trace_id:*``), or the same with
the sign in the colon's place (``status>=500``, ``user!=bot``, ``route~/v1/*``). After ``~`` stands
an RE2 expression, or a plain text with a star at either end. A term without a field looks for its
text in the address that was called. What starts with ``{`` is the filter's JSON.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from tollkeeper.errors import InvalidInput

Leaf = dict[str, Any]

ALIASES = {
    "duration": "duration_ms",
    "ms": "duration_ms",
}
"""Names that only people use; the server knows all others by itself."""

_NUMERIC = frozenset(
    {"status", "response.status", "duration_ms", "request.bytes", "response.bytes", "weight"}
)
_SIGNS = (
    (">=", "gte"),
    ("<=", "lte"),
    ("!=", "ne"),
    (">", "gt"),
    ("<", "lt"),
    ("~", "matches"),
    ("=", "eq"),
)
_TERMS = re.compile(r'(?:"(?:\\.|[^"\\])*"?|[^\s"])+')
_TERM = re.compile(r"(-?)([A-Za-z_][\w.-]*?)(:|>=|<=|!=|=|>|<|~)(.*)", re.DOTALL)
_PARTS = re.compile(r'(?:"(?:\\.|[^"\\])*"?|[^,"])+')
_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"?')
_HUNDRED = re.compile(r"([1-5])(?:xx|\*)", re.IGNORECASE)
_STARRED = re.compile(r"\*?[^.^$+?()\[\]{}|\\*]+\*?")
_AGO = re.compile(r"-?([0-9]+)([smhdwM])", re.ASCII)
_URL = re.compile(r"[a-z]+://", re.IGNORECASE)


def read_where(terms: Sequence[str] | None) -> dict[str, Any] | None:
    """The filter of all terms together, as the API wants it; nothing when there are none.

    Raises:
        InvalidInput: for a term that cannot be understood.
    """
    nodes: list[dict[str, Any]] = []
    for given in terms or ():
        text = given.strip()
        if text.startswith("{"):
            nodes.append(_json(text))
        else:
            for term in _TERMS.findall(text):
                nodes.extend(read_term(term))
    return {"and": nodes} if nodes else None


def read_term(term: str) -> list[Leaf]:
    """The conditions of one term.

    Raises:
        InvalidInput: the value does not fit the field or the sign.
    """
    found = _TERM.fullmatch(term)
    if found is None or _URL.match(term):
        return [{"field": "request.uri", "op": "contains", "value": _unquote(term)}]
    minus, name, sign, rest = found.groups()
    field = ALIASES.get(name, name)
    raw = rest if sign == ":" else sign + rest
    if raw in ("", sign):
        raise InvalidInput("needs a value", field=name)
    hundred = _HUNDRED.fullmatch(raw.lstrip("="))
    if hundred and field in ("status", "response.status") and not minus:
        low = int(hundred[1]) * 100
        return [
            {"field": field, "op": "gte", "value": low},
            {"field": field, "op": "lt", "value": low + 100},
        ]
    leaf = _value(field, raw)
    return [_negated(leaf) if minus else leaf]


def _negated(leaf: Leaf) -> Leaf:
    opposite = {"eq": "ne", "in": "nin"}.get(leaf["op"])
    if opposite:
        return {**leaf, "op": opposite}
    if leaf["op"] == "exists":
        return {**leaf, "value": False}
    raise InvalidInput("a minus goes with a plain value, a list or *", field=leaf["field"])


def _value(field: str, raw: str) -> Leaf:
    if _QUOTED.fullmatch(raw):
        return _leaf(field, "eq", _unquote(raw))
    for sign, op in _SIGNS:
        if raw.startswith(sign):
            rest = raw[len(sign) :]
            if op == "matches" and "*" in (rest[:1], rest[-1:]) and _STARRED.fullmatch(rest):
                return _starred(field, rest)
            return _leaf(field, op, _unquote(rest))
    if raw == "*":
        return {"field": field, "op": "exists", "value": True}
    if raw.startswith("*") or raw.endswith("*"):
        return _starred(field, raw)
    parts = _PARTS.findall(raw)
    if len(parts) < 2:
        return _leaf(field, "eq", _unquote(raw))
    return {"field": field, "op": "in", "value": [_typed(field, "in", _unquote(p)) for p in parts]}


def _starred(field: str, raw: str) -> Leaf:
    if field in _NUMERIC:
        raise InvalidInput("takes a number; compare it with >= or <", field=field)
    front, back = raw.startswith("*"), raw.endswith("*") and len(raw) > 1
    op = "contains" if front and back else "starts_with" if back else "ends_with"
    text = raw[1 if front else 0 : -1 if back else None]
    return {"field": field, "op": op, "value": _unquote(text)}


def _leaf(field: str, op: str, text: str) -> Leaf:
    if text == "" and op not in ("eq", "ne"):
        raise InvalidInput("needs a value", field=field)
    return {"field": field, "op": op, "value": _typed(field, op, text)}


def _typed(field: str, op: str, text: str) -> str | int | float:
    ordered = op in ("gt", "gte", "lt", "lte")
    if op == "matches" or not (ordered or field in _NUMERIC):
        return text
    try:
        value = float(text)
    except ValueError:
        if field in _NUMERIC:
            raise InvalidInput(f"takes a number, not {text!r}", field=field) from None
        return text
    return int(value) if value.is_integer() else value


def _unquote(text: str) -> str:
    if not text.startswith('"'):
        return text
    closed = len(text) > 1 and text.endswith('"')
    return re.sub(r"\\(.)", r"\1", text[1 : -1 if closed else None])


def _json(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise InvalidInput(f"not JSON: {error}", field="where") from error


def read_moment(text: str) -> str:
    """A time as the API wants it: ``30d`` and ``-30d`` are so long before now, a day begins at 00:00 UTC."""
    ago = _AGO.fullmatch(text)
    if ago:
        return f"-{ago[1]}{ago[2]}"
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return f"{text}T00:00:00Z"
    if re.fullmatch(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?", text):
        return f"{text}Z"
    return text
