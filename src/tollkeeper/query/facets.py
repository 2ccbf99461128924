"""What can be asked for: the fields with their operators, and the values that a field has."""

from __future__ import annotations

from typing import Any

from tollkeeper.errors import InvalidInput
from tollkeeper.query.answer import Asker
from tollkeeper.query.ask import Ask, groupable
from tollkeeper.query.fields import ALIASES, FIELDS, OPERATORS, Ref, find
from tollkeeper.query.filter import Branch, Leaf
from tollkeeper.query.metric import FUNCTIONS, PLAIN
from tollkeeper.query.window import Window


def catalog() -> dict[str, Any]:
    """All fields and functions.

    Shape: ``fields`` with name, type (text, integer, number, time), unit, operators, groupable,
    aliases, and ``map``: true when the name needs a key after it, as ``metadata.plan`` does;
    ``functions`` with name, whether they take a field, and of which types (map: a key of one).
    """
    fields = [
        {
            "name": field.name,
            "type": "text" if field.kind == "map" else field.kind,
            "unit": field.unit,
            "operators": list(OPERATORS[field.kind]),
            "groupable": groupable(Ref(field)),
            "map": field.kind == "map",
            "aliases": []
            if field.kind == "map"
            else [alias for alias, name in ALIASES.items() if name == field.name],
        }
        for field in FIELDS
    ]
    functions = [{"name": fn, "field": fn not in PLAIN, "fields": _takes(fn)} for fn in FUNCTIONS]
    return {"fields": fields, "functions": functions}


def _takes(fn: str) -> list[str]:
    if fn in PLAIN:
        return []
    return ["text", "integer", "number", "map"] if fn == "unique" else ["integer", "number", "map"]


def values(
    asker: Asker, application: str | None, name: str, part: str, window: Window, limit: int
) -> dict[str, Any]:
    """The most frequent values of a field within a window, those that contain a text.

    Shape: ``{"values": [{"value", "count"}…]}``, most calls first; what is unknown is left out.
    Upper and lower case count as the same.

    Raises:
        InvalidInput: when values of the field make no groups.
    """
    ref = find(name, "field")
    if not groupable(ref):
        raise InvalidInput(f"cannot list values of {ref.name}", field="field", code="not_groupable")
    whole = ref.field.kind == "integer"
    conditions: list[Leaf | Branch] = [Leaf(ref, "exists", value=True, numeric=False, at="field")]
    if part and not whole:
        conditions.append(Leaf(ref, "contains_any_case", part, numeric=False, at="q"))
    ask = Ask(
        application=application,
        window=window,
        group_by=(ref,),
        filter=Branch("and", tuple(conditions)),
        limit=1000 if whole and part else limit,
        other=False,
    )
    rows = asker.answer(ask)["rows"]
    found = [row for row in rows if not whole or str(row[0]).startswith(part)]
    return {"values": [{"value": value, "count": count} for value, count in found[:limit]]}
