"""The conditions of a question as a tree, read strictly, and their SQL.

Grammar: ``{"and": [..]}``, ``{"or": [..]}``, ``{"not": {..}}`` or a leaf ``{"field", "op",
"value"}``. An empty ``and`` holds for all, an empty ``or`` for none.

Guarantee: two-valued. A leaf on a part that an event does not have is false, except ``ne`` and
``nin``, which are the exact opposite of ``eq`` and ``in``; ``not`` turns any answer around.
``match`` gives the same answers in Python.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo

from tollkeeper.errors import InvalidInput
from tollkeeper.query.fields import OPERATORS, Ref, find
from tollkeeper.query.parameters import Parameters
from tollkeeper.query.pattern import MAX_PATTERN, compiled
from tollkeeper.query.values import MAX_TEXT, boolean, items, join, mapping, number, text
from tollkeeper.query.window import read_instant

MAX_DEPTH = 12
MAX_LEAVES = 200
MAX_VALUES = 1000

Scalar = str | int | float | bool
_COMPARISONS = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_TEXT_TESTS = {
    "contains": "position({0}, {1}) > 0",
    "starts_with": "startsWith({0}, {1})",
    "ends_with": "endsWith({0}, {1})",
    "matches": "match({0}, {1})",
    # For completion of values only; a question cannot name it.
    "contains_any_case": "positionCaseInsensitiveUTF8({0}, {1}) > 0",
}


@dataclass(frozen=True, slots=True)
class Leaf:
    """One condition. ``value`` is of the type that ``numeric`` and the operator say.

    ``numeric`` compares as numbers (stored units: µs, bytes), else as text.
    """

    ref: Ref
    op: str
    value: Scalar | tuple[Scalar, ...]
    numeric: bool
    at: str

    @property
    def leaves(self) -> Iterator[Leaf]:
        """Itself."""
        yield self


@dataclass(frozen=True, slots=True)
class Branch:
    """Conditions joined by ``and`` or ``or``, or one turned around by ``not``."""

    kind: Literal["and", "or", "not"]
    nodes: tuple[Leaf | Branch, ...]

    @property
    def leaves(self) -> Iterator[Leaf]:
        """All conditions below."""
        for node in self.nodes:
            yield from node.leaves


Node = Leaf | Branch


def read_filter(value: object, at: str, *, now_us: int) -> Node | None:
    """The filter of a question; none for null.

    Raises:
        InvalidInput: naming the culprit, such as ``filter.and[0].op``.
    """
    if value is None:
        return None
    node = _read(value, at, MAX_DEPTH, now_us)
    if sum(1 for _ in node.leaves) > MAX_LEAVES:
        raise InvalidInput(f"has more than {MAX_LEAVES} conditions", field=at, code="too_complex")
    return node


def _read(value: object, at: str, depth: int, now_us: int) -> Node:
    if depth == 0:
        raise InvalidInput(f"is nested deeper than {MAX_DEPTH}", field=at, code="too_complex")
    node = mapping(value, at, ("and", "or", "not", "field", "op", "value"))
    branches = [kind for kind in ("and", "or", "not") if kind in node]
    if not branches:
        return _leaf(node, at, now_us)
    if len(node) > 1:
        raise InvalidInput("must have either one of and, or, not, or field, op, value", field=at)
    if "not" in node:
        return Branch("not", (_read(node["not"], join(at, "not"), depth - 1, now_us),))
    kind: Literal["and", "or"] = "and" if "and" in node else "or"
    below = items(node[kind], join(at, kind), limit=MAX_LEAVES)
    return Branch(
        kind,
        tuple(_read(n, f"{join(at, kind)}[{i}]", depth - 1, now_us) for i, n in enumerate(below)),
    )


def _leaf(node: object, at: str, now_us: int) -> Leaf:
    given = mapping(node, at, ("field", "op", "value"))
    for key in ("field", "op", "value"):
        if key not in given:
            raise InvalidInput("is needed", field=join(at, key), code="missing")
    ref = find(given["field"], join(at, "field"))
    op = text(given["op"], join(at, "op"), limit=30)
    known = OPERATORS[ref.field.kind]
    if op not in known:
        raise InvalidInput(
            f"{op!r} cannot be asked of {ref.name}; known are {', '.join(known)}",
            field=join(at, "op"),
            code="unknown_operator",
        )
    value, numeric = _value(ref, op, given["value"], join(at, "value"), now_us)
    return Leaf(ref, op, value, numeric, at)


def _value(
    ref: Ref, op: str, value: object, at: str, now_us: int
) -> tuple[Scalar | tuple[Scalar, ...], bool]:
    if op == "exists":
        return boolean(value, at), False
    if op in ("in", "nin"):
        listed = items(value, at, limit=MAX_VALUES)
        read = [_scalar(ref, op, v, f"{at}[{i}]", now_us) for i, v in enumerate(listed)]
        kinds = {numeric for _, numeric in read}
        if len(kinds) > 1:
            raise InvalidInput("must be all text or all numbers", field=at)
        return tuple(v for v, _ in read), kinds == {True}
    return _scalar(ref, op, value, at, now_us)


def _scalar(ref: Ref, op: str, value: object, at: str, now_us: int) -> tuple[Scalar, bool]:
    kind = ref.field.kind
    if kind == "time":
        return read_instant(value, at, now_us=now_us, zone=ZoneInfo("UTC")), True
    if kind in ("integer", "number"):
        return _scaled(number(value, at), ref.field.scale, at), True
    if op in ("gt", "gte", "lt", "lte"):
        return number(value, at), True
    if isinstance(value, bool) and kind == "map" and op in ("eq", "ne", "in", "nin"):
        return ("true" if value else "false"), False
    if isinstance(value, int | float) and not isinstance(value, bool):
        checked = number(value, at)
        if kind == "map" and op in ("eq", "ne", "in", "nin"):
            return checked, True
        if isinstance(checked, int):
            return str(checked), False
    said = text(value, at, limit=MAX_PATTERN if op == "matches" else MAX_TEXT)
    if op == "matches":
        compiled(said, at)
    return said, False


def _scaled(value: int | float, scale: int, at: str) -> int | float:
    if scale == 1:
        return value
    return number(value * scale, at)


def sql(node: Node, parameters: Parameters, *, rollup: bool) -> str:
    """The tree as a condition over one kind of table; never null."""
    if isinstance(node, Leaf):
        return _leaf_sql(node, parameters, rollup=rollup)
    below = [f"({sql(n, parameters, rollup=rollup)})" for n in node.nodes]
    if node.kind == "not":
        return f"NOT {below[0]}"
    empty = "1" if node.kind == "and" else "0"
    return f" {node.kind.upper()} ".join(below) or empty


def _leaf_sql(leaf: Leaf, parameters: Parameters, *, rollup: bool) -> str:
    if leaf.op == "exists":
        return _exists_sql(leaf, parameters, rollup=rollup)
    if leaf.op in ("ne", "nin"):
        opposite = "eq" if leaf.op == "ne" else "in"
        positive = Leaf(leaf.ref, opposite, leaf.value, leaf.numeric, leaf.at)
        return f"NOT ({_leaf_sql(positive, parameters, rollup=rollup)})"
    condition = (_number_sql if leaf.numeric else _text_sql)(leaf, parameters, rollup=rollup)
    return f"ifNull({condition}, 0)" if leaf.ref.field.kind == "map" else condition


def _exists_sql(leaf: Leaf, parameters: Parameters, *, rollup: bool) -> str:
    value = leaf.ref.sql(parameters, rollup=rollup)
    kind = leaf.ref.field.kind
    there = "1"
    if kind == "map":
        there = f"isNotNull({value})"
    elif kind == "text":
        there = f"{value} != ''"
    elif leaf.ref.name == "response.status":
        there = f"{value} != 0"
    return there if leaf.value else f"NOT ({there})"


def _number_sql(leaf: Leaf, parameters: Parameters, *, rollup: bool) -> str:
    value = leaf.ref.number_sql(parameters, rollup=rollup)
    if isinstance(leaf.value, tuple):
        return " OR ".join(f"{value} = {_number(v, parameters)}" for v in leaf.value) or "0"
    return f"{value} {_COMPARISONS[leaf.op]} {_number(leaf.value, parameters)}"


def _number(value: Scalar, parameters: Parameters) -> str:
    return parameters.bind(value, "Float64" if isinstance(value, float) else "Int64")


def _text_sql(leaf: Leaf, parameters: Parameters, *, rollup: bool) -> str:
    value = leaf.ref.sql(parameters, rollup=rollup)
    if isinstance(leaf.value, tuple):
        return (
            f"{value} IN {parameters.bind(list(leaf.value), 'Array(String)')}"
            if leaf.value
            else "0"
        )
    bound = parameters.text(str(leaf.value))
    if leaf.op == "eq":
        return f"{value} = {bound}"
    return _TEXT_TESTS[leaf.op].format(value, bound)
