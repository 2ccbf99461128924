"""What can be computed over events: each function as sums that rollups keep, or as raw values.

A metric reads *inputs*, columns of the relation (``Column``: the same value written over raw
events and, where possible, over rollups), aggregates them (``aggregates``), and turns the
aggregates into the answer (``finish``).

Definitions. count = Σ weight. sum and avg are weighted, over the events that have a number there.
unique counts different known values (empty and missing are not values; a status of 0 is none).
min, max and percentiles are of the values as captured; p95 is the least value that at least 95 %
of the weight lie at or below (exact). error_rate is the share of API calls that ended with status
500 and above or without any response; rate is count per second of the window or bucket.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tollkeeper.errors import InvalidInput
from tollkeeper.query.fields import Ref, find
from tollkeeper.query.parameters import Parameters
from tollkeeper.query.values import join, mapping, text

PLAIN = ("count", "error_rate", "rate")
FUNCTIONS = (*PLAIN, "unique", "sum", "avg", "min", "max", "p50", "p75", "p90", "p95", "p99")
_PERCENTILE = re.compile(r"p([1-9][0-9]?)", re.ASCII)

_FAILED = "kind = 'api_call' AND (status >= 500 OR status = 0)"
WEIGHT = "w"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the relation: its value over raw events and, if they know it, over rollups."""

    alias: str
    raw: str
    rollup: str | None
    raw_columns: tuple[str, ...] = ()
    rollup_columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Metric:
    """One function of a question, over a field where it needs one."""

    fn: str
    ref: Ref | None = None

    @property
    def name(self) -> str:
        """The column's name in the answer, such as ``p95(duration_ms)``."""
        return self.fn if self.ref is None else f"{self.fn}({self.ref.name})"

    @property
    def level(self) -> int:
        """The percentile's number, 0 when the function is another."""
        found = _PERCENTILE.fullmatch(self.fn)
        return int(found[1]) if found else 0

    @property
    def additive(self) -> bool:
        """Whether the answer for a rest is the difference of whole numbers, thus exact."""
        if self.fn in PLAIN:
            return True
        stored = self.ref is not None and self.ref.field.kind != "map"
        return stored and self.fn in ("sum", "avg")

    @property
    def type(self) -> str:
        """``integer`` or ``number``."""
        if self.fn in ("count", "unique"):
            return "integer"
        whole = self.ref is not None and self.ref.field.kind == "integer"
        return "integer" if whole and self.fn != "avg" else "number"

    @property
    def unit(self) -> str | None:
        """The answer's unit."""
        fixed = {"count": "calls", "rate": "calls/s", "error_rate": "ratio"}
        if self.fn in fixed or self.ref is None:
            return fixed.get(self.fn)
        return None if self.fn == "unique" else self.ref.field.unit


def read_metric(value: object, at: str) -> Metric:
    """One entry of ``metrics``.

    Raises:
        InvalidInput: an unknown function or field, or a field that the function cannot take.
    """
    given = mapping(value, at, ("fn", "field"))
    if "fn" not in given:
        raise InvalidInput("is needed", field=join(at, "fn"), code="missing")
    fn = text(given["fn"], join(at, "fn"), limit=30)
    if fn not in FUNCTIONS and not _PERCENTILE.fullmatch(fn):
        known = "count, unique, sum, avg, min, max, p1 to p99, error_rate, rate"
        raise InvalidInput(
            f"unknown function; known are {known}", field=join(at, "fn"), code="unknown_function"
        )
    where = join(at, "field")
    if fn in PLAIN:
        if given.get("field") is not None:
            raise InvalidInput(f"{fn} takes no field", field=where)
        return Metric(fn)
    if given.get("field") is None:
        raise InvalidInput(f"{fn} needs a field", field=where, code="missing")
    ref = find(given["field"], where)
    if ref.field.kind == "time" or (fn != "unique" and ref.field.kind == "text"):
        raise InvalidInput(f"{ref.name} is no number; {fn} needs one", field=where)
    return Metric(fn, ref)


class Inputs:
    """The columns that a question's metrics read, each once."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._columns: dict[tuple[str, str], Column] = {}

    @property
    def columns(self) -> list[Column]:
        """The columns asked for so far."""
        return list(self._columns.values())

    def weight(self) -> str:
        """The alias of the number of calls that a row stands for."""
        return self._add("w", WEIGHT, Column(WEIGHT, "weight", "calls", ("weight",), ("calls",)))

    def failed(self) -> str:
        """The alias of the calls that ended badly."""
        raw, rollup = f"weight * ({_FAILED})", f"calls * ({_FAILED})"
        columns = ("kind", "status")
        return self._add(
            "failed", "f", Column("f", raw, rollup, ("weight", *columns), ("calls", *columns))
        )

    def calls(self) -> str:
        """The alias of the API calls (not actions) that a row stands for."""
        raw, rollup = "weight * (kind = 'api_call')", "calls * (kind = 'api_call')"
        return self._add(
            "calls", "a", Column("a", raw, rollup, ("weight", "kind"), ("calls", "kind"))
        )

    def value(self, ref: Ref, *, numeric: bool) -> str:
        """The alias of a field's value, as number or as it is."""
        write = ref.number_sql if numeric else ref.sql
        rollup = None
        # What a rollup has as a dimension it has per row, not per event: good for different
        # values, not for numbers that are summed.
        if ref.field.rollup is not None and not numeric:
            rollup = write(self._parameters, rollup=True)
        return self._add(
            f"value{numeric}",
            ref.name,
            Column(
                f"v{len(self._columns)}",
                write(self._parameters, rollup=False),
                rollup,
                ref.columns(rollup=False),
                ref.columns(rollup=True) if rollup else (),
            ),
        )

    def total(self, ref: Ref) -> str:
        """The alias of a number times its weight."""
        value = ref.number_sql(self._parameters, rollup=False)
        column = ref.field.total
        return self._add(
            "total",
            ref.name,
            Column(
                f"t{len(self._columns)}",
                f"{value} * weight",
                column,
                (*ref.columns(rollup=False), "weight"),
                (column,) if column else (),
            ),
        )

    def present(self, ref: Ref) -> str:
        """The alias of the calls that have a number there."""
        if ref.field.kind != "map":
            return self.weight()
        value = ref.number_sql(self._parameters, rollup=False)
        raw = f"weight * isNotNull({value})"
        columns = (*ref.columns(rollup=False), "weight")
        return self._add("present", ref.name, Column(f"n{len(self._columns)}", raw, None, columns))

    def extreme(self, ref: Ref, fn: str) -> str:
        """The alias of a number's least or greatest value within a row."""
        column = f"{ref.field.total}_{fn}" if ref.field.extremes else None
        return self._add(
            fn,
            ref.name,
            Column(
                f"x{len(self._columns)}",
                ref.number_sql(self._parameters, rollup=False),
                column,
                ref.columns(rollup=False),
                (column,) if column else (),
            ),
        )

    def _add(self, use: str, name: str, column: Column) -> str:
        return self._columns.setdefault((use, name), column).alias


def all_aggregates(metrics: Sequence[Metric], inputs: Inputs) -> list[list[str]]:
    """The aggregates that ``finish`` needs for each metric, as SQL over the relation.

    Percentiles of one field are taken from one aggregate.
    """
    levels: dict[Ref, list[int]] = {}
    for metric in metrics:
        if metric.ref is not None and metric.level:
            levels.setdefault(metric.ref, []).append(metric.level)
    return [
        [_percentile(metric, levels[metric.ref], inputs)]
        if metric.ref is not None and metric.level
        else _aggregates(metric, inputs)
        for metric in metrics
    ]


def _percentile(metric: Metric, levels: list[int], inputs: Inputs) -> str:
    assert metric.ref is not None  # noqa: S101  the caller looked
    value, weight = inputs.value(metric.ref, numeric=True), inputs.weight()
    if metric.ref.field.kind == "map":
        # Values that may be null are skipped; without any the result is null, which a list of
        # percentiles could not be.
        return f"quantileExactWeighted({metric.level / 100})({value}, {weight})"
    listed = ", ".join(str(level / 100) for level in levels)
    place = levels.index(metric.level) + 1
    return f"quantilesExactWeighted({listed})({value}, {weight})[{place}]"


def _aggregates(metric: Metric, inputs: Inputs) -> list[str]:
    if metric.fn in ("count", "rate"):
        return [f"sum({inputs.weight()})"]
    if metric.fn == "error_rate":
        return [f"sum({inputs.failed()})", f"sum({inputs.calls()})"]
    ref = metric.ref
    assert ref is not None  # noqa: S101  read_metric gave it one
    if metric.fn == "unique":
        return [_unique(ref, inputs.value(ref, numeric=False))]
    if metric.fn == "sum":
        return [f"sum({inputs.total(ref)})"]
    if metric.fn == "avg":
        return [f"sum({inputs.total(ref)})", f"sum({inputs.present(ref)})"]
    return [f"{metric.fn}({inputs.extreme(ref, metric.fn)})"]


def _unique(ref: Ref, alias: str) -> str:
    nothing = "''" if ref.field.kind in ("text", "map") else "0"
    if nothing == "0" and ref.name != "response.status":
        return f"uniqExact({alias})"
    # Counting everything and taking the unknown off again costs half of counting conditionally.
    return f"uniqExact({alias}) - ifNull(max({alias} = {nothing}), 0)"


def finish(metric: Metric, parts: Sequence[Any], *, seconds: float) -> int | float | None:
    """The metric's value from its aggregates; null where there is nothing to compute it from."""
    first = parts[0]
    if metric.fn in ("count", "unique"):
        return int(first or 0)
    if metric.fn == "rate":
        return int(first or 0) / seconds
    if metric.fn == "error_rate":
        return int(first or 0) / int(parts[1]) if parts[1] else None
    ref = metric.ref
    scale = 1 if ref is None else ref.field.scale
    if metric.fn == "sum":
        return _plain((first or 0) / scale if scale != 1 else first or 0)
    if metric.fn == "avg":
        return _plain(first / parts[1] / scale) if parts[1] else None
    return None if first is None else _plain(first / scale if scale != 1 else first)


def _plain(value: Any) -> int | float | None:
    """A number that JSON can carry."""
    if isinstance(value, int):
        return value
    number = float(value)
    return number if math.isfinite(number) else None
