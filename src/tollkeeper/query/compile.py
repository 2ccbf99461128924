"""Writes a question as SQL over the sources of its plan.

The *relation* of a question has one row per event or rollup row, with a column per input: ``b``
(start of its bucket), ``g0``… (group values), and the metrics' inputs. Three statements use it:
``totals_sql`` without groups, ``ranking_sql`` for the groups by their first metric, ``placed_sql``
for the shown groups and the rest. Each gives its totals from the very scan that gives its rows,
so what arrives between two statements never makes rows and totals disagree.
"""

# ruff: noqa: S608  statements are put together from constants of this package and placeholders

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tollkeeper.query.ask import Ask
from tollkeeper.query.fields import Ref
from tollkeeper.query.filter import Branch, Node
from tollkeeper.query.filter import sql as filter_sql
from tollkeeper.query.metric import Column, Inputs, all_aggregates
from tollkeeper.query.owner import CAPTURED, resolved
from tollkeeper.query.parameters import Parameters
from tollkeeper.query.plan import Bindings, Source

Group = tuple[str | int, ...]


def rollups_know(ask: Ask) -> bool:
    """Whether every part of a question is kept by rollups."""
    inputs = Inputs(Parameters())
    all_aggregates(ask.metrics, inputs)
    refs = list(ask.group_by)
    if ask.filter is not None:
        refs += [leaf.ref for leaf in ask.filter.leaves]
    return all(c.rollup is not None for c in inputs.columns) and all(
        ref.field.rollup is not None for ref in refs
    )


class Compiler:
    """The statements of one question, with the values bound in them."""

    def __init__(
        self, ask: Ask, application: str, sources: Sequence[Source], bound: Bindings
    ) -> None:
        self.parameters = Parameters()
        self._ask = ask
        self._application = application
        self._sources = sources
        self._bound = bound
        self._inputs = Inputs(self.parameters)
        self.parts = all_aggregates(ask.metrics, self._inputs)

    @property
    def _aggregates(self) -> list[str]:
        return [
            f"{part} AS m{i}" for i, part in enumerate(a for parts in self.parts for a in parts)
        ]

    def totals_sql(self) -> str:
        """One row per bucket and one for all: ``b``, whether the row is the total, aggregates."""
        if not self._ask.window.starts_us:
            chosen = ", ".join(["0 AS b", "1 AS total", *self._aggregates])
            return f"SELECT {chosen} FROM ({self.relation()}) HAVING count() > 0"
        chosen = ", ".join(["b", "grouping(b) AS total", *self._aggregates])
        return f"SELECT {chosen} FROM ({self.relation()}) GROUP BY b WITH ROLLUP"

    def ranking_sql(self, *, only_first: bool) -> str:
        """The greatest groups and one more, and the total above them.

        Shape: whether the row is the total, the group's values, the aggregates (``only_first``:
        of the first metric).
        """
        names = [f"g{i}" for i in range(len(self._ask.group_by))]
        kept = self._aggregates[: len(self.parts[0])] if only_first else self._aggregates
        level = " + ".join(f"grouping({name})" for name in names)
        chosen = ", ".join([f"{level} AS level", *names, *kept])
        keys = ", ".join(names)
        ranked = f"SELECT {chosen} FROM ({self.relation()}) GROUP BY {keys} WITH ROLLUP"
        order = ", ".join(["total DESC", f"{self._order()} DESC NULLS LAST", *names])
        limit = self.parameters.integer(self._ask.limit + 2)
        return (
            f"SELECT level > 0 AS total, * EXCEPT (level) FROM ({ranked}) "
            f"WHERE level IN (0, {len(names)}) ORDER BY {order} LIMIT {limit}"
        )

    def placed_sql(self, groups: Sequence[Group]) -> str:
        """Rows of the given groups (place 1, 2, …) and of all others together (place 0).

        Shape: whether the row is the total, place, ``b``, the aggregates.
        """
        place = _place(self._ask.group_by, groups, self.parameters)
        keys = ["place", "b"] if self._ask.window.starts_us else ["place"]
        bucket = "b" if self._ask.window.starts_us else "0 AS b"
        level = " + ".join(f"grouping({key})" for key in keys)
        chosen = ", ".join([f"{level} AS level", "place", bucket, *self._aggregates])
        inner = f"SELECT *, {place} AS place FROM ({self.relation()})"
        placed = f"SELECT {chosen} FROM ({inner}) GROUP BY {', '.join(keys)} WITH ROLLUP"
        rows = "level = 0" if self._ask.other else "level = 0 AND place > 0"
        return f"SELECT level > 0 AS total, * EXCEPT (level) FROM ({placed}) WHERE level = {len(keys)} OR ({rows})"

    def relation(self) -> str:
        """The rows that the question is about, as one SELECT."""
        branches = [self._branch(source) for source in self._sources]
        return " UNION ALL ".join(branches)

    def _order(self) -> str:
        first = self._ask.metrics[0]
        if first.fn in ("avg", "error_rate"):
            return "if(m1 = 0, NULL, m0 / m1)"
        return "m0"

    def _branch(self, source: Source) -> str:
        rollup = source.table != "events"
        columns = [*self._groups(rollup=rollup), *self._inputs.columns]
        refs = self._refs()
        early, late = split(self._ask.filter)
        needed = {name for c in columns for name in (c.rollup_columns if rollup else c.raw_columns)}
        needed |= {
            name
            for node in late
            for leaf in node.leaves
            for name in leaf.ref.columns(rollup=rollup)
        }
        owners = self._ask.owners
        rows = self._rows(source, needed | (set(CAPTURED) if owners else set()), early)
        rows = resolved(
            rows,
            owners=owners,
            attributes={ref.owner for ref in refs if ref.attributes},
            bound=self._bound,
            application=self._application,
            parameters=self.parameters,
        )
        chosen = [f"{c.rollup if rollup else c.raw} AS {c.alias}" for c in columns]
        if self._ask.window.starts_us:
            chosen.append(f"{self._bucket()} AS b")
        where = " AND ".join(f"({filter_sql(n, self.parameters, rollup=rollup)})" for n in late)
        # The names of inputs could hide those of the table, so they are made one level up.
        text = f"SELECT {', '.join(chosen)} FROM ({rows}) AS source"
        return f"{text} WHERE {where}" if where else text

    def _rows(self, source: Source, needed: set[str], early: list[Node]) -> str:
        rollup = source.table != "events"
        clock = "time" if not rollup else "bucket"
        us = "toUnixTimestamp64Micro(time)" if not rollup else "toUnixTimestamp64Micro(first_time)"
        chosen = [*sorted(needed), f"{us} AS us"]
        if rollup:
            chosen.append("toInt64(toUnixTimestamp(bucket)) * 1000000 AS bucket_us")
        else:
            chosen.append(f"{us} AS bucket_us")
        where = [
            f"application = {self.parameters.text(self._application)}",
            f"({' OR '.join(self._range(clock, low, high) for low, high in source.ranges)})",
            *(f"({filter_sql(n, self.parameters, rollup=rollup)})" for n in early),
        ]
        return f"SELECT {', '.join(chosen)} FROM {source.table} WHERE {' AND '.join(where)}"

    def _range(self, clock: str, low: int, high: int) -> str:
        since, until = (
            f"fromUnixTimestamp64Micro({self.parameters.integer(v)})" for v in (low, high)
        )
        return f"({clock} >= {since} AND {clock} < {until})"

    def _bucket(self) -> str:
        window = self._ask.window
        if window.step_us:
            first, step = (
                self.parameters.integer(v) for v in (window.starts_us[0], window.step_us)
            )
            return f"intDiv(bucket_us - {first}, {step}) * {step} + {first}"
        return (
            f"roundDown(bucket_us, {self.parameters.bind(list(window.starts_us), 'Array(Int64)')})"
        )

    def _groups(self, *, rollup: bool) -> list[Column]:
        found = []
        for place, ref in enumerate(self._ask.group_by):
            value = ref.sql(self.parameters, rollup=rollup)
            value = f"toUInt64({value})" if ref.field.kind == "integer" else value
            value = f"ifNull({value}, '')" if ref.field.kind == "map" else value
            columns = ref.columns(rollup=rollup)
            found.append(Column(f"g{place}", value, value, columns, columns))
        return found

    def _refs(self) -> list[Ref]:
        refs = [*self._ask.group_by, *(m.ref for m in self._ask.metrics if m.ref)]
        if self._ask.filter is not None:
            refs += [leaf.ref for leaf in self._ask.filter.leaves]
        return refs


def split(node: Node | None) -> tuple[list[Node], list[Node]]:
    """Conditions that can be tested on the table's rows, and those that need the owner first."""
    if node is None:
        return [], []
    tops = node.nodes if isinstance(node, Branch) and node.kind == "and" else (node,)
    late = [n for n in tops if any(leaf.ref.owner for leaf in n.leaves)]
    return [n for n in tops if n not in late], late


def _place(refs: Sequence[Ref], groups: Sequence[Group], parameters: Parameters) -> str:
    """The place of a row's group in the list, 0 when it is not in it.

    Each value is looked up in the values of its own column, then the combination among the
    groups: two hash look-ups of small numbers instead of a search for a tuple in a list.
    """
    places: list[str] = []
    codes = [0] * len(groups)
    for column, ref in enumerate(refs):
        values = sorted({group[column] for group in groups}, key=repr)
        kind = "Array(UInt64)" if ref.field.kind == "integer" else "Array(String)"
        known = parameters.bind(values, kind)
        numbers = parameters.bind(list(range(1, len(values) + 1)), "Array(UInt64)")
        radix = len(values) + 1
        order = {value: number for number, value in enumerate(values, start=1)}
        codes = [
            code * radix + order[group[column]] for code, group in zip(codes, groups, strict=True)
        ]
        found = (
            f"transform(g{column}, {known}, {numbers}, toUInt64(0))" if groups else "toUInt64(0)"
        )
        places = [f"({places[0]} * {parameters.integer(radix)} + {found})"] if places else [found]
    if not groups:
        return "toUInt64(0)"
    known, numbers = (
        parameters.bind(codes, "Array(UInt64)"),
        parameters.bind(list(range(1, len(codes) + 1)), "Array(UInt64)"),
    )
    return f"transform({places[0]}, {known}, {numbers}, toUInt64(0))"


def as_group(values: Sequence[Any]) -> Group:
    """A group's values as JSON has them."""
    return tuple(v if isinstance(v, str) else int(v) for v in values)
