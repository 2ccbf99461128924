"""The filter in Python, for events that are not yet rows: the same answers as its SQL.

One table of cases tests both. Two things are not known here and refused: attributes of users and
customers.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote_plus

import msgspec

from tollkeeper.errors import InvalidInput
from tollkeeper.model.event import Event
from tollkeeper.query.fields import Ref
from tollkeeper.query.filter import Leaf, Node
from tollkeeper.query.pattern import compiled

Owner = tuple[str, str]
"""User and customer of an event."""
Predicate = Callable[[Event, Owner], bool]

# What the store's engine reads as a number: no spaces, no digits but ours.
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_HOST = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?([^/?#]*)", re.ASCII)
_UPPER = {ord(c): ord(c) + 32 for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_TEXT: Mapping[str, Callable[[str, Any], bool]] = {
    "eq": operator.eq,
    "contains": operator.contains,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
}


def host_of(uri: str) -> str:
    """The host of an address as the column ``host`` has it."""
    found = _HOST.match(uri)
    return found[1].translate(_UPPER) if found else ""


def path_of(uri: str) -> str:
    """The path of an address as ``path()`` in SQL gives it."""
    scheme = uri.find("://")
    start = uri.find("/", scheme + 3) if scheme >= 0 else uri.find("/")
    return re.split(r"[?#]", uri[start:], maxsplit=1)[0] if start >= 0 else ""


def query_of(uri: str) -> dict[str, str]:
    """The query's parameters, of repeated ones the first."""
    _, mark, rest = uri.partition("?")
    found: dict[str, str] = {}
    for part in rest.partition("#")[0].split("&") if mark else ():
        name, _, value = part.partition("=")
        if name:
            found.setdefault(name, unquote_plus(value))
    return found


def predicate(node: Node | None) -> Predicate:
    """A function that tells of an event and its owner whether the filter holds.

    Raises:
        InvalidInput: for attributes.
    """
    if node is None:
        return lambda event, owner: True
    if isinstance(node, Leaf):
        return _leaf(node)
    below = [predicate(n) for n in node.nodes]
    if node.kind == "not":
        return lambda event, owner: not below[0](event, owner)
    combine = all if node.kind == "and" else any
    return lambda event, owner: combine(p(event, owner) for p in below)


def _leaf(leaf: Leaf) -> Predicate:
    read = _reader(leaf.ref, leaf.at)
    if leaf.op == "exists":
        return _exists(leaf, read)
    turned = leaf.op in ("ne", "nin")
    test = _test(leaf, {"ne": "eq", "nin": "in"}.get(leaf.op, leaf.op))
    numeric_text = leaf.numeric and leaf.ref.field.kind == "map"

    def holds(event: Event, owner: Owner) -> bool:
        value = read(event, owner)
        if numeric_text:
            value = _number(value)
        return (value is not None and test(value)) is not turned

    return holds


def _exists(leaf: Leaf, read: Callable[[Event, Owner], Any]) -> Predicate:
    kind, wanted = leaf.ref.field.kind, leaf.value
    if kind == "map":
        return lambda event, owner: (read(event, owner) is not None) is wanted
    if kind == "text":
        return lambda event, owner: (read(event, owner) != "") is wanted
    if leaf.ref.name == "response.status":
        return lambda event, owner: (event.status != 0) is wanted
    return lambda event, owner: wanted is True


def _test(leaf: Leaf, op: str) -> Callable[[Any], bool]:
    wanted = leaf.value
    if isinstance(wanted, tuple):
        values = frozenset(wanted)
        return lambda value: value in values
    if op == "matches":
        pattern = compiled(str(wanted), f"{leaf.at}.value")
        return lambda value: pattern.search(value) is not None
    compare = (_COMPARE if leaf.numeric else _TEXT)[op]
    return lambda value: compare(value, wanted)


def _reader(ref: Ref, at: str) -> Callable[[Event, Owner], Any]:
    if ref.attributes:
        raise InvalidInput(
            f"{ref.name} is not known of events as they come", field=f"{at}.field", code="not_live"
        )
    if ref.owner:
        place = 0 if ref.owner == "user" else 1
        return lambda event, owner: owner[place]
    name = ref.field.name
    if name == "request.host":
        return lambda event, owner: host_of(event.uri)
    if name == "request.path":
        return lambda event, owner: path_of(event.uri)
    if name == "request.query":
        return lambda event, owner: query_of(event.uri).get(ref.path[0])
    column = operator.attrgetter(ref.field.columns[0])
    if ref.field.kind == "map":
        return lambda event, owner: _part(column(event), ref.path)
    return lambda event, owner: column(event)


def _part(text: str, path: tuple[str, ...]) -> str | None:
    """The part of a JSON text at a path, as text; none when it is missing or null."""
    try:
        value = msgspec.json.decode(text)
    except msgspec.MsgspecError:
        return None
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float):
        return (str(int(value)) if value.is_integer() else repr(value)).replace("e+", "e")
    return msgspec.json.encode(value).decode()


def _number(value: str | None) -> float | None:
    if value is None or not NUMBER.fullmatch(value):
        return None
    number = float(value)
    return number if abs(number) != float("inf") else None
