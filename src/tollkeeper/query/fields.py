"""The names that questions use, and what each means in the events' tables: one table of fields.

A field's ``raw`` expression is over the columns of ``events``, its ``rollup`` over those of
``usage_hour`` and ``usage_day`` (none where only raw events know it). ``user`` and ``customer``
are columns that ``owner`` adds to both. A map is a field with a part after it, such as
``request.headers.user-agent`` or ``metadata.cart.total``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tollkeeper.errors import InvalidInput
from tollkeeper.query.parameters import Parameters
from tollkeeper.query.values import text

Kind = Literal["text", "integer", "number", "time", "map"]

TEXT_OPERATORS = (
    "eq", "ne", "in", "nin", "contains", "starts_with", "ends_with", "matches", "exists",
)  # fmt: skip
NUMBER_OPERATORS = ("eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "exists")
TIME_OPERATORS = ("eq", "ne", "gt", "gte", "lt", "lte", "exists")
MAP_OPERATORS = (*TEXT_OPERATORS, "gt", "gte", "lt", "lte")

OPERATORS: dict[Kind, tuple[str, ...]] = {
    "text": TEXT_OPERATORS,
    "integer": NUMBER_OPERATORS,
    "number": NUMBER_OPERATORS,
    "time": TIME_OPERATORS,
    "map": MAP_OPERATORS,
}

MAX_PATH_PARTS = 16
_MAX_NAME = 300


@dataclass(frozen=True, slots=True)
class Field:
    """One name (or, for a map, the start of names) with its meaning in both kinds of tables.

    ``scale`` divides the stored number to give the asked one (µs to ms); ``total`` names the
    rollup's weighted sum of it, ``extremes`` whether rollups keep its least and greatest value.
    ``splits`` says that the dots of a map's key lead into nested objects.
    """

    name: str
    kind: Kind
    columns: tuple[str, ...]
    raw: str
    rollup: str | None = None
    unit: str | None = None
    scale: int = 1
    total: str | None = None
    extremes: bool = False
    splits: bool = False


def _text(name: str, column: str, *, rollup: bool = False) -> Field:
    return Field(name, "text", (column,), column, column if rollup else None)


def _bytes(name: str, column: str) -> Field:
    return Field(name, "integer", (column,), column, unit="bytes", total=column)


FIELDS: tuple[Field, ...] = (
    _text("id", "id"),
    Field("time", "time", ("time",), "toUnixTimestamp64Micro(time)"),
    Field("received_at", "time", ("received_at",), "toUnixTimestamp64Micro(received_at)"),
    _text("kind", "kind", rollup=True),
    _text("source", "source", rollup=True),
    _text("direction", "direction", rollup=True),
    _text("action", "action"),
    Field("user", "text", (), "user", "user"),
    Field("customer", "text", (), "customer", "customer"),
    _text("credential", "credential"),
    _text("request.method", "method", rollup=True),
    _text("request.uri", "uri"),
    _text("request.host", "host"),
    Field("request.path", "text", ("uri",), "path(uri)"),
    _text("request.route", "route", rollup=True),
    _bytes("request.bytes", "request_bytes"),
    _text("request.ip", "ip"),
    _text("request.api_version", "api_version"),
    Field("response.status", "integer", ("status",), "status", "status"),
    _bytes("response.bytes", "response_bytes"),
    Field(
        "duration_ms", "number", ("duration_us",), "duration_us", unit="ms", scale=1000,
        total="duration_us", extremes=True,
    ),
    Field("weight", "integer", ("weight",), "weight"),
    _text("trace_id", "trace_id"),
    _text("blocked_by", "blocked_by"),
    _text("tags", "tags"),
    _text("outcome", "outcome"),
    _text("subscription", "subscription"),
    Field("request.headers", "map", ("request_headers",), "request_headers"),
    Field("request.query", "map", ("uri",), "uri"),
    Field("request.body", "map", ("request_body",), "request_body", splits=True),
    Field("response.headers", "map", ("response_headers",), "response_headers"),
    Field("response.body", "map", ("response_body",), "response_body", splits=True),
    Field("metadata", "map", ("metadata",), "metadata", splits=True),
    Field("user", "map", (), "user_attributes", "user_attributes", splits=True),
    Field("customer", "map", (), "customer_attributes", "customer_attributes", splits=True),
)  # fmt: skip

ALIASES = {
    "method": "request.method",
    "verb": "request.method",
    "route": "request.route",
    "status": "response.status",
    "path": "request.path",
    "host": "request.host",
    "uri": "request.uri",
    "ip": "request.ip",
    "user_id": "user",
    "company_id": "customer",
    "company": "customer",
}

_PLAIN = {field.name: field for field in FIELDS if field.kind != "map"}
_MAPS = {field.name: field for field in FIELDS if field.kind == "map"}


@dataclass(frozen=True, slots=True)
class Ref:
    """A field as a question names it, with the way into its map."""

    field: Field
    path: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The field's full name, the same for every alias of it."""
        return ".".join((self.field.name, *self.path))

    @property
    def owner(self) -> str:
        """``user`` or ``customer`` when the value hangs on who the caller is, else nothing."""
        return self.field.name if self.field.name in ("user", "customer") else ""

    @property
    def attributes(self) -> bool:
        """Whether the value comes from what is known of a user or customer."""
        return bool(self.owner) and self.field.kind == "map"

    def columns(self, *, rollup: bool) -> tuple[str, ...]:
        """The table columns the value is made of."""
        if rollup and self.field.rollup is not None and not self.owner:
            return (self.field.rollup,)
        return self.field.columns

    def sql(self, parameters: Parameters, *, rollup: bool) -> str:
        """The value as SQL: text (null where a map has no such part) or the stored number."""
        expression = self.field.rollup if rollup else self.field.raw
        if expression is None:
            raise ValueError(f"rollups do not know {self.name}")
        if self.field.kind != "map":
            return expression
        keys = ", ".join(parameters.text(part) for part in self.path)
        if self.field.name == "request.query":
            # What looks like a parameter in the fragment never reached a server.
            return (
                f"if(has(extractURLParameterNames(cutFragment(uri)), {keys}), "
                f"decodeURLFormComponent(extractURLParameter(cutFragment(uri), {keys})), NULL)"
            )
        return f"JSONExtract({expression}, {keys}, 'Nullable(String)')"

    def number_sql(self, parameters: Parameters, *, rollup: bool) -> str:
        """The value as a number, unscaled; null where a map's part is not one."""
        value = self.sql(parameters, rollup=rollup)
        if self.field.kind != "map":
            return value
        number = f"toFloat64OrNull({value})"
        return f"if(isFinite({number}), {number}, NULL)"


def find(name: object, at: str) -> Ref:
    """The field of a name or alias; ``at`` is where the question names it.

    Raises:
        InvalidInput: when there is no such field.
    """
    said = text(name, at, limit=_MAX_NAME)
    plain = _PLAIN.get(ALIASES.get(said, said))
    if plain is not None:
        return Ref(plain)
    for prefix, field in _MAPS.items():
        if said.startswith(prefix + ".") and len(said) > len(prefix) + 1:
            return Ref(field, _path(field, said[len(prefix) + 1 :], at))
    hint = f"; name a part of it, such as {said}.key" if said in _MAPS else ""
    raise InvalidInput(f"there is no field {said!r}{hint}", field=at, code="unknown_field")


def _path(field: Field, key: str, at: str) -> tuple[str, ...]:
    if not field.splits:
        return (key.lower() if field.name.endswith(".headers") else key,)
    parts = tuple(key.split("."))
    if len(parts) > MAX_PATH_PARTS or not all(parts):
        raise InvalidInput(
            f"a path has 1 to {MAX_PATH_PARTS} parts with dots between",
            field=at,
            code="unknown_field",
        )
    return parts
